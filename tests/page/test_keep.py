"""Labelled pictures that the page keeps: what is in the folder, and who can put it there."""

import csv
import hashlib
import io
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Patch
from PIL import Image
from served import png, request, running

from mnist_cnn.data.labels import TABLE
from mnist_cnn.page import keep
from mnist_cnn.page.keep import KeepError, Kept
from mnist_cnn.page.networks import Networks
from mnist_cnn.reading.pictures import PictureError, read_picture


def sheet(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my digits"


@pytest.fixture
def port(folder: Path, tmp_path: Path) -> Iterator[int]:
    with running(Networks(logs=tmp_path), kept=Kept(folder)) as port:
        yield port


def test_pictures_are_kept_with_their_labels(port: int, folder: Path) -> None:
    status, _, state = request(port, "POST", "/keep?digits=7", png(sheet(0)))
    assert status == 200
    command = state["kept"].pop("command")
    assert state["kept"] == {"folder": str(folder), "count": 1}
    assert shlex.split(command)[-4:] == ["fit", "--config", "finetune", f"--data.labelled={folder}"]
    assert request(port, "POST", "/keep?digits=012", png(sheet(1)))[2]["kept"]["count"] == 2
    assert [line["digits"] for line in table(folder)] == ["7", "012"]
    for seed, line in enumerate(table(folder)):
        np.testing.assert_array_equal(read_picture(folder / line["file"]).pixels, sheet(seed))
        assert line["file"] == hashlib.sha256((folder / line["file"]).read_bytes()).hexdigest()[:24] + ".png"


def test_the_same_picture_gets_another_label_or_none(port: int, folder: Path) -> None:
    for digits in ("7", "1"):
        assert request(port, "POST", f"/keep?digits={digits}", png(sheet(0)))[2]["kept"]["count"] == 1
        assert [line["digits"] for line in table(folder)] == [digits]
    status, _, answer = request(port, "POST", "/keep", png(sheet(0)))
    assert (status, len(table(folder))) == (400, 1)
    assert answer["error"].startswith("say what is written there: /keep?digits=7")
    assert request(port, "POST", "/keep?digits=", png(sheet(0)))[2]["kept"]["count"] == 0
    assert [path.name for path in folder.iterdir()] == ["labels.csv"]


def test_what_cannot_be_kept_leaves_nothing(port: int, folder: Path) -> None:
    for digits in ("x", "../1", "1,2", "%D9%A3", "1%0A2", "1" * 101):
        status, _, answer = request(port, "POST", f"/keep?digits={digits}", png(sheet(0)))
        assert (status, answer["error"]) == (409, "a label is 1 to 100 digits from 0 to 9")
    assert request(port, "POST", "/keep?digits=1", b"no picture")[0] == 422
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        assert request(port, "POST", "/keep?digits=1", png(sheet(0)), **headers)[0] == 403
    (folder / f".{TABLE}.partial").mkdir()  # nothing can be written
    status, _, answer = request(port, "POST", "/keep?digits=1", png(sheet(0)))
    assert (status, answer["error"]) == (503, "this cannot be kept: Is a directory")
    assert (folder / "labels.csv").read_text() == "file,digits\n"
    (folder / "labels.csv").unlink()
    (folder / "labels.csv").mkdir()
    status, _, answer = request(port, "GET", "/state")
    assert (status, answer["error"]) == (503, "this cannot be kept: Is a directory")


def test_a_photo_is_kept_upright_and_without_its_place(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    file = io.BytesIO()
    Image.fromarray(sheet(0)).save(file, "JPEG", exif=exif)
    Kept(folder).add(file.getvalue(), "5")
    with Image.open(folder / table(folder)[0]["file"]) as image:
        assert image.size == (30, 40)
        assert not image.getexif()


def test_number_and_size_are_limited(folder: Path, monkeypatch: Patch) -> None:
    kept = Kept(folder)
    kept.add(png(sheet(0)), "1")
    for limit, value in (("MOST_PICTURES", 1), ("MOST_BYTES", 4000)):
        with monkeypatch.context() as patch:
            patch.setattr(keep, limit, value)
            with pytest.raises(KeepError, match="the folder is full"):
                kept.add(png(sheet(1)), "1")
            kept.add(png(sheet(0)), "2")  # takes no more room
    assert [line["digits"] for line in table(folder)] == ["2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_the_users_own_goes_on(folder: Path, delimiter: str) -> None:
    folder.mkdir()
    before = "file,writer,digits\nscans/a.png,Ann,seven\n".replace(",", delimiter)
    (folder / "labels.csv").write_text(before, encoding="utf-8-sig")
    kept = Kept(folder)
    kept.add(png(sheet(0)), "3")
    assert kept.count() == 2
    text = (folder / "labels.csv").read_text()
    assert text.startswith(before)
    assert text.endswith(f".png{delimiter * 2}3\n")
    with pytest.raises(PictureError):
        kept.add(b"", "3")
    for content in ("a,b\n1,2\n", "file,digits\na,1,2\n", 'file,digits\n"a"b,1\n'):
        (folder / "labels.csv").write_text(content)
        with pytest.raises(KeepError, match=r"labels\.csv.*give another --keep"):
            Kept(folder)
        assert (folder / "labels.csv").read_text() == content

"""`predict --data.pictures` and `read_digits`, end to end."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, Fails, saved_as
from drawn import Mnist, enlarged, finished, nearest_mean, on_paper
from PIL import Image

from mnist_cnn import read_digits
from mnist_cnn.callbacks.contact_sheet import HEIGHT, WIDTH
from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.reading.pictures import PictureError
from mnist_cnn.tasks.classifier import DigitClassifier


@pytest.fixture(scope="module")
def model(mnist: Mnist) -> DigitClassifier:
    return nearest_mean(*mnist)


@pytest.fixture
def checkpoint(model: DigitClassifier, tmp_path: Path) -> Path:
    return saved_as(tmp_path / "nearest.ckpt", model)


def picture(mnist: Mnist, label: int) -> Image.Image:
    images, labels = mnist
    digits = images[labels == label, 0]
    typical = (digits - digits.float().mean(dim=0)).square().sum(dim=(1, 2)).argmin()
    digit = digits[typical].numpy()
    return Image.fromarray(finished(on_paper(enlarged(digit, 150))))


def rows(path: str = "predictions.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_pictures_good_and_bad(
    cli: Cli, checkpoint: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("photos")
    (folder / "more").mkdir(parents=True)
    odd = "a\nb,c.png"
    for name, label in (("zero.png", 0), ("more/six.jpg", 6), (odd, 1)):
        picture(mnist, label).save(folder / name)
    (folder / "text.png").write_text("no image")
    Image.new("L", (1, 1)).save(folder / "pixel.png")
    Image.new("RGB", (300, 200), "white").save(folder / "blank.png")
    (folder / "more" / "up").symlink_to(folder.resolve())
    cli("predict", f"--ckpt_path={checkpoint}", "--data.pictures=photos", "--predictions.output=out/p.csv")
    output = capsys.readouterr()
    found = {row["file"]: row for row in rows("out/p.csv")}
    assert list(found) == [f"photos/{name}" for name in (odd, "blank.png", "zero.png", "more/six.jpg")]
    assert [found[f"photos/{name}"]["digits"] for name in ("zero.png", "more/six.jpg", odd)] == ["0", "6", "1"]
    assert all(0 < float(row["confidence"]) <= 1 for row in found.values() if row["digits"])
    blank = found["photos/blank.png"]
    assert (blank["digits"], float(blank["confidence"]), blank["note"]) == ("", 0.0, "no digit was found")
    warnings = [line for line in output.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 4
    for name in ("text.png", "pixel.png", "up", "blank.png"):
        assert sum(name in line for line in warnings) == 1, name
    assert "3 predictions, 3 skipped, 1 without a digit: out/p.csv" in output.out.replace("\n", " ")
    assert sorted(path.name for path in Path("out").iterdir()) == ["p.csv", "p.png"]
    with Image.open("out/p.png") as sheet:
        assert sheet.size == (3 * WIDTH, 2 * HEIGHT)


def test_a_file_name_is_one_field_and_leads_nowhere(
    cli: Cli,
    checkpoint: Path,
    mnist: Mnist,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = tmp_path / "work" / "inner"
    inner.mkdir(parents=True)
    name = 'a\n..\\..\\b,9,1.000000,"\r\n.png'
    picture(mnist, 6).save(tmp_path / "work" / name)
    monkeypatch.chdir(inner)
    cli("predict", f"--ckpt_path={checkpoint}", "--data.pictures=..")
    (row,) = rows()
    assert (row["file"], row["digits"]) == (f"../{name}", "6")
    assert sorted(path.name for path in inner.iterdir()) == ["predictions.csv", "predictions.png"]
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == sorted([name, "inner"])


def test_a_row_and_several_places(cli: Cli, checkpoint: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]) -> None:
    side_by_side = np.concatenate([np.asarray(picture(mnist, label)) for label in (0, 6, 1)], axis=1)
    Image.fromarray(side_by_side).save("row.png")
    places = "--data.pictures=[row.png,ro*.png]"
    cli("predict", f"--ckpt_path={checkpoint}", places, "--data.layout=row", "--predictions.boxes=true")
    (row,) = rows()
    assert (row["file"], row["digits"]) == ("row.png", "061")
    boxes = [[float(side) for side in box.split()] for box in row["boxes"].split(";")]
    assert [round(left // 260) for left, *_ in boxes] == [0, 1, 2]
    assert "061" in capsys.readouterr().out


def test_a_page_has_a_line_for_each_row(cli: Cli, mnist: Mnist) -> None:
    lines = [
        np.concatenate([np.asarray(picture(mnist, d))[40:240, 20:200] for d in row], axis=1) for row in ((0, 6), (1, 0))
    ]
    Image.fromarray(np.concatenate(lines)).save("page.png")
    cli("predict", "--ckpt_path=pretrained", "--data.pictures=page.png", "--data.layout=page")
    first, second = rows()
    assert [first["digits"], second["digits"]] == ["06", "10"]
    assert float(first["bottom"]) <= 200 <= float(second["top"]) + 20
    assert list(first) == ["file", "digits", "confidence", "left", "top", "right", "bottom", "note"]


def test_nothing_to_predict_is_an_error_and_writes_nothing(cli: Cli, fails: Fails, checkpoint: Path) -> None:
    Path("empty").mkdir()
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    Image.new("RGB", (300, 200), "white").save("blank.png")
    for place, reason in (
        ("empty", "no pictures in this folder"),
        ("gone.png", "no such file or folder"),
        ("broken.jpg", "no digit was read, 1 skipped"),
        ("blank.png", "no digit was read, 1 without a digit"),
        ("[]", "no place was named"),
        ("", "an empty name"),
    ):
        line = fails(cli, "predict", f"--ckpt_path={checkpoint}", f"--data.pictures={place}")
        assert reason in line, place
    assert not Path("predictions.csv").exists()
    for name in ("p.png", "p.json"):
        line = fails(
            cli, "predict", f"--ckpt_path={checkpoint}", "--data.pictures=blank.png", f"--predictions.output={name}"
        )
        assert f"'{name}' would not be in the format of its name: end it with .csv" in line


def test_no_picture_is_overwritten_by_a_contact_sheet(cli: Cli, fails: Fails, checkpoint: Path, mnist: Mnist) -> None:
    Path("mine").mkdir()
    picture(mnist, 3).save("mine/a.png")
    before = Path("mine/a.png").read_bytes()
    predict = ("predict", f"--ckpt_path={checkpoint}", "--data.pictures=mine")
    line = fails(cli, *predict, "--predictions.output=mine/a.csv")
    assert "mine/a.png is there, and no contact sheet is put in its place: choose another file" in line
    assert Path("mine/a.png").read_bytes() == before
    assert not Path("mine/a.csv").exists()
    for _ in range(2):  # the second time, its own sheet is there, and is neither read nor in the way
        cli(*predict, "--predictions.output=mine/b.csv")
        assert [row["file"] for row in rows("mine/b.csv")] == ["mine/a.png"]
    assert Path("mine/b.png").exists()
    for k in range(18):  # and a second page
        shutil.copy("mine/a.png", f"mine/{k}.png")
    shutil.copy("mine/a.png", "mine/c-2.png")
    assert "mine/c-2.png is there" in fails(cli, *predict, "--predictions.output=mine/c.csv")
    assert not Path("mine/c.png").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind this user")
def test_an_unreadable_file_is_named(cli: Cli, fails: Fails, checkpoint: Path) -> None:
    Path("secret.png").touch(mode=0o000)
    assert "1 skipped" in fails(cli, "predict", f"--ckpt_path={checkpoint}", "--data.pictures=secret.png")


def test_read_digits_takes_whatever_holds_a_picture(
    model: DigitClassifier, checkpoint: Path, mnist: Mnist, tmp_path: Path
) -> None:
    image = picture(mnist, 6)
    path = tmp_path / "six.png"
    image.save(path)
    pixels, grey = np.asarray(image), np.asarray(image.convert("L"))
    readings = [
        read_digits(path, checkpoint=checkpoint),
        *read_digits([path, str(path), path.read_bytes(), image, pixels, grey, grey[..., None]], model=model),
        read_digits(np.asarray(image.convert("RGBA")), model=model),
        read_digits(pixels / 255, model=model),
        read_digits((grey / 255).astype(np.float32), model=model),
        read_digits(torch.from_numpy(pixels.copy()).permute(2, 0, 1), model=model),
        read_digits(torch.from_numpy(grey / 255), model=model),
        read_digits(torch.from_numpy(grey.copy())[None], model=model),
    ]
    assert [reading.digits for reading in readings] == ["6"] * len(readings)
    assert readings[0].confidence == pytest.approx(readings[1].confidence, abs=1e-4)
    assert readings[0].images.shape == (1, 28, 28)
    assert repr(readings[0]).startswith("Reading('6', confidence=")
    assert len(repr(readings[0])) < 80
    blank = read_digits(np.full((90, 90), 250, np.uint8), model=model)
    assert (blank.digits, blank.confidence, blank.images.shape, blank.rows) == ("", 0.0, (0, 28, 28), [])
    assert read_digits([], model=model) == []


def test_boxes_are_in_pixels_of_the_file_and_can_be_drawn(mnist: Mnist) -> None:
    image = picture(mnist, 6)
    large = image.resize((image.width * 10, image.height * 10))  # more than is read
    small, whole = read_digits(image), read_digits(large)
    assert small.digits == whole.digits == "6"
    assert np.abs(whole.boxes / 10 - small.boxes).max() < 12
    drawn = np.asarray(whole.draw())
    assert drawn.shape == whole.picture.shape
    assert (drawn != whole.picture).any()
    assert whole.rows[0].box == tuple(whole.boxes[0].tolist())


def test_the_bundled_networks_vote_and_another_classifier_decides_alone(mnist: Mnist) -> None:
    class Nine(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.eye(10)[9].expand(len(images), 10) * 20

    assert read_digits(picture(mnist, 6), model=Nine()).digits == "9"
    assert read_digits(picture(mnist, 6), checkpoint="pretrained").digits == "6"


def test_read_digits_says_what_is_wrong(model: DigitClassifier, tmp_path: Path) -> None:
    page = np.full((90, 90), 250, np.uint8)
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        read_digits(page, checkpoint=tmp_path / "none.ckpt")
    with pytest.raises(PictureError, match="no such file"):
        read_digits(tmp_path / "none.png", model=model)
    with pytest.raises(ValueError, match="give one of 'digit', 'row', 'page'"):
        read_digits(page, "line", model=model)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="give a model or a checkpoint, not both"):
        read_digits(page, model=model, checkpoint="pretrained")
    with pytest.raises(ValueError, match="a file or a name is a checkpoint="):
        read_digits(page, model="best.ckpt")  # type: ignore[call-overload]
    for wrong in (page.astype(float), page - 300.0, np.full((9, 9), np.nan)):
        with pytest.raises(ValueError, match="from 0 to 1"):
            read_digits(wrong, model=model)
    for shape in ((90,), (90, 90, 2), (2, 90, 90, 3)):
        with pytest.raises(ValueError, match="of one, three or four channels"):
            read_digits(np.zeros(shape, np.uint8), model=model)
    with pytest.raises(ValueError, match="a dict is no picture"):
        read_digits({}, model=model)  # type: ignore[call-overload]

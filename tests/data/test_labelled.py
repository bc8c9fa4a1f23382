"""Labelled pictures: found, read, cached, held out; learned from and tested on from the command line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli, Fails
from drawn import Mnist, digits, enlarged, finished, on_paper, saved
from PIL import Image
from torch.utils.data import TensorDataset

from mnist_cnn import DigitDataModule
from mnist_cnn.callbacks.labelled import worst_confusion
from mnist_cnn.data import reading_cache
from mnist_cnn.data.files import DataError
from mnist_cnn.data.labelled import as_classes, joined_classes, only_classes, read_labelled
from mnist_cnn.data.labels import find_labels
from mnist_cnn.networks import DIGITS


def page(mnist: Mnist, *labels: int) -> Image.Image:
    """Digits in a row on paper."""
    inks = [enlarged(digits(mnist, label, 1)[0, 0].numpy(), 60) for label in labels]
    sheet = np.concatenate([finished(on_paper(ink, (120, 90), (30, 20))) for ink in inks], axis=1)
    return Image.fromarray(sheet)


def test_folders_of_classes_hold_folders_of_writers(tmp_path: Path, mnist: Mnist) -> None:
    saved(digits(mnist, 3, 2), tmp_path / "3")
    saved(digits(mnist, 4, 1), tmp_path / "four" / "anna")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "5").mkdir()
    labels, problems = find_labels(str(tmp_path), [])
    assert [(label.path.name, label.names, label.writer) for label in labels] == [
        ("0.png", ("3",), ""),
        ("1.png", ("3",), ""),
        ("0.png", ("four",), "anna"),
    ]
    assert len(problems) == 1
    assert "5: no pictures in this folder" in problems[0]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_as_predict_writes_it(tmp_path: Path, delimiter: str) -> None:
    lines = [
        ["file", "digits", "confidence", "left", "top", "right", "bottom", "writer"],
        ["a.png", "012", "0.9", "1", "2", "30.5", "40", "kid"],
        ["a.png", "alef", "0.9", "", "", "", "", ""],
        ["a.png", "alef beth", "", "", "", "", "", ""],
        ["b.png", "", "", "", "", "", "", ""],
    ]
    (tmp_path / "a.png").touch()
    (tmp_path / "t.csv").write_text("\ufeff" + "\n".join(delimiter.join(line) for line in lines), encoding="utf-8")
    labels, problems = find_labels(str(tmp_path / "t.csv"), ["alef", "beth"])
    assert [label.names for label in labels] == [("0", "1", "2"), ("alef",), ("alef", "beth")]
    assert (labels[0].crop, labels[0].writer, labels[1].crop) == ((1.0, 2.0, 30.5, 40.0), "kid", ())
    assert {label.path for label in labels} == {tmp_path / "a.png"}
    (tmp_path / "labels.csv").write_text("file,digits\na.png,7", encoding="utf-8")  # as the page keeps it
    assert [label.names for label in find_labels(str(tmp_path), [])[0]] == [("7",)]
    assert [problem.rpartition("/")[2] for problem in problems] == ["t.csv, line 5: no label, left out"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({}, "has no folders of classes"),
        ({"x.png": "1"}, "has no folders of classes.*put each into"),
        ({"t.csv": "1"}, r"give --data.labelled=.*t\.csv"),
        ({"a/x.txt": "1"}, "no labelled pictures"),
        ({"a b/x.png": "1"}, "'a b' cannot be the name of a class"),
        ({"a/x.png": "no picture"}, "nothing was found in the pictures"),
    ],
)
def test_what_is_no_folder_of_labelled_pictures(tmp_path: Path, made: dict[str, str], message: str) -> None:
    for name, text in made.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_labelled(str(tmp_path), DIGITS)
    assert "\n" not in str(error.value)


def test_what_is_no_table(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for text, message in {"file,label\na,1": "no column digits", "": "no column digits and no column file"}.items():
        table.write_text(text)
        with pytest.raises(DataError, match=message):
            find_labels(str(table), [])
    with pytest.raises(DataError, match="does not exist"):
        find_labels(str(tmp_path / "other.csv"), [])
    (tmp_path / "x.png").touch()
    with pytest.raises(DataError, match="is a picture"):
        find_labels(str(tmp_path / "x.png"), [])


def test_lines_of_a_table_that_cannot_be_used_are_named(
    cli: Cli, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(digits(mnist, 4, 1), Path(), "a.png")
    lines = ["a.png,4,,,,", "a.png,4,a,1,2,3", "a.png,4,1,1,2,", "a.png,4,9,1,2,3", "\0.png,4,,,,", "gone.png,4,,,,"]
    Path("t.csv").write_text("\n".join(["file,digits,left,top,right,bottom", *lines]))
    cli("test", "--ckpt_path=pretrained", "--data.labelled=t.csv")
    out, err = capsys.readouterr()
    assert "accuracy 33.33%, 2 errors in 3" in out  # of one that was read and two that are not there
    for number in (3, 4, 5):
        assert f"t.csv, line {number}: left, top, right and bottom are no box, left out" in err
    assert "gone.png, labelled 4: No such file or directory" in err
    assert "labelled 4: embedded null byte" in err


def test_pictures_that_will_not_do_end_a_run_before_it_has_a_folder(fails: Fails, cli: Cli, mnist: Mnist) -> None:
    saved(digits(mnist, 3, 2), Path("one/alef"))
    for name in "38":
        saved(digits(mnist, 3, 1), Path("same") / name)
        saved(digits(mnist, int(name), 1), Path("few") / name)
    reasons = {"one": "only one class, alef", "same": "two labels, 8 and 3", "few": "no class with two pictures"}
    for folder, reason in {**reasons, "nowhere": "does not exist"}.items():
        assert reason in fails(cli, "fit", "--model.network=MLP", f"--data.labelled={folder}")
    assert not [*Path("lightning_logs").glob("*")]


def test_classes_are_two_to_sixty_two() -> None:
    assert joined_classes(["3", "7"], DIGITS) == list(DIGITS)
    assert joined_classes(["7", "A"], DIGITS) == [*DIGITS, "A"]
    assert joined_classes(["A", "B"], DIGITS) == ["A", "B"]
    for names, message in ((["A"], "there is only one class, A"), ([str(n) for n in range(63)], "too many")):
        with pytest.raises(DataError, match=message):
            joined_classes(names, DIGITS)


def test_pictures_are_read_once_and_rows_are_aligned(
    tmp_path: Path, mnist: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(digits(mnist, 3, 1), tmp_path, "as_it_is.png")
    saved(digits(mnist, 4, 1), tmp_path, "negative.png", negative=True)
    page(mnist, 2).save(tmp_path / "one.png")
    page(mnist, 2, 0, 3).save(tmp_path / "row.png")
    page(mnist, 2, 0, 7).save(tmp_path / "other.png")
    table = tmp_path / "t.csv"
    rows = ["as_it_is.png,3", "negative.png,4", "one.png,2", "row.png,203", "other.png,2077", "gone.png,1"]
    table.write_text("\n".join(["file,digits", *rows]))
    own = read_labelled(str(table), DIGITS)
    assert own.names == [*"342203"]
    assert own.owners == [0, 1, 2, 3, 3, 3]
    images, labels = own.tensors(DIGITS)
    assert (images.shape, images.dtype, labels.tolist()) == ((6, 1, 28, 28), torch.uint8, [3, 4, 2, 2, 0, 3])
    assert torch.equal(images[:2], torch.cat([digits(mnist, 3, 1), digits(mnist, 4, 1)]))
    reasons = {label.path.name: why for label, why in own.missed}
    assert reasons == {"other.png": "3 digits were found, its label has 4", "gone.png": "No such file or directory"}
    assert own.pictures[3].opened().pixels.shape == (120, 270, 3)

    read = []
    real = reading_cache.look_for
    monkeypatch.setattr(reading_cache, "look_for", lambda *args, **more: read.append(args) or real(*args, **more))
    assert torch.equal(read_labelled(str(table), DIGITS).tensors(DIGITS)[0], images)
    assert not read
    page(mnist, 2, 5).save(tmp_path / "one.png")
    table.write_text("\n".join(["file,digits", *rows[:2], "one.png,25", *rows[3:]]))
    assert read_labelled(str(table), DIGITS).names == [*"3425203"]
    assert len(read) == 1
    (tmp_path / ".t.csv.labelled.pt").write_bytes(b"damaged")
    read_labelled(str(table), DIGITS)
    assert len(read) == 4
    for picture in tmp_path.glob("*.png"):
        picture.write_text("no picture")
    with pytest.raises(DataError, match="nothing was found in the pictures"):
        read_labelled(str(table), DIGITS)


def test_one_picture_with_two_labels_is_named(tmp_path: Path, mnist: Mnist) -> None:
    for name in "38":
        saved(digits(mnist, 3, 1), tmp_path / name)
    with pytest.raises(DataError, match=r"8/0.png and .*3/0.png are the same picture with two labels, 8 and 3"):
        read_labelled(str(tmp_path), DIGITS)


def test_a_fifth_is_held_out_by_writer(tmp_path: Path, mnist: Mnist, mnist_dir: Path) -> None:
    for digit in (3, 4):
        saved(digits(mnist, digit, 10), tmp_path / "alone" / str(digit))
        saved(digits(mnist, digit, 1, 20), tmp_path / "alone" / str(digit + 2))
        for writer in range(5):
            saved(digits(mnist, digit, 3, 3 * writer), tmp_path / "writers" / str(digit) / f"w{writer}")
            saved(digits(mnist, digit, 3, 3 * writer), tmp_path / "one" / str(digit) / "w")
        saved(digits(mnist, digit, 1), tmp_path / "few" / str(digit))
    with pytest.raises(DataError, match="no class with two pictures"):
        DigitDataModule(labelled=str(tmp_path / "few"), data_dir=str(mnist_dir)).setup("fit")
    DigitDataModule(labelled=str(tmp_path / "few"), data_dir=str(mnist_dir), val_size=0).setup("fit")  # as it says
    for folder, counts in {"alone": {"3": 2, "4": 2, "5": 0, "6": 0}, "one": {"3": 1, "4": 1}}.items():
        own = read_labelled(str(tmp_path / folder), DIGITS)
        chosen = own.held_out()
        assert torch.equal(chosen, own.held_out())
        held = [name for name, out in zip(own.names, chosen.tolist(), strict=True) if out]
        assert {name: held.count(name) for name in counts} == counts
    own = read_labelled(str(tmp_path / "writers"), DIGITS)
    writers = {(own.pictures[k].label.writer, out) for k, out in zip(own.owners, own.held_out().tolist(), strict=True)}
    assert len(writers) == 5
    assert sum(out for _, out in writers) == 1


def test_digits_are_mixed_in_where_they_are_classes() -> None:
    data = TensorDataset(torch.zeros(4, 1, 28, 28), torch.tensor([0, 1, 7, -1]))
    assert as_classes(data, ["1", "7", "A"])[1].tolist() == [0, 1, -1]
    assert len(as_classes(data, ["A", "B"])[1]) == 0
    assert only_classes(data, DIGITS) is data
    with pytest.raises(DataError, match=r"this network knows A, B, and no digits: add --data.labelled"):
        only_classes(data, ["A", "B"])


def test_the_worst_confusion_in_words() -> None:
    labels, answers = [0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 1, 2]
    assert worst_confusion(labels, answers, ["a", "b", "c"]) == (
        "most often confused: a is read as b, 2 of 3 times, and 1 the other way round"
    )
    assert worst_confusion([1], [1], ["a", "b"]) == ""

"""Splits to which labelled pictures and rendered digits are added."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from drawn import Mnist
from modules import module, running
from PIL import Image

from mnist_cnn import DigitDataModule
from mnist_cnn.data import files, rendered
from mnist_cnn.data.files import DataError


def own_digits(mnist: Mnist, digit: int) -> torch.Tensor:
    """Five of MNIST's digits, a little paler, so that they are told from it: uint8 [5, 1, 28, 28]."""
    images = mnist[0][mnist[1] == digit][:5]
    return images - images // 4


def labelled_folder(mnist: Mnist, folder: Path) -> Path:
    """Some 3s and 7s as files."""
    for digit in (3, 7):
        (folder / str(digit)).mkdir(parents=True)
        for number, image in enumerate(own_digits(mnist, digit)[:, 0]):
            Image.fromarray(image.numpy()).save(folder / str(digit) / f"{number}.png")
    return folder


def test_a_test_of_labelled_pictures_needs_no_data_set(mnist: Mnist, tmp_path: Path) -> None:
    folder = labelled_folder(mnist, tmp_path / "mine")
    data = DigitDataModule(labelled=folder, data_dir=tmp_path / "none")
    data.trainer = running("test")
    data.prepare_data()
    data.setup("test")
    assert not (tmp_path / "none").exists()
    images, labels = data.test_set.tensors
    assert labels.tolist() == [3] * 5 + [7] * 5
    assert torch.equal(images[:5], own_digits(mnist, 3))
    with pytest.raises(DataError, match=r"predict reads --data\.pictures"):
        data.setup("predict")


@pytest.mark.parametrize(("val_size", "held_out"), [(1, 2), (5000, 2), (0, 0)])
def test_of_labelled_pictures_a_part_is_held_out_where_anything_is(
    val_size: int, held_out: int, mnist: Mnist, mnist_dir: Path, tmp_path: Path
) -> None:
    folder = labelled_folder(mnist, tmp_path / "mine")
    data = module(mnist_dir, labelled=str(folder), val_size=val_size, mixed=300)
    labels = {image.numpy().tobytes(): digit for digit in (3, 7) for image in own_digits(mnist, digit)}
    validated = [image.numpy().tobytes() for image in data.val_set.tensors[0][:held_out]]
    assert data.own_held_out == held_out
    assert [labels[image] for image in validated] == data.val_set.tensors[1][:held_out].tolist() == [3, 7][:held_out]
    learned = [
        (image.numpy().tobytes(), label)
        for image, label in zip(*(part for part in data.train_set.tensors), strict=True)
    ]
    assert all(labels.get(image, int(label)) == int(label) for image, label in learned)
    own = {image for image, _ in learned} & set(labels)
    assert own == set(labels) - set(validated)
    state = data.state_dict()
    assert (state["labelled"], len(state["trained_on"])) == (str(folder), 10 - held_out)

    other = DigitDataModule(data_dir=mnist_dir)
    other.load_state_dict(state)
    assert other.trained_on == set(state["trained_on"])
    other.trainer = running("test")
    other.load_state_dict(state)
    other.trainer = running("fit")
    with pytest.raises(DataError, match=f"add --data.labelled={folder}"):
        other.load_state_dict(state)
    data.trainer = running("fit")
    data.load_state_dict(state)
    assert other.state_dict() == {}


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Rendered digits that are all 7 for training and all 9 for validation, a fifth of them of nothing."""
    prepared: list[tuple[int, str]] = []
    monkeypatch.setattr(rendered, "prepare", lambda folder, count, split: prepared.append((count, split)) or "")

    def load(folder: Path, count: int, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        kind = 7 if split == "train" else 9
        labels = torch.where(torch.arange(count) % 5 == 0, -1, kind)
        return torch.full((count, 1, 28, 28), kind, dtype=torch.uint8), labels

    monkeypatch.setattr(rendered, "load", load)
    return prepared


def test_rendered_digits_are_learned_and_those_of_held_out_ones_are_validated(
    mnist_dir: Path, renders: list[tuple[int, str]]
) -> None:
    data = module(mnist_dir, rendered=125)
    assert renders == [(125, "train"), (11, "val")]  # a twelfth, as of MNIST
    assert (len(data.train_set), len(data.val_set)) == (55_000 + 125, 5_000 + 8)
    assert int((data.train_set.tensors[1] == -1).sum()) == 25
    assert (data.val_set.tensors[1] >= 0).all()  # what shows nothing cannot be right
    flat = [
        (split.tensors[0] == kind).flatten(1).all(dim=1).sum().item()
        for split in (data.train_set, data.val_set)
        for kind in (7, 9)
    ]
    assert flat == [125, 0, 0, 8]
    data = module(mnist_dir, rendered=125, val_size=0)
    assert (len(data.train_set), len(data.val_set)) == (60_000 + 125 + 11, 0)


def test_digits_are_rendered_where_they_are_learned_or_validated(
    mnist_dir: Path, renders: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage, quick, counts in (("fit", True, (100, 9)), ("validate", False, (1000, 84)), ("test", False, None)):
        data = DigitDataModule(data_dir=mnist_dir, rendered=1000)
        data.trainer = running(stage, fast_dev_run=quick)
        data.prepare_data()
        assert renders == ([] if counts is None else [(counts[0], "train"), (counts[1], "val")])
        renders.clear()
    monkeypatch.setattr(files, "prepare", lambda dataset, folder: "")
    with pytest.raises(DataError, match=r"--data\.rendered is for MNIST"):
        DigitDataModule("KMNIST", data_dir=mnist_dir, rendered=1).prepare_data()


def test_of_the_data_set_those_classes_are_used_that_the_network_knows(mnist_dir: Path) -> None:
    for stage in ("fit", "validate", "test"):
        data = DigitDataModule(data_dir=mnist_dir)
        data.trainer = running(stage, lightning_module=SimpleNamespace(classes=["7", "A", "3"]))
        data.setup(stage)
        for split in (data.test_set,) if stage == "test" else (data.train_set, data.val_set):
            assert split.tensors[1].unique().tolist() == [0, 2]
        assert (data.train_set is None) == (stage == "test")
        assert (data.test_set is None) == (stage != "test")

"""Rendering of training digits, and what the data module does with them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mnist_cnn import DigitDataModule
from mnist_cnn.data import files, rendered, renderer
from mnist_cnn.data.datamodule import stratified_sample
from mnist_cnn.data.files import DataError
from mnist_cnn.scenes import photograph, writing
from mnist_cnn.scenes.scrawls import scrawl


@pytest.fixture(scope="module")
def training(mnist_dir: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = files.load("MNIST", mnist_dir, train=True)
    return images[:, 0].numpy(), labels.numpy()


def test_most_digits_stay_legible_and_none_stays_as_it_was(training: tuple[NDArray, NDArray]) -> None:
    digits, labels = training
    made = list(renderer.render_all(digits, labels, np.arange(60)))
    scrawls = range(renderer.SCRAWLS - 1, 60, renderer.SCRAWLS)
    assert [label for _, label in made] == [-1 if k in scrawls else labels[k] for k in range(60)]
    kept = [
        (image, digit) for (image, label), digit in zip(made, digits, strict=False) if label >= 0 and image is not None
    ]
    assert len(kept) > 40
    for image, digit in kept:
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
        assert image.max() > 150  # ink is white
        assert np.median(image) == 0  # paper is black
        assert not np.array_equal(image, digit)
    alike = [renderer._correlation(image, digit) for image, digit in kept]
    assert np.median(alike) > 0.6  # turned, slanted and bent, but the same digit


def test_a_picture_depends_on_its_number_alone(training: tuple[NDArray, NDArray]) -> None:
    digits, labels = training
    several = [image for image, _ in renderer.render_all(digits, labels, np.array([3, 5, 7]))]
    again = [image for image, _ in renderer.render_all(digits, labels, np.array([3, 5, 9]))]
    for one, other in zip(several[1:2], again[1:2], strict=True):
        assert one is None if other is None else np.array_equal(one, other)
    twice = [image for image, _ in renderer.render_all(digits, labels, np.array([5] * 6)) if image is not None]
    assert len({image.tobytes() for image in twice}) == len(twice) > 2


def test_pages_are_pictures_of_many_kinds(training: tuple[NDArray, NDArray]) -> None:
    digits, labels = training
    pages = []
    for k in range(40):
        rng = np.random.default_rng(k)
        page, place = photograph.photograph(writing.write(digits[k], rng, int(labels[k])), rng, digits[k + 1])
        assert page.dtype == np.uint8
        assert page.shape == (*place.shape, 3)
        assert 0 <= place.min() <= place.max() <= 1.01
        assert (place > 0.5).any()
        pages.append(page)
    light = [np.median(page) for page in pages]
    assert min(light) < 60 < 150 < max(light)
    assert len({page.shape for page in pages}) > 30


def test_ones_get_upstrokes_and_sevens_get_bars(training: tuple[NDArray, NDArray]) -> None:
    digits, labels = training
    for label, change in ((1, writing._add_upstroke), (7, writing._add_bar)):
        mask = np.pad(cv2.resize(digits[labels == label][0], (160, 160)) // 128, 24)
        before = mask.copy()
        change(mask, np.random.default_rng(0))
        added = (mask > before).sum()
        assert (mask >= before).all()
        assert 0.1 * before.sum() < added < before.sum()


def test_nothing_written_is_nothing_rendered(training: tuple[NDArray, NDArray]) -> None:
    empty = np.zeros((28, 28), np.uint8)
    for label in (1, 7, 8):
        assert renderer.render(empty, label, np.random.default_rng(0), empty) is None


def test_rendered_digits_stay_on_the_side_of_their_source(
    mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MNIST").symlink_to(mnist_dir / "MNIST")
    data = DigitDataModule(data_dir=str(tmp_path), rendered=80, val_size=20_000)
    data.prepare_data()
    monkeypatch.setattr(renderer, "render_all", None)  # the second time nothing is rendered
    data.prepare_data()
    data.setup("fit")
    images, labels, sources = rendered.load("MNIST", tmp_path, 80)
    of_digits = files.load("MNIST", tmp_path, train=True)[1]
    assert torch.equal(labels[labels >= 0], of_digits[sources][labels >= 0])
    assert 0 < (labels < 0).sum() < 20
    assert images.shape == (len(sources), 1, 28, 28)
    assert 50 < len(sources) <= 80
    held_out = stratified_sample(of_digits, 20_000)[sources]
    for split, mine, own in ((data.train_set, ~held_out, 40_000), (data.val_set, held_out & (labels >= 0), 20_000)):
        assert torch.equal(split.tensors[0][own:], images[mine])
        assert torch.equal(split.tensors[1][own:], labels[mine])
        assert mine.sum() > 5


def test_another_renderer_renders_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rendered._path("MNIST", tmp_path, 5)
    monkeypatch.setattr(rendered, "MAKERS", rendered.MAKERS[1:])
    assert rendered._path("MNIST", tmp_path, 5) != before
    assert rendered._path("MNIST", tmp_path, 6) != rendered._path("MNIST", tmp_path, 5)


def test_scrawls_are_strokes_of_many_kinds(training: tuple[NDArray, NDArray]) -> None:
    digits, labels = training
    shapes = [scrawl(160, (digits[k], digits[k + 1]), int(labels[k]), np.random.default_rng(k)) for k in range(40)]
    for shape in shapes:
        assert shape.shape == (160, 160)
        assert set(np.unique(shape)) == {0, 1}
        assert 0.01 < shape.mean() < 0.6
    assert len({shape.tobytes() for shape in shapes}) >= 35


def test_too_few_to_be_legible(mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MNIST").symlink_to(mnist_dir / "MNIST")
    monkeypatch.setattr(renderer, "render", lambda *_: None)
    with pytest.raises(DataError, match="none of 3 rendered digits is legible"):
        rendered.prepare("MNIST", tmp_path, 3)
    assert not list(tmp_path.glob("*.pt"))

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Capture, Patch
from lightning.pytorch.callbacks import RichProgressBar
from PIL import Image

from mnist_cnn.callbacks.drawing import BLUE, draw_confusion, draw_digits, draw_filters, draw_mistakes
from mnist_cnn.callbacks.labelled import LabelledReport
from mnist_cnn.callbacks.predictions import PredictionWriter
from mnist_cnn.callbacks.progress import EpochLines, progress_bar
from mnist_cnn.callbacks.results import verdict, wilson_interval
from mnist_cnn.data.errors import DataError


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3)}


def test_confusion_matrix_shows_right_answers_blue_and_mistakes_red() -> None:
    counts = torch.eye(10) * 50
    counts[3, 8] = 5
    picture = draw_confusion(counts)

    def cell(row: int, column: int) -> tuple[int, ...]:
        return picture.getpixel((52 + column * 40 + 2, 52 + row * 40 + 2))

    red, _, blue = cell(3, 8)
    assert red > blue + 50
    red, _, blue = cell(3, 3)
    assert blue > red + 50
    assert cell(8, 3) == (244, 244, 244)


def test_mistakes_are_ink_on_paper_with_a_caption() -> None:
    images = torch.zeros(7, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 10:20, 10:20] = 255
    picture = draw_mistakes(images, torch.arange(7), torch.arange(7) + 1, torch.linspace(1, 0.4, 7))
    assert picture.size == (5 * 118 + 6, 2 * 138 + 6)
    assert picture.getpixel((6 + 60, 6 + 60)) == (0, 0, 0)
    assert picture.getpixel((6 + 2, 6 + 2)) == (255, 255, 255)
    caption = np.asarray(picture.crop((6, 6 + 113, 6 + 112, 6 + 132)))
    assert caption.min() < 100


def test_digits_have_their_labels() -> None:
    images = torch.full((9, 1, 28, 28), 300.0)  # a float that an augmentation made too bright
    picture = draw_digits(images, torch.tensor([3, 3, 4, -1, *range(5)]))
    assert picture.size == (8 * 90 + 6, 2 * 110 + 6)
    assert picture.getpixel((10, 10)) == (0, 0, 0)
    captions = [np.asarray(picture.crop((6 + i * 90, 92, 90 + i * 90, 110))) for i in range(4)]
    assert (captions[0] == captions[1]).all()
    assert not (captions[1] == captions[2]).all()
    assert (captions[3] < 128).sum() > (captions[2] < 128).sum()  # "none"


def test_filters_go_from_black_to_white() -> None:
    weights = torch.zeros(9, 2, 3, 3)
    weights[0, :, 0, 0], weights[1, :, 2, 2] = 1.0, -1.0
    picture = draw_filters(weights)
    assert picture.size == (8 * 54 + 6, 2 * 54 + 6)
    assert picture.getpixel((7, 7)) == (255, 255, 255)
    assert picture.getpixel((6 + 54 + 40, 6 + 40)) == (0, 0, 0)
    assert colours(draw_filters(torch.zeros(1, 1, 3, 3))) == {(128, 128, 128), (255, 255, 255)}
    assert BLUE not in colours(picture)


def test_the_bar_shows_one_score_and_is_plain_lines_elsewhere(capsys: Capture, monkeypatch: Patch) -> None:
    assert isinstance(progress_bar(), EpochLines)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bar = progress_bar()
    metrics = {"v_num": 3, "loss/train": 0.1, "accuracy/train": 0.9, "accuracy/val": 0.8}
    monkeypatch.setattr(RichProgressBar, "get_metrics", lambda *args: metrics)
    assert bar.get_metrics(None, None) == {"val": 0.8}  # type: ignore[arg-type]
    del metrics["accuracy/val"]
    assert bar.get_metrics(None, None) == {"train": 0.9}  # type: ignore[arg-type]
    metrics |= {"accuracy/val": 0.7, "f_score/val": 0.6}
    assert bar.get_metrics(None, None) == {"val": 0.6}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (9920, 10_000, 0.99005, 0.99356), (1, 2, 0.0945, 0.9055)],
)
def test_wilson_interval_has_the_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)
    assert verdict(80, 10_000) == "accuracy 99.20%, 80 errors in 10,000 (95% interval 99.01% to 99.36%)"


def test_several_processes_are_refused_before_the_work() -> None:
    trainer: Any = SimpleNamespace(world_size=2, datamodule=SimpleNamespace(own="pictures"))
    for callback, stage in ((PredictionWriter(), "predict"), (LabelledReport(), "test")):
        with pytest.raises(DataError, match=r"in one process: add --trainer\.devices=1"):
            callback.setup(trainer, None, stage)

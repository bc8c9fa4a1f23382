"""Rows of digits for the recognizer: cut out of scenes as they are from pictures, straightened, side by side."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mnist_cnn.data.scenes import SceneDataModule, Scenes
from mnist_cnn.networks.recognizer import DIGIT, GAP, GREY, HEIGHT
from mnist_cnn.reading.form import Picture, resized
from mnist_cnn.reading.lines import ROW_GAP, rows_of
from mnist_cnn.reading.recognition import Strip, side_by_side
from mnist_cnn.scenes.pool import Pool, Rng
from mnist_cnn.scenes.scene import Scene, compose

SIDES = (192, 256)
"""Pixels: sides of the scenes."""
SMALLEST, LONGEST = 10, 700
"""Pixels: smallest height of digits that can be read, and longest strip."""
MISSED = 0.06
"""Of a row's digits, so many are not found, and the row must be read all the same."""
SHAKEN = 0.04
"""Standard deviation of the boxes' sides, in heights of a digit."""

SampleRow = tuple[Picture, NDArray[np.int64]]
"""A strip, uint8 [HEIGHT, W, 3], and its digits, [M]."""


class RowBatch(NamedTuple):
    """Rows with M digits in all of them, N of them."""

    strips: Tensor
    """All rows side by side, with gaps of `GAP`, RGB, uint8 [1, 3, HEIGHT, W]."""
    starts: Tensor
    """Column of pixels at which each begins, int64 [N]."""
    widths: Tensor
    """Of each in pixels, int64 [N]."""
    digits: Tensor
    """Of all rows, one row after the other, int64 [M]."""
    lengths: Tensor
    """Digits of each row, int64 [N]."""


class RowDataModule(SceneDataModule):
    """Rows of digits in scenes that are rendered from MNIST's training images; `scenes` counts the scenes."""

    @staticmethod
    def samples(pool: Pool, seed: int) -> tuple[Dataset[Any], Callable[[list[Any]], Any]]:
        """The rows of endless scenes, and what puts those of several side by side."""
        return Rows(pool, seed), collate


class Rows(Scenes):
    """The rows of endless scenes."""

    def __getitem__(self, k: int) -> list[SampleRow]:
        """Each row twice, as two hands of other widths and in another light: strips [HEIGHT, W, 3]; digits [M]."""
        rng = np.random.default_rng((self.seed, k))
        scene = compose(self.pool, rng, int(rng.choice(SIDES)), of_rows=True)
        return [(_varied(strip, rng), digits) for strip, digits in rows_in(scene, rng) for _ in range(2)]


def rows_in(scene: Scene, rng: Rng) -> Iterator[SampleRow]:
    """The rows of a scene, as a detector would find them that misses some digits.

    Rows in which a digit is cut off, or where it cannot be told whether it belongs to them, are left out.

    Yields:
        The strip, uint8 [HEIGHT, W, 3]; and its digits, int64 [M], those that were missed among them.
    """
    boxes = scene.boxes.astype(np.float64)
    heights = boxes[:, 3] - boxes[:, 1]
    middles = ((boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2)
    for row in rows_of(scene.boxes, rng.choice((ROW_GAP, 2.0))) if len(boxes) else []:
        found = np.array(row)[rng.random(len(row)) > MISSED]
        if not len(found) or (height := float(np.median(heights[found]))) < SMALLEST:
            continue
        shaken = boxes[found] + rng.normal(0, SHAKEN * height, (len(found), 4))
        strip = Strip(_higher(shaken, np.exp(rng.normal(0, 0.08))))
        x, y = strip.place(*middles)
        inside = (x > 0) & (x < strip.width) & (np.abs(y - HEIGHT / 2) < DIGIT / 2) & (heights < 1.9 * height)
        near_its_end = inside & (np.minimum(x, strip.width - x) < 0.12 * DIGIT)
        if (scene.labels[inside] < 0).any() or near_its_end.any() or strip.width > LONGEST:
            continue
        here = np.flatnonzero(inside)
        yield strip.cut(scene.picture), scene.labels[here[x[here].argsort()]]


def _higher(boxes: NDArray[np.float64], factor: float) -> NDArray[np.float32]:
    """Boxes, [N, 4], as many times as high, about their middles."""
    middle, half = (boxes[:, 1] + boxes[:, 3]) / 2, (boxes[:, 3] - boxes[:, 1]) / 2 * factor
    return np.stack((boxes[:, 0], middle - half, boxes[:, 2], middle + half), axis=1).astype(np.float32)


def _varied(strip: Picture, rng: Rng) -> Picture:
    """A strip of another width and contrast, and a little higher or lower."""
    wide = resized(strip, max(HEIGHT // 2, strip.shape[1] * np.exp(rng.normal(0, 0.25))), HEIGHT)
    moved = wide[np.clip(np.arange(HEIGHT) + rng.integers(-2, 3), 0, HEIGHT - 1)].astype(np.float32)
    mean = moved.mean(axis=(0, 1))
    contrast = (moved - mean) * np.exp(rng.normal(0, 0.25)) + mean + rng.normal(0, 12)
    return contrast.clip(0, 255).astype(np.uint8)


def collate(samples: list[list[SampleRow]]) -> RowBatch:
    """Makes a batch of the rows of several scenes; where none has any, of an empty strip."""
    nothing = np.full((HEIGHT, GAP, 3), GREY, np.uint8), np.zeros(0, np.int64)
    strips, digits = zip(*([row for rows in samples for row in rows] or [nothing]), strict=True)
    picture, starts = side_by_side(strips)
    return RowBatch(
        torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous(),  # trains faster on a CPU than channels last
        torch.tensor(starts),
        torch.tensor([strip.shape[1] for strip in strips]),
        torch.from_numpy(np.concatenate(digits)),
        torch.tensor([len(row) for row in digits]),
    )

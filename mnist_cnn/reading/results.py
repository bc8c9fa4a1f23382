"""Results: rows of digits, each digit with its box, its confidence and its image."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mnist_cnn.reading.pictures import Opened, Picture

Boxes = NDArray[np.float32]
Layout = Literal["digit", "row", "page"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

UNSURE = 0.8
"""Answers with less confidence stand out in red."""
GREEN, RED = (0, 130, 60), (200, 30, 30)


def joined(names: Sequence[str]) -> str:
    """The names of symbols in a row as one text: side by side, or with spaces between where a name is longer."""
    return ("" if all(len(name) == 1 for name in names) else " ").join(names)


@dataclass(frozen=True, eq=False)  # arrays are not equal or unequal
class Row:
    """Digits that stand in a row, N of them, left to right."""

    digits: str
    """What is written; names of several characters have spaces between."""
    confidence: float
    """Probability that all of it is right and nothing is left out, 0 to 1."""
    confidences: NDArray[np.float32]
    """Of each digit, [N]."""
    boxes: NDArray[np.float32]
    """Left, top, right, bottom of each digit in pixels of the upright picture, [N, 4]."""
    images: Picture = field(repr=False)
    """The classifier's input for each digit, uint8 [N, 28, 28]."""

    @property
    def names(self) -> list[str]:
        """Of each digit or other symbol, N of them: what `digits` joins."""
        count = len(self.confidences)
        return [self.digits] if count == 1 else self.digits.split(" ") if " " in self.digits else list(self.digits)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the row in pixels of the upright picture."""
        left, top = self.boxes[:, :2].min(axis=0).tolist()
        right, bottom = self.boxes[:, 2:].max(axis=0).tolist()
        return left, top, right, bottom


@dataclass(frozen=True, repr=False, eq=False)
class Reading:
    """The result for a picture."""

    rows: list[Row]
    """In reading order; none where no digit was found."""
    opened: Opened
    """The picture as it was read, upright."""
    turns: int = 0
    """By how many quarter turns to the left the file was turned to read it."""

    @property
    def picture(self) -> Picture:
        """The picture, upright: RGB, uint8 [H, W, 3]; large pictures are reduced."""
        return self.opened.pixels

    @property
    def digits(self) -> str:
        """The digits left to right, rows apart by line breaks; empty where no digit was found."""
        return "\n".join(row.digits for row in self.rows)

    @property
    def confidence(self) -> float:
        """The probability that all of it is right, 0 to 1; 0 where no digit was found."""
        return float(np.prod([row.confidence for row in self.rows])) if self.rows else 0.0

    @property
    def confidences(self) -> NDArray[np.float32]:
        """Of all digits, row by row, float [N]."""
        return np.concatenate([row.confidences for row in self.rows] or [np.zeros(0, np.float32)])

    @property
    def boxes(self) -> Boxes:
        """Of all digits: left, top, right, bottom in pixels of the upright picture, float [N, 4]."""
        return np.concatenate([row.boxes for row in self.rows] or [np.zeros((0, 4), np.float32)])

    @property
    def images(self) -> Picture:
        """The classifier's input for all digits, uint8 [N, 28, 28]."""
        return np.concatenate([row.images for row in self.rows] or [np.zeros((0, 28, 28), np.uint8)])

    def __repr__(self) -> str:
        """In one line."""
        height, width = self.picture.shape[:2]
        return f"Reading({self.digits!r}, confidence={self.confidence:.3f}, picture={width}x{height})"

    def draw(self) -> Image.Image:
        """The picture with a box around each digit and the answers beside them."""
        return annotated(Image.fromarray(self.picture), [(row, row.boxes / self.opened.factor) for row in self.rows])


def annotated(image: Image.Image, rows: list[tuple[Row, Boxes]]) -> Image.Image:
    """Draws boxes and answers into an image, in place, and returns it.

    Args:
        image: RGB.
        rows: Each row, and the boxes of its digits in pixels of this image, float [N, 4].
    """
    draw = ImageDraw.Draw(image)
    thick = max(1, round(max(image.size) / 400))
    for row, boxes in rows:
        for digit, sure, box in zip(row.names, row.confidences, boxes, strict=True):
            colour = GREEN if sure >= UNSURE else RED
            draw.rectangle(box.tolist(), outline=colour, width=thick)
            size = float(np.clip(0.4 * (box[3] - box[1]), 10, 40))
            draw.text((box[0] + thick, box[1]), digit, fill=colour, font=ImageFont.load_default(size))
    return image

"""A sheet of paper with writing and print on it, and whose ink is where."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.glyphs import Glyph

Ink = NDArray[Any]


@dataclass
class Placed:
    """A digit on the sheet."""

    label: int
    left: int
    top: int
    width: int
    height: int
    outline: NDArray[Any]
    """Corners of its convex hull on the sheet, float [N, 2]."""
    joined: int = -1
    """Whether the next digit on the sheet goes on with its number, 1 or 0; -1 where nobody could tell."""


@dataclass
class Sheet:
    """A square sheet with its writing and its print."""

    side: int
    written: Ink = field(init=False)
    """Float [side, side]: all that a pen wrote."""
    ink: Ink = field(init=False)
    """The digits alone, as MNIST's pen would have written them."""
    owner: NDArray[np.int16] = field(init=False)
    """Whose ink it is: the number of a digit in `digits`, -1 where there is none."""
    printed: Ink = field(init=False)
    """Lines, boxes and type."""
    digits: list[Placed] = field(default_factory=list)
    angle: float = 0.0
    """By which the sheet was tilted, clockwise, in radians."""

    def __post_init__(self) -> None:
        self.written, self.ink, self.printed = (np.zeros((self.side, self.side), np.float32) for _ in range(3))
        self.owner = np.full((self.side, self.side), -1, np.int16)

    def put(self, glyph: Glyph, left: float, top: float, height: float, squeeze: float = 1.0) -> int:
        """Writes a glyph, of a height in pixels, or, where it is wide, of 1.2 times that width; returns its width."""
        size = _size(glyph, height, squeeze)
        part = cv2.resize(glyph.pixels, size, interpolation=cv2.INTER_AREA)
        x, y = round(left), round(top + (height - size[1]) / 2)
        x0, y0, x1, y1 = max(0, x), max(0, y), min(self.side, x + size[0]), min(self.side, y + size[1])
        if glyph.label >= 0:
            rows, columns = np.nonzero(part[..., 1] >= 0.1 * part[..., 1].max())
            outline = cv2.convexHull(np.stack((columns + x, rows + y), axis=1).astype(np.float32))[:, 0]
            self.digits.append(Placed(glyph.label, x, y, *size, outline))
        if x1 > x0 and y1 > y0:
            here = np.s_[y0:y1, x0:x1]
            look, form = np.moveaxis(part[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32) / 255, 2, 0)
            np.maximum(self.written[here], look, out=self.written[here])
            if glyph.label >= 0:
                self.owner[here][form > np.maximum(self.ink[here], 0.1)] = len(self.digits) - 1
                np.maximum(self.ink[here], form, out=self.ink[here])
        return size[0]

    def room(self, glyph: Glyph, left: float, top: float, height: float, squeeze: float = 1.0) -> int:
        """How many pixels to the left a glyph that `put` would write can go until its ink meets what is written."""
        size = _size(glyph, height, squeeze)
        x, y = round(left), round(top + (height - size[1]) / 2)
        y0, y1, x0, x1 = max(0, y), min(self.side, y + size[1]), max(0, x - size[0]), min(self.side, x + size[0])
        if x1 <= x0 or y1 <= y0:
            return 0
        part = cv2.resize(glyph.pixels[..., 0], size, interpolation=cv2.INTER_AREA)[y0 - y : y1 - y] > 100
        before = self.written[y0:y1, x0:x1] > 0.4
        facing = part.any(axis=1) & before.any(axis=1)
        last = x1 - 1 - before[facing, ::-1].argmax(axis=1)
        return int(min((x + part[facing].argmax(axis=1) - last - 1).min(initial=size[0]), size[0] // 2))

    def join(self, first: int) -> None:
        """Makes one number of the digits from the `first` one on, which ends with the last."""
        for digit in self.digits[first:]:
            digit.joined = 1
        if len(self.digits) > first:
            self.digits[-1].joined = 0

    def turn(self, turns: int) -> None:
        """Turns the sheet by so many quarters to the left; no digit is one any more."""
        self.written, self.printed = (np.rot90(part, turns).copy() for part in (self.written, self.printed))
        self.ink[:], self.owner[:] = 0, -1
        self.digits.clear()

    def tilt(self, angle: float) -> None:
        """Turns all that is on the sheet by an angle, clockwise, in radians, as a photo that was not held straight."""
        middle = self.side / 2
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack((turn, middle - turn @ (middle, middle)))
        for digit in self.digits:
            digit.outline = digit.outline @ matrix[:, :2].T + matrix[:, 2]
            digit.left, digit.top = (low := np.floor(digit.outline.min(axis=0)).astype(int)).tolist()
            digit.width, digit.height = (np.ceil(digit.outline.max(axis=0)).astype(int) + 1 - low).tolist()
        shape = (self.side, self.side)
        self.written, self.ink, self.printed = (
            cv2.warpAffine(part, matrix, shape) for part in (self.written, self.ink, self.printed)
        )
        owner: Any = cv2.warpAffine(self.owner, matrix, shape, flags=cv2.INTER_NEAREST, borderValue=-1)
        self.owner = owner
        self.angle = angle


def _size(glyph: Glyph, height: float, squeeze: float) -> tuple[int, int]:
    """Width and height in pixels of a glyph that `Sheet.put` writes."""
    rows, columns = glyph.pixels.shape[:2]
    scale = min(height / rows, 1.2 * height / columns)
    return max(2, round(columns * scale * squeeze)), max(2, round(rows * scale))

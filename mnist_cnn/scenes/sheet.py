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

    def __post_init__(self) -> None:
        self.written, self.ink, self.printed = (np.zeros((self.side, self.side), np.float32) for _ in range(3))
        self.owner = np.full((self.side, self.side), -1, np.int16)

    def put(self, glyph: Glyph, left: float, top: float, height: float, squeeze: float = 1.0) -> int:
        """Writes a glyph, of a height in pixels, or, where it is wide, of 1.2 times that width; returns its width."""
        rows, columns = glyph.pixels.shape[:2]
        scale = min(height / rows, 1.2 * height / columns)
        size = (max(2, round(columns * scale * squeeze)), max(2, round(rows * scale)))
        part = cv2.resize(glyph.pixels, size, interpolation=cv2.INTER_AREA)
        x, y = round(left), round(top + (height - size[1]) / 2)
        x0, y0, x1, y1 = max(0, x), max(0, y), min(self.side, x + size[0]), min(self.side, y + size[1])
        if glyph.label >= 0:
            self.digits.append(Placed(glyph.label, x, y, *size))
        if x1 > x0 and y1 > y0:
            here = np.s_[y0:y1, x0:x1]
            look, form = np.moveaxis(part[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32) / 255, 2, 0)
            np.maximum(self.written[here], look, out=self.written[here])
            if glyph.label >= 0:
                self.owner[here][form > np.maximum(self.ink[here], 0.1)] = len(self.digits) - 1
                np.maximum(self.ink[here], form, out=self.ink[here])
        return size[0]

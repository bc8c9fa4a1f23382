"""Glyphs to take from, and writers who take those of their pen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_cnn.scenes.glyphs import Glyph

Rng = np.random.Generator


class Pool:
    """Glyphs to take from, those of like pens beside each other."""

    def __init__(self, glyphs: Sequence[Glyph]) -> None:
        """All glyphs, in any order."""
        self.digits = sorted((glyph for glyph in glyphs if glyph.label >= 0), key=lambda glyph: glyph.pen)
        self.signs = sorted((glyph for glyph in glyphs if glyph.label < 0), key=lambda glyph: glyph.pen)

    def hand(self, rng: Rng) -> "Hand":
        """A writer with one pen, or, of ten three times, with all of them."""
        spread = 1.0 if rng.random() < 0.3 else 0.06
        return Hand(self, rng.uniform(0, 1), spread)


@dataclass
class Hand:
    """Takes glyphs whose pens are alike."""

    pool: Pool
    pen: float
    spread: float

    @property
    def width(self) -> float:
        """Of the strokes, as a share of a digit's height."""
        shelf = self.pool.digits
        return shelf[min(len(shelf) - 1, int(self.pen * len(shelf)))].pen

    def take(self, rng: Rng, sign: bool = False) -> Glyph:
        """A digit, or another sign."""
        shelf = self.pool.signs if sign else self.pool.digits
        low, high = max(0.0, self.pen - self.spread), min(1.0, self.pen + self.spread)
        return shelf[min(len(shelf) - 1, int(rng.uniform(low, high) * len(shelf)))]

    def take_label(self, label: int, rng: Rng) -> Glyph:
        """A digit of one kind, if it comes soon; else another one."""
        drawn = (self.take(rng) for _ in range(30))
        return next((glyph for glyph in drawn if glyph.label == label), self.take(rng))

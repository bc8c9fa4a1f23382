"""A page that is filled with rows of digits and other things, from the top down."""

from collections.abc import Callable, Sequence

import numpy as np

from examiner.looks import Look
from examiner.printing import text_width
from examiner.strokes import Glyph, Rng, upright
from examiner.writing import Mark, Point, Writing

Draw = Callable[[str], Glyph]
"""The glyph of a digit or a sign in somebody's hand."""

WORDS = (
    *("Name", "Street", "Postcode", "Telephone", "Birthday", "Customer", "Meter", "Amount", "Account", "Room"),
    *("Total", "Item", "Pieces", "Price", "Week", "Hours", "Sheet", "Order", "Weight", "Size"),
)
"""What is printed on forms."""


class Page:
    """A sheet that is filled from the top down."""

    def __init__(self, rng: Rng, look: Look, draw: Draw, lines: float) -> None:
        """Chooses the size of the writing such that so many lines fit."""
        self.rng, self.draw = rng, draw
        self.width, self.height = look.size
        self.left, self.top = 0.07 * self.width, 0.07 * self.height
        self.pitch = min(0.86 * self.height / lines, 0.14 * self.width)
        self.unit = self.pitch * rng.uniform(0.5, 0.68)
        self.writing = Writing(unit=self.unit, baseline=self.top + self.unit)
        self.rows = 0
        self.ruled = bool(look.extra.get("ruled"))

    def number(self, low: int, high: int) -> str:
        """So many digits by chance."""
        return "".join(map(str, self.rng.integers(0, 10, int(self.rng.integers(low, high + 1)))))

    def put(self, glyph: Glyph, scale: float, x: float, y: float, row: int | None = None, pen: float = 1.0) -> None:
        """Writes a glyph whose middle is at (x, y)."""
        self.writing.marks.append(Mark(glyph, upright(scale, x, y), row, pen))

    def digits(self, text: str, x: float, base: float, right: bool = False) -> float:
        """Writes a row of digits and signs from x to the right, or up to x; returns its right end."""
        gap, unit = self.rng.uniform(0.12, 0.26), self.unit
        written, at = [], 0.0
        for character in text:
            glyph = self.draw(character)
            top, foot = glyph.top_and_base
            scale = unit / (foot - top) * self.rng.uniform(0.93, 1.05)
            low, high = glyph.bounds
            written.append((glyph, scale, at - low[0] * scale, base - foot * scale + self.rng.normal(0, 0.025) * unit))
            at += (high[0] - low[0]) * scale + unit * gap * self.rng.uniform(0.8, 1.2)
        x -= at if right else 0.0
        for glyph, scale, dx, y in written:
            self.put(glyph, scale, x + dx, y, self.rows if glyph.text else None)
        self.rows += any(glyph.text for glyph, *_ in written)
        return x + at

    def text(self, glyph: Glyph, x: float, base: float, size: float = 1.0) -> float:
        """Writes something that is no row; returns its right end."""
        top, foot = glyph.top_and_base
        scale = self.unit * size / (foot - top)
        low, high = glyph.bounds
        self.put(glyph, scale, x - low[0] * scale, base - foot * scale, pen=min(1.0, size))
        return x + float(high[0] - low[0]) * scale

    def rule(self, start: Point, end: Point, thicker: float = 1.0) -> None:
        """Prints a line."""
        self.writing.rules.append((start, end, thicker))

    def box(self, left: float, top: float, right: float, bottom: float) -> None:
        """Prints a frame."""
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            self.rule(start, end)

    def label(self, text: str, x: float, y: float, height: float) -> float:
        """Prints text; returns its right end."""
        self.writing.labels.append((text, (x, y), height))
        return x + text_width(text, height)

    def line(self, i: int) -> float:
        """The base line of a line of text, counted from 0; on ruled paper it is printed."""
        base = self.top + (i + 0.8) * self.pitch
        rule = ((-5.0, base + 0.06 * self.unit), (self.width + 5.0, base + 0.06 * self.unit), 1.0)
        if self.ruled and rule not in self.writing.rules:
            self.writing.rules.append(rule)
        return base

    def lines(self) -> int:
        """How many lines of text there is room for."""
        return int(0.86 * self.height / self.pitch)

    def some(self, choices: Sequence[str], count: int) -> list[str]:
        """Several of them, each once."""
        return [str(one) for one in self.rng.choice(np.array(choices), count, replace=False)]

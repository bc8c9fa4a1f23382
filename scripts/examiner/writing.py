"""Where on a sheet everything is that is written or printed there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from examiner.looks import Look
from examiner.strokes import Array, Glyph, Rng, on_page, readable_pen, resample, rotation, zoom

Point = tuple[float, float]

APART = {"11", "17", "71", "74", "77"}
"""Digits that nobody can read any more when they touch; where others do, these stand close to each other."""


@dataclass(frozen=True)
class Mark:
    """A glyph on a sheet.

    Attributes:
        glyph: What is written.
        place: Its coordinates to pixels of the sheet, [2, 3].
        row: The number of the row of digits, in reading order, that it belongs to; None for what is no digit.
        pen: How much wider than the look's pen.
    """

    glyph: Glyph
    place: Array
    row: int | None = None
    pen: float = 1.0


@dataclass
class Writing:
    """All that stands on a sheet, in its pixels.

    Attributes:
        marks: What is written by hand.
        unit: The longer side of a digit.
        baseline: Of the first row.
        rules: Printed lines: from, to, and how many times thicker than the look's.
        labels: Printed text: what, where its upper left corner is, and its height.
    """

    marks: list[Mark] = field(default_factory=list)
    unit: float = 0.0
    baseline: float = 0.0
    rules: list[tuple[Point, Point, float]] = field(default_factory=list)
    labels: list[tuple[str, Point, float]] = field(default_factory=list)


class Sheet:
    """A sheet of paper with something on it, and where that is."""

    def __init__(self, rng: Rng, look: Look, writing: Writing, others: Sequence[Glyph]) -> None:
        """Takes what is written, and what stands at the border or on the other side."""
        self.rng, self.look, self.writing, self.others = rng, look, writing, others
        self.short = min(look.size)
        self.unit = writing.unit
        self.size = (look.size[1], look.size[0])
        self.ink: Array = np.zeros(self.size, np.float32)

    def pen(self, mark: Mark) -> float | None:
        """The width of the pen in a glyph's units; None for the glyph's own shape."""
        if self.look.pen is None:
            return None
        pen = round(mark.pen * self.look.pen * self.unit / zoom(mark.place), 4)
        return readable_pen(mark.glyph, pen) if mark.glyph.text else pen

    def box(self, mark: Mark, matrix: Array) -> Array:
        """The four sides of a mark, left, top, right and bottom, after a perspective transform [3, 3]."""
        half = 0.5 * zoom(mark.place) * (self.pen(mark) or 0.15)
        points = np.concatenate([on_page(line, mark.place) for line in mark.glyph.lines])
        around = np.concatenate([points + half * np.array([x, y]) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))])
        seen = cv2.perspectiveTransform(around[None].astype(np.float64), matrix)[0]
        return np.concatenate([seen.min(axis=0), seen.max(axis=0)])


def in_a_row(rng: Rng, look: Look, glyphs: Sequence[Glyph], seen: Array) -> Writing:
    """Glyphs side by side around the middle of a sheet, smaller where the camera would cut them off.

    It sees the corners of the sheet at `seen`, [4, 2].
    """
    short = min(look.size)
    unit = look.digit * short
    centre = np.array(look.size) / 2 + np.array(look.offset) * short
    writing = Writing(unit=unit, baseline=float(centre[1] + unit / 2))
    if not glyphs:
        return writing
    matrices, starts, ends = _side_by_side(rng, look, glyphs, unit)
    turn = rotation(math.radians(look.angle))
    points = np.concatenate(ends)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    frame = np.array(look.size)
    room = 0.94 * frame / np.maximum(1, np.ptp(seen, axis=0) / frame) - 2 * np.abs(look.offset) * short
    fit = min(1.0, float((room / (np.ptp((points - middle) @ turn.T, axis=0) + unit * 0.15)).min()))
    writing.unit *= fit
    for glyph, matrix, start in zip(glyphs, matrices, starts, strict=True):
        place = np.concatenate([fit * turn @ matrix, (fit * turn @ (start - middle) + centre)[:, None]], axis=1)
        writing.marks.append(Mark(glyph, place, 0 if glyph.text else None))
    if look.joined:
        writing.marks += _ligatures(rng, writing)
    return writing


def _side_by_side(
    rng: Rng, look: Look, glyphs: Sequence[Glyph], unit: float
) -> tuple[list[Array], list[Array], list[Array]]:
    """The glyphs side by side on a line: each one's matrix, its place, and its points there."""
    matrices: list[Array] = []
    starts: list[Array] = []
    ends: list[Array] = []
    wave = rng.uniform(0, 2 * math.pi)
    for glyph in glyphs:
        top, base = glyph.top_and_base
        size = unit * (min(1 / (base - top), 1.15 if glyph.text else 9) * rng.uniform(0.92, 1.06))
        size = size if len(glyphs) > 1 else unit
        matrix = size * np.array([[look.wide, -look.slant], [0, 1]])
        points = np.concatenate([line @ matrix.T for line in glyph.lines])
        start = np.array([0.0, rng.normal(0, 0.03) * unit - base * size])
        if ends:
            apart = look.gap[0] < 0 and glyphs[len(ends) - 1].text + glyph.text in APART
            meet = _meeting(ends[-1], points + start, unit) if look.gap[0] < 0 and not apart else None
            beside = ends[-1][:, 0].max() - points[:, 0].min()
            if look.under:  # below the tail of the one before, as if it had none
                beside -= look.under * unit
            start[0] = beside if meet is None else max(meet, beside - 0.12 * unit)
            start[0] += (look.pen or 0.12) * size + (0.08 if apart else rng.uniform(*look.gap)) * unit
        matrices.append(matrix)
        starts.append(start)
        ends.append(points + start)
    length = max(float(ends[-1][:, 0].max()), 1.0)
    for i, start in enumerate(starts):
        along = (start[0] + ends[i][:, 0].mean()) / 2 / length
        up = look.rise * along * length + look.curve * unit * math.sin(2.2 * math.pi * along + wave)
        start[1] -= up
        ends[i] = ends[i] - np.array([0, up])
    return matrices, starts, ends


def _ligatures(rng: Rng, writing: Writing) -> list[Mark]:
    """From the end of each digit to the beginning of the next, as a pen goes that is hardly lifted."""
    joins = []
    for one, other in zip(writing.marks, writing.marks[1:], strict=False):
        start = on_page(one.glyph.lines[-1][-1:], one.place)[0]
        end = on_page(other.glyph.lines[0][:1], other.place)[0]
        if not one.glyph.text or not other.glyph.text or np.hypot(*(end - start)) > 1.3 * writing.unit:
            continue
        t = np.linspace(0, 1, 20)[:, None]
        bow = np.array([0.0, 0.08 * writing.unit]) * np.sin(math.pi * t) * rng.uniform(0.3, 1)
        line = resample(((1 - t) * start + t * end + bow) / writing.unit, 0.02)
        joins.append(Mark(Glyph("", [line]), np.eye(2, 3) * writing.unit, pen=0.45))
    return joins


def _meeting(before: Array, points: Array, height: float) -> float | None:
    """How far to the right a digit's points are moved to meet those of the digit before; None where they cannot."""
    bands = np.linspace(-1.3, 0.3, 33) * height
    left, right = np.digitize(before[:, 1], bands), np.digitize(points[:, 1], bands)
    shifts = [
        float(before[np.abs(left - band) <= 1, 0].max() - points[right == band, 0].min())
        for band in np.unique(right)
        if (np.abs(left - band) <= 1).any()
    ]
    return max(shifts, default=None)

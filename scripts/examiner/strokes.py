"""What a pen leaves on paper: strokes as lines without width, and pens of any width that follow them.

A glyph has coordinates of its own: its middle is (0, 0), its longer side is 1, y points down.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Lines = list[Array]
Rng = np.random.Generator

FINE = 8
"""Pixels of the smooth field for each pixel of MNIST."""

EDGE = 0.42
"""The value of the field, 0 to 1, at the border of the ink."""


@dataclass(frozen=True, eq=False)
class Glyph:
    """Something written.

    Attributes:
        text: The digit; empty for what is no digit.
        lines: The centreline of each stroke, float32 [N, 2], in the order and direction of writing where that is known.
        field: The smooth field, float32 [H, W], 0 to 1, whose contour is the glyph with a pen of its own; or None.
        to_unit: The field's coordinates to those of the lines, [2, 3].
        frame: Where it begins and where it stands on the line, as y; else the ends of the lines. Tails go beyond.
    """

    text: str
    lines: Lines
    field: Array | None = None
    to_unit: Array | None = None
    frame: tuple[float, float] | None = None

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The upper left and the lower right corner of the centreline."""
        points = np.concatenate(self.lines)
        return points.min(axis=0), points.max(axis=0)

    @cached_property
    def top_and_base(self) -> tuple[float, float]:
        """Its frame."""
        low, high = self.bounds
        return self.frame or (float(low[1]), float(high[1]))


def smooth(line: Array, sigma: float) -> Array:
    """A line with even steps of one pixel, low-pass filtered; ends stay where they are, a ring stays closed."""
    line = resample(line, 1.0)
    pad = min(len(line) - 1, math.ceil(3 * sigma))
    if np.allclose(line[0], line[-1]):
        padded = np.concatenate([line[-pad - 1 : -1], line, line[1 : pad + 1]])
    else:
        padded = np.concatenate([2 * line[0] - line[pad:0:-1], line, 2 * line[-1] - line[-2 : -pad - 2 : -1]])
    smooth = cv2.GaussianBlur(padded, (1, 2 * math.ceil(3 * sigma) + 1), sigmaX=0.01, sigmaY=sigma)
    return np.asarray(smooth[pad : pad + len(line)])


def resample(line: Array, step: float) -> Array:
    """The same line in even steps of about `step`."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, lengths[-1], max(2, math.ceil(lengths[-1] / step) + 1))
    return np.stack([np.interp(at, lengths, line[:, i]) for i in (0, 1)], axis=1).astype(np.float32)


def draw_lines(lines: Lines, size: tuple[int, ...], pressure: Array, scale: float) -> Array:
    """Coverage, float32 [H, W], 0 to 1, of lines in pixels, float32 [N, 2] each.

    The pressure is the width of the pen in pixels along each line, stretched to its length. At a scale above 1, which
    fine lines need, all is drawn larger, then reduced.
    """
    height, width = (math.ceil(side * scale) for side in size[:2])
    canvas: Array = np.zeros((height, width), np.uint8)
    for line in lines:
        points = resample(line * scale, max(1.0, 0.3 * float(pressure.min()) * scale)) + (scale - 1) / 2
        at = np.linspace(0, len(pressure) - 1, len(points) - 1)
        pens = np.maximum(1, np.round(np.interp(at, np.arange(len(pressure)), pressure) * scale)).astype(int)
        pieces = np.round(np.stack([points[:-1], points[1:]], axis=1) * 16).astype(np.int32)
        for pen in np.unique(pens):
            cv2.polylines(canvas, list(pieces[pens == pen]), False, 255, int(pen), cv2.LINE_AA, 4)
    if scale != 1:
        canvas = cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return canvas.astype(np.float32) / 255


def stroke(
    rng: Rng, glyph: Glyph, size: tuple[int, int], place: Array, pen: float | None
) -> tuple[tuple[slice, slice], Array]:
    """The part of a page that a glyph covers, and its coverage there, float32 [h, w], 0 to 1.

    The size of the page is its height and width; `place`, [2, 3], takes the glyph's coordinates to those of the page.
    The width of the pen is in the glyph's units; None keeps the digit's own shape.
    """
    scale = zoom(place)
    width = scale * (pen or 0.15)
    lines = [on_page(line, place) for line in glyph.lines]
    points = np.concatenate(lines)
    margin = 2 * width + 2
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin), 0, size[::-1]).astype(int)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    if not (high > low).all():
        return part, np.zeros(np.maximum(high - low, 0)[::-1], np.float32)
    if pen is None and glyph.field is not None and glyph.to_unit is not None:
        matrix = place @ np.concatenate([glyph.to_unit, [[0, 0, 1]]])
        matrix[:, 2] -= low
        larger, field = zoom(matrix), glyph.field
        if larger < 0.5:  # or the reduction would alias
            field = cv2.GaussianBlur(field, (0, 0), 0.4 / larger)
        field = cv2.warpAffine(field, matrix, (high - low).tolist(), flags=cv2.INTER_LINEAR)
        return part, np.clip((field - EDGE) * max(2.0, 2.4 * FINE * larger) + 0.5, 0, 1)
    knots = 1 + 0.13 * rng.standard_normal(12).clip(-2, 2)
    knots[[0, -1]] *= 0.85
    pressure = width * np.interp(np.linspace(0, 11, 100), np.arange(12), knots)
    scale = float(np.clip(math.ceil(8 / width), 1, 4))
    return part, draw_lines([line - low for line in lines], (high - low)[::-1].tolist(), pressure, scale)


def upright(scale: float, x: float, y: float) -> Array:
    """The place of a glyph that is neither turned nor slanted."""
    return np.array([[scale, 0, x], [0, scale, y]])


def zoom(place: Array) -> float:
    """How many times larger things are at a place."""
    return math.sqrt(abs(float(np.linalg.det(place[:, :2]))))


def rotation(turn: float) -> Array:
    """The matrix of an angle in radians."""
    return np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])


def on_page(line: Array, place: Array) -> Array:
    """Points [N, 2] of a glyph where they are on a page."""
    return np.asarray(line @ place[:, :2].T.astype(np.float32) + place[:, 2].astype(np.float32))


def readable_pen(glyph: Glyph, pen: float) -> float:
    """The width of the pen, or the largest below it that leaves the glyph's loops open."""
    if glyph.field is None and pen < 0.09:  # wide enough by design
        return pen
    return min(pen, _widest(glyph, math.ceil(math.log(pen) / math.log(1.1))))


@lru_cache(maxsize=2048)
def _widest(glyph: Glyph, step: int) -> float:
    size, pen = 160, 1.1**step
    place = upright(size / 1.6, size / 2, size / 2)

    def count(width: float) -> int:
        return loops(stroke(np.random.default_rng(0), glyph, (size, size), place, width)[1] > 0.5, 25)

    wanted = count(0.02)
    most = wanted if glyph.field is not None else 9  # a stroke that was never traced may close a loop it meant to
    while pen > 0.03 and not wanted <= count(pen) <= most:
        pen *= 0.9
    return pen


def loops(shape: Array, least: float) -> int:
    """How many holes of at least so many pixels a shape, bool [H, W], has."""
    outside = np.pad(~shape, 1, constant_values=True).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    return sum(stats[i, cv2.CC_STAT_AREA] >= least for i in range(1, count)) - 1

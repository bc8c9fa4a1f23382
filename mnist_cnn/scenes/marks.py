"""Small signs between digits: points, commas and dashes, those of arithmetic, colons, strokes and brackets."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.pool import Rng

Stroke = tuple[tuple[float, float], tuple[float, float]]

ACROSS: Stroke = ((-1, 0), (1, 0))
OPERATORS: tuple[tuple[float, tuple[Stroke, ...]], ...] = (
    (0.5, (ACROSS, ((0, -1), (0, 1)))),
    (0.15, (ACROSS,)),
    (0.15, (((-0.8, -0.8), (0.8, 0.8)), ((-0.8, 0.8), (0.8, -0.8)))),
    (0.1, (((-1, -0.3), (1, -0.3)), ((-1, 0.3), (1, 0.3)))),
    (0.1, (ACROSS, ((0, -0.7), (0, -0.7)), ((0, 0.7), (0, 0.7)))),
)
"""Plus, minus, times, equals, divided by: how often each is drawn beside digits, and the ends of its strokes, right and
down of its middle, in halves of its size."""


def draw_dot(written: NDArray[Any], x: float, y: float, size: float, rng: Rng) -> int:
    """Draws a point, a comma or a dash from (x, y) on, beside digits of a size in pixels; returns its width.

    Args:
        written: Float [side, side], changed in place.
        x: Of its left end, in pixels.
        y: Of its top.
        size: Height of the digits.
        rng: Of all that is left to chance.
    """
    long, thick = size * rng.uniform(0.02, 0.35), max(1, round(size * rng.uniform(0.04, 0.12)))
    fall = rng.uniform(0, 0.2) * size if long < 0.1 * size else rng.normal(0, 0.03) * size
    cv2.line(written, (round(x), round(y)), (round(x + long), round(y + fall)), 1.0, thick, cv2.LINE_AA)
    return round(long) + 2


def draw_operator(written: NDArray[Any], x: float, y: float, size: float, pen: float, rng: Rng) -> int:
    """Draws a sign of arithmetic beside digits of a size in pixels; returns its width.

    Args:
        written: Float [side, side], changed in place.
        x: Of its left end, in pixels.
        y: Of the top of the row.
        size: Height of the digits.
        pen: Width of the strokes, as a share of that height.
        rng: Of all that is left to chance.
    """
    half, thick = size * rng.uniform(0.12, 0.32), max(1, round(size * pen * rng.uniform(0.8, 1.2)))
    tall, middle = half * rng.uniform(0.8, 1.4), np.array((x + half, y + size * rng.uniform(0.4, 0.7)))
    _, strokes = OPERATORS[rng.choice(len(OPERATORS), p=[share for share, _ in OPERATORS])]
    for stroke in strokes:
        ends = middle + (np.array(stroke) + rng.normal(0, 0.08, (2, 2))) * (half, tall)
        start, stop = np.rint(ends).astype(int).tolist()
        cv2.line(written, start, stop, 1.0, thick, cv2.LINE_AA)
    return round(2 * half)


def draw_colon(written: NDArray[Any], x: float, y: float, size: float, pen: float, rng: Rng) -> int:
    """Draws two points, one above the other, beside digits of a size in pixels; returns its width.

    Args:
        written: Float [side, side], changed in place.
        x: Of its left end, in pixels.
        y: Of the top of the row.
        size: Height of the digits.
        pen: Width of the strokes, as a share of that height.
        rng: Of all that is left to chance.
    """
    thick = max(2, round(size * pen * rng.uniform(0.9, 1.6)))
    lean, long = rng.normal(0, 0.04), rng.uniform(0, 0.06)
    for down in (rng.uniform(0.15, 0.4), rng.uniform(0.7, 0.95)):
        across, top = round(x + thick / 2 - lean * down * size), y + down * size
        cv2.line(written, (across, round(top)), (across, round(top + long * size)), 1.0, thick, cv2.LINE_AA)
    return thick + 2


def draw_divider(written: NDArray[Any], x: float, y: float, size: float, pen: float, rng: Rng) -> int:
    """Draws a stroke as in 3/4, a bracket or a bar; returns its width. What tells them from a 1 is how long they are.

    Args:
        written: Float [side, side], changed in place.
        x: Of its left end, in pixels.
        y: Of the top of the row.
        size: Height of the digits.
        pen: Width of the strokes, as a share of that height.
        rng: Of all that is left to chance.
    """
    kind = rng.choice(3, p=(0.6, 0.3, 0.1))
    long, thick = size * rng.uniform(1.15, 1.75), max(1, round(size * pen * rng.uniform(0.7, 1.1)))
    lean = (rng.uniform(0.25, 0.9), rng.normal(0, 0.08), rng.normal(0, 0.04))[kind]
    bow = rng.normal(0, 0.02) if kind != 1 else rng.choice((-1, 1)) * rng.uniform(0.1, 0.25)
    down = np.linspace(0, 1, 12)
    across = (1 - down) * lean + 4 * bow * down * (1 - down)
    across -= across.min()
    top = y + (size - long) * rng.uniform(0.2, 0.9)
    points = np.stack((x + across * long, top + down * long), axis=1)
    cv2.polylines(written, [np.rint(points * 16).astype(np.int32)], False, 1.0, thick, cv2.LINE_AA, 4)
    return round(float(across.max()) * long) + thick

"""Digits drawn by strokes: the shapes that much of the world writes and that MNIST hardly has."""

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Points = NDArray[np.float32]
"""A stroke, float [N, 2]: x to the right and y down, 0 to 1 in the digit's box."""


def strokes_of(label: int, rng: Rng) -> list[Points]:
    """The strokes of a digit in one of its shapes, in the order of no particular hand.

    Args:
        label: The digit, 0 to 9.
        rng: Where all chance comes from.

    Returns:
        Polylines, at least one; points may lie a little outside of the box.
    """
    return [shaken(stroke, rng) for stroke in SHAPES[label](rng)]


def drawn(strokes: list[Points], side: int, margin: int, width: float) -> NDArray[np.uint8]:
    """Strokes as pixels, uint8 [side + 2 * margin] squared, ink 1, for a pen of that width in pixels."""
    canvas = np.zeros((side + 2 * margin,) * 2, np.uint8)
    fine = 16  # cv2 takes fixed-point coordinates
    for stroke in strokes:
        points = np.rint((stroke * side + margin) * fine).astype(np.int32)
        cv2.polylines(canvas, [points], False, 1, max(1, round(width)), cv2.LINE_8, 4)
    return canvas


def curve(*points: tuple[float, float]) -> Points:
    """A smooth stroke through points: a Catmull-Rom spline."""
    known = np.array([points[0], *points, points[-1]], np.float32)
    t = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    a, b, c, d = (known[k : len(known) - 3 + k, None] for k in range(4))
    parts = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return parts.reshape(-1, 2)


def _line(*points: tuple[float, float]) -> Points:
    """Straight pieces from point to point, with points between, so that they can be bent."""
    known = np.array(points, np.float32)
    t = np.linspace(0, 1, 6, dtype=np.float32)[:, None]
    return np.concatenate([a + (b - a) * t for a, b in itertools.pairwise(known)])


def _ring(x: float, y: float, across: float, down: float, start: float, turns: float) -> Points:
    """An ellipse about a point, from an angle on, in turns; over 1 it overlaps, below 1 it stays open."""
    angle = (start + np.linspace(0, turns, 28)) * 2 * np.pi
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1).astype(np.float32)


def _zero(rng: Rng) -> list[Points]:
    wide = rng.uniform(0.25, 0.5)
    strokes = [_ring(0.5, 0.5, wide, 0.5, rng.uniform(0.55, 0.95), rng.choice([-1, 1]) * rng.uniform(0.86, 1.1))]
    if rng.random() < 0.3:
        strokes.append(_line((0.5 - wide * rng.uniform(0.5, 1.2), 0.9), (0.5 + wide * rng.uniform(0.5, 1.2), 0.1)))
    return strokes


def _one(rng: Rng) -> list[Points]:
    x, lean = 0.5, rng.normal(0, 0.05)
    strokes = [_line((x + lean, 0.0), (x - lean, 1.0))]
    if rng.random() < 0.6:
        reach, drop = rng.uniform(0.08, 0.45), rng.uniform(0.08, 0.6)
        start = (x + lean - reach, drop)
        bow = rng.uniform(-0.05, 0.08)
        strokes.append(curve(start, (x + lean - reach / 2, drop / 2 + bow), (x + lean, 0.0)))
    if rng.random() < 0.4:
        strokes.append(_line((x - lean - rng.uniform(0.1, 0.35), 1.0), (x - lean + rng.uniform(0.1, 0.35), 1.0)))
    return strokes


def _two(rng: Rng) -> list[Points]:
    top = ((0.1, rng.uniform(0.15, 0.35)), (0.3, 0.02), (0.75, 0.05), (0.85, 0.3))
    kind = rng.choice(3, p=[0.5, 0.25, 0.25])
    if kind == 0:  # a loop at the base
        loop = rng.uniform(0.06, 0.16)
        base = ((0.5, 0.66), (0.12, 0.97), (-0.02, 0.9), (0.08, 0.97 - 2 * loop), (0.35, 0.93), (0.7, 1.0), (1.0, 0.88))
        return [curve(*top, *base)]
    if kind == 1:
        return [curve(*top, (0.5, 0.62), (0.05, 1.0)), _line((0.05, 1.0), (0.95, rng.uniform(0.93, 1.02)))]
    return [_line((0.08, 0.1), (0.85, 0.03), (0.08, 0.97), (0.95, 0.97))]


def _three(rng: Rng) -> list[Points]:
    belly = ((0.88, 0.7), (0.5, 1.0), (0.05, rng.uniform(0.82, 0.95)))
    if rng.random() < 0.5:
        return [curve((0.1, 0.12), (0.5, 0.0), (0.82, 0.2), (rng.uniform(0.3, 0.5), 0.45), *belly)]
    return [_line((0.1, 0.02), (0.85, 0.02), (0.42, 0.4)), curve((0.42, 0.4), *belly)]


def _four(rng: Rng) -> list[Points]:
    kind = rng.choice(4, p=[0.4, 0.2, 0.2, 0.2])
    if kind == 0:  # open: the stem hangs beside the angle, and may not meet its bar
        x, top = rng.uniform(0.6, 0.85), rng.uniform(0.0, 0.5)
        bar = rng.uniform(0.5, 0.7)
        end = x + rng.uniform(-0.12, 0.25)
        angle = [(rng.uniform(0.1, 0.35), 0.0), (0.05, bar), (end, bar + rng.normal(0, 0.03))]
        bend = _line(*angle) if rng.random() < 0.6 else curve(*angle)
        return [bend, _line((x, top), (x + rng.normal(-0.04, 0.05), 1.0))]
    if kind == 1:  # like a lightning stroke
        return [_line((rng.uniform(0.35, 0.6), 0.0), (0.1, 0.55), (0.9, rng.uniform(0.42, 0.55)), (0.5, 1.0))]
    if kind == 2:  # like an h turned round: a cup and a stem
        return [curve((0.1, 0.0), (0.08, 0.4), (0.4, 0.55), (0.85, 0.48)), _line((0.88, 0.02), (0.82, 1.0))]
    return [_line((0.7, 1.0), (0.72, 0.0), (0.04, 0.66), (1.0, rng.uniform(0.6, 0.7)))]


def _five(rng: Rng) -> list[Points]:
    belly = ((0.55, 0.36), (0.9, 0.64), (0.6, 0.98), (0.05, rng.uniform(0.85, 0.95)))
    if rng.random() < 0.25:  # in one stroke, like an S
        return [curve((0.88, 0.02), (0.3, 0.05), (0.2, 0.42), *belly)]
    drop, away = np.abs(rng.normal(0, 0.05, 2))
    top = _line((0.25 + away, 0.03 - drop), (rng.uniform(0.75, 1.05), rng.normal(-0.02, 0.05) - drop))
    return [_line((0.25, 0.04), (0.2, 0.44)), curve((0.2, 0.44), *belly), top]


def _six(rng: Rng) -> list[Points]:
    top = (rng.uniform(0.5, 0.9), rng.uniform(-0.02, 0.08))
    if rng.random() < 0.5:
        body = ((0.08, 0.68), (0.35, 1.0), (0.8, 0.9), (0.82, 0.62), (0.5, 0.5), (0.14, rng.uniform(0.62, 0.78)))
        return [curve(top, (0.28, 0.3), *body)]
    return [curve(top, (0.25, 0.35), (0.1, 0.72)), _ring(0.46, 0.74, 0.36, 0.26, 0.5, rng.uniform(0.9, 1.1))]


def _seven(rng: Rng) -> list[Points]:
    right, foot = rng.uniform(0.8, 1.0), rng.uniform(0.05, 0.5)
    stem = curve((right, 0.04), (0.5 * (right + foot) + rng.uniform(-0.08, 0.08), 0.5), (foot, 1.0))
    if rng.random() < 0.4:  # a long tail
        stem = _line((right, 0.04), (foot, 1.0 + rng.uniform(0.1, 0.5)))
    strokes = [_line((0.05, rng.uniform(0.0, 0.12)), (right, 0.04)), stem]
    if rng.random() < 0.6:
        y = rng.uniform(0.4, 0.6)
        x = right + (foot - right) * y
        strokes.append(_line((x - rng.uniform(0.15, 0.35), y + rng.normal(0, 0.05)), (x + rng.uniform(0.12, 0.3), y)))
    if rng.random() < 0.25:
        strokes.append(_line((0.06, 0.03), (0.06 + rng.normal(0, 0.03), rng.uniform(0.1, 0.25))))
    return strokes


def _eight(rng: Rng) -> list[Points]:
    if rng.random() < 0.6:  # two circles
        small, middle = rng.uniform(0.2, 0.36), rng.uniform(0.42, 0.5)
        gap = rng.normal(0.0, 0.02)
        return [
            _ring(0.5, middle / 2, small, middle / 2, rng.random(), rng.uniform(0.92, 1.1)),
            _ring(0.5, (1 + middle + gap) / 2, rng.uniform(0.28, 0.42), (1 - middle - gap) / 2, rng.random(), 1.0),
        ]
    upper = ((0.8, 0.1), (0.45, 0.0), (0.2, 0.2), (0.5, 0.48))
    return [curve(*upper, (0.88, 0.75), (0.5, 1.0), (0.12, 0.76), (0.5, 0.5), (0.78, 0.25), (0.82, 0.08))]


def _nine(rng: Rng) -> list[Points]:
    ring = _ring(0.45, 0.28, rng.uniform(0.28, 0.4), 0.28, rng.uniform(0.9, 1.0), -rng.uniform(0.88, 1.08))
    right = float(ring[:, 0].max())
    kind = rng.choice(3, p=[0.4, 0.35, 0.25])
    if kind == 0:  # a straight stem
        return [ring, _line((right, rng.uniform(0.0, 0.25)), (right + rng.normal(-0.05, 0.08), 1.0))]
    if kind == 1:  # a hook
        return [ring, curve((right, 0.2), (right, 0.75), (0.55, 1.0), (rng.uniform(0.0, 0.25), rng.uniform(0.8, 0.95)))]
    return [ring, curve((right, 0.2), (right - 0.08, 0.6), (rng.uniform(0.2, 0.5), 1.0))]


SHAPES = (_zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine)
"""One drawing function for each digit."""


def shaken(stroke: Points, rng: Rng) -> Points:
    """The stroke as a hand draws it: moved and bent a little."""
    reach = np.linspace(0, 1, len(stroke), dtype=np.float32)[:, None]
    start, stop, bow = (rng.normal(0, 0.025, 2).astype(np.float32) for _ in range(3))
    return stroke + start * (1 - reach) + stop * reach + bow * 4 * reach * (1 - reach)

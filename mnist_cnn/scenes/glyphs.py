"""Digits and other signs written anew, by many pens and hands: what the scenes are composed of."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes import templates
from mnist_cnn.scenes.letters import ALONE

SIDE = 120
"""Side of the square on which a sign is written, in pixels."""
MARGIN = 48
"""Room around it for what is bent outwards, and for long tails."""
TALL = 72
"""Long side of a finished glyph, in pixels."""
PEN = (0.09, 0.16)
"""Width of MNIST's strokes, as a share of the digit's height."""
SIGNS = "ACEFHKLMNPRTUVWXYacdefhkmnprtuvwx+-=#$%&*@<>:"
"""Signs that are no digits and that nobody takes for one."""
FONTS = (0, 1, 2, 3, 4, 6, 7)
"""OpenCV's stroke fonts, all but the smallest."""

Rng = np.random.Generator
Pixels = NDArray[Any]
Ink = NDArray[Any]


class Glyph(NamedTuple):
    """One written sign."""

    pixels: Pixels
    """[H, W, 2], 0 to 255: as its own pen wrote it, and as MNIST's pen would have; the second one fills H and W."""
    label: int
    """Which digit it is; -1 for another sign."""
    pen: float
    """Width of its strokes, as a share of its long side."""


def write_all(digits: Pixels, labels: NDArray[np.int64], count: int, seed: int = 0) -> Iterator[Glyph]:
    """Writes glyphs: of ten six redrawn digits of MNIST, three digits by strokes, one other sign.

    Args:
        digits: Uint8 [N, 28, 28], white on black.
        labels: Int64 [N].
        count: How many to write; the few without legible ink are left out.
        seed: Of all chance; the k-th glyph depends on it, on k and on the digits alone.

    Yields:
        The glyphs in order, written in all processor cores.
    """

    def job(k: int) -> Glyph | None:
        rng = np.random.default_rng((seed, k))
        kind = k % 10
        if kind < 6:
            source = int(rng.integers(len(digits)))
            return write_digit(digits[source], int(labels[source]), rng)
        return write_shape(int(rng.integers(10)), rng) if kind < 9 else write_sign(rng)

    with ThreadPoolExecutor(os.cpu_count()) as threads:  # OpenCV and NumPy release the interpreter while they work
        for start in range(0, count, 256):
            for glyph in threads.map(job, range(start, min(start + 256, count))):
                if glyph is not None:
                    yield glyph


def write_digit(digit: Pixels, label: int, rng: Rng) -> Glyph | None:
    """A digit of MNIST, uint8 [28, 28], with another pen and hand; None where it has no ink.

    Strokes keep MNIST's width, or get an even one between a hair's and a marker's; then the digit is turned, slanted,
    stretched and bent. Some ones get the upstroke and the foot, and some sevens the bar, that much of the world
    writes and that MNIST hardly has.
    """
    field = cv2.resize(digit.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), rng.uniform(2.0, 3.4))
    form = np.pad((field > rng.uniform(0.3, 0.45)).astype(np.uint8), MARGIN)
    if not form.any():
        return None
    if label == 1 and rng.random() < 0.5:
        _add_upstroke(form, rng)
    if label == 7 and rng.random() < 0.3:
        _add_bar(form, rng)
    width = 0.0
    look = form
    if rng.random() < 0.7:
        width = _pen(rng) * SIDE * 0.72  # digits of MNIST fill 20 of 28 pixels
        look = redrawn(form, width)
    return _glyph(look, form, label, width, rng)


def write_shape(label: int, rng: Rng) -> Glyph | None:
    """A digit by the strokes of `templates`."""
    return _by_strokes(templates.strokes_of(label, rng), label, rng)


def _by_strokes(strokes: Sequence[templates.Points], label: int, rng: Rng) -> Glyph | None:
    """Strokes as a narrow or a wide hand writes them, with any pen."""
    wide = np.clip(np.exp(rng.normal(np.log(0.66), 0.25)), 0.3, 1.3)
    narrow = [stroke * np.array((wide, 1), np.float32) for stroke in strokes]
    pen = _pen(rng)
    look = templates.drawn(narrow, SIDE, MARGIN, pen * SIDE)
    form = templates.drawn(narrow, SIDE, MARGIN, rng.uniform(*PEN) * SIDE)
    return _glyph(look, form, label, pen * SIDE, rng)


def write_sign(rng: Rng) -> Glyph | None:
    """A letter or another sign that is no digit: of a font, or a capital by strokes."""
    if rng.random() < 0.4:
        letter = ALONE[int(rng.integers(len(ALONE)))]
        curves = [templates.curve(*stroke) * (0.75, 0.5) + (0, 1) for stroke in letter]  # in a box of 1 by 1
        return _by_strokes([templates.shaken(stroke, rng) for stroke in curves], -1, rng)
    text, font = SIGNS[int(rng.integers(len(SIGNS)))], int(FONTS[int(rng.integers(len(FONTS)))])
    width = max(1, round(_pen(rng) * SIDE))
    look = np.zeros((SIDE + 2 * MARGIN,) * 2, np.uint8)
    cv2.putText(look, text, (MARGIN + 10, MARGIN + SIDE - 12), font, SIDE / 28, 1, width, cv2.LINE_8)
    return _glyph(look, look, -1, width, rng)


def _pen(rng: Rng) -> float:
    """The width of a pen, as a share of the digit's height: from a hair's to a marker's."""
    return float(np.exp(rng.uniform(np.log(0.015), np.log(0.2))))


def _glyph(look: Pixels, form: Pixels, label: int, width: float, rng: Rng) -> Glyph | None:
    """Bends both, and cuts them out by what MNIST's pen wrote."""
    if rng.random() < 0.1:
        look = look.copy()
        _skip(look, rng)
    both = _bent(np.dstack((look, form)), rng)
    left, top, across, down = cv2.boundingRect((both[..., 1] > 0.3).astype(np.uint8))
    if not across:
        return None
    scale = TALL / max(across, down)
    size = (max(3, round(across * scale)), max(3, round(down * scale)))
    cut = cv2.resize(both[top : top + down, left : left + across], size, interpolation=cv2.INTER_AREA)
    pen = width / max(across, down) if width else 0.12
    return Glyph((cut.clip(0, 1) * 255).astype(np.uint8), label, pen)


def _add_upstroke(mask: Pixels, rng: Rng) -> None:
    """Gives a one its upstroke, and perhaps a foot."""
    rows = np.flatnonzero(mask.any(axis=1))
    height, width = int(np.ptp(rows)) + 1, _stroke_width(mask)
    top, bottom = ((int(np.flatnonzero(mask[row]).mean()), int(row)) for row in (rows[0], rows[-1]))
    angle, length = rng.uniform(0.45, 1.1), rng.uniform(0.15, 0.75) * height  # from the vertical, in radians
    end = (round(top[0] - np.sin(angle) * length), round(top[1] + width / 2 + np.cos(angle) * length))
    cv2.line(mask, (top[0], top[1] + width // 2), end, 1, width)
    if rng.random() < 0.35:
        left, right = rng.uniform(0.1, 0.3, 2) * height
        at = bottom[1] - width // 2
        cv2.line(mask, (round(bottom[0] - left), at), (round(bottom[0] + right), at), 1, width)


def _add_bar(mask: Pixels, rng: Rng) -> None:
    """Crosses the stem of a seven; where the chosen line has no ink, the next one down that has some."""
    rows = np.flatnonzero(mask.any(axis=1))
    row = int(rows[np.searchsorted(rows, rows[0] + rng.uniform(0.42, 0.62) * np.ptp(rows))])
    width = _stroke_width(mask)
    middle = int(np.flatnonzero(mask[row]).max()) - width // 2
    left, right = rng.uniform(0.12, 0.3, 2) * np.ptp(rows)
    tilt = rng.normal(0, 0.15)
    start, stop = ((round(middle + x), round(row - tilt * x)) for x in (-left, right))
    cv2.line(mask, start, stop, 1, width)


def _skip(mask: Pixels, rng: Rng) -> None:
    """Leaves gaps in the strokes, as a pen does that runs dry."""
    y, x = np.nonzero(mask)
    if not len(x):
        return
    for k in rng.integers(len(x), size=int(rng.integers(1, 4))):
        turn, reach = rng.uniform(0, np.pi), 0.12 * SIDE
        step = np.array([np.cos(turn), np.sin(turn)]) * reach
        start, stop = ((round(x[k] + sign * step[0]), round(y[k] + sign * step[1])) for sign in (-1, 1))
        cv2.line(mask, start, stop, 0, max(1, round(SIDE * rng.uniform(0.006, 0.03))))


def _stroke_width(mask: Pixels) -> int:
    """Mean width of the strokes along their middles, in pixels, at least 3."""
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 5)
    ridge = depth[(depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (depth > 0)]
    return max(3, round(2 * float(ridge.mean()) - 1)) if ridge.size else 3


def redrawn(mask: Pixels, width: float) -> Pixels:
    """The middle of each stroke, drawn with an even width in pixels."""
    depth = cv2.GaussianBlur(cv2.distanceTransform(mask, cv2.DIST_L2, 5), (0, 0), 1.6)
    ridge = (cv2.Laplacian(depth, cv2.CV_32F) < -0.15) & (depth > 1)
    outside = cv2.distanceTransform(1 - ridge.astype(np.uint8), cv2.DIST_L2, 5)
    return (outside <= max(0.3, width / 2 - 1)).astype(np.uint8)


def _bent(mask: Pixels, rng: Rng) -> Ink:
    """Turned, slanted, stretched and bent; float [H, W, C] of a mask [H, W, C]."""
    side = mask.shape[0]
    wild = rng.choice([0.1, 1.0, 1.8], p=[0.2, 0.6, 0.2])  # a mouse draws straight, some hands far from it
    angle, slant = np.deg2rad(np.clip(rng.normal(0, 6 * wild), -20, 20)), rng.normal(0, 0.1 * wild)
    across, down = np.exp(rng.normal(0, 0.1 * wild, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.array([[across, slant], [0, down]])
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    amount = rng.uniform(0, 0.035) * side * min(1.0, wild)
    waves = [smooth(rng, mask.shape, 5) * amount for _ in range(2)]
    at_x = turn[0, 0] * x + turn[0, 1] * y + side / 2 + waves[0]
    at_y = turn[1, 0] * x + turn[1, 1] * y + side / 2 + waves[1]
    return cv2.remap(mask.astype(np.float32), at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR)


def smooth(rng: Rng, shape: tuple[int, ...], cells: int) -> Any:
    """Random waves, float [H, W], of mean 0 and standard deviation about 1, `cells` of them from side to side."""
    field = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)

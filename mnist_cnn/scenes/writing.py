"""Digits of MNIST written anew, by other pens and hands: the first half of `renderer`."""

import cv2
import numpy as np

from mnist_cnn.reading.ink import Ink, Mask, Picture
from mnist_cnn.reading.mnist_form import stroke_width
from mnist_cnn.scenes.scrawls import scrawl

SIDE = 160
"""Side of the square on which a digit is written, in pixels."""
MARGIN = 24
"""Room around it for what is bent outwards."""

Rng = np.random.Generator


def write(digit: Picture, rng: Rng, label: int = -1) -> Ink:
    """A digit with another pen and hand.

    Strokes keep MNIST's width, or get an even one between a hair's and a marker's; then the digit is turned,
    slanted, stretched and bent. Where the label is known, some ones get the upstroke and the foot, and some sevens
    the bar, that much of the world writes and that MNIST hardly has.

    Returns:
        Float [SIDE + 2 * MARGIN, SIDE + 2 * MARGIN], ink 1.
    """
    field = cv2.resize(digit.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), rng.uniform(2.5, 4.5))
    mask = np.pad((field > rng.uniform(0.3, 0.5)).astype(np.uint8), MARGIN)
    if label == 1 and rng.random() < 0.55:
        _add_upstroke(mask, rng)
    if label == 7 and rng.random() < 0.3:
        _add_bar(mask, rng)
    if rng.random() < 0.65:
        mask = _redrawn(mask, SIDE * np.exp(rng.uniform(np.log(0.012), np.log(0.14))))
    if rng.random() < 0.12:
        _skip(mask, rng)
    return _bent(mask, rng)


def write_no_digit(digits: tuple[Picture, Picture], label: int, rng: Rng) -> Ink:
    """Strokes that are no digit: `scrawl`, bent; the arguments are its, the result is `write`'s."""
    return _bent(np.pad(scrawl(SIDE, digits, label, rng), MARGIN), rng)


def _add_upstroke(mask: Picture, rng: Rng) -> None:
    """Gives a one its upstroke, and perhaps a foot."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return
    height = int(np.ptp(rows)) + 1
    width = _pen_width(mask)
    top, bottom = ((int(np.flatnonzero(mask[row]).mean()), int(row)) for row in (rows[0], rows[-1]))
    angle, length = rng.uniform(0.45, 1.1), rng.uniform(0.15, 0.75) * height  # from the vertical, in radians
    end = (round(top[0] - np.sin(angle) * length), round(top[1] + width / 2 + np.cos(angle) * length))
    cv2.line(mask, (top[0], top[1] + width // 2), end, 1, width)
    if rng.random() < 0.35:
        left, right = rng.uniform(0.1, 0.3, 2) * height
        at = bottom[1] - width // 2
        cv2.line(mask, (round(bottom[0] - left), at), (round(bottom[0] + right), at), 1, width)


def _add_bar(mask: Picture, rng: Rng) -> None:
    """Crosses the stem of a seven."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return
    row = int(rows[0] + rng.uniform(0.42, 0.62) * np.ptp(rows))
    middle = int(np.flatnonzero(mask[row]).max()) - _pen_width(mask) // 2
    left, right = rng.uniform(0.12, 0.3, 2) * np.ptp(rows)
    tilt = rng.normal(0, 0.15)
    start, stop = ((round(middle + x), round(row - tilt * x)) for x in (-left, right))
    cv2.line(mask, start, stop, 1, _pen_width(mask))


def _skip(mask: Picture, rng: Rng) -> None:
    """Leaves gaps in the strokes, as a pen does that runs dry."""
    y, x = np.nonzero(mask)
    if not len(x):
        return
    for k in rng.integers(len(x), size=int(rng.integers(1, 4))):
        turn, reach = rng.uniform(0, np.pi), 0.12 * SIDE
        step = np.array([np.cos(turn), np.sin(turn)]) * reach
        start, stop = ((round(x[k] + sign * step[0]), round(y[k] + sign * step[1])) for sign in (-1, 1))
        cv2.line(mask, start, stop, 0, max(1, round(SIDE * rng.uniform(0.006, 0.035))))


def _pen_width(mask: Picture) -> int:
    return max(3, round(stroke_width(mask.astype(np.float32))))


def _redrawn(mask: Picture, width: float) -> Picture:
    """The middle of each stroke, drawn with an even width in pixels."""
    depth = cv2.GaussianBlur(cv2.distanceTransform(mask, cv2.DIST_L2, 5), (0, 0), 2.0)
    ridge = (cv2.Laplacian(depth, cv2.CV_32F) < -0.12) & (depth > 1)
    outside = cv2.distanceTransform(1 - ridge.astype(np.uint8), cv2.DIST_L2, 5)
    return (outside <= max(0.3, width / 2 - 1)).astype(np.uint8)


def _bent(mask: Mask, rng: Rng) -> Ink:
    ink = mask.astype(np.float32)
    side = ink.shape[0]
    wild = rng.choice([1.0, 2.0], p=[0.8, 0.2])  # some hands are far from the school's
    angle, slant = np.deg2rad(np.clip(rng.normal(0, 7 * wild), -25, 25)), rng.normal(0, 0.12 * wild)
    across, down = np.exp(rng.normal(0, 0.12 * wild, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.array([[across, slant], [0, down]])
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    amount = rng.uniform(0, 0.04) * side
    waves = [smooth(rng, ink.shape, 5) * amount for _ in range(2)]
    at_x = turn[0, 0] * x + turn[0, 1] * y + side / 2 + waves[0]
    at_y = turn[1, 0] * x + turn[1, 1] * y + side / 2 + waves[1]
    return cv2.remap(ink, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR)


def smooth(rng: Rng, shape: tuple[int, ...], cells: int) -> Ink:
    """Random waves of mean 0 and standard deviation about 1, `cells` of them from side to side."""
    field = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)

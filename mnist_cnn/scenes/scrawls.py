"""What is no digit, but may be taken for one: a part, two that touch, one with a part, letters, scribbles, lines."""

import cv2
import numpy as np

from mnist_cnn.reading.ink import Mask, Picture

LETTERS = "AEFHKLMNPRVWXYahkmntwx"
"""Letters that no digit looks like."""
DIVISIBLE = (0, 2, 3, 5, 8)
"""Digits whose halves do not look like other digits."""

Rng = np.random.Generator


def scrawl(side: int, digits: tuple[Picture, Picture], label: int, rng: Rng) -> Mask:
    """Strokes that are no digit.

    Args:
        side: Of the result, in pixels.
        digits: Two digits, uint8 [28, 28], white on black: one shape of both, or of one and a part, or a part alone.
        label: Which digit the first one is.
        rng: Where all chance comes from.

    Returns:
        Uint8 [side, side], strokes 1.
    """
    kind = rng.choice(6, p=[0.3, 0.15, 0.05, 0.05, 0.25, 0.2])
    if kind == 4 and label in DIVISIBLE:
        return _drawn(_part(digits[0], rng), side)
    if kind == 5:
        whole, part = digits[0], _part(digits[1], rng)
        if cv2.boundingRect(part)[2] >= 6:
            digits = (whole, part) if rng.random() < 0.5 else (part, whole)
    if kind in (0, 4, 5):
        return _pair(side, digits, rng)
    canvas = np.zeros((side, side), np.uint8)
    width = max(2, round(side * rng.uniform(0.03, 0.1)))
    if kind == 1:
        _letter(canvas, width, rng)
    elif kind == 2:
        knots = rng.uniform(0.1, 0.9, (int(rng.integers(4, 9)), 2)) * side
        cv2.polylines(canvas, [_smooth_line(knots)], bool(rng.random() < 0.2), 1, width)
    else:
        for across in (True, False):
            for at in rng.uniform(0.1, 0.9, int(rng.integers(1, 4))) * side:
                ends = [(0, int(at)), (side, int(at + rng.normal(0, 0.08) * side))]
                start, stop = (end if across else end[::-1] for end in ends)
                cv2.line(canvas, start, stop, 1, width)
    return canvas


def _pair(side: int, digits: tuple[Picture, Picture], rng: Rng) -> Mask:
    """Two digits beside each other, near enough to be one shape."""
    left, right = (_cut(digit) for digit in digits)
    drop = int(rng.integers(-3, 4))
    rows = 24 + abs(drop)
    gap = int(rng.integers(-3, 2))
    canvas = np.zeros((rows, left.shape[1] + right.shape[1] + 4), np.uint8)
    for part, x, y in ((left, 0, max(0, -drop)), (right, max(0, left.shape[1] + gap), max(0, drop))):
        part = part[: rows - y]
        place = canvas[y : y + part.shape[0], x : x + part.shape[1]]
        np.maximum(place, part, out=place)
    scale = side / max(canvas.shape)
    large = cv2.resize(canvas, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    mask = (cv2.GaussianBlur(large, (0, 0), 2.5) > 100).astype(np.uint8)[:side, :side]
    return np.pad(mask, ((0, side - mask.shape[0]), (0, side - mask.shape[1])))


def _part(digit: Picture, rng: Rng) -> Picture:
    """The left or the right part of a digit, as a wrong cut through a row of digits leaves it, uint8 [28, 28]."""
    left, _, width, _ = cv2.boundingRect(digit)
    place = round(left + rng.uniform(0.4, 0.6) * (width - 1))
    lean = rng.normal(0, 0.15)
    at = place + lean * (np.arange(28)[:, None] - 14)
    return np.where((np.arange(28) < at) == (rng.random() < 0.5), digit, 0).astype(np.uint8)


def _drawn(digit: Picture, side: int) -> Mask:
    large = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)
    return (cv2.GaussianBlur(large, (0, 0), 2.5) > 100).astype(np.uint8)


def _cut(digit: Picture) -> Picture:
    left, top, width, height = cv2.boundingRect(digit)
    return digit[top : top + height, left : left + width] if width else digit[:20, :20]


def _letter(canvas: Mask, width: int, rng: Rng) -> None:
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)
    font = fonts[int(rng.integers(len(fonts)))]
    text = LETTERS[int(rng.integers(len(LETTERS)))]
    scale = len(canvas) / 32
    (across, down), _ = cv2.getTextSize(text, font, scale, width)
    place = ((len(canvas) - across) // 2, (len(canvas) + down) // 2)
    cv2.putText(canvas, text, place, font, scale, 1, width)


def _smooth_line(knots: Picture) -> Picture:
    """A curve near some points, int32 [N, 2], by cutting corners."""
    for _ in range(3):
        knots = np.concatenate([0.75 * knots[:-1] + 0.25 * knots[1:], 0.25 * knots[:-1] + 0.75 * knots[1:]], axis=1)
        knots = knots.reshape(-1, 2)
    return np.rint(knots).astype(np.int32)

"""Words, which are no digits even where a letter alone looks like one: type, and hands with and without joins."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.glyphs import FONTS, SIGNS
from mnist_cnn.scenes.templates import curve

Rng = np.random.Generator
Ink = NDArray[Any]

LETTERS = "abcdefghijklmnopqrstuvwxyz" * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Also those that look like a digit: beside others they are letters."""
HEIGHT = 22
"""Pixels: of a capital in OpenCV's fonts at a scale of 1."""
LETTER_STROKES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0.08, -0.9), (0.14, 0.0), (0.35, -0.95), (0.55, -0.8), (0.6, -0.1)),
    ((0.06, -0.9), (0.1, 0.0), (0.28, -0.95), (0.42, -0.7), (0.44, 0.0), (0.62, -0.95), (0.78, -0.7), (0.82, -0.1)),
    ((0.05, -0.95), (0.1, -0.15), (0.3, 0.0), (0.5, -0.4), (0.52, -0.95), (0.56, -0.1), (0.7, 0.0)),
    ((0.1, -0.4), (0.45, -0.6), (0.35, -0.98), (0.1, -0.7), (0.15, -0.1), (0.45, 0.0), (0.6, -0.25)),
    ((0.1, -0.2), (0.42, -1.5), (0.3, -2.1), (0.15, -1.6), (0.15, -0.2), (0.35, 0.0), (0.55, -0.3)),
    ((0.1, -0.3), (0.38, -1.6), (0.25, -2.0), (0.12, -1.4), (0.12, 0.0), (0.35, -0.9), (0.55, -0.8), (0.6, 0.0)),
    ((0.45, -0.85), (0.2, -0.95), (0.05, -0.5), (0.25, -0.1), (0.48, -0.9), (0.42, 0.7), (0.2, 1.0), (0.08, 0.6)),
    ((0.5, -0.85), (0.2, -0.95), (0.05, -0.45), (0.25, 0.0), (0.5, -0.4), (0.47, -0.9), (0.55, -0.1), (0.72, -0.1)),
    ((0.1, -0.5), (0.2, -0.95), (0.22, -0.1), (0.4, -0.05)),
    ((0.1, -0.3), (0.28, -1.0), (0.42, -0.8), (0.35, -0.1), (0.1, -0.05)),
    ((0.15, -0.4), (0.28, -1.9), (0.2, -0.2), (0.42, -0.1)),
    ((0.0, -0.9), (0.15, 0.0), (0.35, -0.8), (0.5, 0.0), (0.75, -0.95), (0.85, -0.8)),
    ((0.05, -0.95), (0.25, -0.05), (0.3, -0.05), (0.55, -0.95), (0.6, -0.85)),
    ((0.1, -1.9), (0.1, 0.0), (0.12, -0.4), (0.5, -0.95), (0.2, -0.45), (0.55, 0.0)),
    ((0.1, -0.9), (0.1, 0.0), (0.15, -0.6), (0.35, -0.95), (0.5, -0.85)),
    ((0.55, -0.75), (0.3, -0.95), (0.05, -0.45), (0.3, 0.0), (0.6, -0.2)),
    ((0.5, -0.9), (0.15, -0.85), (0.15, -0.6), (0.45, -0.4), (0.4, -0.05), (0.05, -0.05)),
)
"""Letters as points that the pen passes: right of the letter before and below the base line, in units of a small
letter's height."""
CROSSED = 10
"""Which of them is crossed: the t."""


def print_words(ink: Ink, size: float, rng: Rng) -> None:
    """Sets type into ink, float [side, side], for digits of `size` pixels: labels of a form, a letterhead."""
    side = len(ink)
    type_ = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        count = int(rng.integers(1, 9))
        place = (int(rng.uniform(-size, side * 0.8)), int(rng.uniform(0, side + size)))
        thick = max(1, round(size * rng.uniform(0.05, 0.15)))
        cv2.putText(type_, _text(count, rng), place, _font(rng), size / HEIGHT, 255, thick, cv2.LINE_AA)
    np.maximum(ink, type_.astype(np.float32) / 255, out=ink)


def write_words(ink: Ink, size: float, rng: Rng, full: bool = False) -> None:
    """Writes words into ink, float [side, side], where it is free: a few, or lines of them.

    Args:
        ink: What is written already, 0 to 1.
        size: Height of capitals in pixels.
        rng: Where all chance comes from.
        full: Whether the lines fill the sheet.
    """
    side, font, by_hand = len(ink), _font(rng), rng.random() < 0.75
    lift = rng.choice((0.1, rng.uniform(0, 1), 1.0))  # how often the pen leaves the paper between letters
    thick, slant = max(1, round(size * np.exp(rng.uniform(np.log(0.03), np.log(0.15))))), rng.normal(0.15, 0.2)
    wide = np.exp(rng.normal(0, 0.2))

    def write(x: float, y: float) -> float:
        """A word from there on; returns where it ends."""
        strokes = _by_hand(lift, rng) if by_hand else _lettered(font, size, rng)
        matrix = np.array([[wide, -slant], [0, 1]]) * (0.45 * size if by_hand else 1)
        strokes = [stroke @ matrix.T + (x, y) for stroke in strokes]
        low, high = (edge(np.concatenate(strokes), axis=0) for edge in (np.min, np.max))
        left, top = np.clip(low - thick, 0, side).astype(int).tolist()
        right, bottom = np.clip(high + thick + 1, 0, side).astype(int).tolist()
        here = np.s_[top:bottom, left:right]
        if right > left and bottom > top and not (ink[here] > 0.2).any():
            for stroke in strokes:
                points = np.rint((stroke - (left, top)) * 16).astype(np.int32)
                cv2.polylines(ink[here], [points], False, 1.0, thick, cv2.LINE_AA, 4)
        return float(high[0])

    if not full:
        for _ in range(int(rng.integers(1, 4))):
            write(rng.uniform(-size, side * 0.8), rng.uniform(0.5 * size, side))
        return
    y, step, gap = rng.uniform(0, 1.5) * size, size * rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.8) * size
    while y < side + size:
        x = rng.uniform(-size, side * 0.3)
        while x < side:
            x = write(x, y + rng.normal(0, 0.03) * size) + gap * rng.uniform(0.6, 1.6)
        y += step


def _text(count: int, rng: Rng) -> str:
    """Letters; of one or two only those that are no digit alone."""
    letters = SIGNS if count < 3 else LETTERS
    return "".join(letters[int(k)] for k in rng.integers(len(letters), size=count))


def _font(rng: Rng) -> int:
    return int(FONTS[int(rng.integers(len(FONTS)))])


def _by_hand(lift: float, rng: Rng) -> list[NDArray[Any]]:
    """The strokes of a word of 3 to 9 letters, float [N, 2] each."""
    x, points, strokes = 0.0, [(-0.2, -0.1)], []
    for k, letter in enumerate(rng.integers(len(LETTER_STROKES), size=int(rng.integers(3, 10)))):
        if k == 0 or rng.random() < lift:
            strokes.append(points)
            points = []
        known = np.array(LETTER_STROKES[letter])
        shape = known * np.exp(rng.normal(0, 0.1, 2)) + rng.normal(0, 0.05, known.shape)
        points += [(x + right, down) for right, down in shape.tolist()]
        if letter == CROSSED:
            strokes.append([(x - 0.1, -1.3), (x + 0.3, -1.35), (x + 0.6, -1.4)])
        x = points[-1][0] + rng.uniform(0.05, 0.35)
    return [curve(*stroke) for stroke in [*strokes, points] if len(stroke) > 1]


def _lettered(font: int, size: float, rng: Rng) -> list[NDArray[Any]]:
    """The outlines of a word of 3 to 9 letters of a font that a hand has bent, in pixels, float [N, 2] each."""
    fine = 60  # pixels of a capital
    text = _text(int(rng.integers(3, 10)), rng)
    plate = np.zeros((2 * fine, fine * (len(text) + 2)), np.uint8)
    cv2.putText(plate, text, (fine // 2, round(1.4 * fine)), font, fine / HEIGHT, 255, 2, cv2.LINE_AA)
    outlines, _ = cv2.findContours((plate > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    waves = rng.normal(0, 0.04, 2) * fine, rng.uniform(0, 6, 2), rng.uniform(0.5, 2.0, 2)
    strokes = []
    for outline in outlines:
        points = outline[:, 0].astype(np.float64)
        bent = points + waves[0] * np.sin(points[:, ::-1] / fine * waves[2] + waves[1])
        strokes.append((bent - (fine / 2, 1.4 * fine)) * size / fine)
    return strokes

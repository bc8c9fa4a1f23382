"""Words, which are no digits even where a letter alone looks like one: type, and hands with and without joins."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.glyphs import FONTS, SIGNS, redrawn
from mnist_cnn.scenes.letters import CAPITALS, CROSSED, SMALL, Letter
from mnist_cnn.scenes.templates import curve

Rng = np.random.Generator
Ink = NDArray[Any]

LETTERS = "abcdefghijklmnopqrstuvwxyz" * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Also those that look like a digit: beside others they are letters."""
HEIGHT = 22
"""Pixels: of a capital in OpenCV's fonts at a scale of 1."""
FINE, BASE = 40, 1.4
"""Pixels of a capital when type is set, and how far below the top its line is, in capitals."""


def print_words(ink: Ink, size: float, rng: Rng) -> None:
    """Sets type into ink, float [side, side], for digits of `size` pixels: labels of a form, a letterhead."""
    side = len(ink)
    for _ in range(int(rng.integers(1, 5))):
        typeset(ink, rng.uniform(-size, side * 0.8), rng.uniform(0, side + size), size, rng)


def typeset(ink: Ink, x: float, y: float, height: float, rng: Rng) -> float:
    """Sets a word into ink, from x on and on the line y, its capitals so high; returns where it ends."""
    text, wide = _text(int(rng.integers(1, 10)), rng), float(np.exp(rng.normal(0, 0.15)))
    plate = _plate(text, _font(rng), int(rng.integers(3, 12)))
    scale = height / FINE
    size = (max(1, round(plate.shape[1] * scale * wide)), max(1, round(plate.shape[0] * scale)))
    return _paste(ink, cv2.resize(plate, size, interpolation=cv2.INTER_AREA), x, y - BASE * height)


def write_words(ink: Ink, size: float, rng: Rng, full: bool = False) -> None:
    """Writes words into ink, float [side, side], where it is free: a few, or lines of them.

    Args:
        ink: What is written already, 0 to 1.
        size: Height of capitals in pixels.
        rng: Where all chance comes from.
        full: Whether the lines fill the sheet.
    """
    side, script = len(ink), Script(size, rng)
    if not full:
        for _ in range(int(rng.integers(1, 4))):
            script.write(ink, rng.uniform(-size, side * 0.8), rng.uniform(0.5 * size, side), rng)
        return
    y, step, gap = rng.uniform(0, 1.5) * size, size * rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.8) * size
    while y < side + size:
        x = rng.uniform(-size, side * 0.3)
        while x < side:
            x = script.write(ink, x, y + rng.normal(0, 0.03) * size, rng) + gap * rng.uniform(0.6, 1.6)
        y += step


class Script:
    """How somebody writes words: joined or not, upright or slanted, with one pen."""

    def __init__(self, size: float, rng: Rng, pen: float | None = None) -> None:
        """A hand of chance.

        Args:
            size: Height of capitals in pixels.
            rng: Where all chance comes from.
            pen: Width of the strokes, as a share of the size. Default: any.
        """
        self.size, self.font, self.by_hand = size, _font(rng), rng.random() < 0.75
        self.lift = float(rng.choice((0.1, rng.uniform(0, 1), 1.0)))  # how often the pen leaves the paper in a word
        pen = pen or float(np.exp(rng.uniform(np.log(0.03), np.log(0.15))))
        self.thick, self.slant = max(1, round(size * pen)), rng.normal(0.15, 0.2)
        self.wide, self.care = float(np.exp(rng.normal(0, 0.2))), rng.uniform(0.02, 0.1)
        self.first, self.block = float(rng.choice((0.1, 0.6))), rng.random() < 0.2  # how often words have capitals

    def write(self, ink: Ink, x: float, y: float, rng: Rng) -> float:
        """Writes a word, from x on and on the line y, where nothing is written yet; returns where it ends."""
        if not self.by_hand:
            word = _lettered(self, rng)
            return _paste(ink, word, x, y - BASE * self.size, is_free=True)
        strokes = _by_hand(self, rng)
        matrix = np.array([[self.wide, -self.slant], [0, 1]]) * 0.45 * self.size
        strokes = [stroke @ matrix.T + (x, y) for stroke in strokes]
        low, high = (edge(np.concatenate(strokes), axis=0) for edge in (np.min, np.max))
        left, top = np.clip(low - self.thick, 0, len(ink)).astype(int).tolist()
        right, bottom = np.clip(high + self.thick + 1, 0, len(ink)).astype(int).tolist()
        here = np.s_[top:bottom, left:right]
        if right > left and bottom > top and not (ink[here] > 0.2).any():
            for stroke in strokes:
                points = np.rint((stroke - (left, top)) * 16).astype(np.int32)
                cv2.polylines(ink[here], [points], False, 1.0, self.thick, cv2.LINE_AA, 4)
        return float(high[0])


def _paste(ink: Ink, word: Ink, x: float, y: float, is_free: bool = False) -> float:
    """Adds a word, uint8, to ink with its corner at a place, perhaps only where that is free; returns its end."""
    left, top, (height, width) = round(x), round(y), word.shape
    x0, y0, x1, y1 = (int(np.clip(at, 0, len(ink))) for at in (left, top, left + width, top + height))
    here = ink[y0:y1, x0:x1]
    if not (is_free and (here > 0.2).any()):
        np.maximum(here, word[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32) / 255, out=here)
    return left + width


def _text(count: int, rng: Rng) -> str:
    """Letters; of one or two only those that are no digit alone."""
    letters = SIGNS if count < 3 else LETTERS
    return "".join(letters[int(k)] for k in rng.integers(len(letters), size=count))


def _font(rng: Rng) -> int:
    return int(FONTS[int(rng.integers(len(FONTS)))])


def _plate(text: str, font: int, thick: int) -> NDArray[Any]:
    """Type, uint8, 0 to 255: its capitals are `FINE` pixels high and stand at the left on a line at `BASE`."""
    plate = np.zeros((2 * FINE, FINE * (len(text) + 2)), np.uint8)
    cv2.putText(plate, text, (thick, round(BASE * FINE)), font, FINE / HEIGHT, 255, thick, cv2.LINE_AA)
    used = np.flatnonzero(plate.any(axis=0))
    return plate[:, : int(used[-1]) + 4] if len(used) else plate[:, :1]


def _by_hand(script: Script, rng: Rng) -> list[NDArray[Any]]:
    """The strokes of a word of 2 to 9 letters, float [N, 2] each; those of the small letters may be joined."""
    x, points = 0.0, [(-0.2, -0.1)]
    strokes: list[list[tuple[float, float]]] = []
    has_capital = script.block or rng.random() < script.first
    for k in range(int(rng.integers(2 if has_capital else 3, 10))):
        if script.block or (k == 0 and has_capital):
            letter = _written(CAPITALS[int(rng.integers(len(CAPITALS)))], script, x, rng)
            strokes += letter
            x, points = max(right for stroke in letter for right, _ in stroke) + rng.uniform(0.1, 0.35), []
            continue
        if k == 0 or rng.random() < script.lift:
            strokes.append(points)
            points = []
        number = int(rng.integers(len(SMALL)))
        points += _written((SMALL[number],), script, x, rng)[0]
        if number == CROSSED:
            strokes.append([(x - 0.1, -1.3), (x + 0.3, -1.35), (x + 0.6, -1.4)])
        x = points[-1][0] + rng.uniform(0.05, 0.35)
    return [curve(*stroke) for stroke in [*strokes, points] if len(stroke) > 1]


def _written(letter: Letter, script: Script, x: float, rng: Rng) -> list[list[tuple[float, float]]]:
    """A letter from x on, a little larger or smaller, each point off by what the writer's care allows."""
    size, care = np.exp(rng.normal(0, 0.1, 2)), script.care
    return [(np.array(stroke) * size + rng.normal(0, care, (len(stroke), 2)) + (x, 0)).tolist() for stroke in letter]


def _lettered(script: Script, rng: Rng) -> NDArray[Any]:
    """A word of 3 to 9 letters of a font, bent and written with a pen, uint8, 0 to 255."""
    plate = _plate(_text(int(rng.integers(3, 10)), rng), script.font, 6)
    strokes = redrawn((plate > 127).astype(np.uint8), script.thick * FINE / script.size) * np.uint8(255)
    y, x = np.mgrid[: strokes.shape[0], : strokes.shape[1]].astype(np.float32)
    waves = rng.normal(0, 0.04, 2) * FINE, rng.uniform(0, 6, 2), rng.uniform(0.5, 2.0, 2) / FINE
    across = x + waves[0][0] * np.sin(waves[2][0] * y + waves[1][0]) + script.slant * (y - BASE * FINE)
    down = y + waves[0][1] * np.sin(waves[2][1] * x + waves[1][1])
    bent = cv2.remap(strokes, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR)
    scale = script.size / FINE
    size = (max(1, round(bent.shape[1] * scale * script.wide)), max(1, round(bent.shape[0] * scale)))
    return cv2.resize(bent, size, interpolation=cv2.INTER_AREA)

"""Drawings that no digit is like: long curves, flowers, zigzags, ticks and crosses, faces and hearts."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.marks import OPERATORS
from mnist_cnn.scenes.pool import Hand, Rng
from mnist_cnn.scenes.sheet import Sheet


def draw_doodles(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Draws one to three of them on a sheet, for digits of `size` pixels."""
    thick = max(1, round(size * np.exp(rng.uniform(np.log(0.02), np.log(0.2)))))
    for _ in range(int(rng.integers(1, 4))):
        middle = rng.uniform(0, sheet.side, 2)
        strokes = DOODLES[int(rng.integers(len(DOODLES)))](rng)
        turn = rng.normal(0, 0.4)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * size
        for stroke in strokes:
            fine = np.rint((stroke @ matrix.T + middle) * 16).astype(np.int32)
            cv2.polylines(sheet.written, [fine], False, 1.0, thick, cv2.LINE_AA, 4)


def _wander(rng: Rng) -> list[NDArray[Any]]:
    steps = rng.normal(0, rng.uniform(0.3, 1.0), (int(rng.integers(6, 20)), 2))
    return [np.cumsum(steps, axis=0)]


def _flower(rng: Rng) -> list[NDArray[Any]]:
    angles = np.linspace(0, rng.uniform(3, 12) * np.pi, 150)
    reach = rng.uniform(0.3, 1.5) * (1 + rng.uniform(0.2, 0.8) * np.sin(angles * rng.uniform(0.2, 5)))
    return [reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)]


def _zigzag(rng: Rng) -> list[NDArray[Any]]:
    count = int(rng.integers(5, 16))
    along, across = np.linspace(-0.7, 0.7, count), rng.uniform(0.15, 0.5) * (-1.0) ** np.arange(count)
    across = across * rng.uniform(0.5, 1.2, count)
    return [np.stack([along, across] if rng.random() < 0.5 else [across, along], axis=1)]


def _mark(rng: Rng) -> list[NDArray[Any]]:
    """A tick, an arrow or a sign of arithmetic."""
    shapes: list[Sequence[Sequence[tuple[float, float]]]] = [
        (((-0.8, 0.0), (-0.3, 0.8), (1.0, -1.0)),),
        (((-1.4, 0.0), (1.4, 0.0)), ((0.8, -0.5), (1.4, 0.0), (0.8, 0.5))),
        *(strokes for _, strokes in OPERATORS),
    ]
    shape = shapes[int(rng.integers(len(shapes)))]
    return [np.array(stroke) / 2 + rng.normal(0, 0.05, (len(stroke), 2)) for stroke in shape]


def _face(rng: Rng) -> list[NDArray[Any]]:
    """A closed outline with something inside: a face, a heart, a fish, a house."""
    angles = np.linspace(0, 2 * np.pi, 50)
    bumps = rng.uniform(0, 0.35) * np.cos(int(rng.integers(1, 6)) * angles + rng.uniform(0, 6))
    outline = (0.7 + bumps)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inside = [rng.uniform(-0.35, 0.35, 2) + rng.normal(0, 0.1, (int(rng.integers(2, 6)), 2)) for _ in range(3)]
    return [outline, *inside[: int(rng.integers(0, 4))]]


DOODLES: tuple[Callable[[Rng], list[NDArray[Any]]], ...] = (_wander, _flower, _zigzag, _mark, _face)
"""Strokes of drawings about a middle, in units of a digit's height."""

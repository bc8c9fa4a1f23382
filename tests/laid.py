"""Boxes of digits in rows, for tests."""

import numpy as np


def boxes(*lines: tuple[float, float, int, float], height: float = 30) -> np.ndarray:
    """Rows of digits, each as (left, top, count, gap in heights); digits are two thirds as wide as high."""
    width = height * 2 / 3
    return np.array(
        [
            (left + k * (width + gap * height), top, left + k * (width + gap * height) + width, top + height)
            for left, top, count, gap in lines
            for k in range(count)
        ],
        np.float32,
    )


def row(*gaps: float, left: float = 400, top: float = 50, height: float = 30) -> np.ndarray:
    """One row with these gaps between its digits, in heights."""
    lefts = left + np.cumsum([0, *(height * (2 / 3 + gap) for gap in gaps)])
    return np.array([(x, top, x + height * 2 / 3, top + height) for x in lefts], np.float32)

"""MNIST's form of a digit: 28x28, in a box of 20x20 about its centre of mass."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Ink = NDArray[np.float32]

BOX = 20
"""Pixels: long side of a digit of MNIST, in images of 28x28."""
FAINT = 0.3
"""Ink from which on a pixel is inside of a digit's box."""


def resized(picture: Picture, width: float, height: float) -> Picture:
    """A picture, uint8 [H, W] or [H, W, C], in another size in pixels, which is rounded."""
    size = max(1, round(width)), max(1, round(height))
    if size == picture.shape[1::-1]:
        return picture
    method = cv2.INTER_AREA if size[1] < picture.shape[0] else cv2.INTER_CUBIC
    result: Any = cv2.resize(picture, size, interpolation=method)
    return result


def mnist_form(picture: Picture) -> Picture | None:
    """The digit of a picture that already has MNIST's form, else None.

    That is 28x28 grey pixels, a border mostly of pure black or white, the digit in a box of 20x20 and its centre of
    mass in the middle. No photo or free drawing meets all of it.

    Args:
        picture: RGB, uint8 [H, W, 3].

    Returns:
        Uint8 [28, 28], ink 255; bit for bit the picture, or its negative.
    """
    if picture.shape[:2] != (28, 28) or np.ptp(picture, axis=2).max() > 0:
        return None
    grey = picture[..., 0]
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ground = 255 if np.median(rim) > 127 else 0
    if (rim == ground).mean() < 0.6:  # a few digits of MNIST reach the border
        return None
    form = grey.copy() if ground == 0 else 255 - grey
    if not 19 <= max(cv2.boundingRect(form)[2:]) <= 20:
        return None
    weight = form.astype(np.float64)
    middle = np.array([(weight.sum(1 - axis) * np.arange(28)).sum() / weight.sum() for axis in (0, 1)])
    return form if np.abs(middle - 14).max() < 0.55 else None


def to_mnist(ink: Ink) -> Picture:
    """Brings a digit that MNIST's pen wrote into MNIST's form.

    It fits a box of 20x20 with its aspect ratio kept, antialiased, and its centre of mass goes to the middle of 28x28.

    Args:
        ink: Float [H, W], 0 to 1, ink 1.

    Returns:
        Uint8 [28, 28], black where there is no ink.
    """
    form = np.zeros((28, 28), np.uint8)
    left, top, across, down = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    if not across:
        return form
    digit = ink[top : top + down, left : left + across]
    scale = BOX / max(across, down)
    width, height = (max(1, round(side * scale)) for side in (across, down))
    large = cv2.resize(digit, (4 * width, 4 * height), interpolation=cv2.INTER_LINEAR)  # smooth edges at any size
    small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    small = (small / small.max()).clip(0, 1)  # MNIST's ink is white, however sure the detector was
    rows, columns = small.sum(axis=1), small.sum(axis=0)
    middle_y = (rows * np.arange(height)).sum() / rows.sum()
    middle_x = (columns * np.arange(width)).sum() / columns.sum()
    y, x = (int(np.clip(round(14 - middle), 0, 28 - side)) for middle, side in ((middle_y, height), (middle_x, width)))
    form[y : y + height, x : x + width] = np.rint(small * 255)
    return form

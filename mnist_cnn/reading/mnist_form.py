"""MNIST's form of a digit: 28x28, strokes of MNIST's width, in a box of 20x20 about its centre of mass."""

import cv2
import numpy as np

from mnist_cnn.reading.ink import Ink, Picture

CANVAS = 160
"""The digit's long side while its stroke is brought to MNIST's width, eight times the final one."""
STROKE = (17.0, 29.0)
"""MNIST's stroke widths on that canvas; thinner and thicker ones are brought near."""


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


def to_mnist(ink: Ink) -> Picture | None:
    """Brings a drawn digit into MNIST's form.

    The stroke is brought near MNIST's width, the digit fits a box of 20x20 with its aspect ratio kept, antialiased,
    and its centre of mass goes to the middle of 28x28.

    Args:
        ink: Float [H, W], 0 to 1, ink 1.

    Returns:
        Uint8 [28, 28], or None where there is no ink.
    """
    digit = cut_out(ink)
    if digit is None:
        return None
    for _ in range(2):  # the stroke's width changes the digit's size
        digit = _fit(digit, CANVAS)
        stroke = stroke_width(digit)
        digit = _with_stroke(digit, stroke)
        digit = cut_out(digit)
        if digit is None:
            return None
    digit = _fit(digit, CANVAS)
    height, width = (max(1, round(side / CANVAS * 20)) for side in digit.shape)
    small = cv2.resize(digit, (width, height), interpolation=cv2.INTER_AREA)
    small = (small * 1.1).clip(0, 1)
    rows, columns = small.sum(axis=1), small.sum(axis=0)
    middle_y = (rows * np.arange(height)).sum() / rows.sum()
    middle_x = (columns * np.arange(width)).sum() / columns.sum()
    y, x = (int(np.clip(round(14 - middle), 0, 28 - side)) for middle, side in ((middle_y, height), (middle_x, width)))
    form = np.zeros((28, 28), np.uint8)
    form[y : y + height, x : x + width] = np.rint(small * 255)
    return form


def cut_out(ink: Ink) -> Ink | None:
    """The smallest part of a map, float [H, W] from 0 to 1, that has all its ink; None where there is none."""
    left, top, width, height = cv2.boundingRect((ink > 0.3).astype(np.uint8))
    return ink[top : top + height, left : left + width] if width else None


def _fit(ink: Ink, side: int) -> Ink:
    scale = side / max(ink.shape)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).clip(0, 1)


def stroke_width(ink: Ink) -> float:
    """Mean width of the strokes in pixels, along the middle of each, of a map from 0 to 1."""
    distance = cv2.distanceTransform(np.pad((ink > 0.5).astype(np.uint8), 1), cv2.DIST_L2, 5)
    ridge = distance[(distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0)]
    return max(1.0, 2 * float(np.mean(ridge)) - 1) if ridge.size else 1.0


def _with_stroke(digit: Ink, stroke: float) -> Ink:
    """Thickens or thins strokes towards MNIST's width."""
    low, high = STROKE
    if low <= stroke <= high:
        return digit
    if stroke < low:
        size = round(low - stroke)
        padded = cv2.copyMakeBorder(digit, size, size, size, size, cv2.BORDER_CONSTANT, value=0)
        grown = cv2.dilate(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size + 1, size + 1)))
        return cv2.GaussianBlur(grown, (0, 0), 2.0)
    size = round(min(0.6 * (stroke - high), 0.3 * stroke))
    padded = cv2.copyMakeBorder(digit, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size + 1, size + 1)))

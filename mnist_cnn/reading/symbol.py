"""Symbols that are no digits 0 to 9: found like digits where the detector takes them for some, else as ink."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mnist_cnn.networks import DIGITS
from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.networks.recognizer import RecognizerNet
from mnist_cnn.reading.detection import SCORE, Digits
from mnist_cnn.reading.form import Ink, Picture, mnist_form, resized, to_mnist
from mnist_cnn.reading.looking import look
from mnist_cnn.reading.results import Layout
from mnist_cnn.reading.sighting import Sighting

SIDE = 256
"""Pixels: long side at which ink is looked for."""
CONTRAST = 0.12
"""Of the paper's brightness: what is less darker than that is no ink."""
WHOLE = 0.7
"""Of the ink's box: a digit that was found and covers less is only a part of the symbol."""


def look_for(
    classes: Sequence[str],
    detector: DetectorNet,
    picture: Picture,
    layout: Layout,
    recognizer: RecognizerNet | None = None,
) -> Sighting:
    """Finds what is to be read in a picture: digits, or symbols of other classes.

    Args:
        classes: What the classifier knows. Digits are all that the detector was trained on; of other symbols it finds
            most, and for a picture of a single one its ink will do.
        detector: In evaluation mode.
        picture: RGB, uint8 [H, W, 3].
        layout: As for `look`.
        recognizer: As for `look`.
    """
    seen = look(detector, picture, layout, recognizer)
    if layout != "digit" or set(classes) <= set(DIGITS) or mnist_form(picture) is not None:
        return seen
    ink, box = _ink(picture)
    if box is None or (len(seen.digits) and seen.digits.scores[0] >= SCORE and _covered(seen.digits.boxes[0], box)):
        return seen
    flat = np.full((1, len(DIGITS)), 1 / len(DIGITS), np.float32)
    digits = Digits(np.ones(1, np.float32), flat, box[None], np.zeros(1, np.float32))
    return Sighting(digits, to_mnist(ink)[None], [1], [1.0])


def _ink(picture: Picture) -> tuple[Ink, np.ndarray | None]:
    """What stands out from the paper, 0 to 1, with its box in pixels of the picture; no box where there is none."""
    scale = SIDE / max(picture.shape[:2])
    height, width = picture.shape[:2]
    plain: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    grey = resized(plain, width * scale, height * scale)
    paper = cv2.GaussianBlur(cv2.medianBlur(grey, 99), (0, 0), 20).astype(np.float32)
    apart = ((paper - grey) / np.maximum(paper, 255 - paper)).astype(np.float32)
    if np.sort(apart, axis=None)[-40:].mean() < -np.sort(apart, axis=None)[:40].mean():
        apart = -apart  # bright on dark
    levels = (apart.clip(0, 1) * 255).astype(np.uint8)
    threshold = max(CONTRAST, cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0] / 255)
    count, parts, stats, _ = cv2.connectedComponentsWithStats((apart > threshold).astype(np.uint8), connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or area.max() < 12:
        return apart, None
    kept = np.flatnonzero(area >= max(12, 0.04 * area.max())) + 1  # dots belong to a symbol, specks do not
    ink = np.where(np.isin(parts, kept), (apart / (1.5 * threshold)).clip(0, 1), 0).astype(np.float32)
    left, top, across, down = cv2.boundingRect((ink > 0).astype(np.uint8))
    box = np.array([left, top, left + across, top + down], np.float32) / np.float32(scale)
    return ink, box


def _covered(digit: np.ndarray, box: np.ndarray) -> bool:
    """Whether a digit's box covers most of another box."""
    low, high = np.maximum(digit[:2], box[:2]), np.minimum(digit[2:], box[2:])
    return bool(np.prod((high - low).clip(0)) >= WHOLE * np.prod(box[2:] - box[:2]))

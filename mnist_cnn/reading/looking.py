"""What is to be read in a picture: the digits that a detector finds, in rows, before a classifier names them."""

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.networks.recognizer import RecognizerNet, best_path
from mnist_cnn.reading.detection import BESIDE, LARGEST_SCALE, LEAST, SCORE, Detection, Digits, detect
from mnist_cnn.reading.form import mnist_form, resized
from mnist_cnn.reading.lines import ALIKE, Boxes, frame, page_rows, the_digit, the_row
from mnist_cnn.reading.pictures import Picture
from mnist_cnn.reading.recognition import recognize
from mnist_cnn.reading.results import Layout
from mnist_cnn.reading.sighting import Sighting

SIDES: dict[Layout, int] = {"digit": 240, "row": 320, "page": 640}
"""For how many pixels squared to begin with; see `detect`."""
FINER: dict[Layout, int] = {"digit": 2, "row": 3, "page": 3}
"""How many finer scales to look at, at most."""
ENOUGH: dict[Layout, int | None] = {"digit": 1, "row": 2, "page": None}
"""How many sure digits make scales needless on which all of them are large."""
DOUBTFUL: dict[Layout, float] = {"digit": 0.6, "row": 0.94, "page": 0.94}
"""Mean sureness of the digits, below which the picture may lie on its side or upside down: there many are less sure."""
LIKELY: dict[Layout, float] = {"digit": 0.5, "row": 0.7, "page": 0.7}
"""Sureness from which on a digit speaks for a turn; a less sure one speaks against it."""
CLEARLY = 0.45
"""By how much another turn must be better; see `_evidence`."""
SAME_TURNED = {0, 1, 8}
"""Digits that look the same upside down, so that they tell nothing of how a picture was held."""
TURNED = 0.3
"""How likely a single digit is none, if it is one only after the picture was turned."""
DOUBT = 0.3
"""The detector's confidence in a row, below which the row is looked at again."""
WIDTHS = (1.35, 0.75)
"""How many times as wide it is then: hands are narrow and wide."""
AGAIN = 28
"""Pixels: height of its digits then."""
AROUND = np.array((-1.2, -0.7, 1.2, 0.7))
"""Heights of a digit that are seen around it, left, above, right, below."""


def look(detector: DetectorNet, picture: Picture, layout: Layout, recognizer: RecognizerNet | None = None) -> Sighting:
    """Finds what is to be read in a picture.

    Args:
        detector: In evaluation mode.
        picture: RGB, uint8 [H, W, 3].
        layout: `digit` for the one digit that is meant, `row` for the one row, `page` for all rows.
        recognizer: In evaluation mode: reads each row as a whole, too, and rows that are doubtful then are looked at
            again. None: one look is all.

    Returns:
        The digits in rows, in reading order; none where none was found.
    """
    form = mnist_form(picture)
    if form is not None:  # a digit of MNIST as a file stays as it is
        box = np.array(cv2.boundingRect(form), np.float32)
        box[2:] += box[:2]
        flat = np.full((1, 10), 0.1, np.float32)
        return Sighting(
            Digits(np.ones(1, np.float32), flat, box[None], np.zeros(1, np.float32)), form[None], [1], [1.0]
        )
    best = _sighting(detect(detector, picture, SIDES[layout], FINER[layout], ENOUGH[layout]), layout, picture.shape)
    mean, total = _evidence(best, layout)
    if mean < DOUBTFUL[layout] or (layout == "row" and len(best.images) == 1):
        others: list[tuple[Sighting, Picture]] = []
        may_lie = layout != "row" or len(best.images) <= 2  # on its side, a row has one or two
        for turns in (1, 2, 3) if may_lie else (2,):
            turned = np.ascontiguousarray(np.rot90(picture, turns))
            detection = detect(detector, turned, SIDES[layout], 0, ENOUGH[layout])
            others.append((_sighting(detection, layout, turned.shape, turns), turned))
        other = max(others, key=lambda one: _evidence(one[0], layout)[1])
        if _evidence(other[0], layout)[1] > max(0.0, total) + CLEARLY:
            best, picture = other
    if recognizer is None:
        return best
    if layout != "digit":
        best = replace(best, steps=recognize(recognizer, picture, [row.boxes for row in best.rows]))
    return replace(best, again=tuple(_looked_again(detector, picture, best, layout)))


def _looked_again(
    detector: DetectorNet, picture: Picture, seen: Sighting, layout: Layout
) -> Iterator[tuple[int, Sighting]]:
    """Looks at each doubtful row once more, alone, wider and narrower than it is.

    It is doubtful if the detector is not sure of it, or the recognizer reads something else.
    """
    layout = "row" if layout == "page" else layout
    for k, row in enumerate(seen.rows):
        is_sure = row.likely.prod() * seen.sureness[k] >= DOUBT
        text = "".join(map(str, row.probabilities.argmax(axis=1)))
        if not is_sure or (seen.steps and best_path(seen.steps[k]) != text):
            for width in WIDTHS:
                yield k, _alone(detector, picture, row.boxes, width, layout, seen.turns)


def _alone(detector: DetectorNet, picture: Picture, row: Boxes, width: float, layout: Layout, turns: int) -> Sighting:
    """What is seen of a row that is cut out and made so many times as wide; boxes in pixels of the picture."""
    height = float(np.median(row[:, 3] - row[:, 1]))
    inner = frame(row)
    outer = (inner + height * AROUND).clip(0, picture.shape[1::-1] * 2)
    left, top = np.floor(outer[:2]).astype(int).tolist()
    right, bottom = np.ceil(outer[2:]).astype(int).tolist()
    factor = min(LARGEST_SCALE, AGAIN / height)
    view = resized(picture[top:bottom, left:right], (right - left) * factor * width, (bottom - top) * factor)
    down, across = view.shape[:2]
    corner, scale = np.array([left, top] * 2), np.array([across / (right - left), down / (bottom - top)] * 2)
    own = (inner + height * np.array((-0.5, 0, 0.5, 0)) - corner) * scale
    found = detect(detector, view, round(math.sqrt(across * down)), 1)
    seen = _sighting(found, layout, view.shape, turns, own)
    boxes = (seen.digits.boxes / scale + corner).astype(np.float32)
    return replace(seen, digits=replace(seen.digits, boxes=boxes))


def _sighting(
    detection: Detection,
    layout: Layout,
    shape: tuple[int, ...],
    turns: int = 0,
    own: NDArray[np.floating] | None = None,
) -> Sighting:
    """What is to be read of all that was found, or of what has its middle in the box `own`."""
    found = detection.digits
    is_sure = found.scores >= (LEAST if layout == "digit" else BESIDE)
    if own is not None:
        middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
        is_sure &= ((middles > own[:2]) & (middles < own[2:])).all(axis=1)
    sure = np.flatnonzero(is_sure)
    boxes, scores = found.boxes[sure], found.scores[sure]
    likely = found.likely[sure]  # letters and fingers are less
    if layout == "page":
        rows = (
            [row for row in page_rows(boxes, found.joined[sure]) if likely[row].mean() >= SCORE] if len(boxes) else []
        )
    else:
        row = the_row(boxes, likely) if layout == "row" else the_digit(boxes, likely, shape)
        rows = [row] if row and (layout == "digit" or scores[row].max() >= SCORE) else []
    numbers = [sure[row] for row in rows]
    order = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    images = detection.images(order, np.flatnonzero(found.scores >= BESIDE))
    # Pictures are seldom turned, and one sign alone may look like a digit then.
    sureness = [_complete(found, row, order) * (1 - TURNED ** len(row) if turns else 1) for row in numbers]
    return Sighting(found.take(order), images, [len(row) for row in rows], sureness, turns)


def _complete(found: Digits, row: NDArray[np.int64], read: NDArray[np.int64]) -> float:
    """The probability that no digit was left out of a row, 0 to 1, if all that is `read` is in its place."""
    boxes = found.boxes
    height = float(np.median(boxes[row, 3] - boxes[row, 1]))
    heights, middles = boxes[:, 3] - boxes[:, 1], (boxes[:, 1] + boxes[:, 3]) / 2
    nearest = np.abs((boxes[:, 0] + boxes[:, 2])[:, None] - (boxes[row, 0] + boxes[row, 2])).argmin(axis=1)
    beside = np.abs(middles - middles[row][nearest]) < 0.5 * height
    gap = np.maximum(boxes[:, 0] - boxes[row, 2].max(), boxes[row, 0].min() - boxes[:, 2])
    alike = (heights > height / ALIKE) & (heights < ALIKE * height)
    out = beside & alike & (gap < 1.5 * height)
    out[read] = False
    return float((1 - found.scores[out]).prod())


def _evidence(sighting: Sighting, layout: Layout) -> tuple[float, float]:
    """How surely this is upright writing: mean over the digits, 0 to 1, and the sum of what is over `LIKELY`.

    The mean is less where something may have been left out: of a row upside down, a 1001 alone is read with ease. A
    picture that was turned upside down is none, if all its digits look the same both ways.
    """
    digits = sighting.digits
    if not len(digits) or (sighting.turns == 2 and set(digits.probabilities.argmax(axis=1)) <= SAME_TURNED):
        return 0.0, 0.0
    complete = np.repeat(sighting.sureness, sighting.lengths)
    return float((digits.likely * complete).mean()), float((digits.likely - LIKELY[layout]).sum())

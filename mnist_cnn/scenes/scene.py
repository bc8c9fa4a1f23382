"""Training pictures for a detector: a scene is a picture, and where each digit is in it."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.networks.detector import continued
from mnist_cnn.scenes.arrangement import arrange
from mnist_cnn.scenes.pool import Pool, Rng
from mnist_cnn.scenes.surface import pictured

SIDE = 192
"""Of a scene for the detector, in pixels."""
WHOLE, GONE = 0.8, 0.35
"""A digit of which so much can be seen is one; one of which less than that can be seen is none."""


class Scene(NamedTuple):
    """A picture and the truth about it, for N digits."""

    picture: NDArray[Any]
    """RGB [S, S, 3] with a side of S pixels."""
    labels: NDArray[np.int64]
    """[N], 0 to 9; -1 for one of which only a part can be seen."""
    joined: NDArray[np.int64]
    """[N]: whether a digit's number goes on to its right, 1 or 0; -1 where nobody can tell."""
    boxes: NDArray[np.float32]
    """[N, 4]: left, top, right, bottom in pixels, of the digit as MNIST's pen would have written it."""
    ink: NDArray[np.uint8]
    """[S, S]: the digits as MNIST's pen would have written them, 0 to 255."""
    owner: NDArray[np.int16]
    """[S, S]: the number of the digit that a pixel's ink belongs to, -1 for none."""


def compose(pool: Pool, rng: Rng, side: int = SIDE, of_rows: bool = False) -> Scene:
    """Makes a scene; the same state of chance gives the same bits.

    Args:
        pool: Glyphs to write with.
        rng: Of all chance.
        side: Of the scene, in pixels.
        of_rows: As for `arrange`.
    """
    sheet = arrange(side, pool, rng, of_rows)
    size = float(np.median([digit.height for digit in sheet.digits])) if sheet.digits else rng.uniform(12, 60)
    picture = pictured(sheet, size, rng)
    boxes = np.array([(d.left, d.top, d.left + d.width, d.top + d.height) for d in sheet.digits], np.float32)
    boxes = boxes.reshape(-1, 4)
    left, top, right, bottom = frame = _frame(boxes, side, size, rng)
    if frame != (0, 0, side, side):  # the picture ends there
        inner = picture[top:bottom, left:right]
        picture = continued(inner, top, side - bottom, left, side - right)
        outside = np.ones((side, side), bool)
        outside[top:bottom, left:right] = False
        sheet.ink[outside], sheet.owner[outside] = 0, -1
    if rng.random() < 0.08:  # a small picture that was enlarged
        small = cv2.resize(picture, None, fx=1 / 2, fy=1 / 2, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
    seen = np.clip(boxes, (left, top) * 2, (right, bottom) * 2)
    area, whole = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (seen, boxes))
    share = area / whole
    labels = np.where(share >= WHOLE, [d.label for d in sheet.digits], -1).astype(np.int64)
    kept = share > GONE
    joined = np.array([d.joined for d in sheet.digits], np.int64)
    joined[(labels < 0) | ((joined == 1) & ~np.append(kept[1:], False))] = -1  # nobody sees what is cut off
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int16)  # the last one: of no digit
    ink = np.rint(sheet.ink * 255).astype(np.uint8)
    return Scene(picture, labels[kept], joined[kept], boxes[kept], ink, number[sheet.owner])


def _frame(boxes: NDArray[np.float32], side: int, size: float, rng: Rng) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the picture in the scene: often all of it, else cut close to what is written."""
    if rng.random() < 0.65 or not len(boxes):
        return (0, 0, side, side)
    room = rng.uniform(-0.06, 0.06 if rng.random() < 0.4 else 0.35, 4) * size
    low, high = boxes[:, :2].min(axis=0) - room[:2], boxes[:, 2:].max(axis=0) + room[2:]
    left, top = (0 if rng.random() < 0.25 else int(np.clip(at, 0, side // 2)) for at in low)
    right, bottom = (side if rng.random() < 0.25 else int(np.clip(at, side // 2 + 8, side)) for at in high)
    return left, top, right, bottom

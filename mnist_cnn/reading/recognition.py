"""A second opinion on a row: it is straightened, and read as a whole by a network that need not find each digit."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_cnn.networks.recognizer import DIGIT, GAP, GREY, HEIGHT, STRIDE, RecognizerNet
from mnist_cnn.reading.form import Picture, resized
from mnist_cnn.reading.lines import Boxes

MARGIN = 0.6
"""Heights of a digit that are seen before the first and after the last one: one that was left out may be there."""
LONGEST = 16_000
"""Pixels of a strip at most: OpenCV samples no more than twice as many."""
ROUND = 256
"""Pixels: strips together get a width that is a multiple of it, since for each new one oneDNN plans all layers anew."""
SMALLER = 0.9
"""Scale below which a picture is made smaller by the means of areas before it is sampled."""


class Strip:
    """The way of a row through a picture: a curve through the middles of its digits, all of one height."""

    def __init__(self, boxes: Boxes) -> None:
        """Fits a parabola to five digits or more, a straight line to fewer.

        Args:
            boxes: Of N digits, at least one: left, top, right, bottom in pixels, [N, 4].
        """
        height = max(1.0, float(np.median(boxes[:, 3] - boxes[:, 1])))
        x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
        self._left = float(boxes[:, 0].min() - MARGIN * height)
        across = float(boxes[:, 2].max() + MARGIN * height - self._left)
        self.scale = min(DIGIT / height, LONGEST / across)
        """Pixels of the strip for each of the picture."""
        self.width = max(HEIGHT // 2, math.ceil(across * self.scale))
        """Of the strip, in pixels."""
        self._origin, self._height = float(x.mean()), height
        degree = 0 if np.ptp(x) < height else 1 if len(x) < 5 else 2
        self._curve = np.polyfit((x - self._origin) / height, y, degree)

    def _middle(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        middle: NDArray[np.floating] = np.polyval(self._curve, (x - self._origin) / self._height)
        return middle

    def place(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
        """Where points of the picture are in the strip: columns and rows in pixels, of the shape of `x` and `y`."""
        return (x - self._left) * self.scale, (y - self._middle(x)) * self.scale + HEIGHT / 2

    def cut(self, picture: Picture) -> Picture:
        """The row alone, straightened, uint8 [HEIGHT, W, 3] of a picture [H, W, 3]; its border goes on beyond it."""
        x = (np.arange(self.width) + 0.5) / self.scale + self._left
        y = self._middle(x) + ((np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / self.scale)[:, None]
        size = np.array(picture.shape[1::-1])
        low = np.clip(np.floor((x.min(), y.min())) - 2, 0, size - 1).astype(int)
        high = np.clip(np.ceil((x.max(), y.max())) + 2, low + 1, size).astype(int)
        near, sides = picture[low[1] : high[1], low[0] : high[0]], high - low
        if self.scale < SMALLER:
            near = resized(near, *(sides * self.scale))
        factor = near.shape[1::-1] / sides
        across = np.broadcast_to((x - low[0]) * factor[0] - 0.5, y.shape).astype(np.float32)
        down = ((y - low[1]) * factor[1] - 0.5).astype(np.float32)
        strip: Picture = cv2.remap(near, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        return strip


def side_by_side(strips: Sequence[Picture]) -> tuple[Picture, list[int]]:
    """Brings strips into one picture, so far apart that the network sees each alone.

    Args:
        strips: Uint8 [HEIGHT, W, 3] each.

    Returns:
        The picture, uint8 [HEIGHT, W, 3]; and the column at which each strip begins.
    """
    ends = np.cumsum([GAP, *(-(-strip.shape[1] // STRIDE) * STRIDE + GAP for strip in strips)]).tolist()
    picture = np.full((HEIGHT, -(-ends[-1] // ROUND) * ROUND, 3), GREY, np.uint8)
    for strip, start in zip(strips, ends, strict=False):
        picture[:, start : start + strip.shape[1]] = strip
    return picture, ends[:-1]


@torch.inference_mode()
def recognize(network: RecognizerNet, picture: Picture, rows: Sequence[Boxes]) -> tuple[Tensor, ...]:
    """Reads rows as a whole.

    Args:
        network: In evaluation mode, on any device.
        picture: RGB, uint8 [H, W, 3].
        rows: Of the digits that were found in each row, at least one, in pixels, [N, 4].

    Returns:
        For each row the log-probabilities of its steps, float [T, 11], as of `RecognizerNet`, on the CPU.
    """
    strips = [Strip(boxes).cut(picture) for boxes in rows]
    if not strips:
        return ()
    whole, starts = side_by_side(strips)
    pixels = torch.from_numpy(whole).permute(2, 0, 1)[None].to(network.head.weight.device)
    steps = network(pixels)[0].float().cpu()
    ends = [start + strip.shape[1] for start, strip in zip(starts, strips, strict=True)]
    return tuple(steps[a // STRIDE : -(-b // STRIDE)] for a, b in zip(starts, ends, strict=True))

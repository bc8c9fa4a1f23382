"""Every digit in a picture, by one network on a pyramid of scales."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_cnn.networks.detector import STRIDE, UNIT, DetectorNet, Located, continued, find
from mnist_cnn.reading.form import resized, to_mnist

Picture = NDArray[np.uint8]

STEP = 1.5
"""From one scale of the pyramid to the next: each digit is of a size that the network knows on two of them."""
MOST_SIDE = 1960
"""Long side in pixels of the finest scale of all, for pictures with small digits."""
SMALL = 24
"""Pixels: where a digit of less is found on the finest scale, there may be smaller ones, and a finer scale is added."""
LARGE, SURE = 54, 0.9
"""Pixels: where the smallest digit of at least such a score would be larger, a scale is left out."""
LARGEST_SCALE = 2.0
"""How much small pictures are enlarged at most."""
COARSEST = 28
"""Pixels: size from which on a scale is too coarse even for a digit that fills the picture."""
WIDEST = 1.3
"""How many times as wide as high a digit may be: in a wide picture it fills no more than the height allows."""
BORDER = 8
"""Pixels that each scale is continued beyond the picture."""
MOST = 2000
"""Boxes that are kept, of all scales together."""
NARROW = 0.3
"""How wide a digit of height 1 is at least where boxes are compared: a stroke is found a little to its left or right,
and its own width is soon missed."""
HELD = 1.5
"""By how much the scores of other digits in a box must be more than its own, so that it is none."""
LEAST = 0.03
"""Lowest score of what is kept as a digit that may have been left out."""
SCORE = 0.5
"""Lowest score of a digit that stands alone."""
BESIDE = 0.25
"""Lowest score of a digit beside others, which make it likelier."""


@dataclass(frozen=True)
class Digits:
    """Digits in a picture, N of them, the surest first."""

    scores: NDArray[np.float32]
    """Probability that there is a digit, [N]."""
    probabilities: NDArray[np.float32]
    """Of which digit it is, to the detector, [N, 10]."""
    boxes: NDArray[np.float32]
    """Left, top, right, bottom in pixels of the picture, [N, 4]."""
    joined: NDArray[np.float32]
    """Probability that its number goes on to its right, [N]."""

    def __len__(self) -> int:
        """How many."""
        return len(self.scores)

    @property
    def likely(self) -> NDArray[np.float32]:
        """Probability that there is the digit that it most likely is, [N]."""
        return self.scores * self.probabilities.max(axis=1, initial=0)

    def take(self, which: NDArray[np.int64]) -> "Digits":
        """Some of them, in that order."""
        return Digits(self.scores[which], self.probabilities[which], self.boxes[which], self.joined[which])


class Detection:
    """The digits of a picture, and their strokes."""

    def __init__(self, digits: Digits, scales: "list[_Scale]", of_scale: NDArray[np.int64]) -> None:
        """What was found, on which scales, and the scale that each digit was found on."""
        self.digits, self._scales, self._of_scale = digits, scales, of_scale

    def images(self, which: NDArray[np.int64], among: NDArray[np.int64]) -> Picture:
        """Digits in MNIST's form, uint8 [K, 28, 28]; of ink that others claim each gets what points to it.

        Args:
            which: The numbers of K digits.
            among: The numbers of all that are digits.
        """
        images = [_image(self._scales[self._of_scale[k]], self.digits.boxes, int(k), among) for k in which]
        return np.stack(images) if images else np.zeros((0, 28, 28), np.uint8)


@dataclass(frozen=True)
class _Scale:
    """One scale of the pyramid, and what the network said there."""

    factor: float
    network: DetectorNet
    located: Located
    scores: Tensor
    probabilities: Tensor
    boxes: Tensor
    """In pixels of the picture."""
    joined: Tensor

    @functools.cached_property
    @torch.inference_mode()
    def strokes(self) -> tuple[Tensor, Tensor]:
        """Ink and owner of its pixels, as in `DetectorOutput`; few scales are asked for them."""
        return self.network.strokes(self.located)


@torch.inference_mode()
def detect(
    network: DetectorNet, picture: Picture, side: int = 320, finer: int = 3, enough: int | None = None
) -> Detection:
    """Finds the digits of a picture.

    Args:
        network: In evaluation mode, on any device.
        picture: RGB, uint8 [H, W, 3].
        side: Of a square with as many pixels as the middling scale, for which small pictures are enlarged. Coarser
            ones come first, and finer ones follow where small digits may be, or none are found.
        finer: How many finer scales at most.
        enough: How many sure digits are enough, so that scales on which all of them are large can be left out.

    Returns:
        Each digit once, with boxes in pixels of the picture, the surest first, and what is needed for their images.
    """
    scales = list(_pyramid(network, picture, side, finer, enough))
    scores, probabilities, boxes, joined = (
        torch.cat([getattr(scale, name) for scale in scales]) for name in ("scores", "probabilities", "boxes", "joined")
    )
    answers = torch.cat((probabilities, joined[:, None]), dim=1)
    of_scale = torch.repeat_interleave(torch.tensor([len(scale.scores) for scale in scales]))
    best = scores.argsort(descending=True)[:MOST]
    kept, answers = _merged(scores[best], answers[best], boxes[best], of_scale[best])
    best = best[kept]
    said = answers.numpy()
    return Detection(
        Digits(scores[best].numpy(), said[:, :-1], boxes[best].numpy(), said[:, -1]), scales, of_scale[best].numpy()
    )


def _pyramid(network: DetectorNet, picture: Picture, side: int, finer: int, enough: int | None) -> Iterator[_Scale]:
    """Looks at the picture from coarse to fine, as long as a finer scale promises more."""
    height, width = picture.shape[:2]
    first = min(LARGEST_SCALE, side / math.sqrt(height * width))
    middling = resized(picture, width * min(1.0, first), height * min(1.0, first))
    largest = first * min(max(height, width), WIDEST * height)
    coarser = max(0, math.floor(math.log(largest / COARSEST, STEP)))
    sure: list[float] = []  # sizes in pixels of the picture
    found, has_small = False, False
    for k in range(-coarser, finer + 1):
        factor = first * STEP**k
        if k > 0 and ((found and not has_small) or factor > LARGEST_SCALE or factor * max(height, width) > MOST_SIDE):
            return
        if enough and k <= 0 and len(sure) >= enough and min(sure) * factor > LARGE:
            continue
        scale = _look(network, middling if k <= 0 else picture, (height, width), factor)
        yield scale
        sizes = scale.boxes[:, 3] - scale.boxes[:, 1]
        sure += sizes[scale.scores >= SURE].tolist()
        found |= bool((scale.scores >= SCORE).any())
        has_small = bool(((scale.scores >= SCORE / 2) & (sizes * factor < SMALL)).any())


def _look(network: DetectorNet, picture: Picture, shape: tuple[int, int], factor: float) -> _Scale:
    """What the network finds on one scale."""
    scaled = resized(picture, shape[1] * factor, shape[0] * factor)
    height, width = scaled.shape[:2]
    fill = [BORDER + -(side + 2 * BORDER) % STRIDE for side in (height, width)]
    padded = continued(scaled, BORDER, fill[0], BORDER, fill[1])
    device = network.heads.weight.device
    located = network.locate(torch.from_numpy(padded).to(device).permute(2, 0, 1)[None])
    found = find(located, LEAST)[0]
    boxes = (found.boxes - BORDER).cpu() / torch.tensor([width / shape[1], height / shape[0]] * 2)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((middle > 0) & (middle < torch.tensor((shape[1], shape[0])))).all(dim=1)
    scores, probabilities, joined = found.score.cpu(), found.probabilities.cpu(), found.joined.cpu()
    return _Scale(factor, network, located, scores[inside], probabilities[inside], boxes[inside], joined[inside])


def _merged(scores: Tensor, answers: Tensor, boxes: Tensor, of_scale: Tensor) -> tuple[list[int], Tensor]:
    """Of boxes on the same digit the surest one, and what all scales answer of it: their mean by score, [N, C].

    A box within another one is the same digit, or a part of it, unless it is about as high and one scale has both:
    the 1 of a slanted 10. Such boxes may have more in common, too, if they are of different digits.
    """
    order, labels = scores.argsort(descending=True), answers[:, :-1].argmax(dim=1)
    wider = (NARROW * (boxes[:, 3] - boxes[:, 1]) - (boxes[:, 2] - boxes[:, 0])).clamp(min=0) / 2
    boxes = boxes + wider[:, None] * torch.tensor((-1, 0, 1, 0))
    corner, size = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    first, last = torch.maximum(corner[:, None], corner), torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    common, area, high = (last - first).clamp(min=0).prod(dim=2), size.prod(dim=1), size[:, 1]
    overlap = common / (area[:, None] + area - common)
    part = common / torch.minimum(area[:, None], area)
    free = ~_holds_others(scores, area, part)
    kept, means = [], []
    for k in order.tolist():
        if not free[k]:
            continue
        kept.append(k)
        same = free & (overlap[k] > 0.5)
        weights = scores[same] ** 2
        means.append((weights[:, None] * answers[same]).sum(dim=0) / weights.sum())
        has_both = (of_scale == of_scale[same & (scores >= SCORE)][:, None]).any(dim=0)
        is_another = has_both & (scores >= SCORE) & (high > 0.5 * high[k]) & (high < 2 * high[k])
        least = torch.where(is_another & (labels != labels[k]), 0.45, 0.35)
        free &= (overlap[k] <= least) & ((part[k] <= 0.6) | is_another)
    return kept, torch.stack(means) if means else answers[:0]


def _holds_others(scores: Tensor, area: Tensor, part: Tensor) -> Tensor:
    """Which boxes hold so many sure digits that they are none, but a block of rows seen on a coarse scale; bool [N]."""
    sure = (scores >= SCORE).nonzero().flatten()
    sure = sure[scores[sure].argsort(descending=True)]
    holds = torch.zeros(len(scores), dtype=torch.bool)
    for k in range(len(scores)):
        inside = sure[(part[k, sure] > 0.8) & (area[sure] < 0.4 * area[k])]
        amount = 0.0
        apart: list[int] = []
        for j in inside.tolist():
            if all(part[j, other] < 0.3 for other in apart):
                apart.append(j)
                amount += float(scores[j])
        holds[k] = len(apart) > 2 and amount > HELD + float(scores[k])
    return holds


@torch.inference_mode()
def _image(scale: _Scale, boxes: NDArray[np.float32], k: int, among: NDArray[np.int64]) -> Picture:
    """A digit in MNIST's form, from the ink that points to its middle more than to another digit's."""
    (ink,), owner = (maps[0] for maps in scale.strokes)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 * scale.factor + BORDER
    width, height = ((boxes[k, 2:] - boxes[k, :2]) * scale.factor).tolist()
    x, y = middles[k].tolist()
    reach_x, reach_y = (side / 2 + 0.25 * max(width, height) for side in (width, height))
    left, right = (int(np.clip(x + sign * reach_x, 0, ink.shape[1])) for sign in (-1, 1))
    top, bottom = (int(np.clip(y + sign * reach_y, 0, ink.shape[0])) for sign in (-1, 1))
    here = np.s_[..., top:bottom, left:right]
    across = torch.arange(left, right, device=ink.device) + 0.5 + owner[0][here] * UNIT
    down = torch.arange(top, bottom, device=ink.device)[:, None] + 0.5 + owner[1][here] * UNIT
    own = torch.hypot(across - x, down - y)
    mine = torch.ones_like(own, dtype=torch.bool)
    for other in among[(np.abs(middles[among] - (x, y)) < 2 * max(width, height)).all(axis=1)]:
        if other != k:
            mine &= own <= torch.hypot(across - float(middles[other, 0]), down - float(middles[other, 1]))
    return to_mnist((ink[here].sigmoid() * mine).float().cpu().numpy())

"""The targets and the losses of the detector."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import STRIDE, UNIT, DetectorOutput

SIZES = (16.0, 40.0)
"""Pixels: digits of these sizes are to be found; of a digit's size see `sized`."""
NEAR_SIZES = (12.0, 54.0)
"""Pixels: of digits of other sizes between these nothing is asked; all others are background."""


def sized(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which digits are to be found, and of which nothing else is asked either, bool [N] each.

    Args:
        boxes: Left, top, right, bottom in pixels, float [N, 4].
        labels: Int64 [N], -1 for a digit of which only a part can be seen.
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)
    size = torch.maximum(height, 0.9 * width)
    wanted = (size >= SIZES[0]) & (size <= SIZES[1]) & (labels >= 0)
    return wanted, (size >= NEAR_SIZES[0]) & (size <= NEAR_SIZES[1])


def detection_losses(output: DetectorOutput, batch: SceneBatch) -> dict[str, Tensor]:
    """The parts of the loss.

    Args:
        output: Of the network.
        batch: The truth.

    Returns:
        Scalars: `centre`, a focal loss of the middles; `digit`, cross-entropy; `box`, L1; `joined`, cross-entropy,
        times 0.5; `ink`, cross-entropy, times 0.5; `owner`, L1, times 2.
    """
    wanted, near = sized(batch.boxes, batch.labels)
    heat, asked, cells = _targets(batch, wanted, near, output.centre.shape[-2:])
    logits = output.centre[:, 0]
    # The focal loss of CenterNet, in logits: sure and easy cells count little, those beside a middle less.
    probability = logits.sigmoid()
    hit = F.logsigmoid(logits) * (1 - probability) ** 2
    miss = F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * asked
    count = int(wanted.sum())
    losses = {"centre": -torch.where(heat == 1, hit, miss).sum() / max(1, count)}
    picture, row, column, digit = cells
    middle = (batch.boxes[:, :2] + batch.boxes[:, 2:]) / 2
    size = (batch.boxes[:, 2:] - batch.boxes[:, :2]).clamp(min=3)
    names = output.digit[picture, :, row, column]
    losses["digit"] = F.cross_entropy(names, batch.labels[digit]) if len(digit) else names.sum()
    place = torch.stack((column, row), dim=1) + 0.5
    box = torch.cat((middle[digit] / STRIDE - place, (size[digit] / UNIT).log()), dim=1)
    losses["box"] = F.l1_loss(output.box[picture, :, row, column], box) if len(digit) else names.sum()
    says = output.joined[picture, 0, row, column]
    is_known = batch.joined[digit] >= 0
    entropy = F.binary_cross_entropy_with_logits(
        says, batch.joined[digit].clamp(min=0).to(says.dtype), reduction="none"
    )
    losses["joined"] = 0.5 * (entropy * is_known).sum() / is_known.sum().clamp(min=1)
    return losses | _ink_losses(output, batch, wanted, middle)


def _targets(
    batch: SceneBatch, wanted: Tensor, near: Tensor, shape: torch.Size
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The map of middles; where it is asked for; and the cells near a middle, with the number of its digit."""
    device, count = batch.boxes.device, len(batch.pictures)
    rows, columns = (torch.arange(n, device=device) + 0.5 for n in shape)
    left, top, right, bottom = (batch.boxes / STRIDE).unbind(dim=1)
    inside = ((rows > top[:, None]) & (rows < bottom[:, None]))[:, :, None] & (
        (columns > left[:, None]) & (columns < right[:, None])
    )[:, None, :]
    free = near & ~wanted
    x, y = (left + right) / 2, (top + bottom) / 2
    size = torch.maximum(bottom - top, 0.9 * (right - left))
    sigma = (0.11 * size).clamp(min=0.55)
    down, across = rows[None, :, None] - y[:, None, None], columns[None, None, :] - x[:, None, None]
    peak = torch.exp(-(down**2 + across**2) / (2 * sigma**2)[:, None, None])
    column = x.floor().long().clamp(0, shape[1] - 1)
    row = y.floor().long().clamp(0, shape[0] - 1)
    peak[torch.arange(len(peak), device=device), row, column] = 1
    heat = _highest(peak * wanted[:, None, None], batch.picture_of, count)
    asked = 1 - _highest((inside & free[:, None, None]).float(), batch.picture_of, count)
    close = (down.abs() <= 0.9) & (across.abs() <= 0.9) & wanted[:, None, None]
    digit, row, column = close.nonzero(as_tuple=True)
    return heat, asked, (batch.picture_of[digit], row, column, digit)


def _highest(maps: Tensor, picture_of: Tensor, count: int) -> Tensor:
    """The highest value of the maps of each picture's digits, float [count, H, W] of [N, H, W] in order of pictures."""
    number = torch.arange(len(maps), device=maps.device) - torch.searchsorted(picture_of, picture_of)
    most = int(number.max()) + 1 if len(maps) else 1
    padded = maps.new_zeros(count, most, *maps.shape[1:])
    padded[picture_of, number] = maps
    return padded.amax(dim=1)


def _ink_losses(output: DetectorOutput, batch: SceneBatch, wanted: Tensor, middle: Tensor) -> dict[str, Tensor]:
    """Of each pixel: whether it has a wanted digit's ink, and the way to that digit's middle."""
    number = batch.owner  # of the digit, over the whole batch
    owned = number >= 0
    valid = torch.cat((wanted, wanted.new_ones(1)))[number]  # the last one is for no digit
    ink = batch.ink.float() / 255
    entropy = F.binary_cross_entropy_with_logits(output.ink[:, 0], ink, reduction="none") * valid
    amount = (ink * valid).sum().clamp(min=1)
    picture, row, column = (owned & valid & (batch.ink > 127)).nonzero(as_tuple=True)
    at = torch.stack((column, row), dim=1) + 0.5
    way = (middle[number[picture, row, column]] - at) / UNIT
    said = output.owner[picture, :, row, column]
    owner = F.l1_loss(said, way) if len(picture) else said.sum()
    return {"ink": 0.5 * entropy.sum() / amount, "owner": 2 * owner}

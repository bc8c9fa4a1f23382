"""A fully convolutional network that finds digits of one size, names them, and redraws their strokes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jsonargparse.typing import PositiveInt
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments

STRIDE = 4
"""Pixels from one cell of the coarse maps to the next; the sides of a picture must be multiples of it."""
UNIT = 28
"""Pixels: the unit of sizes and distances, a digit of middling size."""

RIM = 400
"""Pixels of a picture's border that are enough to tell its paper."""


class DetectorOutput(NamedTuple):
    """The output of `DetectorNet` for pictures [B, 3, H, W]."""

    centre: Tensor
    """Logits that the middle of a digit is in a cell, float [B, 1, H / 4, W / 4]."""
    digit: Tensor
    """Logits of which digit it would be, float [B, 10, H / 4, W / 4]."""
    box: Tensor
    """Of its bounding box: where its middle is, right and down of the cell's, in cells; and the logarithms of its
    width and height in `UNIT`; float [B, 4, H / 4, W / 4]."""
    joined: Tensor
    """Logits that the number goes on to the right of the digit: that the next one there is not another number; float
    [B, 1, H / 4, W / 4]."""
    ink: Tensor
    """Logits that MNIST's pen would have left ink of a digit on a pixel, float [B, 1, H, W]."""
    owner: Tensor
    """The way from a pixel to the middle of the digit whose ink it has, right and down, in `UNIT`; float
    [B, 2, H, W]."""


class Located(NamedTuple):
    """What `DetectorNet` finds before it draws strokes: the first four as in `DetectorOutput`."""

    centre: Tensor
    digit: Tensor
    box: Tensor
    joined: Tensor
    way: Tensor
    """As `DetectorOutput.owner`, but for cells, [B, 2, H / 4, W / 4]."""
    fine: Tensor
    """Features at half of the resolution, [B, C, H / 2, W / 2]."""
    coarse: Tensor
    """Features at a quarter of the resolution, [B, C, H / 4, W / 4]."""


class DetectorNet(nn.Module):
    """Finds digits of 16 to 40 pixels in pictures of any size; larger and smaller ones are for other scales.

    Two strided convolutions, then residual ones at a quarter of the resolution, and in their midst wider ones at an
    eighth, which see what is around a sign: a word, a row, a form. All have batch normalization and ReLU. Middles,
    digits and boxes are read there as in CenterNet (https://arxiv.org/abs/1904.07850). Ink is drawn at full resolution
    with the help of the first layer, as in U-Net (https://arxiv.org/abs/1505.04597), and each pixel points to its
    digit, as in Panoptic-DeepLab (https://arxiv.org/abs/1911.10194).

    Pixels are scaled to (x - 128) / 64. Initialization is torch's, but the bias of the middles begins at -4, since they
    are rare. 402,262 parameters with the defaults.
    """

    calibration: Tensor
    """What the logits of middles are multiplied with, and what is added, so that their sigmoid is a probability: fitted
    after training."""

    def __init__(
        self,
        stem: PositiveInt = 16,
        width: PositiveInt = 40,
        dilations: tuple[PositiveInt, ...] = (1, 2),
        context: PositiveInt = 80,
        context_dilations: tuple[PositiveInt, ...] = (1, 2, 4, 2, 1),
        last_dilations: tuple[PositiveInt, ...] = (1, 2),
    ) -> None:
        """Sizes of the layers.

        Args:
            stem: Channels at half of the resolution.
            width: Channels at a quarter of the resolution.
            dilations: Of each residual convolution there, before those of the context.
            context: Channels at an eighth of the resolution.
            context_dilations: Of each residual convolution there.
            last_dilations: Of each residual convolution at a quarter of the resolution, after the context.
        """
        check_arguments(locals())
        super().__init__()
        self.half_size = convolution(3, stem, size=5, stride=2)
        self.quarter_size = convolution(stem, width, stride=2)
        self.body = _residuals(width, dilations)
        self.eighth_size = convolution(width, context, stride=2)
        self.context = _residuals(context, context_dilations)
        self.back = nn.Conv2d(context, 4 * width, 1)
        self.last = _residuals(width, last_dilations)
        self.heads = nn.Conv2d(width, 1 + 10 + 4 + 2 + 1, 1)
        self.rise = nn.Conv2d(width, 4 * stem, 1)
        self.skip = nn.Conv2d(stem, stem, 1)
        self.draw = nn.Sequential(convolution(stem, stem), nn.Conv2d(stem, 4, 3, padding=1))
        assert self.heads.bias is not None
        nn.init.constant_(self.heads.bias[:1], -4.0)
        self.register_buffer("calibration", torch.tensor((1.0, 0.0)))

    def forward(self, pictures: Tensor) -> DetectorOutput:
        """Looks at pictures: RGB, 0 to 255, uint8 or floating point [B, 3, H, W]; sides are multiples of `STRIDE`."""
        located = self.locate(pictures)
        return DetectorOutput(*located[:4], *self.strokes(located))

    def locate(self, pictures: Tensor) -> Located:
        """The first part of `forward`, three quarters of its work: where digits are, and which."""
        half = self.half_size((pictures.to(self.heads.weight.dtype) - 128) / 64)
        x = self.body(self.quarter_size(half))
        around = F.pixel_shuffle(self.back(self.context(self.eighth_size(x))), 2)
        x = self.last(F.relu(x + around[..., : x.shape[2], : x.shape[3]]))
        centre, digit, box, way, joined = self.heads(x).split((1, 10, 4, 2, 1), dim=1)
        if not self.training:
            slope, offset = self.calibration
            centre = centre * slope + offset
        return Located(centre, digit, box, joined, way, half, x)

    def strokes(self, located: Located) -> tuple[Tensor, Tensor]:
        """The second part of `forward`: ink and owner of each pixel, as in `DetectorOutput`."""
        fine = F.relu(F.pixel_shuffle(self.rise(located.coarse), 2) + self.skip(located.fine))
        owner = F.interpolate(located.way, scale_factor=STRIDE, mode="bilinear", align_corners=False)
        return F.pixel_shuffle(self.draw(fine), 2), owner


def continued(picture: NDArray[Any], top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
    """A picture, uint8 [H, W, 3], with so many more pixels on each side, as most of its border would go on.

    So what is cut close to its ink has paper around it, as the network expects, and paper under uneven light has no
    edge there: the colour is a plane, fitted to the border by least absolute deviations, which ink hardly moves.
    """
    height, width = picture.shape[:2]
    rows, columns = np.arange(height), np.arange(width)
    x = np.concatenate((columns, columns, np.zeros_like(rows), np.full_like(rows, width - 1)))
    y = np.concatenate((np.zeros_like(columns), np.full_like(columns, height - 1), rows, rows))
    some = np.s_[:: max(1, len(x) // RIM)]
    x, y = x[some], y[some]
    known = np.stack((np.ones_like(x), x, y), axis=1) / np.array((1, width, height))
    seen = picture[y, x].astype(np.float64)
    plane = np.stack((np.median(seen, axis=0), np.zeros(3), np.zeros(3)))
    for _ in range(8):  # least squares, in which what is far off counts less each time
        weights = known / np.maximum(np.abs(seen - known @ plane).sum(axis=1, keepdims=True), 6)
        plane = np.linalg.solve(weights.T @ known + np.diag((0, 1e-3, 1e-3)), weights.T @ seen)
    across = np.arange(-left, width + right)[:, None] / width * plane[1]
    down = np.arange(-top, height + bottom)[:, None, None] / height * plane[2]
    whole: NDArray[Any] = np.empty((len(down), len(across), 3), np.uint8)
    whole[top : top + height, left : left + width] = picture
    upper, middle, lower = np.s_[:top], np.s_[top : top + height], np.s_[top + height :]
    for up, along in ((upper, np.s_[:]), (lower, np.s_[:]), (middle, np.s_[:left]), (middle, np.s_[left + width :])):
        whole[up, along] = (plane[0] + across[along] + down[up]).clip(0, 255)
    return whole


class Found(NamedTuple):
    """Digits that were found, N of them."""

    score: Tensor
    """Probability that there is a digit, float [N]."""
    probabilities: Tensor
    """Of which digit it is, float [N, 10]."""
    boxes: Tensor
    """Left, top, right, bottom in pixels, float [N, 4]."""
    joined: Tensor
    """Probability that its number goes on to its right, float [N]."""


def find(output: DetectorOutput | Located, least: float) -> list[Found]:
    """The peaks of the map of middles, for each picture of a batch.

    Args:
        output: Of the network for B pictures.
        least: Lowest score of a digit, 0 to 1.

    Returns:
        What was found in each of the B pictures.
    """
    scores = output.centre.sigmoid()
    peaks = (scores == F.max_pool2d(scores, 3, 1, 1)) & (scores >= least)
    found = []
    for k in range(len(scores)):
        row, column = peaks[k, 0].nonzero(as_tuple=True)
        right, down, width, height = output.box[k][:, row, column]
        x, y = (column + right + 0.5) * STRIDE, (row + down + 0.5) * STRIDE
        half_width, half_height = (size.clamp(-3, 3).exp() * UNIT / 2 for size in (width, height))
        boxes = torch.stack((x - half_width, y - half_height, x + half_width, y + half_height), dim=1)
        digits = output.digit[k][:, row, column].softmax(dim=0).T
        joined = output.joined[k, 0, row, column].sigmoid()
        found.append(Found(scores[k, 0, row, column], digits, boxes, joined))
    return found


class Residual(nn.Module):
    """A convolution whose output is added to its input."""

    def __init__(self, channels: int, dilation: int = 1, size: int | tuple[int, int] = 3) -> None:
        """As `convolution`."""
        super().__init__()
        self.convolution = convolution(channels, channels, size, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, H, W] of the same shape."""
        added: Tensor = x + self.convolution(x)
        return added


def _residuals(channels: int, dilations: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, dilation) for dilation in dilations))


def convolution(
    inputs: int,
    outputs: int,
    size: int | tuple[int, int] = 3,
    stride: int | tuple[int, int] = 1,
    dilation: int = 1,
    padding: tuple[int, int] | None = None,
) -> nn.Sequential:
    """A convolution with batch normalization and ReLU; by default padded so that it keeps height and width."""
    down, across = (size, size) if isinstance(size, int) else size
    padding = padding or (dilation * (down // 2), dilation * (across // 2))
    layer = nn.Conv2d(inputs, outputs, (down, across), stride, padding, dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))

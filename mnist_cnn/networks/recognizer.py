"""A fully convolutional network that reads a row of digits as a whole, without saying where each one is."""

import math

import torch
import torch.nn.functional as F
from jsonargparse.typing import PositiveInt
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments
from mnist_cnn.networks.detector import Residual, convolution

HEIGHT = 40
"""Pixels: height of a strip."""
DIGIT = 26
"""Pixels: height of the digits in it."""
STRIDE = 2
"""Pixels from one step to the next, along the strip."""
GAP, GREY = 28, 128
"""Pixels of a grey, which is nothing to the network, that are to be on both sides of a strip: it sees no further."""
BLANK = 10
"""The class of a step at which no new digit begins; the others are the ten digits."""


class RecognizerNet(nn.Module):
    """Reads strips, each with a row of digits that was straightened and brought to one height.

    Convolutions halve the height until one row of features is left, at every second column of pixels. Each step there
    names a digit, or says that none begins (`BLANK`), as in connectionist temporal classification
    (https://www.cs.toronto.edu/~graves/icml_2006.pdf) and CRNN (https://arxiv.org/abs/1507.05717), but without a
    recurrent layer. All convolutions have batch normalization and ReLU.

    Pixels are scaled to (x - 128) / 64, initialization is torch's. 247,675 parameters with the defaults.
    """

    def __init__(self, widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (16, 32, 64, 96)) -> None:
        """Sizes of the layers.

        Args:
            widths: Channels at 1/2, 1/4 and 1/8 of the height, and of the one row at the end.
        """
        check_arguments(locals())
        super().__init__()
        half, quarter, eighth, last = widths
        self.body = nn.Sequential(
            convolution(3, half, 5, stride=STRIDE),
            convolution(half, quarter, stride=(2, 1)),
            Residual(quarter),
            convolution(quarter, eighth, stride=(2, 1)),
            Residual(eighth),
            convolution(eighth, last, (HEIGHT // 8, 3), padding=(0, 1)),
            *(Residual(last, dilation, (1, 3)) for dilation in (1, 2, 4)),
        )
        self.head = nn.Conv2d(last, BLANK + 1, 1)

    def forward(self, strips: Tensor) -> Tensor:
        """Log-probabilities, float [B, ceil(W / STRIDE), 11]: ten digits, and `BLANK`.

        Args:
            strips: RGB, 0 to 255, uint8 or floating point [B, 3, HEIGHT, W].
        """
        features = self.body((strips.to(self.head.weight.dtype) - GREY) / 64)
        return F.log_softmax(self.head(features)[:, :, 0].transpose(1, 2), dim=2)


def best_path(steps: Tensor) -> str:
    """The digits that the likeliest class of each step spells, of log-probabilities, float [T, 11]."""
    classes = torch.unique_consecutive(steps.argmax(dim=1))
    return "".join(str(k) for k in classes[classes != BLANK].tolist())


def likelihood(steps: Tensor, digits: str) -> float:
    """The probability of a row of digits, 0 to 1, over all ways to spell it.

    Args:
        steps: Log-probabilities, float [T, 11], on the CPU.
        digits: The row.
    """
    wanted = torch.tensor([[int(digit) for digit in digits]], dtype=torch.long)
    lengths = (torch.tensor([len(steps)]), torch.tensor([len(digits)]))
    return math.exp(-float(F.ctc_loss(steps[:, None], wanted, *lengths, blank=BLANK, reduction="sum")))

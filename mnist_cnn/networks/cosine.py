"""Convolutions on fixed cosine filters, which train fast on a CPU."""

import itertools
import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments
from mnist_cnn.networks.base import Initialization, Network, Scaling, linear_layers


class CosineCNN(Network):
    """Fixed 5x5 cosine filters, then trained convolutions with batch normalization: 99% after one epoch.

    71,626 parameters with the defaults. What makes it cheap on a CPU: an untrained first layer needs no gradient, and
    neither do its inputs; digits fill 20x20 of the 28x28 pixels, so the border is cut off; pooling comes before
    normalization and ReLU, which then work on a quarter of the values. Whitened or fixed first layers are from
    https://arxiv.org/abs/2404.00498, where the filters are computed from the data. Scaling by default is as there,
    `standard`; initialization is torch's.
    """

    def __init__(
        self,
        filters: PositiveInt = 16,
        blocks: tuple[tuple[PositiveInt, ...], ...] = ((32,),),
        hidden: tuple[PositiveInt, ...] = (128,),
        dropout: ClosedUnitInterval = 0.0,
        crop: NonNegativeInt = 2,
        towers: PositiveInt = 1,
        scaling: Scaling = "standard",
        initialization: Initialization = "torch",
    ) -> None:
        """Sizes of the layers.

        Args:
            filters: Fixed filters of the first layer: the lowest frequencies of the cosine transform, each with its
                negative, at most 50.
            blocks: Output channels of each 3x3 convolution, block by block; a block ends with 2x2 max pooling. The
                last convolution of a block is not padded.
            hidden: Units of each hidden linear layer, for example `[128]`.
            dropout: Probability that a hidden unit is dropped in training.
            crop: Pixels that are cut off at each side of an image, 0 to 4.
            towers: How many times there is what is trained, side by side on the same fixed filters. Each tower is
                trained as if it were alone; the answer is the mean of their probabilities.
            scaling: What the first layer gets for pixels 0 to 255: `unit`, 0 to 1; `raw`, as they are; or
                `standard`, mean 0 and standard deviation 1 over MNIST.
            initialization: Of the trained weights: `torch`'s default, or `dezero`, normal with standard deviation
                1/sqrt(fan-in) and biases of zero.

        Raises:
            ValueError: The blocks leave no pixels, or there are too many filters.
        """
        check_arguments(locals())
        if filters > 50 or crop > 4:
            raise ValueError(f"filters={filters} and crop={crop} must be at most 50 and 4")
        stem = [Crop(crop), CosineFilters(filters), nn.MaxPool2d(2), nn.ReLU(), nn.BatchNorm2d(filters, affine=False)]
        side = (28 - 2 * crop - 4) // 2
        for _ in blocks:
            side = (side - 2) // 2
        if side < 1:
            raise ValueError(f"blocks={list(map(list, blocks))} leave no pixels: give fewer blocks or a smaller crop")
        inputs = (blocks[-1][-1] if blocks else filters) * side * side
        trained = [(self._blocks(filters, blocks), linear_layers(inputs, hidden, dropout)) for _ in range(towers)]
        if towers == 1:
            features, classifier = trained[0]
            super().__init__(nn.Sequential(*stem, *features), classifier, scaling, initialization)
        else:
            side_by_side = Towers(nn.Sequential(*features, classifier) for features, classifier in trained)
            super().__init__(nn.Sequential(*stem), side_by_side, scaling, initialization)

    @staticmethod
    def _blocks(channels: int, blocks: Sequence[Sequence[int]]) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for block in blocks:
            for last, width in zip([False] * (len(block) - 1) + [True], block, strict=True):
                layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=0 if last else 1, bias=False))
                layers += [nn.MaxPool2d(2)] if last else []
                layers += [nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        return layers


class Towers(nn.Module):
    """Classifiers side by side on the same features: trained one by one, they answer together."""

    def __init__(self, towers: Iterable[nn.Module]) -> None:
        """The classifiers, from features of any one shape to log-probabilities [B, 10]."""
        super().__init__()
        self.towers = nn.ModuleList(towers)

    def forward(self, features: Tensor) -> Tensor:
        """Log-probabilities: in training each tower's, [K, B, 10], otherwise of the mean of K, [B, 10]."""
        log_probs = torch.stack([tower(features) for tower in self.towers])
        return log_probs if self.training else log_probs.logsumexp(dim=0) - math.log(len(self.towers))


class Crop(nn.Module):
    """Cuts off the border of images."""

    def __init__(self, width: NonNegativeInt) -> None:
        """How many pixels to cut off at each side."""
        check_arguments(locals())
        super().__init__()
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C, H - 2 * width, W - 2 * width]."""
        height, width = images.shape[-2:]
        return images[..., self.width : height - self.width, self.width : width - self.width]


class CosineFilters(nn.Module):
    """Convolution with the 5x5 filters of the discrete cosine transform, lowest frequencies first, and their negatives.

    Much like the principal components of image patches; nothing in it is trained.
    """

    filters: Tensor

    def __init__(self, count: PositiveInt) -> None:
        """The number of filters, at most 50; every second one is the negative of the one before it."""
        check_arguments(locals())
        super().__init__()
        positions = torch.arange(5) + 0.5
        waves = torch.stack([F.normalize(torch.cos(torch.pi * positions * k / 5), dim=0) for k in range(5)])
        order = sorted(itertools.product(range(5), repeat=2), key=lambda uv: (sum(uv), abs(uv[0] - uv[1])))
        filters = torch.stack([sign * torch.outer(waves[u], waves[v]) for u, v in order for sign in (1, -1)])
        self.register_buffer("filters", filters[:count].unsqueeze(1))

    def forward(self, images: Tensor) -> Tensor:
        """Float [B, 1, H, W] to [B, count, H - 4, W - 4]."""
        return F.conv2d(images, self.filters)

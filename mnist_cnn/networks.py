"""Networks as plain torch modules: raw pixels in, log-probabilities out."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from mnist_cnn.gelu_max_pool import gelu_max_pool

Scaling = Literal["unit", "raw", "standard"]
Initialization = Literal["torch", "dezero"]

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Of all pixels of the training images, 0 to 1."""


class Network(nn.Module):
    """Pixel scaling, feature layers and a classifier in a row: what all networks here have in common."""

    def __init__(
        self, features: nn.Module, classifier: nn.Module, scaling: Scaling, initialization: Initialization
    ) -> None:
        super().__init__()
        self.scale = ScalePixels(scaling)
        self.features = features
        self.classifier = classifier
        if initialization == "dezero":
            self.apply(initialize_as_dezero)

    def forward(self, images: Tensor) -> Tensor:
        """Classifies images.

        Args:
            images: Pixels 0 to 255, uint8 or floating point [B, 1, 28, 28].

        Returns:
            Log-probabilities, float [B, 10].
        """
        return self.classifier(self.features(self.scale(images)))


class TutorialCNN(Network):
    """Two convolutions and two linear layers with GELU: the CNN of the tutorial that this project grew from.

    124,686 parameters with the defaults. From https://zanote.net/python/mnist1/.
    """

    def __init__(
        self,
        channels: tuple[PositiveInt, PositiveInt] = (28, 32),
        hidden: PositiveInt = 100,
        scaling: Scaling = "unit",
        initialization: Initialization = "torch",
    ) -> None:
        """Sizes of the layers.

        Args:
            channels: Output channels of the first and the second convolution.
            hidden: Units of the hidden linear layer.
            scaling: What the first convolution gets for pixels 0 to 255: `unit`, 0 to 1; `raw`, as they are; or
                `standard`, mean 0 and standard deviation 1 over MNIST.
            initialization: Of the weights: `torch`'s default, or `dezero`, normal with standard deviation
                1/sqrt(fan-in) and biases of zero.
        """
        features = nn.Sequential(
            nn.Conv2d(1, channels[0], kernel_size=3, padding=1),
            GELUMaxPool(),
            nn.Conv2d(channels[0], channels[1], kernel_size=3),
            GELUMaxPool(),
        )
        classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels[1] * 6 * 6, hidden),
            nn.GELU(),
            nn.Linear(hidden, 10),
            nn.LogSoftmax(dim=1),
        )
        super().__init__(features, classifier, scaling, initialization)


class MLP(Network):
    """Linear layers with ReLU: with the defaults the MLP of the book "Deep Learning from Scratch 3", step 51.

    1,796,010 parameters with the defaults, which in the book are initialised as `dezero`.
    """

    def __init__(
        self,
        hidden: tuple[PositiveInt, ...] = (1000, 1000),
        dropout: ClosedUnitInterval = 0.0,
        scaling: Scaling = "unit",
        initialization: Initialization = "torch",
    ) -> None:
        """Sizes of the layers.

        Args:
            hidden: Units of each hidden layer, for example `[1000,1000]`.
            dropout: Probability that a hidden unit is dropped in training.
            scaling: What the first layer gets for pixels 0 to 255: `unit`, 0 to 1; `raw`, as they are; or
                `standard`, mean 0 and standard deviation 1 over MNIST.
            initialization: Of the weights: `torch`'s default, or `dezero`, normal with standard deviation
                1/sqrt(fan-in) and biases of zero.
        """
        super().__init__(nn.Sequential(), linear_layers(28 * 28, hidden, dropout), scaling, initialization)


class ConvNet(Network):
    """Blocks of 3x3 convolutions with ReLU, each ended by 2x2 max pooling; then linear layers with ReLU and dropout.

    The defaults are MNISTConv of https://github.com/qitqito/dezero_study, 174,278 parameters.
    """

    def __init__(
        self,
        blocks: tuple[tuple[PositiveInt, ...], ...] = ((16, 16), (32, 32)),
        hidden: tuple[PositiveInt, ...] = (100,),
        dropout: ClosedUnitInterval = 0.5,
        batch_norm: bool = False,
        scaling: Scaling = "unit",
        initialization: Initialization = "torch",
    ) -> None:
        """Sizes of the layers.

        Args:
            blocks: Output channels of each convolution, block by block: `[[16,16],[32,32]]` is conv, conv, pool,
                conv, conv, pool.
            hidden: Units of each hidden linear layer, for example `[100]`.
            dropout: Probability that a hidden unit is dropped in training.
            batch_norm: Whether each convolution has batch normalization, after pooling, instead of a bias.
            scaling: What the first convolution gets for pixels 0 to 255: `unit`, 0 to 1; `raw`, as they are; or
                `standard`, mean 0 and standard deviation 1 over MNIST.
            initialization: Of the weights: `torch`'s default, or `dezero`, normal with standard deviation
                1/sqrt(fan-in) and biases of zero.
        """
        layers: list[nn.Module] = []
        channels, side = 1, 28
        for block in blocks:
            for width in block:
                layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=not batch_norm))
                layers += [nn.BatchNorm2d(width), nn.ReLU()] if batch_norm else [nn.ReLU()]
                channels = width
            # Right after the convolution it leaves a quarter of the work to what follows.
            layers.insert(-2 if batch_norm else -1, nn.MaxPool2d(2, ceil_mode=True))
            side = (side + 1) // 2
        inputs = channels * side * side
        super().__init__(nn.Sequential(*layers), linear_layers(inputs, hidden, dropout), scaling, initialization)


class CosineCNN(Network):
    """Fixed 5x5 cosine filters, then trained convolutions with batch normalization: 99% after one epoch.

    71,626 parameters with the defaults. What makes it cheap on a CPU: an untrained first layer needs no gradient, and
    neither do its inputs; digits fill 20x20 of the 28x28 pixels, so the border is cut off; pooling comes before
    normalization and ReLU, which then work on a quarter of the values. Whitened or fixed first layers are from
    https://arxiv.org/abs/2404.00498, where the filters are computed from the data.
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


def linear_layers(inputs: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear layers with ReLU and dropout, from features of any shape to log-probabilities [B, 10]."""
    layers: list[nn.Module] = [nn.Flatten()]
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = units
    return nn.Sequential(*layers, nn.Linear(inputs, 10), nn.LogSoftmax(dim=1))


def initialize_as_dezero(layer: nn.Module) -> None:
    """Draws weights as https://github.com/oreilly-japan/deep-learning-from-scratch-3 does.

    Normal with standard deviation 1/sqrt(fan-in), so that inputs of unit scale give outputs of unit scale; biases
    are zero. Layers that are neither convolutions nor linear are left alone.
    """
    if isinstance(layer, nn.Conv2d | nn.Linear):
        fan_in = layer.weight[0].numel()
        nn.init.normal_(layer.weight, std=fan_in**-0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class ScalePixels(nn.Module):
    """Pixels 0 to 255 of any dtype become what a network works with, in the default floating-point dtype.

    The first layer of every network here: what is trained, exported and served scales in the same way.
    """

    def __init__(self, scaling: Scaling = "unit") -> None:
        """How to scale.

        Args:
            scaling: `unit`, 0 to 1; `raw`, 0 to 255; or `standard`, mean 0 and standard deviation 1 over MNIST.
        """
        super().__init__()
        self.scaling = scaling

    def forward(self, images: Tensor) -> Tensor:
        """Scales a batch of any shape."""
        pixels = images.to(torch.get_default_dtype())
        match self.scaling:
            case "raw":
                return pixels
            case "standard":
                return (pixels / 255 - MNIST_MEAN) / MNIST_STD
        return pixels / 255


class Crop(nn.Module):
    """Cuts off the border of images."""

    def __init__(self, width: int) -> None:
        """How many pixels to cut off at each side."""
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

    def __init__(self, count: int) -> None:
        """The number of filters, at most 50; every second one is the negative of the one before it."""
        super().__init__()
        positions = torch.arange(5) + 0.5
        waves = torch.stack([F.normalize(torch.cos(torch.pi * positions * k / 5), dim=0) for k in range(5)])
        order = sorted(itertools.product(range(5), repeat=2), key=lambda uv: (sum(uv), abs(uv[0] - uv[1])))
        filters = torch.stack([sign * torch.outer(waves[u], waves[v]) for u, v in order for sign in (1, -1)])
        self.register_buffer("filters", filters[:count].unsqueeze(1))

    def forward(self, images: Tensor) -> Tensor:
        """Float [B, 1, H, W] to [B, count, H - 4, W - 4]."""
        return F.conv2d(images, self.filters)


class GELUMaxPool(nn.Module):
    """GELU, then 2x2 max pooling: `nn.Sequential(nn.GELU(), nn.MaxPool2d(2))`, faster to train on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, H, W] to [B, C, H // 2, W // 2]."""
        return gelu_max_pool(x)

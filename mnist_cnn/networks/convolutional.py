"""The convolutional networks of the two tutorials."""

from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments
from mnist_cnn.hardware.gelu_max_pool import gelu_max_pool
from mnist_cnn.networks.base import Initialization, Network, Scaling, linear_layers


class TutorialCNN(Network):
    """Two convolutions and two linear layers with GELU: the CNN of the tutorial that this project grew from.

    124,686 parameters with the defaults. From https://zanote.net/python/mnist1/, with its scaling and initialization.
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
        check_arguments(locals())
        features = nn.Sequential(
            nn.Conv2d(1, channels[0], kernel_size=3, padding=1),
            GELUMaxPool(),
            nn.Conv2d(channels[0], channels[1], kernel_size=3),
            GELUMaxPool(),
        )
        classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(channels[1] * 6 * 6, hidden), nn.GELU(), nn.Linear(hidden, 10), nn.LogSoftmax(dim=1)
        )
        super().__init__(features, classifier, scaling, initialization)


class ConvNet(Network):
    """Blocks of 3x3 convolutions with ReLU, each ended by 2x2 max pooling; then linear layers with ReLU and dropout.

    The default layers, 174,278 parameters, are those of MNISTConv of https://github.com/qitqito/dezero_study, which is
    trained on `raw` pixels from the initialization `dezero` (preset `mnist_conv`). Pooling rounds sides up: 28, 14, 7.
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
            batch_norm: Whether each convolution has batch normalization instead of a bias; after pooling where a block
                ends.
            scaling: What the first convolution gets for pixels 0 to 255: `unit`, 0 to 1; `raw`, as they are; or
                `standard`, mean 0 and standard deviation 1 over MNIST.
            initialization: Of the weights: `torch`'s default, or `dezero`, normal with standard deviation
                1/sqrt(fan-in) and biases of zero.
        """
        check_arguments(locals())
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


class GELUMaxPool(nn.Module):
    """GELU, then 2x2 max pooling: `nn.Sequential(nn.GELU(), nn.MaxPool2d(2))`, faster to train on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, H, W] to [B, C, H // 2, W // 2]."""
        return gelu_max_pool(x)

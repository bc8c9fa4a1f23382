"""Networks of linear layers alone."""

from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from torch import nn

from mnist_cnn.arguments import check_arguments
from mnist_cnn.networks.base import Initialization, Network, Scaling, linear_layers


class MLP(Network):
    """Linear layers with ReLU: with the defaults the MLP of the book "Deep Learning from Scratch 3", step 51.

    1,796,010 parameters with the defaults. The book scales pixels to `unit`, and initializes as `dezero`.
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
        check_arguments(locals())
        super().__init__(nn.Sequential(), linear_layers(28 * 28, hidden, dropout), scaling, initialization)

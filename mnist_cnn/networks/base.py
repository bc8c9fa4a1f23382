"""The base of all networks: pixels are scaled, then come features and a classifier."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments

Scaling = Literal["unit", "raw", "standard"]
Initialization = Literal["torch", "dezero"]

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
"""Of all pixels of the training images, 0 to 1."""


class Network(nn.Module):
    """Pixel scaling, feature layers and a classifier in a row: what all networks here have in common."""

    def __init__(
        self, features: nn.Module, classifier: nn.Module, scaling: Scaling, initialization: Initialization
    ) -> None:
        """Puts the parts together.

        Args:
            features: Scaled pixels, float [B, 1, 28, 28], to features of any shape.
            classifier: Features to log-probabilities [B, 10].
            scaling: As of `ScalePixels`.
            initialization: Of all weights: `torch`'s default, or `dezero`, see `initialize_as_dezero`.
        """
        check_arguments(locals())
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
            Log-probabilities, float [B, 10]; of K `Towers` in training [K, B, 10].
        """
        pixels = self.scale(images)
        weights = next(self.parameters(), pixels)  # of a network after `.half()` or `.double()`
        return self.classifier(self.features(pixels.to(weights.dtype)))


class ScalePixels(nn.Module):
    """Pixels 0 to 255 of any dtype become what a network works with, in the default floating-point dtype.

    The first layer of every network here: what is trained, exported and served scales in the same way.
    """

    def __init__(self, scaling: Scaling = "unit") -> None:
        """How to scale.

        Args:
            scaling: `unit`, 0 to 1; `raw`, 0 to 255; or `standard`, mean 0 and standard deviation 1 over MNIST.
        """
        check_arguments(locals())
        super().__init__()
        self.scaling = scaling

    def forward(self, images: Tensor) -> Tensor:
        """Scales pixels, uint8 or floating point of any shape; returns float of that shape."""
        pixels = images.to(torch.get_default_dtype())
        match self.scaling:
            case "raw":
                return pixels
            case "standard":
                return (pixels / 255 - MNIST_MEAN) / MNIST_STD
        return pixels / 255


def linear_layers(inputs: int, hidden: Sequence[int], dropout: float) -> nn.Sequential:
    """Linear layers with ReLU and dropout, from features of any shape to log-probabilities [B, 10].

    `fit_head` makes the last one fit other classes.

    Args:
        inputs: Features of each image.
        hidden: Units of each hidden layer.
        dropout: Probability that a hidden unit is dropped in training.
    """
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

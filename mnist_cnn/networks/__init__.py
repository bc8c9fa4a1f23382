"""Networks as plain torch modules: raw pixels in, log-probabilities out.

A class is named by this package in checkpoints and config files, whichever file of it holds the class.
"""

from torch import nn

from mnist_cnn.networks.base import MNIST_MEAN, MNIST_STD, Network, ScalePixels
from mnist_cnn.networks.convolutional import ConvNet, GELUMaxPool, TutorialCNN
from mnist_cnn.networks.cosine import CosineCNN, CosineFilters, Crop, Towers
from mnist_cnn.networks.extended import Extended
from mnist_cnn.networks.head import DIGITS, HeadError, fit_head
from mnist_cnn.networks.mlp import MLP

__all__ = [
    "DIGITS",
    "MLP",
    "MNIST_MEAN",
    "MNIST_STD",
    "ConvNet",
    "CosineCNN",
    "CosineFilters",
    "Crop",
    "Extended",
    "GELUMaxPool",
    "HeadError",
    "Network",
    "ScalePixels",
    "Towers",
    "TutorialCNN",
    "fit_head",
]

for _kind in [kind for kind in vars().values() if isinstance(kind, type) and issubclass(kind, nn.Module)]:
    _kind.__module__ = __name__

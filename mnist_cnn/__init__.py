"""Handwritten-digit classifiers with PyTorch Lightning: train, measure, look, use.

The names in `__all__` are imported from here; torch and Lightning load when one of them is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_cnn.data.augment import RandomAffine, RandomElastic
    from mnist_cnn.data.datamodule import DigitDataModule
    from mnist_cnn.networks import MLP, ConvNet, CosineCNN, TutorialCNN
    from mnist_cnn.reading.read import read_digits
    from mnist_cnn.tasks.classifier import DigitClassifier
    from mnist_cnn.tasks.pretrained import load_pretrained

__version__ = "0.1.0"

_HOMES = {
    "mnist_cnn.data.augment": ("RandomAffine", "RandomElastic"),
    "mnist_cnn.data.datamodule": ("DigitDataModule",),
    "mnist_cnn.tasks.classifier": ("DigitClassifier",),
    "mnist_cnn.networks": ("MLP", "ConvNet", "CosineCNN", "TutorialCNN"),
    "mnist_cnn.reading.read": ("read_digits",),
    "mnist_cnn.tasks.pretrained": ("load_pretrained",),
}

__all__ = [
    "MLP",
    "ConvNet",
    "CosineCNN",
    "DigitClassifier",
    "DigitDataModule",
    "RandomAffine",
    "RandomElastic",
    "TutorialCNN",
    "load_pretrained",
    "read_digits",
]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})

"""Handwritten-digit classifiers with PyTorch Lightning: train, measure, look, use.

`DigitClassifier`, `DigitDataModule` and `read_digits` are imported from here; torch and Lightning load when they are
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_cnn.data.datamodule import DigitDataModule
    from mnist_cnn.reading import read_digits
    from mnist_cnn.tasks.classifier import DigitClassifier

__version__ = "0.1.0"
__all__ = ["DigitClassifier", "DigitDataModule", "read_digits"]


def __getattr__(name: str) -> Any:
    homes = {
        "DigitClassifier": "mnist_cnn.tasks.classifier",
        "DigitDataModule": "mnist_cnn.data.datamodule",
        "read_digits": "mnist_cnn.reading",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)

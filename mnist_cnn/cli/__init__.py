"""The command line: Lightning's CLI with this project's defaults, checkpoints by name and errors of one line.

Torch and Lightning load with the first of these names that is used, so that `mnist_cnn.cli.quick` answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnist_cnn.start import fail

if TYPE_CHECKING:
    from mnist_cnn.cli.entry import NOISE, DigitCLI, main, run

__all__ = ["NOISE", "DigitCLI", "fail", "main", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("mnist_cnn.cli.entry"), name)

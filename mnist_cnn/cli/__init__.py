"""The command line: Lightning's CLI with this project's defaults, checkpoints by name and errors of one line."""

from mnist_cnn.cli.digit_cli import DigitCLI
from mnist_cnn.cli.entry import NOISE, main, run
from mnist_cnn.errors import fail

__all__ = ["NOISE", "DigitCLI", "fail", "main", "run"]

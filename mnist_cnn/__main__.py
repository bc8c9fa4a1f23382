"""Starts the command line: `mnist-cnn` or `python -m mnist_cnn`."""

import sys

from mnist_cnn.cli.quick import answer
from mnist_cnn.start import before_torch, until_nobody_reads


def main() -> None:
    """Runs the command line with the arguments of the process."""
    with until_nobody_reads():
        answer(sys.argv[1:])
        before_torch()
        from mnist_cnn.cli import main as run

        run()


if __name__ == "__main__":
    main()

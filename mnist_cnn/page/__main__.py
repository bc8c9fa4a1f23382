"""Starts the page to draw on: `mnist-cnn-draw` or `python -m mnist_cnn.page`."""

from mnist_cnn.start import before_torch


def main() -> None:
    """Serves the page with the arguments of the process."""
    before_torch()
    from mnist_cnn.page.server import main as run

    run()


if __name__ == "__main__":
    main()

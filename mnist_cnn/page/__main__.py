"""Starts the page to draw on, `mnist-cnn-draw` or `python -m mnist_cnn.page`: Ctrl-C ends it silently."""

import signal


def main() -> None:
    """Serves the page with the arguments of the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is lost, also while torch loads
    from mnist_cnn.page.server import main as run

    run()


if __name__ == "__main__":
    main()

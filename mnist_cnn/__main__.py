"""Starts the command line, `mnist-cnn` or `python -m mnist_cnn`: before torch is loaded, Ctrl-C ends it silently."""

import signal


def main() -> None:
    """Runs the command line with the arguments of the process."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mnist_cnn.cli import main as run

    run()


if __name__ == "__main__":
    main()

"""The start of a program: settings that must be made before torch is loaded, and words that need no torch."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

THREADS = {"GOMP_SPINCOUNT": "10000"}
"""Environment variables of the OpenMP library that torch brings on Linux."""


def before_torch() -> None:
    """Lets Ctrl-C end the program silently while torch loads, and torch's threads share the processors with others.

    They wait for each other up to a thousand times in a step. By default they do so busily and for so long that a
    second program on the machine makes training 15 times slower; told to fall asleep earlier, 3 times. Setting one of
    OpenMP's own OMP_WAIT_POLICY or GOMP_SPINCOUNT turns this off.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.update({name: os.environ.get(name, value) for name, value in THREADS.items()})


@contextlib.contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Ends the program silently where what it prints goes to another one that has ended, such as `head`."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        raise SystemExit(128 + 13) from None  # as of a program that SIGPIPE ended


def fail(error: BaseException | str) -> NoReturn:
    """Ends the program with one line on stderr and exit status 2."""
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    raise SystemExit(2)


def program() -> str:
    """The words that start the command line: a script where a script was started."""
    return "python scripts/train.py" if Path(sys.argv[0]).name in ("train.py", "draw.py") else "mnist-cnn"

"""Feeds garbage to all readers of files and arguments: no crash, no hang, no memory beyond a bound.

    python scripts/fuzz.py --inputs=100000 --seed=0

A target makes an input, hands it to a reader of ours and returns the outcome in a word. Only the errors that the reader
is meant to raise may come out. `--only=[idx_reader]` does a part; most inputs go to the readers, which are fast.
"""

import collections
import contextlib
import faulthandler
import io
import random
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unittest import mock

import numpy as np
from fuzzing.inputs import checkpoint, mutated, option, picture_file, random_pixels
from jsonargparse.typing import NonNegativeInt, PositiveInt

from mnist_cnn import cli
from mnist_cnn.checkpoints import CheckpointError, read_checkpoint
from mnist_cnn.cli.script import run_script
from mnist_cnn.data import files
from mnist_cnn.reading.looking import look
from mnist_cnn.reading.models import pretrained_detector, pretrained_recognizer
from mnist_cnn.reading.pictures import READ_SIDE, PictureError, from_image, read_picture
from mnist_cnn.reading.results import LAYOUTS

MEMORY = 1_500 * 2**20
"""Bytes of memory that the process may gain in all."""

SECONDS = 20.0
"""No input may take longer."""

Target = Callable[[random.Random], str]


def main(
    inputs: PositiveInt = 100_000,
    seed: NonNegativeInt = 0,
    only: list[Literal["idx_reader", "checkpoint_reader", "picture_reader", "command_line"]] | None = None,
) -> None:
    """Fuzzes targets and prints a table.

    Args:
        inputs: How many in all.
        seed: Of the inputs.
        only: These targets alone.
    """
    print("| target | inputs | came out as |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, (target, share) in TARGETS.items():
            if not only or name in only:
                count = round(inputs * (1 / len(only) if only else share))
                outcomes = fuzz(target, count, seed)
                print(f"| {name} | {count:,} | {', '.join(f'{v:,} {k}' for k, v in outcomes.items())} |", flush=True)


def fuzz(target: Target, inputs: int, seed: int) -> collections.Counter[str]:
    """Hands inputs to a target, which writes into the current folder, and counts what came of them.

    Raises:
        AssertionError: An input came out as it must not, took too long or took too much memory.
    """
    outcomes: collections.Counter[str] = collections.Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(inputs):
        start = time.monotonic()
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
        try:
            outcomes[target(random.Random(f"{seed}/{number}"))] += 1
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {type(error).__name__}: {error}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert time.monotonic() - start < SECONDS, f"input {number} of seed {seed} took too long"
    gained = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    assert gained < MEMORY, f"{gained / 2**20:.0f} MiB of memory"
    outcomes["MiB gained"] = gained >> 20
    return outcomes


def idx_reader(rng: random.Random) -> str:
    """The data files: a pair of images and labels, each mutated, swapped or of another size."""
    count = rng.randrange(4)
    images = struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 28 * 28)
    labels = struct.pack(">II", 0x801, count) + bytes(rng.randrange(10) for _ in range(count))
    pair = [mutated(images[:64] if rng.random() < 0.2 else images, rng), mutated(labels, rng)]
    if rng.random() < 0.05:
        pair.reverse()
    raw = Path("MNIST/raw")
    raw.mkdir(parents=True, exist_ok=True)
    for kind, content in zip(("images-idx3", "labels-idx1"), pair, strict=True):
        (raw / f"train-{kind}-ubyte").write_bytes(content)
    try:
        read, _ = files.load("MNIST", Path(), train=True)
    except files.DataError as error:
        return "refused" if "\n" not in str(error) else "several lines"
    assert read.shape[1:] == (1, 28, 28)
    return "read"


def checkpoint_reader(rng: random.Random) -> str:
    """Checkpoints: a good one, mutated."""
    path = Path("x.ckpt")
    path.write_bytes(mutated(checkpoint(), rng))
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        return "refused" if len(str(error)) < 500 else "a long line"
    return "read"


def command_line(rng: random.Random) -> str:
    """The command line: options of ours with values of all kinds, as far as they are parsed."""
    words = ["fit", *(option(rng) for _ in range(rng.choice((1, 1, 2, 3))))]
    if rng.random() < 0.1:
        words = [mutated(" ".join(words).encode(), rng).decode(errors="replace").replace("\0", "") for _ in "x"]
    errors, code = io.StringIO(), None
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            _parse(words)
    except SystemExit as end:
        code = end.code
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
    assert (code, len(lines)) in ((2, 1), (0, 0)), (words, code, errors.getvalue()[-500:])
    return "refused" if code else "parsed"


def picture_reader(rng: random.Random) -> str:
    """Pictures: files mutated or with absurd sizes in their headers, and random pixels of all modes."""
    layout = rng.choice(LAYOUTS)
    try:
        if rng.random() < 0.2:
            pixels = from_image(random_pixels(rng)).pixels
        else:
            path = Path("x.png")  # what a file is, its content says
            path.write_bytes(picture_file(rng))
            pixels = read_picture(path).pixels
    except PictureError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 300 else "several lines"
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
    assert max(pixels.shape) <= READ_SIDE
    seen = look(pretrained_detector(), pixels, layout, pretrained_recognizer())
    assert seen.images.dtype == np.uint8
    assert seen.images.shape == (sum(seen.lengths), 28, 28)
    assert len(seen.digits) == len(seen.images)
    assert np.isfinite(seen.digits.boxes).all()
    return "digits" if len(seen.images) else "no digit"


def _parse(words: list[str]) -> None:
    """As far as `main` gets before anything is built: the parser, and what reads checkpoints."""
    sys.argv = ["scripts/train.py"]
    with mock.patch.object(cli.DigitCLI, "instantiate_classes", side_effect=SystemExit(0)):
        cli.main(words)


TARGETS: dict[str, tuple[Target, float]] = {
    "idx_reader": (idx_reader, 0.85),
    "checkpoint_reader": (checkpoint_reader, 0.09),
    "picture_reader": (picture_reader, 0.05),
    "command_line": (command_line, 0.01),
}
"""The targets, and the share of inputs that each gets."""


if __name__ == "__main__":
    run_script(main)

"""Feeds garbage to whatever reads what others wrote: no crash, no hang, no memory beyond a bound.

    python scripts/fuzz.py --inputs 100000 --seed 0

A target is one function below: it takes a random generator, makes an input, hands it over and returns what came
of it. Only the errors that a target is meant to raise may come out. `--only idx_reader` does a part; most inputs go to
the readers, which are fast.
"""

import argparse
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

from mnist_cnn.checkpoints import CheckpointError, read_checkpoint
from mnist_cnn.data import files

MEMORY = 1_500 * 2**20
"""Bytes of memory that the process may gain in all."""

SECONDS = 20.0
"""No input may take longer."""

Target = Callable[[random.Random], str]
SCRATCH = Path(tempfile.mkdtemp())


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Bytes with a few random changes: bits, cuts, repetitions, numbers at their limits, or nothing of the kind."""
    data = bytearray(content)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
        place = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if place < len(data):
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                del data[place:]
            case 2:
                del data[place : place + rng.randrange(9)]
            case 3:
                data[place:place] = rng.randbytes(rng.randrange(9))
            case 4:
                data[place : place + 4] = rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 4))
            case _:
                data += data[place : place + 64]
    return rng.randbytes(rng.randrange(64)) if rng.random() < 0.02 else bytes(data)


def idx_reader(rng: random.Random) -> str:
    """The data files: a pair of images and labels, each mutated, swapped or of another size."""
    count = rng.randrange(4)
    images = struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 28 * 28)
    labels = struct.pack(">II", 0x801, count) + bytes(rng.randrange(10) for _ in range(count))
    pair = [mutated(images[:64] if rng.random() < 0.2 else images, rng), mutated(labels, rng)]
    if rng.random() < 0.05:
        pair.reverse()
    raw = SCRATCH / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for kind, content in zip(("images-idx3", "labels-idx1"), pair, strict=True):
        (raw / f"train-{kind}-ubyte").write_bytes(content)
    try:
        read, _ = files.load("MNIST", SCRATCH, train=True)
    except files.DataError as error:
        return "refused" if "\n" not in str(error) else "several lines"
    assert read.shape[1:] == (1, 28, 28)
    return "read"


def checkpoint_reader(rng: random.Random) -> str:
    """Checkpoints: a good one, mutated."""
    path = SCRATCH / "x.ckpt"
    path.write_bytes(mutated(_checkpoint(), rng))
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        return "refused" if len(str(error)) < 500 else "a long line"
    return "read"


def command_line(rng: random.Random) -> str:
    """The command line: options of ours with values of all kinds, as far as they are parsed."""
    options, values = _options()
    words = ["fit", *(f"--{rng.choice(options)}={_value(values, rng)}" for _ in range(rng.choice((1, 1, 2, 3))))]
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


TARGETS: dict[str, tuple[Target, float]] = {
    "idx_reader": (idx_reader, 0.9),
    "checkpoint_reader": (checkpoint_reader, 0.09),
    "command_line": (command_line, 0.01),
}
"""The targets, and the share of inputs that each gets."""


def fuzz(target: Target, inputs: int, seed: int) -> collections.Counter[str]:
    """Hands inputs to a target and counts what came of them.

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


def _checkpoint() -> bytes:
    if not _CACHE:
        import torch

        buffer = io.BytesIO()
        settings = {"learning_rate": 0.1, "network": {"class_path": "mnist_cnn.networks.MLP"}}
        content = {"state_dict": {"w": torch.zeros(50)}, "hyper_parameters": settings}
        torch.save({**content, "pytorch-lightning_version": "2.6.6"}, buffer)
        _CACHE.append(buffer.getvalue())
    return _CACHE[0]


_CACHE: list[bytes] = []


def _value(values: list[str], rng: random.Random) -> str:
    value = rng.choice(values)
    return mutated(value.encode(), rng).decode(errors="replace").replace("\0", "") if rng.random() < 0.3 else value


def _options() -> tuple[list[str], list[str]]:
    names = "model.learning_rate model.optimizer model.schedule model.network model.network.hidden model.gamma "
    names += "model.label_smoothing data.dataset data.batch_size data.val_size data.data_dir seed_everything ckpt_path "
    names += "trainer.max_epochs trainer.limit_train_batches trainer.precision trainer.callbacks trainer.logger config "
    names += "trainer.max_time checkpoint.monitor checkpoint.every_n_train_steps figures.mistakes predictions.output x"
    values = ["", "0", "-1", "1e400", "nan", "null", "true", "[]", "[1,[2]]", "{}", "{a: b}", "{class_path: x}", "a b"]
    values += [
        "MLP",
        "mnist_cnn.networks.MLP",
        "os.system",
        "torch.nn.Linear",
        "adam",
        "1_000",
        "0x10",
        "99999999999999",
    ]
    values += [
        "best",
        "missing.ckpt",
        "../../etc/passwd",
        "/dev/null",
        "\u0661",
        "é",
        "-",
        "--",
        "'",
        '"',
        "!!python/x",
    ]
    return names.split(), values


def _parse(words: list[str]) -> None:
    """As far as `main` gets before anything is built: the parser, and what reads checkpoints."""
    from mnist_cnn import cli

    class ParseOnly(cli.DigitCLI):
        def instantiate_classes(self) -> None:
            raise SystemExit(0)

    original, cli.DigitCLI = cli.DigitCLI, ParseOnly  # type: ignore[misc]
    sys.argv = ["scripts/train.py"]
    try:
        cli.main(words)
    finally:
        cli.DigitCLI = original  # type: ignore[misc]


def main() -> None:
    """Fuzzes all targets and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*TARGETS])
    arguments = parser.parse_args()
    print("| target | inputs | came out as |\n|---|---|---|")
    for name, (target, share) in TARGETS.items():
        if not arguments.only or name in arguments.only:
            inputs = round(arguments.inputs * (share if not arguments.only else 1 / len(arguments.only)))
            outcomes = fuzz(target, inputs, arguments.seed)
            print(f"| {name} | {inputs:,} | {', '.join(f'{v:,} {k}' for k, v in outcomes.items())} |", flush=True)


if __name__ == "__main__":
    main()

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
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from mnist_cnn.checkpoints import CheckpointError, read_checkpoint
from mnist_cnn.data import files
from mnist_cnn.reading.models import pretrained_detector
from mnist_cnn.reading.pictures import READ_SIDE, PictureError, from_image, read_picture
from mnist_cnn.reading.sighting import LAYOUTS, look

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


def picture_reader(rng: random.Random) -> str:
    """Pictures: files mutated or with absurd sizes in their headers, and random pixels of all modes."""
    layout = rng.choice(LAYOUTS)
    try:
        if rng.random() < 0.2:
            pixels = from_image(_random_pixels(rng)).pixels
        else:
            path = SCRATCH / "x.png"  # what a file is, its content says
            path.write_bytes(_picture_file(rng))
            pixels = read_picture(path).pixels
    except PictureError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 300 else "several lines"
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
    assert max(pixels.shape) <= READ_SIDE
    seen = look(pretrained_detector(), pixels, layout)
    assert seen.images.dtype == np.uint8
    assert seen.images.shape == (sum(seen.lengths), 28, 28)
    assert len(seen.digits) == len(seen.images)
    assert np.isfinite(seen.digits.boxes).all()
    return "digits" if len(seen.images) else "no digit"


TARGETS: dict[str, tuple[Target, float]] = {
    "idx_reader": (idx_reader, 0.85),
    "checkpoint_reader": (checkpoint_reader, 0.09),
    "picture_reader": (picture_reader, 0.05),
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


def _random_pixels(rng: random.Random) -> Image.Image:
    """A picture of a random mode and size, of noise, or all of one value, or of numbers at their limits."""
    size = (rng.choice((1, 2, 3, 9, 28, 99)), rng.choice((1, 2, 3, 9, 28, 99)))
    mode = rng.choice(("1", "L", "LA", "La", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"))
    if rng.random() < 0.3:
        mode = rng.choice(("I", "F", "I;16", "I;16B"))
    length = size[0] * size[1] * 4
    content = rng.randbytes(length) if rng.random() < 0.6 else rng.choice((b"\0", b"\xff", b"\x7f\xc0\0\0")) * length
    if mode in ("La", "PA", "RGBa", "LAB", "HSV") and rng.random() < 0.5:  # of these Pillow can convert only some
        mode = "RGBA"
    raw = Image.new(mode, size)
    raw.frombytes(content[: len(raw.tobytes())])
    return raw


def _picture_file(rng: random.Random) -> bytes:
    """A small picture in some format, mutated, or with a size in its header that its data do not have."""
    kind, mode = rng.choice(PICTURE_KINDS)
    if (kind, mode) not in _PICTURES:
        ink = np.full((40, 60), 230, np.uint8)
        ink[8:32, 20:24] = ink[8:12, 20:40] = 30
        buffer = io.BytesIO()
        Image.fromarray(ink).convert(mode).save(buffer, kind)
        _PICTURES[kind, mode] = buffer.getvalue()
    content = _PICTURES[kind, mode]
    if rng.random() < 0.25:
        form, sides = SIZES[kind]
        absurd = [rng.choice((0, 1, 7, 41, 9_999, 2**15, 2**16 - 1, 10**5, 2**31 - 1, 2**32 - 1)) for _ in sides]
        limit = 2**16 if "H" in form else 2**32
        content = content.replace(struct.pack(form, *sides), struct.pack(form, *(side % limit for side in absurd)))
        if kind == "PNG":  # its header has a checksum
            content = content[:29] + struct.pack(">I", zlib.crc32(content[12:29])) + content[33:]
    return content if rng.random() < 0.3 else mutated(content, rng)


PICTURE_KINDS = [(kind, mode) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP") for mode in ("L", "RGB")]
PICTURE_KINDS += [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"), ("PNG", "I;16"), ("TIFF", "F"), ("TIFF", "CMYK")]
SIZES = {
    "PNG": (">II", (60, 40)),
    "JPEG": (">HH", (40, 60)),
    "GIF": ("<HH", (60, 40)),
    "BMP": ("<II", (60, 40)),
    "TIFF": ("<I", (60,)),
    "WEBP": ("<HH", (60, 40)),
}
"""How a picture of 60x40 pixels has its size in the header of each format."""
_PICTURES: dict[tuple[str, str], bytes] = {}


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

    sys.argv = ["scripts/train.py"]
    with mock.patch.object(cli.DigitCLI, "instantiate_classes", side_effect=SystemExit(0)):
        cli.main(words)


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

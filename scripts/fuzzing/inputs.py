"""Garbage: files of checkpoints and pictures that were changed, absurd pictures, options with values of all kinds."""

import functools
import io
import random
import struct
import zlib

import numpy as np
import torch
from PIL import Image


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


@functools.cache
def checkpoint() -> bytes:
    """The file of a good checkpoint."""
    buffer = io.BytesIO()
    settings = {"learning_rate": 0.1, "network": {"class_path": "mnist_cnn.networks.MLP"}}
    content = {"state_dict": {"w": torch.zeros(50)}, "hyper_parameters": settings}
    torch.save({**content, "pytorch-lightning_version": "2.6.6"}, buffer)
    return buffer.getvalue()


def random_pixels(rng: random.Random) -> Image.Image:
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


def picture_file(rng: random.Random) -> bytes:
    """A small picture in some format, mutated, or with a size in its header that its data do not have."""
    kind, mode = rng.choice(PICTURE_KINDS)
    content = _good_picture(kind, mode)
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


@functools.cache
def _good_picture(kind: str, mode: str) -> bytes:
    ink = np.full((40, 60), 230, np.uint8)
    ink[8:32, 20:24] = ink[8:12, 20:40] = 30
    buffer = io.BytesIO()
    Image.fromarray(ink).convert(mode).save(buffer, kind)
    return buffer.getvalue()


GROUPS = {
    "model": "learning_rate optimizer schedule network network.hidden gamma label_smoothing",
    "data": "dataset batch_size val_size data_dir",
    "trainer": "max_epochs limit_train_batches precision callbacks logger max_time",
}
OPTIONS = [f"{group}.{name}" for group, names in GROUPS.items() for name in names.split()]
OPTIONS += ["seed_everything", "ckpt_path", "config", "checkpoint.monitor", "checkpoint.every_n_train_steps", "x"]
OPTIONS += ["figures.mistakes", "predictions.output"]
VALUES = ["", "0", "-1", "1e400", "nan", "null", "true", "[]", "[1,[2]]", "{}", "{a: b}", "{class_path: x}", "a b"]
VALUES += ["MLP", "mnist_cnn.networks.MLP", "os.system", "torch.nn.Linear", "adam", "1_000", "0x10", "99999999999999"]
VALUES += ["best", "missing.ckpt", "../../etc/passwd", "/dev/null", "\u0661", "\xe9", "-", "--", "'", '"', "!!python/x"]


def option(rng: random.Random) -> str:
    """An option of the main program with a value of any kind."""
    value = rng.choice(VALUES)
    if rng.random() < 0.3:
        value = mutated(value.encode(), rng).decode(errors="replace").replace("\0", "")
    return f"--{rng.choice(OPTIONS)}={value}"

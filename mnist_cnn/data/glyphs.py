"""Glyphs of MNIST's training digits: written once, kept beside the data, written again when their writing changes."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from mnist_cnn.atomic import replacing
from mnist_cnn.data import files
from mnist_cnn.data.errors import DataError
from mnist_cnn.data.splits import stratified_sample
from mnist_cnn.scenes import glyphs, letters, templates
from mnist_cnn.scenes.glyphs import Glyph
from mnist_cnn.scenes.pool import Pool

COUNT = 48_000
"""Digits and signs that are written for the scenes of training; a tenth as many for those of validation."""
FEWEST = 400
"""So many that digits and other signs are among a tenth of them, too."""
VAL_DIGITS = 5000
"""Digits of MNIST's training images that are written for the validation scenes alone: those that `val_size=5000` holds
out."""


def prepare(data_dir: Path, split: str, count: int) -> None:
    """Writes the glyphs of a split, `train`, `val` or `test`, unless that was done before.

    Args:
        data_dir: The folder of the data files, which must be there.
        split: `test` is written from MNIST's test images, the others from parts of its training images.
        count: How many to write for training; for the other splits a tenth of it.
    """
    path = _path(data_dir, split, count)
    with FileLock(path.with_suffix(".lock"), timeout=7200):
        if path.exists():
            return
        images, labels = files.load("MNIST", data_dir, train=split != "test")
        if split != "test":
            held_out = stratified_sample(labels, VAL_DIGITS)
            kept = held_out if split == "val" else ~held_out
            images, labels = images[kept], labels[kept]
        number = count if split == "train" else -(-count // 10)
        seed = ("train", "val", "test").index(split)
        written = list(glyphs.write_all(images[:, 0].numpy(), labels.numpy(), number, seed))
        stored = {
            "pixels": torch.from_numpy(np.concatenate([glyph.pixels.reshape(-1, 2) for glyph in written])),
            "shapes": torch.tensor([glyph.pixels.shape[:2] for glyph in written]),
            "labels": torch.tensor([glyph.label for glyph in written]),
            "pens": torch.tensor([glyph.pen for glyph in written], dtype=torch.float64),
        }
        with replacing(path) as file:
            torch.save(stored, file)


def load(data_dir: Path, split: str, count: int) -> Pool:
    """What `prepare` wrote.

    Raises:
        DataError: So few that no digit or no other sign is among them.
    """
    stored = torch.load(_path(data_dir, split, count), weights_only=True)
    shapes = stored["shapes"].tolist()
    parts = np.split(stored["pixels"].numpy(), np.cumsum([height * width for height, width in shapes])[:-1])
    columns = zip(parts, shapes, stored["labels"].tolist(), stored["pens"].tolist(), strict=True)
    pool = Pool([Glyph(part.reshape(*shape, 2), label, pen) for part, shape, label, pen in columns])
    if not (pool.digits and pool.signs):
        raise DataError(f"--data.glyphs={count} leaves some scenes without digits or signs: give {FEWEST} or more")
    return pool


def fingerprint() -> bytes:
    """Changes when glyphs are written in another way."""
    return b"".join(Path(str(module.__file__)).read_bytes() for module in (glyphs, letters, templates))


def _path(data_dir: Path, split: str, count: int) -> Path:
    return data_dir / f"MNIST_glyphs_{split}_{count}_{hashlib.sha256(fingerprint()).hexdigest()[:12]}.pt"

"""Rendered training digits: made once, kept beside the data set, made again when the renderer changes."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from rich.progress import track
from torch import Tensor

from mnist_cnn.atomic import replacing
from mnist_cnn.data import files, renderer
from mnist_cnn.data.files import DataError, DatasetName
from mnist_cnn.reading import handwriting, ink, mnist_form
from mnist_cnn.scenes import photograph, scrawls, writing

MAKERS = (renderer, writing, scrawls, photograph, handwriting, ink, mnist_form)
"""Modules that decide how a rendered digit looks."""


def prepare(dataset: DatasetName, data_dir: Path, count: int) -> str:
    """Renders digits of the training images of a data set, unless that was done before.

    Args:
        dataset: Whose training images; its files must be there.
        data_dir: The folder of the data files.
        count: How many to render; a few of them become illegible and are left out.

    Returns:
        One line that says where they are.

    Raises:
        DataError: None of so few was legible.
    """
    path = _path(dataset, data_dir, count)
    with FileLock(path.with_suffix(".lock"), timeout=7200):
        if not path.exists():
            _make(dataset, data_dir, count, path)
    return f"rendered digits: {path}"


def load(dataset: DatasetName, data_dir: Path, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """What `prepare` made.

    Returns:
        Images, uint8 [M, 1, 28, 28]; labels, int64 [M], -1 where there is no digit; and for each the training image
        that it was made from, int64 [M].
    """
    stored = torch.load(_path(dataset, data_dir, count), weights_only=True)
    return stored["images"], stored["labels"], stored["sources"]


def _path(dataset: DatasetName, data_dir: Path, count: int) -> Path:
    makers = b"".join(Path(str(module.__file__)).read_bytes() for module in MAKERS)
    return data_dir / f"{dataset}_rendered_{count}_{hashlib.sha256(makers).hexdigest()[:12]}.pt"


def _make(dataset: DatasetName, data_dir: Path, count: int, path: Path) -> None:
    images, labels = files.load(dataset, data_dir, train=True)
    digits = images[:, 0].numpy()
    rng = np.random.default_rng(0)
    rounds = [rng.permutation(len(digits)) for _ in range(-(-count // len(digits)))]
    sources = np.concatenate(rounds)[:count]
    made = track(renderer.render_all(digits, labels.numpy(), sources), description="rendering digits", total=count)
    kept = [(image, label, source) for (image, label), source in zip(made, sources, strict=True) if image is not None]
    if not kept:
        raise DataError(f"none of {count} rendered digits is legible: give a larger --data.rendered")
    seen, named, origins = (torch.from_numpy(np.stack(column)) for column in zip(*kept, strict=True))
    with replacing(path) as file:
        torch.save({"images": seen.unsqueeze(1), "labels": named, "sources": origins}, file)

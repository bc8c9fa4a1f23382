"""Training digits as people's pictures show them: found in scenes by the detector, in MNIST's form.

The counterpart of `reading`: a classifier that is to name what the detector finds in photos is trained on what it
finds in scenes. Made once, kept beside the data set, made again when scenes or detector change.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from rich.progress import track
from torch import Tensor
from torchvision.ops import box_iou

from mnist_cnn import scenes
from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints import DETECTOR
from mnist_cnn.data import glyphs
from mnist_cnn.reading.detection import LEAST, detect
from mnist_cnn.reading.models import load_detector
from mnist_cnn.scenes.scene import compose

OVERLAP = 0.5
"""Least intersection over union of a box that was found with the box of the digit that it is."""
NONE = 0.1
"""Of all images so many at most show no digit, but what the detector nearly took for one."""


def prepare(data_dir: Path, count: int, split: str = "train") -> str:
    """Renders digits of MNIST's training images, unless that was done before.

    Args:
        data_dir: The folder of the data files, which must be there.
        count: How many images to make.
        split: `train`, or `val` for the digits that are held out of all scenes for training.

    Returns:
        One line that says where they are.
    """
    path = _path(data_dir, count, split)
    glyphs.prepare(data_dir, split, _glyphs(count))
    with FileLock(path.with_suffix(".lock"), timeout=7200):
        if not path.exists():
            found = list(track(_found(data_dir, count, split), description="rendering digits", total=count))
            images, labels = (np.stack(column) for column in zip(*found, strict=True))
            with replacing(path) as file:
                torch.save({"images": torch.from_numpy(images)[:, None], "labels": torch.from_numpy(labels)}, file)
    return f"rendered digits: {path}"


def load(data_dir: Path, count: int, split: str = "train") -> tuple[Tensor, Tensor]:
    """What `prepare` made: images, uint8 [N, 1, 28, 28]; labels, int64 [N], -1 where there is no digit."""
    stored = torch.load(_path(data_dir, count, split), weights_only=True)
    return stored["images"], stored["labels"]


def _glyphs(count: int) -> int:
    """How many glyphs are written for so many images."""
    return min(glyphs.COUNT, max(400, 4 * count))


def _path(data_dir: Path, count: int, split: str) -> Path:
    makers = sorted(Path(scenes.__path__[0]).glob("*.py"))
    content = b"".join(path.read_bytes() for path in (*makers, DETECTOR, Path(__file__)))
    key = hashlib.sha256(content + glyphs.fingerprint()).hexdigest()[:12]
    return data_dir / f"MNIST_rendered_{split}_{count}_{key}.pt"


def _found(data_dir: Path, count: int, split: str) -> Iterator[tuple[np.ndarray, np.int64]]:
    """Images and labels of what is found in scene after scene."""
    detector, pool = load_detector(), glyphs.load(data_dir, split, _glyphs(count))
    made = none = k = 0
    while made < count:
        scene = compose(pool, np.random.default_rng((3, split == "val", k)))
        labels, boxes = scene.labels, scene.boxes
        k += 1
        detection = detect(detector, scene.picture)
        found = detection.digits
        if not len(found):
            continue
        overlap = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(boxes)) if len(boxes) else torch.zeros(1, 1)
        best, which = (value.numpy() for value in overlap.max(dim=1))
        # Each digit by its best box; boxes on no digit teach doubt; what is neither is left out.
        named = np.where(best >= OVERLAP, labels[which], -1) if len(boxes) else np.full(len(found), -1)
        firsts = np.unique(np.where(best >= OVERLAP, which, -1 - np.arange(len(best))), return_index=True)[1]
        use = np.array([i for i in firsts if (named[i] >= 0) or (best[i] < 0.1 and found.scores[i] >= 2 * LEAST)], int)
        images = detection.images(use, np.flatnonzero(found.scores >= 2 * LEAST))
        for image, label in zip(images, named[use], strict=True):
            none += label < 0
            if made < count and image.any() and (label >= 0 or none <= NONE * (made + 10)):
                made += 1
                yield image, np.int64(label)

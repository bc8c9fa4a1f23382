"""People's pictures as batches for `predict`."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mnist_cnn.data.files import DataError
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading.folders import find_pictures
from mnist_cnn.reading.models import pretrained_detector, pretrained_recognizer
from mnist_cnn.reading.pictures import Opened, PictureError, read_picture
from mnist_cnn.reading.results import Layout
from mnist_cnn.reading.sighting import Sighting
from mnist_cnn.reading.symbol import look_for


@dataclass(frozen=True)
class SeenPicture:
    """A picture as `predict` met it."""

    path: Path
    opened: Opened | None
    """None where the file could not be read."""
    sighting: Sighting | None
    """The detector's finds in it."""
    remark: str
    """A note for the user; where the file could not be read, why."""


class PictureSet(Dataset):
    """Pictures of handwriting in batches like those of a data set.

    Each item is a pair: all digits that were found in some pictures, uint8 [B, 1, 28, 28], and zeros, int64 [B]. What
    they belong to is noted in `seen`, one list for each item that was handed out.
    """

    AT_A_TIME = 8

    def __init__(self, places: list[str] | str, layout: Layout, classes: Sequence[str] = DIGITS) -> None:
        """Finds the files.

        Args:
            places: Files, folders and patterns.
            layout: Of each picture.
            classes: Those of the network that is to read them.

        Raises:
            DataError: There is no picture in these places.
        """
        self.layout: Layout = layout
        self.classes = classes
        self.paths, self.problems = find_pictures(places)
        self.seen: list[list[SeenPicture]] = []
        if not self.paths:
            problems = "; ".join(self.problems) or "no place was named"
            raise DataError(f"there are no pictures to read ({problems}): give files or folders with --data.pictures")

    def __len__(self) -> int:
        return -(-len(self.paths) // self.AT_A_TIME)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        start = index * self.AT_A_TIME
        # OpenCV, Pillow and torch release the interpreter while they work.
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            seen = list(threads.map(self._see, self.paths[start : start + self.AT_A_TIME]))
        self.seen.append(seen)
        images = torch.cat(
            [torch.from_numpy(one.sighting.all_images) for one in seen if one.sighting] or [torch.zeros(0)]
        )
        if not len(images):  # networks need not be able to take an empty batch
            images = torch.zeros(1, 28, 28, dtype=torch.uint8)
        return images.unsqueeze(1), torch.zeros(len(images), dtype=torch.int64)

    def _see(self, path: Path) -> SeenPicture:
        try:
            opened = read_picture(path)
        except PictureError as error:
            return SeenPicture(path, None, None, str(error))
        seen = look_for(self.classes, pretrained_detector(), opened.pixels, self.layout, pretrained_recognizer())
        return SeenPicture(path, opened, seen, opened.remark)

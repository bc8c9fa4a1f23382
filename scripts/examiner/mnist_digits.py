"""MNIST's digits as glyphs, as far as anybody can read them when another pen redraws them."""

from pathlib import Path

import numpy as np

from examiner.strokes import Array, Glyph
from examiner.tracing import trace
from mnist_cnn.data import files


class Digits:
    """MNIST's digits that a person can read when any pen redraws them.

    Left out are those whose label people did not confirm, those that look like another digit to the nearest training
    digits, those with loops filled by ink or open where they belong closed, and those whose centreline misses a part
    of the shape or branches. About two thirds are left: what is measured with them is how hard the picture is, not
    how odd the digit.
    """

    def __init__(self, data_dir: Path | None = None, train: bool = False) -> None:
        """Loads MNIST from a folder, by default the per-user cache; test digits are drawn, or those of `train`."""
        data_dir = data_dir or files.default_data_dir()
        files.prepare("MNIST", data_dir)
        images, labels = files.load("MNIST", data_dir, train=train)
        self.images, self.labels = images[:, 0].numpy(), labels.numpy().copy()
        if not train:
            self.labels[list(files.UNCONFIRMED_TEST_LABELS)] = -1
        images, labels = files.load("MNIST", data_dir, train=True)
        self._known, self._known_labels = _reduced(images[::3, 0].numpy()), labels[::3].numpy()  # enough to judge by
        self._traced: dict[int, Glyph | None] = {}
        self._squares = (self._known**2).sum(axis=1)

    def draw(self, rng: np.random.Generator, label: int, few: int = 0) -> Glyph:
        """One digit of a label by chance; with `few`, one of so many, which is fast once these have been traced."""
        candidates = np.flatnonzero(self.labels == label)
        while True:
            index = int(candidates[rng.integers(few)] if few else rng.choice(candidates))
            if index not in self._traced:
                image = self.images[index]
                self._traced[index] = trace(image, label) if self.is_typical(image, label) else None
            if glyph := self._traced[index]:
                return glyph

    def is_typical(self, image: Array, label: int) -> bool:
        """Whether the 5 nearest training digits have the label of an image, uint8 [28, 28]."""
        distances = self._squares - 2 * self._known @ _reduced(image[None])[0]
        nearest = np.argpartition(distances, 5)[:5]
        return int((self._known_labels[nearest] == label).sum()) == 5


def _reduced(images: Array) -> Array:
    """Half the resolution, as float32 [N, 196]: quarter the work, and a shift of a pixel matters less."""
    return np.asarray(images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 196) / 255)

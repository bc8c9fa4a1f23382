"""The reader's finds in labelled pictures, kept beside them."""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch

from mnist_cnn import networks, reading
from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints import DETECTOR
from mnist_cnn.data.labels import Found, Label
from mnist_cnn.reading.models import pretrained_detector
from mnist_cnn.reading.pictures import Opened, Picture, PictureError, read_picture
from mnist_cnn.reading.symbol import look_for

MARGIN = 0.3
"""Of a row's height: what is left around it when it is cut out of a page."""


TENSORS = ("images", "boxes", "scores", "votes")
"""The fields of `Found` that are tensors."""


class ReadingCache:
    """Reads labelled pictures, those that were read before by looking it up; another reader begins anew."""

    def __init__(self, place: Path) -> None:
        """Reads what is there for a folder or a CSV file: a hidden file in the folder or beside the other one."""
        self.path = place / ".labelled.pt" if place.is_dir() else place.with_name(f".{place.name}.labelled.pt")
        makers = [path for module in (reading, networks) for path in sorted(Path(module.__path__[0]).glob("*.py"))]
        content = b"".join(path.read_bytes() for path in (*makers, DETECTOR, Path(__file__)))
        self._reader = hashlib.sha256(content).hexdigest()
        self._before: dict[str, Found] = {}
        self._now: dict[str, Found] = {}
        try:
            stored = torch.load(self.path, weights_only=True)
            if stored["reader"] == self._reader:
                parts = (stored[name].split(stored["counts"]) for name in TENSORS)
                values = zip(stored["keys"], *parts, stored["turns"], strict=True)
                self._before = {key: Found(key.partition(" ")[0], *one) for key, *one in values}
        except Exception:  # none yet, or a damaged one
            pass

    def read(self, label: Label, symbols: list[str]) -> Found | str:
        """Finds in a picture what its label says.

        Args:
            label: Of the picture.
            symbols: The classes of all labels that are no digits; see `look_for`.

        Returns:
            What was found, or why that is not what the label says.
        """
        try:
            content = label.path.read_bytes()
        except (OSError, ValueError) as error:  # or the name has a null character
            return getattr(error, "strerror", None) or str(error)
        digest, count = hashlib.sha256(content).hexdigest(), len(label.names)
        key = f"{digest} {label.crop} {count == 1} {bool(symbols)}"
        if key not in self._now:
            try:
                self._now[key] = self._before.get(key) or _find(digest, content, label, symbols)
            except PictureError as error:
                return str(error)
        found = self._now[key]
        number = len(found.images)
        if number == count:
            return found
        many = "1 digit was found" if number == 1 else f"{number} digits were found"
        return f"{many}, its label has {count}" if number else "no digit was found"

    def save(self) -> None:
        """Keeps what was used now; nothing where the folder cannot be written."""
        if not self._now or self._now.keys() == self._before.keys():
            return
        found = self._now.values()  # stored as a few tensors: thousands take a second to load
        stored = {
            "reader": self._reader,
            "keys": list(self._now),
            "counts": [len(one.images) for one in found],
            "turns": [one.turns for one in found],
            **{name: torch.cat([getattr(one, name) for one in found]) for name in TENSORS},
        }
        try:
            with replacing(self.path) as file:
                torch.save(stored, file)
        except OSError:
            pass


def opened(label: Label, content: bytes | None = None) -> Opened:
    """Reads the picture of a label, or the row in it that the label is for.

    Raises:
        PictureError: It cannot be read.
    """
    whole = read_picture(label.path if content is None else io.BytesIO(content))
    if not label.crop:
        return whole
    left, top, right, bottom = np.array(label.crop) / whole.factor
    more = MARGIN * (bottom - top)
    height, width = whole.pixels.shape[:2]
    x, far = np.clip(np.rint([left - more, right + more]), 0, width).astype(int)
    y, deep = np.clip(np.rint([top - more, bottom + more]), 0, height).astype(int)
    if far - x < 8 or deep - y < 8:
        raise PictureError(f"the row {' '.join(f'{side:.0f}' for side in label.crop)} is not in the picture")
    return whole._replace(pixels=np.ascontiguousarray(whole.pixels[y:deep, x:far]))


def _find(digest: str, content: bytes, label: Label, symbols: list[str]) -> Found:
    picture, is_one = opened(label, content).pixels, len(label.names) == 1
    if picture.shape[:2] == (28, 28) and is_one:
        image, box = torch.from_numpy(_as_it_is(picture)), torch.tensor([[0.0, 0, 28, 28]])
        return Found(digest, image, box, torch.ones(1), torch.full((1, 10), 0.1), 0)
    seen = look_for(symbols, pretrained_detector(), picture, "digit" if is_one else "row")
    arrays = (seen.images, seen.digits.boxes, seen.digits.scores, seen.digits.probabilities)
    images, boxes, scores, votes = (torch.from_numpy(np.ascontiguousarray(value)) for value in arrays)
    return Found(digest, images, boxes, scores, votes, seen.turns)


def _as_it_is(picture: Picture) -> Picture:
    """A picture of 28x28 in MNIST's colours, white on black: uint8 [1, 28, 28]."""
    grey = np.rint(picture.mean(axis=2)).astype(np.uint8)
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return (255 - grey if np.median(rim) > 127 else grey)[None]

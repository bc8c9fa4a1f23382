"""People's own labelled pictures as a data set: read like those of `predict`, cached beside them, a part held out."""

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.utils.data import TensorDataset

from mnist_cnn.data.files import DataError
from mnist_cnn.data.labels import Found, Label, find_labels
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading.folders import shown
from mnist_cnn.reading.pictures import Opened

MOST_CLASSES = 62
"""Digits, capitals and small letters."""
SHARE = 0.2
"""Of the pictures of each class that is held out."""
LEAST_EPOCH = 2000
"""Labelled pictures in an epoch: fewer are repeated, changed by augmentation each time."""


@dataclass(frozen=True)
class LabelledPicture:
    """A picture that was read, and what it shows."""

    label: Label
    found: Found
    """In the order of the label."""

    def opened(self) -> Opened:
        """The picture as it was read, upright."""
        from mnist_cnn.data.reading_cache import opened  # with all that reads

        picture = opened(self.label)
        return picture._replace(pixels=np.ascontiguousarray(np.rot90(picture.pixels, self.found.turns)))


@dataclass(frozen=True)
class LabelledPictures:
    """All labelled pictures of one place."""

    pictures: list[LabelledPicture]
    missed: list[tuple[Label, str]]
    """Those in which not just what the label says was found, and why."""
    problems: list[str]
    """A line about each thing that could not be used at all."""

    @property
    def names(self) -> list[str]:
        """The class of each symbol, picture by picture."""
        return [name for picture in self.pictures for name in picture.label.names]

    @property
    def classes(self) -> list[str]:
        """The names of all classes, in order."""
        return sorted({*self.names, *(name for label, _ in self.missed for name in label.names)})

    @property
    def owners(self) -> list[int]:
        """For each symbol the number of its picture."""
        return [k for k, picture in enumerate(self.pictures) for _ in picture.label.names]

    def tensors(self, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Images, uint8 [N, 1, 28, 28], and labels, int64 [N], the places of their names in `classes`."""
        images = torch.cat([torch.zeros(0, 28, 28, dtype=torch.uint8), *(one.found.images for one in self.pictures)])
        return images.unsqueeze(1), torch.tensor([classes.index(name) for name in self.names], dtype=torch.int64)

    def digests(self, chosen: Tensor) -> list[str]:
        """Of the pictures of some symbols, which `chosen` tells, bool [N]."""
        return sorted(
            {self.pictures[k].found.digest for k, one in zip(self.owners, chosen.tolist(), strict=True) if one}
        )

    def held_out(self, any_at_all: bool = True) -> Tensor:
        """Which symbols are held out for validation, bool [N]: about a fifth of each class, always the same ones.

        What one writer wrote, and what stands in one picture, is held out together. At least one of each class is,
        where there are two; the last one never is.

        Args:
            any_at_all: False holds out none.
        """
        if not any_at_all:
            return torch.zeros(len(self.owners), dtype=torch.bool)
        groups = [picture.label.writer or picture.found.digest for picture in self.pictures]
        if len(set(groups)) < 2:  # all by one hand
            groups = [picture.found.digest for picture in self.pictures]
        counts: dict[str, Counter[str]] = {group: Counter() for group in groups}
        for group, picture in zip(groups, self.pictures, strict=True):
            counts[group].update(picture.label.names)
        total: Counter[str] = sum(counts.values(), Counter())
        wanted = {name: max(1.0, SHARE * count) if count > 1 else 0.0 for name, count in total.items()}
        taken: Counter[str] = Counter()
        chosen = set()
        for group in sorted(counts, key=lambda group: hashlib.sha256(group.encode(errors="replace")).digest()):
            more = counts[group]
            gain = sum(abs(taken[name] - wanted[name]) - abs(taken[name] + more[name] - wanted[name]) for name in more)
            if gain > 0 and all(taken[name] + more[name] < total[name] for name in more):
                chosen.add(group)
                taken += more
        return torch.tensor([groups[owner] in chosen for owner in self.owners], dtype=torch.bool)


def read_labelled(place: str, known: Sequence[str]) -> LabelledPictures:
    """Finds and reads labelled pictures; what was read before comes from the cache beside them.

    Args:
        place: As for `find_labels`.
        known: The classes of the network that they are for.

    Raises:
        DataError: There are none, or they contradict each other.
    """
    from mnist_cnn.data.reading_cache import ReadingCache

    labels, problems = find_labels(place, list(known))
    symbols = sorted({*known, *(name for label in labels for name in label.names)} - set(DIGITS))
    cache = ReadingCache(Path(place).expanduser())
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        reading = threads.map(lambda label: cache.read(label, symbols), labels)
        found = list(track(reading, "reading pictures", len(labels), disable=len(labels) < 20))
    cache.save()
    pictures: dict[tuple[str, tuple[float, ...]], LabelledPicture] = {}
    missed: list[tuple[Label, str]] = []
    for label, one in zip(labels, found, strict=True):
        if isinstance(one, str):
            missed.append((label, one))
            continue
        other = pictures.setdefault((one.digest, label.crop), LabelledPicture(label, one))
        if other.label.names != label.names:
            raise DataError(
                f"{shown(label.path)} and {shown(other.label.path)} are the same picture with two labels, "
                f"{label.text} and {other.label.text}: keep the one that is right"
            )
    if not pictures:
        raise DataError(f"nothing was found in the pictures of --data.labelled={shown(place)}: {missed[0][1]}")
    return LabelledPictures(list(pictures.values()), missed, problems)


def joined_classes(names: list[str], known: Sequence[str]) -> list[str]:
    """The classes of a network that learns from pictures.

    Args:
        names: The classes of the pictures.
        known: Those of the network. It keeps them all and gets more, unless the pictures have none of them.

    Raises:
        DataError: They are too few or too many.
    """
    classes = list(known)
    if not set(names) <= set(known):
        classes = sorted({*names, *known}) if set(names) & set(known) else names
    if not 2 <= len(classes) <= MOST_CLASSES:
        wrong = f"{len(classes)} classes are too many" if classes[1:] else f"there is only one class, {classes[0]}"
        raise DataError(f"{wrong}: give pictures of 2 to {MOST_CLASSES} classes")
    return classes


def check_use(own: LabelledPictures, known: Sequence[str], place: str, stage: str, hold_out: bool) -> None:
    """Makes sure, before a run has a folder, that pictures will do for a stage of a network of `known` classes.

    Raises:
        DataError: They will not.
    """
    if stage == "fit":
        joined_classes(own.classes, known)
    elif unknown := sorted(set(own.classes) - set(known)):
        raise DataError(
            f"{place} has classes that this checkpoint does not know ({', '.join(unknown[:5])}): let it learn them by "
            f"fit --config finetune {shlex.quote(f'--data.labelled={place}')}, or give another --ckpt_path"
        )
    if stage != "test" and hold_out and not own.held_out().any():
        raise DataError(
            f"--data.labelled={place} has no class with two pictures, so none can be held out: give more, "
            f"or learn without finding out what was learned by --data.val_size=0"
        )


def mixed(own: tuple[Tensor, Tensor], data: TensorDataset, classes: Sequence[str], count: int) -> TensorDataset:
    """The images of an epoch of training: labelled pictures, repeated where they are few, and others beside them.

    Args:
        own: Images and labels of labelled pictures.
        data: Images of digits and labels, -1 for none, that shall not be forgotten.
        classes: Those that the network learns. Digits that are no classes are left out.
        count: How many images of `data` there shall be.
    """
    images, labels = as_classes(data, classes)
    if len(labels) > count:
        chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:count]
        images, labels = images[chosen], labels[chosen]
    times = max(1, LEAST_EPOCH // max(1, len(own[1])))
    return dataset((own[0].repeat(times, 1, 1, 1), own[1].repeat(times)), (images, labels))


def as_classes(data: TensorDataset, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Digits with their labels, -1 for none, as those of these classes; without the ones that are none of them."""
    images, labels = data.tensors
    if not set(classes) & set(DIGITS):
        return images[:0], labels[:0]
    places = torch.tensor([classes.index(digit) if digit in classes else -2 for digit in DIGITS] + [-1])
    mapped = places[labels]
    return images[mapped > -2], mapped[mapped > -2]


def only_classes(data: TensorDataset, classes: Sequence[str]) -> TensorDataset:
    """Digits for a network of these classes, without those that it does not know.

    Raises:
        DataError: It knows none.
    """
    if list(classes) == list(DIGITS):
        return data
    known = TensorDataset(*as_classes(data, classes))
    if not len(known):
        raise DataError(
            f"this network knows {', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''}, and no digits: add "
            f"--data.labelled=PLACE with pictures of what it knows"
        )
    return known


def dataset(*parts: tuple[Tensor, Tensor]) -> TensorDataset:
    """Images and labels one after the other."""
    return TensorDataset(*(torch.cat(part) for part in zip(*parts, strict=True)))

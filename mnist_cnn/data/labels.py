"""Pictures with labels: found in folders of classes, or in a CSV file such as `predict` writes."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from mnist_cnn.data.errors import DataError
from mnist_cnn.reading.folders import find_pictures, shown
from mnist_cnn.reading.results import joined

LONGEST = 24
"""Characters that the name of a class may have."""
TABLE = "labels.csv"
"""In a folder: the CSV file that says what its pictures show, as the page to draw on keeps it."""
CORNERS = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Label:
    """The label that somebody gave a picture."""

    path: Path
    names: tuple[str, ...]
    """The class of each symbol, left to right."""
    writer: str = ""
    """Who wrote it, where that is known: what one hand wrote is held out together."""
    crop: tuple[float, ...] = ()
    """Left, top, right, bottom of a row in pixels of the upright picture; empty for the whole of it."""

    @property
    def text(self) -> str:
        """The names in a row."""
        return joined(self.names)


class Found(NamedTuple):
    """The N symbols that were found in a picture, left to right."""

    digest: str
    """Of the file."""
    images: Tensor
    """Uint8 [N, 28, 28]."""
    boxes: Tensor
    """Left, top, right, bottom in pixels of the picture as it was read, float [N, 4]."""
    scores: Tensor
    """The probability that there is something, float [N]."""
    votes: Tensor
    """Of which digit it is, to the detector, float [N, 10]."""
    turns: int
    """By how many quarter turns to the left it was turned to read it."""


def find_labels(place: str, known: list[str]) -> tuple[list[Label], list[str]]:
    """Finds pictures and what they show.

    Args:
        place: A folder with a folder of pictures for each class, as torchvision's ImageFolder has them; a CSV file with
            the columns file and digits; or a folder with such a file of the name labels.csv. Folders within those of
            the classes are taken for writers; so is the column writer. Files are looked for beside the CSV file, then
            in the current folder.
        known: Names of classes; a text of several characters that is none of them is a row of symbols, whose names
            have spaces between them or one character each.

    Returns:
        The labels in the order of their names or lines, and a line about each thing that could not be used.

    Raises:
        DataError: Nothing is there, or not in one of these two forms.
    """
    path = Path(place).expanduser()
    path = path / TABLE if (path / TABLE).is_file() else path
    if path.is_dir():
        labels, problems = _of_folder(path)
    elif path.is_file() and path.suffix.lower() not in Image.registered_extensions():
        labels, problems = _of_csv(path, known)
    else:
        what = "is a picture" if path.is_file() else "does not exist"
        raise DataError(
            f"--data.labelled={shown(place)} {what}: give a folder with a folder of pictures for each class, or a CSV "
            f"file with the columns file and digits"
        )
    for name in dict.fromkeys(name for label in labels for name in label.names):
        if not name.isprintable() or any(map(str.isspace, name)) or len(name) > LONGEST:
            raise DataError(
                f"{shown(name)!r} cannot be the name of a class: give it at most {LONGEST} characters and no spaces"
            )
    if not labels:
        reasons = "; ".join(problems[:3]) or "it is empty"
        raise DataError(f"--data.labelled={shown(place)} has no labelled pictures ({reasons})")
    return labels, problems


def delimiter_of(header: str) -> str:
    """What stands between the columns of a table with such a first line: spreadsheets of some countries write `;`."""
    return max(",;\t", key=header.count)


def _of_folder(folder: Path) -> tuple[list[Label], list[str]]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        tables = sorted(folder.glob("*.csv"))
        instead = f"give --data.labelled={shown(tables[0])}" if tables else f"put each into {shown(folder)}/CLASS/"
        raise DataError(
            f"--data.labelled={shown(folder)} has no folders of classes, so nobody knows what its pictures show: "
            f"{instead}"
        )
    labels, problems = [], []
    for place in classes:
        paths, complaints = find_pictures(str(place))
        problems += complaints
        for path in paths:
            inner = path.relative_to(place).parent
            labels.append(Label(path, (place.name,), "" if inner == Path() else str(inner)))
    return labels, problems


def _of_csv(table: Path, known: list[str]) -> tuple[list[Label], list[str]]:
    try:
        text = table.read_text(encoding="utf-8-sig", errors="surrogateescape")
        header = text.partition("\n")[0]
        delimiter = delimiter_of(header)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, csv.Error) as error:
        raise DataError(f"{shown(table)} cannot be read as a CSV file: {error}") from error
    missing = {"file", "digits"} - set(rows[0] if rows else header.strip().split(delimiter))
    if missing:
        raise DataError(
            f"{shown(table)} has no column {' and no column '.join(sorted(missing))}: its first line must be "
            f"file,digits, and may have writer, too"
        )
    labels, problems = [], []
    for number, row in enumerate(rows, start=2):
        file, digits = ((row[name] or "").strip() for name in ("file", "digits"))
        if not file or not digits:
            problems.append(f"{shown(table)}, line {number}: no {'file' if not file else 'label'}, left out")
            continue
        path = table.parent / Path(file).expanduser()
        path = path if path.exists() else Path(file).expanduser()
        names = (digits,) if digits in known else tuple(digits.split() if " " in digits else digits)
        try:
            labels.append(Label(path, names, (row.get("writer") or "").strip(), _crop(row)))
        except ValueError:
            problems.append(f"{shown(table)}, line {number}: left, top, right and bottom are no box, left out")
    return labels, problems


def _crop(row: dict[str, str]) -> tuple[float, ...]:
    """The box of a line, empty where it has none.

    Raises:
        ValueError: What it has is no box.
    """
    if not any(row.get(name) for name in CORNERS):
        return ()
    left, top, right, bottom = (float(row.get(name) or "") for name in CORNERS)
    if not (left < right and top < bottom):
        raise ValueError
    return left, top, right, bottom

"""What was read in pictures against what is in them."""

import csv
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mnist_cnn.data.files import DataError

Box = tuple[float, float, float, float]
SIDES = ("left", "top", "right", "bottom")
COLUMNS = ("file", "digits", *SIDES, "difficulty", "split", "seed")
"""Of `labels.csv`: a line for each row of digits, and one without digits for a picture that has none."""


class Row(NamedTuple):
    """A row of digits, as it is or as it was read.

    Attributes:
        digits: From left to right; empty where nothing was read.
        confidence: That all of them are right, 0 to 1.
        box: Left, top, right and bottom in pixels of the picture as a viewer shows it; None where it is not known.
    """

    digits: str
    confidence: float = 1.0
    box: Box | None = None


Reader = Callable[[Path], Iterable[tuple[str, float, Box | None]]]
"""Reads a picture file: digits, confidence and box of each row, in reading order."""


@dataclass(frozen=True)
class Picture:
    """What is in a picture, and what was read in it.

    Attributes:
        file: Its path below the folder of all pictures; its first folder is the layout.
        difficulty: What is hard about it.
        rows: What is written, in reading order; empty where there is no digit.
        answers: What was read, in the reader's order; empty where it skipped the picture.
    """

    file: str
    difficulty: str
    rows: tuple[Row, ...] = ()
    answers: tuple[Row, ...] = ()

    @property
    def layout(self) -> str:
        """How it is read: digit, row, page or nothing."""
        return self.file.split("/")[0]


@dataclass(frozen=True)
class Marks:
    """How one picture was read.

    Attributes:
        right: Confidence in each row that was read without a mistake.
        wrong: Confidence in each answer that is not what stands there.
        false: Confidence in each answer where no row is.
        missed: How many rows have no answer.
        in_order: Whether the rows found came in reading order.
    """

    right: tuple[float, ...]
    wrong: tuple[float, ...]
    false: tuple[float, ...]
    missed: int
    in_order: bool

    @property
    def perfect(self) -> bool:
        """Whether every row is right, in order, and nothing else was read."""
        return not self.wrong and not self.false and not self.missed and self.in_order


def marks(picture: Picture) -> Marks:
    """Compares what was read in a picture with what is in it.

    A row of a page is found by the answer whose box overlaps its own most, by at least half of the smaller one;
    in other layouts there is one row at most, and the place does not matter.
    """
    if picture.layout == "page":
        pairs = _pairs(picture.rows, picture.answers)
    else:
        pairs = {0: 0} if picture.rows and picture.answers else {}
    found = [(picture.rows[truth].digits, picture.answers[answer]) for truth, answer in sorted(pairs.items())]
    right = tuple(row.confidence for digits, row in found if row.digits == digits)
    wrong = tuple(row.confidence for digits, row in found if row.digits != digits)
    false = tuple(row.confidence for i, row in enumerate(picture.answers) if i not in pairs.values())
    order = [answer for _, answer in sorted(pairs.items())]
    return Marks(right, wrong, false, len(picture.rows) - len(pairs), order == sorted(order))


def _pairs(rows: Sequence[Row], answers: Sequence[Row]) -> dict[int, int]:
    """Which answer belongs to which row: each to one at most, the largest overlap first."""
    overlaps = []
    for (i, row), (j, answer) in itertools.product(enumerate(rows), enumerate(answers)):
        if row.box and answer.box:
            shared, union, smaller = _overlap(row.box, answer.box)
            if shared >= 0.5 * smaller > 0:
                overlaps.append((-shared / union, i, j))
    pairs: dict[int, int] = {}
    for _, i, j in sorted(overlaps):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _overlap(one: Box, other: Box) -> tuple[float, float, float]:
    """The area that two boxes share, that of both together, and that of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared, sum(areas) - shared, min(areas)


def labelled(folder: Path) -> list[Picture]:
    """The pictures that `labels.csv` in a folder names, unread.

    Raises:
        DataError: There is no such file, or it lacks a column.
    """
    found: dict[str, Picture] = {}
    for line in lines(folder / "labels.csv", COLUMNS, "write it with scripts/score_pictures.py --output"):
        one = found.setdefault(line["file"], Picture(line["file"], line["difficulty"]))
        found[one.file] = replace(one, rows=one.rows + _row(line, 1.0))
    return list(found.values())


def answered(pictures: Sequence[Picture], predictions: Path) -> list[Picture]:
    """The pictures with the answers of a CSV file.

    Its columns are file, digits and confidence, for pages also left, top, right and bottom: a line for each row.

    Raises:
        DataError: The file lacks a column, or answers twice for a picture that is no page.
    """
    pages = any(one.layout == "page" for one in pictures)
    columns = ("file", "digits", "confidence", *(SIDES if pages else ()))
    answers: dict[tuple[str, ...], tuple[Row, ...]] = {}
    for line in lines(predictions, columns, "write it with `predict`"):
        key = Path(line["file"]).parts[-2:]  # unique, wherever the path starts
        if key in answers and not pages:
            raise DataError(f"{predictions} has two answers for {line['file']}")
        answers[key] = answers.get(key, ()) + _row(line, float(line["confidence"] or 0))
    return [replace(one, answers=answers.get(Path(one.file).parts[-2:], ())) for one in pictures]


def lines(path: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """Of a CSV file with at least some columns; the remedy is what a user can do where it has not."""
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file, restval="")
            found = list(reader)
        for number in (line.get(name) for line in found for name in ("confidence", *SIDES)):
            float(number or 0)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read {path} ({getattr(error, 'strerror', None) or error}): {remedy}") from error
    if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise DataError(f"{path} lacks {', '.join(missing)}; its columns are {', '.join(columns)}: {remedy}")
    return found


def _row(line: dict[str, str], confidence: float) -> tuple[Row, ...]:
    """The row of a line, if it has one."""
    sides = [float(line[side]) for side in SIDES if line.get(side)]
    box = (sides[0], sides[1], sides[2], sides[3]) if len(sides) == 4 else None
    return (Row(line["digits"], confidence, box),) if line["digits"] else ()


def read(folder: Path, reader: Reader, layout: str | None = None) -> list[Picture]:
    """Lets a function read the pictures of a folder that `scripts/score_pictures.py` wrote.

    Args:
        folder: It holds `labels.csv`.
        reader: Takes the path of a picture; gives digits, confidence and box of each row, in reading order.
        layout: Reads only these: digit, row, page or nothing. Default: all.

    Raises:
        DataError: The folder has no such pictures.
    """
    pictures = [one for one in labelled(folder) if layout in (None, one.layout)]
    if not pictures:
        raise DataError(f"{folder} has no pictures of layout {layout}: see its labels.csv")
    return [replace(one, answers=tuple(Row(*row) for row in reader(folder / one.file) if row[0])) for one in pictures]

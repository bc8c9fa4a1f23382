"""The files of `predict`: predictions as CSV, and a contact sheet of pictures."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from torch import Tensor

from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.contact_sheet import check_places, write_contact_sheet
from mnist_cnn.checkpoints import PRETRAINED
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.data.files import DataError
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading.folders import shown
from mnist_cnn.reading.results import Reading, Row

if TYPE_CHECKING:
    from mnist_cnn.data.picture_set import PictureSet, SeenPicture

OPTION = "--predictions.output=FILE.csv"
COLUMNS = ["file", "digits", "confidence"]
CORNERS = ["left", "top", "right", "bottom"]


class PredictionWriter(BasePredictionWriter):
    """Writes the predictions of `predict` to a CSV file, one line per image in order.

    Of pictures of handwriting also a table on the terminal, and beside the CSV a contact sheet, PNG: each picture,
    the answers in it, and what the network saw.
    """

    def __init__(self, output: str = "predictions.csv", boxes: bool = False) -> None:
        """Where the predictions go.

        Args:
            output: The CSV file, with the columns file, digits and confidence (0 to 1), for pictures also note; of
                pages it has a line for each row of digits, in reading order, and the row's box as left, top, right,
                bottom in pixels of the upright picture. It is complete or absent. The contact sheet of pictures has
                the same name with the ending .png, and -2.png and so on for its further pages.
            boxes: Whether to add a column with the box of each digit, `left top right bottom`, apart by semicolons.
        """
        super().__init__(write_interval="epoch")
        self.output = Path(output).expanduser()
        self.boxes = boxes

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Finds out before the work whether there is a place for its result."""
        if stage != "predict":
            return
        if trainer.world_size > 1:
            raise DataError("predict runs in one process: add --trainer.devices=1")
        if self.output.is_dir() or not self.output.name:
            raise DataError(f"{str(self.output)!r} is a folder: choose a file with {OPTION}")
        if self.output.suffix.lower() not in (".csv", ""):
            raise DataError(f"{str(self.output)!r} would not be in the format of its name: end it with .csv")
        pictures = getattr(trainer.datamodule, "picture_set", None)  # type: ignore[attr-defined]
        if pictures is not None:
            check_places(self.output.with_suffix(".png"), len(pictures.paths), OPTION)

    def write_on_epoch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, predictions: Any, batch_indices: Any
    ) -> None:
        """Writes the files, under other names first."""
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        classes: Sequence[str] = getattr(pl_module, "classes", DIGITS)
        if getattr(data, "picture_set", None) is not None:
            votes = trainer.ckpt_path == str(PRETRAINED)
            self._write_pictures(cast("PictureSet", data.picture_set), predictions, votes, classes)
            return
        confidence, digits = torch.cat(predictions).max(dim=1)
        rows = [
            [f"{data.dataset}/test/{i}", classes[digit], f"{sure:.6f}"]
            for i, (digit, sure) in enumerate(zip(digits.tolist(), confidence.tolist(), strict=True))
        ]
        self._write_csv(COLUMNS, rows)
        print(f"{len(digits):,} predictions: {self.output}")

    def _write_pictures(
        self, pictures: "PictureSet", predictions: list[Tensor], votes: bool, classes: Sequence[str]
    ) -> None:
        answers = [
            answer
            for seen, batch in zip(pictures.seen, predictions, strict=False)
            for answer in _readings(seen, batch, votes, classes)
        ]
        skipped = [*pictures.problems, *(picture.remark for picture, reading in answers if reading is None)]
        read = [(picture, reading) for picture, reading in answers if reading is not None]
        empty = [f"{shown(picture.path)}: no digit was found" for picture, reading in read if not reading.rows]
        for line in [*skipped, *empty]:
            print(f"warning: {line}", file=sys.stderr)
        count = len(read) - len(empty)
        rest = (f", {len(skipped)} skipped" if skipped else "") + (f", {len(empty)} without a digit" if empty else "")
        if not count:
            raise DataError(f"no digit was read{rest}: give pictures of handwritten digits with --data.pictures")
        cells = [(shown(picture.path), reading) for picture, reading in read]
        sheet = write_contact_sheet(cells, self.output.with_suffix(".png"), OPTION)
        is_page = pictures.layout == "page"
        columns = [*COLUMNS, *(CORNERS if is_page else []), *(["boxes"] if self.boxes else []), "note"]
        rows = [line for picture, reading in read for line in _lines(picture, reading, is_page, self.boxes)]
        self._write_csv(columns, rows)
        table = Table("picture", "digits", Column("confidence", justify="right"), "note")
        for path, digits, confidence, *_, note in rows:
            table.add_row(Text(shown(path), overflow="fold"), digits, f"{float(confidence):.1%}", note)
        Console().print(table)
        print(f"{count:,} prediction{'s' * (count != 1)}{rest}: {self.output}, contact sheet: {sheet}")

    def _write_csv(self, columns: list[str], rows: list[list[str]]) -> None:
        try:
            with replacing(self.output) as file:
                # File names need not be valid text: their bytes are kept as they are.
                text = io.TextIOWrapper(file, newline="", encoding="utf-8", errors="surrogateescape")
                csv.writer(text, lineterminator="\n").writerows([columns, *rows])
                text.detach()
        except OSError as error:
            raise DataError(
                f"cannot write {self.output} ({error.strerror}): choose another file with {OPTION}"
            ) from error


def _readings(
    seen: "list[SeenPicture]", probabilities: Tensor, votes: bool, classes: Sequence[str]
) -> "Iterator[tuple[SeenPicture, Reading | None]]":
    """Each picture of a batch with its reading; None where the file could not be read."""
    start = 0
    for picture in seen:
        if picture.sighting is None or picture.opened is None:
            yield picture, None
            continue
        end = start + len(picture.sighting.all_images)
        part = probabilities[start:end].float().cpu().numpy()
        yield picture, picture.sighting.reading(picture.opened, part, votes, classes)
        start = end


def _lines(picture: "SeenPicture", reading: Reading, is_page: bool, with_boxes: bool) -> Iterator[list[str]]:
    """Lines of the CSV file: of a page one for each row, else one for the picture."""
    remark = [picture.remark, "" if reading.rows else "no digit was found"]
    if reading.turns:
        remark.append(f"read after {reading.turns * 90} degrees to the left")
    rows: list[Row | None] = [*reading.rows] or [None]
    for row in rows:
        line = [str(picture.path), row.digits if row else "", f"{row.confidence if row else 0:.6f}"]
        if is_page:
            line += [f"{side:.1f}" for side in row.box] if row else [""] * 4
        if with_boxes:
            line.append(";".join(" ".join(f"{side:.1f}" for side in box) for box in (row.boxes if row else [])))
        yield [*line, "; ".join(filter(None, remark))]

"""What is left of `test` and `predict`: the verdict in words, and a file of predictions."""

import csv
import io
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import BasePredictionWriter, Callback
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from torch import Tensor
from torchmetrics import CatMetric, SumMetric

from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.contact_sheet import contact_sheet
from mnist_cnn.data.candidates import Reading, choose
from mnist_cnn.data.datamodule import BatchSampler, DigitDataModule, PictureSet, SeenPicture
from mnist_cnn.data.files import UNCONFIRMED_TEST_LABELS, DataError
from mnist_cnn.data.ink import Picture
from mnist_cnn.data.pictures import shown


class TestReport(Callback):
    """Prints accuracy, number of errors and a 95% confidence interval after `test` and `validate`.

    They count the images that were seen, by all processes. For all of MNIST's test images also without the 15 whose
    labels human raters did not confirm.
    """

    __test__ = False  # not a test case of pytest

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Refuses to count nothing."""
        if stage == "test" and trainer.limit_test_batches == 0:
            raise DataError("nothing to test with --trainer.limit_test_batches=0: leave it out")

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts empty."""
        self._errors = CatMetric().to(pl_module.device)
        self._count = SumMetric().to(pl_module.device)

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        *args: Any,
    ) -> None:
        """Notes which digits were read wrongly."""
        wrong = outputs.argmax(dim=1) != batch[1]
        loader: Any = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
        sampler: BatchSampler = loader.sampler
        self._count.update(len(wrong))
        self._errors.update(sampler.batches()[batch_idx].to(wrong.device)[wrong].float())

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the verdict."""
        errors = set(torch.as_tensor(self._errors.compute()).int().flatten().tolist())
        count = int(self._count.compute())  # like the errors, of all processes
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or not count:
            return
        print(f"{data.dataset} {'test set' if trainer.testing else 'validation split'}: {verdict(len(errors), count)}")
        if trainer.testing and data.dataset == "MNIST" and data.test_set is not None and count == len(data.test_set):
            disputed = set(UNCONFIRMED_TEST_LABELS)
            confirmed = verdict(len(errors - disputed), count - len(disputed))
            print(f"without the {len(disputed)} digits whose labels people did not confirm: {confirmed}")

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """As for `test`, but not while a network is trained."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_epoch_start(trainer, pl_module)

    def on_validation_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Likewise."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_batch_end(trainer, *args)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Likewise."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_epoch_end(trainer, pl_module)


def verdict(errors: int, count: int) -> str:
    """Accuracy, errors and the 95% interval of a score, in words."""
    low, high = wilson_interval(count - errors, count)
    return f"accuracy {1 - errors / count:.2%}, {errors} errors in {count:,} (95% interval {low:.2%} to {high:.2%})"


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (E. B. Wilson, 1927).

    Args:
        successes: How many of the trials succeeded.
        trials: At least 1.
        z: The normal quantile; the default gives 95%.

    Returns:
        The lower and the upper bound, 0 to 1.
    """
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    middle = share + z * z / (2 * trials)
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


class PredictionWriter(BasePredictionWriter):
    """Writes the predictions of `predict` to a CSV file, one line per image in order.

    Of pictures of handwriting also a table on the terminal, and beside the CSV a contact sheet, PNG: each picture,
    what the network saw of it, the answer and its confidence.
    """

    def __init__(self, output: str = "predictions.csv") -> None:
        """Where the predictions go.

        Args:
            output: The CSV file, with the columns file, digits and confidence (0 to 1), for pictures also note. It
                is complete or absent. The contact sheet of pictures has the same name with the ending .png, and
                -2.png and so on for its further pages.
        """
        super().__init__(write_interval="epoch")
        self.output = Path(output)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Finds out before the work whether there is a place for its result."""
        if stage == "predict" and (self.output.is_dir() or not self.output.name):
            raise DataError(f"{str(self.output)!r} is a folder: choose a file with --predictions.output=FILE.csv")
        if stage == "predict" and self.output.suffix.lower() == ".png":
            raise DataError(f"{str(self.output)!r} is the contact sheet's name: end --predictions.output with .csv")
        if stage == "predict" and trainer.limit_predict_batches == 0:
            raise DataError("nothing to predict with --trainer.limit_predict_batches=0: leave it out")

    def write_on_epoch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, predictions: Any, batch_indices: Any
    ) -> None:
        """Writes the files, under other names first."""
        if trainer.world_size > 1:
            raise DataError("predict runs in one process: add --trainer.devices=1")
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        if getattr(data, "picture_set", None) is not None:
            self._write_pictures(cast(PictureSet, data.picture_set), predictions)
            return
        confidence, digits = torch.cat(predictions).max(dim=1)
        rows = [
            [f"{data.dataset}/test/{i}", str(digit), f"{sure:.6f}"]
            for i, (digit, sure) in enumerate(zip(digits.tolist(), confidence.tolist(), strict=True))
        ]
        self._write_csv(["file", "digits", "confidence"], rows)
        print(f"{len(digits):,} predictions: {self.output}")

    def _write_pictures(self, pictures: PictureSet, predictions: list[Tensor]) -> None:
        answers = [
            answer for seen, batch in zip(pictures.seen, predictions, strict=False) for answer in _read(seen, batch)
        ]
        skipped = [*pictures.problems, *(picture.remark for picture, _ in answers if picture.thumbnail is None)]
        answers = [(picture, reading) for picture, reading in answers if picture.thumbnail is not None]
        empty = [f"{shown(picture.path)}: no digit was found" for picture, reading in answers if not reading.digits]
        for line in [*skipped, *empty]:
            print(f"warning: {line}", file=sys.stderr)
        count = len(answers) - len(empty)
        rest = (f", {len(skipped)} skipped" if skipped else "") + (f", {len(empty)} without a digit" if empty else "")
        if not count:
            raise DataError(f"no digit was read{rest}: give pictures of handwritten digits with --data.pictures")
        rows = [
            [str(picture.path), reading.digits, f"{reading.confidence:.6f}", _note(picture, reading)]
            for picture, reading in answers
        ]
        cells = [(shown(p.path), cast(Picture, p.thumbnail), r) for p, r in answers]
        count_of_pages = 0
        for count_of_pages, page in enumerate(contact_sheet(cells), start=1):
            name = f"{self.output.stem}{'' if count_of_pages == 1 else f'-{count_of_pages}'}.png"
            self._write(self.output.with_name(name), partial(page.save, format="PNG"))
        self._write_csv(["file", "digits", "confidence", "note"], rows)
        _print_table(rows)
        pages = f" to {self.output.stem}-{count_of_pages}.png" if count_of_pages > 1 else ""
        print(f"{count:,} predictions{rest}: {self.output}, contact sheet: {self.output.with_suffix('.png')}{pages}")

    def _write_csv(self, columns: list[str], rows: list[list[str]]) -> None:
        def write(file: BinaryIO) -> None:
            # File names need not be valid text: their bytes are kept as they are.
            text = io.TextIOWrapper(file, newline="", encoding="utf-8", errors="surrogateescape")
            csv.writer(text, lineterminator="\n").writerows([columns, *rows])
            text.detach()

        self._write(self.output, write)

    def _write(self, output: Path, write: Callable[[BinaryIO], None]) -> None:
        try:
            with replacing(output) as file:
                write(file)
        except OSError as error:
            raise DataError(
                f"cannot write {output} ({error.strerror}): choose another file with --predictions.output=FILE.csv"
            ) from error


def _read(seen: list[SeenPicture], probabilities: Tensor) -> Iterator[tuple[SeenPicture, Reading]]:
    """Each picture of a batch with its reading."""
    start = 0
    for picture in seen:
        end = start + len(picture.candidates.images)
        yield picture, choose(picture.candidates, probabilities[start:end].float().cpu().numpy())
        start = end


def _note(picture: SeenPicture, reading: Reading) -> str:
    return "; ".join(filter(None, [picture.remark, "" if reading.digits else "no digit was found"]))


def _print_table(rows: list[list[str]]) -> None:
    table = Table("picture", "digits", Column("confidence", justify="right"), "note")
    for path, digits, confidence, note in rows:
        table.add_row(Text(shown(path), overflow="fold"), digits, f"{float(confidence):.1%}", note)
    Console().print(table)

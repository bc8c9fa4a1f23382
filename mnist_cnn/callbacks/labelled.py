"""The report on labelled pictures: which cannot be used, and in `test` how well they are read."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from mnist_cnn.calibration import Reliability
from mnist_cnn.callbacks.contact_sheet import check_places, write_contact_sheet
from mnist_cnn.callbacks.results import labelled, say, verdict
from mnist_cnn.checkpoints import PRETRAINED
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.data.files import DataError
from mnist_cnn.data.labelled import LabelledPicture, LabelledPictures
from mnist_cnn.reading.folders import shown
from mnist_cnn.reading.pictures import PictureError
from mnist_cnn.reading.results import Reading, Row, joined

OPTION = "--mistakes.output=FILE.png"
MOST_NAMED = 20
"""Pictures that are named one by one."""
MOST_SHOWN = 180
"""Mistakes on the contact sheet."""


class LabelledReport(Callback):
    """Names labelled pictures that cannot be used; after `test --data.labelled` prints a verdict, draws mistakes."""

    def __init__(self, output: str = "mistakes.png") -> None:
        """Where the mistakes go.

        Args:
            output: The contact sheet of pictures that `test --data.labelled` got wrong, PNG, and -2.png and so on for
                its further pages.
        """
        self.output = Path(output).expanduser()
        self._answers: list[Tensor] = []

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Finds out before the work whether there is a place for its result; names what cannot be used."""
        own = labelled(trainer)
        if own is None:
            return
        if stage == "test":
            if trainer.world_size > 1:
                raise DataError("labelled pictures are tested in one process: add --trainer.devices=1")
            if self.output.is_dir() or self.output.suffix.lower() != ".png":
                raise DataError(f"{str(self.output)!r} is no PNG file: choose one with {OPTION}")
            check_places(self.output, min(MOST_SHOWN, len(own.pictures) + len(own.missed)), OPTION)
        missed = [(label, why.rpartition(": ")[2]) for label, why in own.missed]  # the file's name stands before it
        lines = own.problems + [f"{shown(label.path)}, labelled {label.text}: {why}" for label, why in missed]
        for line in lines[:MOST_NAMED]:
            say(f"warning: {line}", file=sys.stderr)
        if len(lines) > MOST_NAMED:
            say(f"warning: and {len(lines) - MOST_NAMED:,} more pictures like these", file=sys.stderr)

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts empty."""
        self._answers.clear()

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Notes the answers."""
        own = labelled(trainer)
        if own is not None:
            indices = trainer.test_dataloaders.sampler.batches()[batch_idx]  # type: ignore[union-attr]
            probabilities = outputs.exp().cpu().double()  # which Apple's GPUs have not
            if trainer.ckpt_path == str(PRETRAINED):  # as in `predict`, where both networks of the package vote
                from mnist_cnn.reading.sighting import voted  # with all that reads

                votes = torch.cat([picture.found.votes for picture in own.pictures])[indices]
                probabilities = torch.from_numpy(voted(probabilities.numpy(), votes.double().numpy()))
            scores = torch.cat([picture.found.scores for picture in own.pictures])[indices]
            confidence, answers = probabilities.max(dim=1)
            self._answers.append(torch.stack((indices, answers, batch[1].cpu(), confidence * scores), dim=1))

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the verdict, the worst confusion and what to look at; draws the mistakes."""
        own = labelled(trainer)
        if own is None or not self._answers:
            return
        table = torch.cat(self._answers)
        wrong = table[table[:, 1] != table[:, 2]]
        missed = sum(len(label.names) for label, _ in own.missed)
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        print(f"labelled pictures: {verdict(len(wrong) + missed, len(table) + missed)}")
        if missed:
            print(f"of these errors {missed} are in {len(own.missed)} pictures in which not just that was found")
        if sentence := worst_confusion(table[:, 2].int().tolist(), table[:, 1].int().tolist(), data.classes):
            print(sentence)
        error = Reliability.of(table[:, 3], table[:, 1] == table[:, 2]).error
        print(f"expected calibration error: {error:.2%}")
        known = sum(picture.found.digest in data.trained_on for picture in own.pictures)
        if known:
            print(
                f"warning: {known} of these pictures were trained on, so this is no test: give others", file=sys.stderr
            )
        if len(wrong) or missed:
            self._draw(own, table, data.classes)

    def _draw(self, own: LabelledPictures, table: Tensor, classes: Sequence[str]) -> None:
        from mnist_cnn.data.reading_cache import opened  # with all that reads

        owners, rows = own.owners, {int(row[0]): row for row in table}
        of_picture: dict[int, list[Tensor | None]] = {}
        for symbol, owner in enumerate(owners):
            of_picture.setdefault(owner, []).append(rows.get(symbol))
        cells = []
        for owner, answers in of_picture.items():
            told = [row for row in answers if row is not None]
            if len(told) == len(answers) and any(row[1] != row[2] for row in told):
                cells.append(_cell(own.pictures[owner], torch.stack(told), classes))
        for label, _ in own.missed:
            try:
                cells.append((f"{shown(label.path)} is {label.text}", Reading([], opened(label))))
            except PictureError:
                continue
        if cells:
            place = write_contact_sheet(cells[:MOST_SHOWN], self.output, OPTION)
            print(f"mistakes: {place}, {min(len(cells), MOST_SHOWN)} pictures")


def worst_confusion(labels: list[int], answers: list[int], classes: Sequence[str]) -> str:
    """The confusion that costs most, in words; empty where all answers are right."""
    confused = Counter((label, answer) for label, answer in zip(labels, answers, strict=True) if label != answer)
    if not confused:
        return ""
    (label, answer), times = confused.most_common(1)[0]
    back = confused[answer, label]
    other_way = f", and {back} the other way round" if back else ""
    count = labels.count(label)
    return f"most often confused: {classes[label]} is read as {classes[answer]}, {times} of {count} times{other_way}"


def _cell(picture: LabelledPicture, rows: Tensor, classes: Sequence[str]) -> tuple[str, Reading]:
    """A picture with what was answered: rows of number, answer, label and confidence, [N, 4]."""
    seen = picture.opened()
    text = joined([classes[k] for k in rows[:, 1].int().tolist()])
    sure = rows[:, 3].float().numpy()
    boxes = picture.found.boxes.numpy() * np.float32(seen.factor)
    row = Row(text, float(sure.prod()), sure, boxes, picture.found.images.numpy())
    return f"{shown(picture.label.path)} is {picture.label.text}", Reading([row], seen, picture.found.turns)

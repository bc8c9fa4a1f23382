"""What is said about people's own labelled pictures: before and after learning from them, and their mistakes."""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor

from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.contact_sheet import contact_sheet
from mnist_cnn.callbacks.results import verdict
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.data.files import DataError
from mnist_cnn.data.labelled import LabelledPicture, LabelledPictures
from mnist_cnn.data.reading_cache import opened
from mnist_cnn.reading.pictures import PictureError, shown
from mnist_cnn.reading.results import Reading, Row, joined

SCORE = "score/val"
"""What `best` is chosen by where there are labelled pictures."""
FORGETTING = 0.001
"""How much accuracy on MNIST's validation split a network may lose to learn something else."""
MOST_NAMED = 20
"""Pictures that are named one by one."""
MOST_SHOWN = 180
"""Mistakes on the contact sheet."""

say = rank_zero_only(print)


class LabelledReport(Callback):
    """Compares before and after in `fit --data.labelled`, and reports `test` and `validate` on labelled pictures.

    In `fit` the weights that training begins with are scored and kept as `best`, and only an epoch with a better
    score takes their place. The score, `score/val`, is the accuracy on the pictures that were held out, less ten times
    what accuracy on MNIST's validation split loses beyond 0.1%.
    """

    def __init__(self, output: str = "mistakes.png") -> None:
        """Where the mistakes go.

        Args:
            output: The contact sheet of pictures that `test --data.labelled` got wrong, PNG, and -2.png and so on for
                its further pages.
        """
        self.output = Path(output)
        self._counts = torch.zeros(2, 2)
        self._answers: list[Tensor] = []
        self.before: list[list[float]] | None = None
        self.best: list[list[float]] | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Finds out before the work whether there is a place for its result; names what cannot be used."""
        own = _own(trainer)
        if own is None:
            return
        if stage == "test" and (self.output.is_dir() or self.output.suffix.lower() != ".png"):
            raise DataError(f"{str(self.output)!r} is no PNG file: choose one with --mistakes.output=FILE.png")
        lines = own.problems + [
            f"{shown(label.path)}, labelled {label.text}: {_short(why)}" for label, why in own.missed
        ]
        for line in lines[:MOST_NAMED]:
            say(f"warning: {line}", file=sys.stderr)
        if len(lines) > MOST_NAMED:
            say(f"warning: and {len(lines) - MOST_NAMED:,} more pictures like these", file=sys.stderr)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Scores the weights that training begins with, and keeps them as the best so far."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not getattr(data, "own_held_out", 0) or self.before is not None or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self._start(pl_module)
        was_training = pl_module.training
        pl_module.eval()
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            loader, most = data.val_dataloader(), trainer.num_val_batches[0]
            for k, (images, labels) in enumerate(loader):
                if k >= most:
                    break
                answers = pl_module(images.to(pl_module.device)).argmax(dim=1)
                self._count(data, loader.sampler.batches()[k], answers == labels.to(pl_module.device))
        pl_module.train(was_training)
        self.before = self.best = self._counted(trainer)
        for checkpoint in trainer.checkpoint_callbacks:
            if isinstance(checkpoint, ModelCheckpoint) and checkpoint.monitor == SCORE:
                start = {SCORE: torch.tensor(self._score(self.before)), "epoch": torch.tensor(0)}
                checkpoint._save_topk_checkpoint(trainer, {**start, "step": torch.tensor(trainer.global_step)})

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts to count."""
        self._start(pl_module)

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts a batch."""
        if _own(trainer) is not None:
            sampler = trainer.val_dataloaders.sampler  # type: ignore[union-attr]
            right = outputs.argmax(dim=1) == batch[1]
            self._count(trainer.datamodule, sampler.batches()[batch_idx], right)  # type: ignore[attr-defined]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the score of an epoch; in `validate` prints both accuracies."""
        if _own(trainer) is None or trainer.sanity_checking:
            return
        counts = self._counted(trainer)
        if trainer.state.fn == TrainerFn.VALIDATING:
            for name, (right, count) in zip(
                ("labelled pictures, held out", "MNIST validation split"), counts, strict=True
            ):
                if count:
                    say(f"{name}: {verdict(int(count - right), int(count))}")
        elif self.before is not None and self.best is not None:
            score = self._score(counts)
            pl_module.log(SCORE, score)
            if torch.tensor(score) > torch.tensor(self._score(self.best)):  # as ModelCheckpoint compares
                self.best = counts

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Says what was learned and what was forgotten."""
        if self.before is None or self.best is None:
            if _own(trainer) is not None and not trainer.fast_dev_run:  # type: ignore[attr-defined]
                say("no picture was held out: whether this reads yours better is not known")
            return
        names = ("your pictures, held out", "MNIST validation split")
        for name, (right, count), (then, _) in zip(names, self.before, self.best, strict=True):
            if count:
                share = f"{right / count:.2%} before, {then / count:.2%} after"
                say(f"{name}: {share} ({right:.0f} and {then:.0f} of {count:,.0f} right)")
        if self.best is self.before:
            say("no epoch was better than the weights that it began with: best.ckpt has those, and nothing was learned")

    def state_dict(self) -> dict[str, Any]:
        """For a run that is gone on with."""
        return {"before": self.before, "best": None if self.best is self.before else self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Likewise."""
        self.before = state_dict["before"]
        self.best = state_dict["best"] or self.before

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts empty."""
        self._answers.clear()

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Notes the answers."""
        if _own(trainer) is not None:
            indices = trainer.test_dataloaders.sampler.batches()[batch_idx]  # type: ignore[union-attr]
            confidence, answers = outputs.exp().max(dim=1)
            numbers = (indices.to(outputs.device), answers, batch[1], confidence)
            self._answers.append(torch.stack([number.double() for number in numbers], dim=1))

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the verdict, the worst confusion and what to look at; draws the mistakes."""
        own = _own(trainer)
        if own is None or not self._answers:
            return
        if trainer.world_size > 1:
            raise DataError("labelled pictures are tested in one process: add --trainer.devices=1")
        table = torch.cat(self._answers).cpu()
        wrong = table[table[:, 1] != table[:, 2]]
        missed = sum(len(label.names) for label, _ in own.missed)
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        print(f"labelled pictures: {verdict(len(wrong) + missed, len(table) + missed)}")
        if missed:
            print(f"of these errors {missed} are in {len(own.missed)} pictures in which not just that was found")
        if sentence := worst_confusion(table[:, 2].int().tolist(), table[:, 1].int().tolist(), data.classes):
            print(sentence)
        known = sum(picture.digest in data.trained_on for picture in own.pictures)
        if known:
            print(
                f"warning: {known} of these pictures were trained on, so this is no test: give others", file=sys.stderr
            )
        if len(wrong) or missed:
            self._draw(own, table, data.classes)

    def _draw(self, own: LabelledPictures, table: Tensor, classes: Sequence[str]) -> None:
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
        pages = 0
        for pages, page in enumerate(contact_sheet(cells[:MOST_SHOWN]), start=1):
            path = self.output if pages == 1 else self.output.with_name(f"{self.output.stem}-{pages}.png")
            try:
                with replacing(path) as file:
                    partial(page.save, format="PNG")(file)
            except OSError as error:
                raise DataError(
                    f"cannot write {path} ({error.strerror}): choose another file with --mistakes.output=FILE.png"
                ) from error
        if pages:
            more = f" to {self.output.stem}-{pages}.png" if pages > 1 else ""
            print(f"mistakes: {self.output}{more}, {min(len(cells), MOST_SHOWN)} pictures")

    def _start(self, pl_module: L.LightningModule) -> None:
        self._counts = torch.zeros(2, 2, device=pl_module.device)

    def _count(self, data: DigitDataModule, indices: Tensor, right: Tensor) -> None:
        own = (indices < data.own_held_out).to(right.device)
        for k, part in enumerate((own, ~own)):
            self._counts[k, 0] += right[part].sum()
            self._counts[k, 1] += part.sum()

    def _counted(self, trainer: L.Trainer) -> list[list[float]]:
        """How many of the held-out pictures are right and how many there are, likewise of MNIST."""
        return trainer.strategy.reduce(self._counts, reduce_op="sum").tolist()  # type: ignore[union-attr]

    def _score(self, counts: list[list[float]]) -> float:
        assert self.before is not None or self.best is None
        (own, own_count), (mnist, count) = counts
        lost = (self.before[1][0] - mnist) / count if self.before and count else 0.0
        return own / max(1.0, own_count) - 10 * max(0.0, lost - FORGETTING)


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
    boxes = picture.boxes.numpy() * seen.factor
    row = Row(text, float(sure.prod()), sure, boxes, picture.images.numpy())
    return f"{shown(picture.label.path)} is {picture.label.text}", Reading([row], seen, picture.turns)


def _own(trainer: L.Trainer) -> LabelledPictures | None:
    return getattr(getattr(trainer, "datamodule", None), "own", None)


def _short(reason: str) -> str:
    """Without the name of the file, which stands before it."""
    return reason.rpartition(": ")[2]

"""The report on learning from labelled pictures: before and after, and which weights are the best."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from mnist_cnn.callbacks.results import labelled, say, verdict
from mnist_cnn.data.datamodule import DigitDataModule

SCORE = "score/val"
"""The score that `best` is chosen by where there are labelled pictures."""
FORGETTING = 0.001
"""How much accuracy on MNIST's validation split a network may lose to learn something else."""


class BeforeAndAfter(Callback):
    """Compares before and after in `fit --data.labelled`, and reports `validate` on labelled pictures.

    The weights that training begins with are scored and kept as `best`, and only an epoch with a better score takes
    their place. The score, `score/val`, is the accuracy on the pictures that were held out, less ten times what
    accuracy on MNIST's validation split loses beyond 0.1%.
    """

    def __init__(self) -> None:
        self._counts = torch.zeros(2, 2)
        self.before: list[list[float]] | None = None
        self.best: list[list[float]] | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Scores the weights that training begins with, and keeps them as the best so far."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        idle = trainer.fast_dev_run or trainer.limit_val_batches == 0  # type: ignore[attr-defined]
        if idle or not getattr(data, "own_held_out", 0) or self.before is not None:
            return
        self.on_validation_epoch_start(trainer, pl_module)
        was_training = pl_module.training
        pl_module.eval()
        with torch.no_grad(), trainer.precision_plugin.val_step_context():
            loader = data.val_dataloader()
            most = trainer.num_val_batches[0] if trainer.num_val_batches else len(loader)
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
        self._counts = torch.zeros(2, 2, device=pl_module.device)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Counts a batch."""
        if labelled(trainer):
            sampler = trainer.val_dataloaders.sampler  # type: ignore[union-attr]
            right = outputs.argmax(dim=1) == batch[1]
            self._count(trainer.datamodule, sampler.batches()[batch_idx], right)  # type: ignore[attr-defined]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the score of an epoch; in `validate` prints both accuracies."""
        if not labelled(trainer) or trainer.sanity_checking:
            return
        counts = self._counted(trainer)
        if trainer.state.fn == TrainerFn.VALIDATING:
            for name, (right, count) in zip(_parts(trainer), counts, strict=True):
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
            if labelled(trainer) and not trainer.fast_dev_run:  # type: ignore[attr-defined]
                say("no picture was held out: whether this reads yours better is not known")
            return
        for name, (right, count), (then, _) in zip(_parts(trainer), self.before, self.best, strict=True):
            if count:
                share = f"{right / count:.2%} before, {then / count:.2%} after"
                say(f"{name}: {share} ({right:,.0f} and {then:,.0f} of {count:,.0f} right)")
        if self.best is self.before:
            say("no epoch was better than the weights that it began with: best.ckpt has those, and nothing was learned")

    def state_dict(self) -> dict[str, Any]:
        """For a run that is gone on with."""
        return {"before": self.before, "best": None if self.best is self.before else self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Likewise."""
        self.before = state_dict["before"]
        self.best = state_dict["best"] or self.before

    def _count(self, data: DigitDataModule, indices: Tensor, right: Tensor) -> None:
        own = (indices < data.own_held_out).to(right.device)
        for k, part in enumerate((own, ~own)):
            self._counts[k, 0] += right[part].sum()
            self._counts[k, 1] += part.sum()

    def _counted(self, trainer: L.Trainer) -> list[list[float]]:
        """How many of the held-out pictures are right and how many there are, likewise of MNIST."""
        return trainer.strategy.reduce(self._counts, reduce_op="sum").tolist()

    def _score(self, counts: list[list[float]]) -> float:
        assert self.before is not None or self.best is None
        (own, own_count), (mnist, count) = counts
        lost = (self.before[1][0] - mnist) / count if self.before and count else 0.0
        return own / max(1.0, own_count) - 10 * max(0.0, lost - FORGETTING)


def _parts(trainer: L.Trainer) -> tuple[str, str]:
    """The parts of the validation split, in words."""
    rendered = " and rendered digits" if getattr(trainer.datamodule, "rendered", 0) else ""  # type: ignore[attr-defined]
    return "your pictures, held out", f"MNIST validation split{rendered}"

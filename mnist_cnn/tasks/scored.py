"""The metrics of a LightningModule, and when and how they reach the loggers."""

from collections.abc import Sequence
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from lightning.pytorch.trainer.states import TrainerFn

from mnist_cnn.tasks.metrics import StageMetrics
from mnist_cnn.tasks.reproducible import seed_batch


class Scored(L.LightningModule):
    """Logs the counts of its steps, in `train_metrics`, `val_metrics` and `test_metrics`, also of a broken epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.trained_steps = 0
        self._epoch_so_far: dict[str, dict[str, Any]] = {}
        self._loggers: list[Logger] = []

    def _make_metrics(self, classes: Sequence[str]) -> None:
        self.train_metrics = StageMetrics("train")
        self.val_metrics = StageMetrics("val", detailed=True, classes=classes)
        self.test_metrics = StageMetrics("test", detailed=True, classes=classes)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps how long the network was trained, and the metrics of an epoch that was interrupted."""
        super().on_load_checkpoint(checkpoint)
        self.trained_steps = int(checkpoint.get("global_step", 0))
        self._epoch_so_far = checkpoint.get("train_metrics", {})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the metrics of an epoch that is not over."""
        # Callbacks that try things before training save and load a checkpoint: what is to go on goes through it.
        checkpoint["train_metrics"] = self._epoch_so_far or self.train_metrics.state()

    def on_train_start(self) -> None:
        """Goes on where an interrupted epoch stood, and forgets what callbacks have tried before training."""
        self.train_metrics.reset()
        if self._epoch_so_far and self.global_rank == 0:  # which has the sums of all processes
            self.train_metrics.restore(self._epoch_so_far)
            if self._is_log_due(self.trainer.fit_loop.batch_idx):  # and was done, after the checkpoint was written
                self.train_metrics.totals.take_new()
        self._epoch_so_far = {}
        seed_batch(self, self.trainer.fit_loop.batch_idx + 1)

    def on_train_epoch_start(self) -> None:
        """Starts the random numbers of the epoch."""
        seed_batch(self, 0)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Logs the training metrics, each image as it was seen: to the loggers as a curve, else once an epoch."""
        over = self.trainer.is_last_batch or self.trainer.fit_loop.epoch_loop.done
        if self.trainer.loggers and (over or self._is_log_due(batch_idx)):
            self._log_curve()
        if over:  # not in on_train_epoch_end, which comes too late for the progress bar
            self._log_metrics(self.train_metrics)
        elif self.trainer.global_step == self.trainer.max_steps:  # the end, within an epoch
            self.log_dict(self.train_metrics.compute(), on_step=False, on_epoch=True, prog_bar=True)
        seed_batch(self, batch_idx + 1)

    def on_validation_epoch_start(self) -> None:
        """Forgets what an evaluation that was interrupted has counted."""
        self.val_metrics.reset()

    def on_test_epoch_start(self) -> None:
        """As `on_validation_epoch_start`."""
        self.test_metrics.reset()

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the validation split."""
        self._log_metrics(self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of the test set."""
        self._log_metrics(self.test_metrics)

    def _is_log_due(self, batch_idx: int) -> bool:
        """Whether the curve of training has a point after a batch within an epoch; the last batch always has one.

        Every `log_every_n_steps`, but not so late that the last point would stand for less than a fifth of them.
        """
        steps: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        every, done = steps * self.trainer.accumulate_grad_batches, batch_idx + 1
        return every > 0 and done % every == 0 and self.trainer.num_training_batches - done >= every / 5

    def _log_curve(self) -> None:
        """Adds a point to the curves of training: of the images since the last one, so that it lags behind nothing."""
        sums = self.trainer.strategy.reduce(self.train_metrics.totals.take_new(), reduce_op="sum")
        loss, hits, digits, images = sums.tolist()  # the only look at the device
        accuracy = hits / max(1, digits)
        values = {"loss/train": loss / images, "accuracy/train": accuracy, "error/train": 100 - 100 * accuracy}
        if self.trainer.optimizers:
            values["learning_rate"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        self._write({**values, "epoch": self.current_epoch})  # the latter for tables, like CSVLogger's

    def _log_metrics(self, metrics: StageMetrics) -> None:
        values, in_fit = metrics.compute(), self.trainer.state.fn == TrainerFn.FITTING
        for name, value in values.items():
            shown = name.startswith(("accuracy", "loss"))
            # Of what is logged Lightning makes the result of `trainer.test` and prints a table.
            listed = None if not in_fit and not name.startswith("per_class") else False
            self.log(name, value, on_step=False, on_epoch=True, prog_bar=shown, logger=listed)
        if metrics is not self.train_metrics and not self.trainer.sanity_checking:
            self._write(values)
        if not in_fit:  # Lightning would write it once more, at step 0
            self._loggers, self.trainer.loggers = self.trainer.loggers, []
        metrics.reset()

    def _write(self, values: dict[str, Any]) -> None:
        """Writes to all loggers, where training stands or, of a checkpoint, ended."""
        for logger in self.trainer.loggers:
            plain = {name: float(value) for name, value in values.items()}
            logger.log_metrics(plain, self.trainer.global_step or self.trained_steps)
            logger.save()

    def on_validation_end(self) -> None:
        """Gives the trainer its loggers back."""
        self.trainer.loggers, self._loggers = self._loggers or self.trainer.loggers, []

    on_test_end = on_validation_end

    def on_train_end(self) -> None:
        """Remembers how long the network was trained, for scores to come."""
        self.trained_steps = self.trainer.global_step

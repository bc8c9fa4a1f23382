"""The progress of a run: a bar on a terminal, a line per epoch elsewhere, the speed in TensorBoard."""

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ProgressBar, RichProgressBar
from lightning.pytorch.profilers import PassThroughProfiler

SCORES = ("f_score", "accuracy")
"""What is shown while a network learns: the detector's and the classifier's; the first one that is there."""


def progress_bar() -> ProgressBar:
    """The bar for where the output goes: animated on a terminal, plain lines in a file or a pipe."""
    # Redrawing for every batch would cost more than a small network's step.
    return TerminalBar(refresh_rate=20, leave=True) if sys.stdout.isatty() else EpochLines()


class TerminalBar(RichProgressBar):
    """Lightning's bar with what fits beside it on 80 columns: one score, on validation where there is one."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Names and values of the metrics."""
        metrics = super().get_metrics(trainer, pl_module)
        for stage in ("test", "val", "train"):
            for score in SCORES:
                if f"{score}/{stage}" in metrics:
                    return {stage: metrics[f"{score}/{stage}"]}
        return {}


class EpochLines(ProgressBar):
    """One line of text after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True

    def disable(self) -> None:
        """Silences the processes that are not the first."""
        self._enabled = False

    def enable(self) -> None:
        """Undoes `disable`."""
        self._enabled = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the metrics of the epoch."""
        metrics = {name: float(value) for name, value in trainer.progress_bar_metrics.items()}
        texts = [f"{name} {value:.2%}" for name, value in metrics.items() if name.startswith(SCORES)]
        texts += [f"{name} {value:.4f}" for name, value in metrics.items() if name.startswith("loss")]
        if self._enabled:
            most = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
            print(f"epoch {trainer.current_epoch + 1}{most}:", ", ".join(sorted(texts)), flush=True)


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, as Lightning's own; cheaper, as it is asked 80 times a step."""

    _nothing = nullcontext()

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Does nothing."""
        return self._nothing


class Speed(Callback):
    """Logs the seconds and the training images per second of every epoch, validation included in neither.

    Also the seconds of training since the run began, in how many parts it may have been.
    """

    def __init__(self) -> None:
        self._seconds_before = 0.0
        self._start: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """The seconds of training so far."""
        return {"training_seconds": self._seconds_before + self._epoch_seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self._seconds_before = state_dict["training_seconds"]

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock."""
        self._images = 0
        self._paused = 0.0
        self._start = time.perf_counter()

    on_train_start = on_train_epoch_start  # of an epoch that is resumed in its middle

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts images."""
        parts = [*batch.values()] if isinstance(batch, Mapping) else batch
        self._images += len(parts[-1]) * trainer.world_size  # the first part of a batch of rows is one picture

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stops the clock."""
        self._pause = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Goes on."""
        if self._start is not None:
            self._paused += time.perf_counter() - self._pause

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Logs the epoch's figures."""
        seconds = self._epoch_seconds()
        self._seconds_before, self._start = self._seconds_before + seconds, None
        values = {"epoch_seconds": seconds, "images_per_second": self._images / seconds}
        values["training_seconds"] = self._seconds_before
        for logger in trainer.loggers:
            logger.log_metrics({f"speed/{name}": value for name, value in values.items()}, trainer.global_step)

    def _epoch_seconds(self) -> float:
        """Seconds of training in the epoch that goes on; 0 between two."""
        return time.perf_counter() - self._start - self._paused if self._start is not None else 0.0

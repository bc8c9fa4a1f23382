"""Safety of a run: its best and last checkpoints, an orderly end on a signal, a stop when it diverges."""

import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.plugins import MixedPrecision

from mnist_cnn.callbacks.signals import Interrupted, StopSignals
from mnist_cnn.checkpoints import CheckpointError

CHECK_EVERY = 50
"""Steps between two looks at the loss where a look costs time: on an accelerator, and with several processes."""


class Diverged(RuntimeError):
    """Training that cannot go on, because the loss or the weights are not finite; the message is one line."""


class BestAndLast(ModelCheckpoint):
    """Keeps the best epoch and, as `last.ckpt`, where training stands: after every epoch, and in between if asked to.

    What differs from Lightning's callback: `last` is written after each epoch, also one that was not the best;
    `every_n_train_steps` and `train_time_interval` write `last` alone, in addition, and the best one is still found
    by the epoch; weights that are not finite are never written; and a folder may be moved between two runs.
    """

    _facts: dict[str, Any] = {}

    @property
    def state_key(self) -> str:
        """The same however often is saved, so that a run may be resumed with another interval."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best scores, also in a folder that was moved."""

        def moved(path: str) -> str:
            return f"{self.dirpath}{os.sep}{Path(path).name}" if path else ""  # as it is spelt when it is written

        kept = [state_dict["best_model_path"], *state_dict["best_k_models"]]
        if any(kept) and all(Path(moved(path)).exists() for path in kept):
            keys = ("best_model_path", "kth_best_model_path", "last_model_path")
            best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
            paths = {key: moved(state_dict[key]) for key in keys}
            state_dict = {**state_dict, **paths, "dirpath": self.dirpath, "best_k_models": best}
        super().load_state_dict(state_dict)

    def state_dict(self) -> dict[str, Any]:
        """Adds what a person wants to know of a checkpoint before it is used."""
        return {**super().state_dict(), **self._facts}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes that what was resumed from need not be saved."""
        super().on_train_start(trainer, pl_module)
        self._last_global_step_saved = trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves `last` within an epoch; at its end that is done with the epoch's own."""
        due = self._every_n_train_steps >= 1 and trainer.global_step % self._every_n_train_steps == 0
        if self._train_time_interval is not None:
            elapsed = time.monotonic() - (self._last_time_checked or 0.0)
            due = trainer.strategy.broadcast(elapsed >= self._train_time_interval.total_seconds())
        if due:
            self.save_within_epoch(trainer, batch_idx)

    def save_within_epoch(self, trainer: L.Trainer, batch_idx: int) -> None:
        """Saves `last` after a training step, where it is a step of the optimizer and not the last of the epoch."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and not trainer.is_last_batch and not self._should_skip_saving_checkpoint(trainer):
            self._last_time_checked = time.monotonic()
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Saves the epoch if it is the best, and as the last."""
        if self._should_skip_saving_checkpoint(trainer) or not self._should_save_on_train_epoch_end(trainer):
            return
        if (trainer.current_epoch + 1) % max(1, self._every_n_epochs) == 0:
            candidates = self._monitor_candidates(trainer)
            validated = trainer.fit_loop.epoch_loop.val_loop._has_run
            if self.monitor is None or self.monitor in candidates or validated:
                self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Saves the last epoch where `every_n_epochs` left it out; it is the best one where none was validated."""
        candidates, saved = self._monitor_candidates(trainer), self._should_skip_saving_checkpoint(trainer)
        if saved and (self.best_model_path or not Path(self.last_model_path).is_file()):
            return
        if self.save_top_k and not self.best_k_models:
            self._save_none_monitor_checkpoint(trainer, candidates)
        self._save_last_checkpoint(trainer, candidates)  # which knows the file of the best one

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """With `save_on_exception`, saves `exception.ckpt`; nothing good is overwritten by a state that is in doubt."""
        if self._should_save_on_exception(trainer) and not isinstance(exception, Interrupted | Diverged):
            self._save_checkpoint(trainer, str(Path(str(self.dirpath)) / "exception.ckpt"))

    def _should_remove_checkpoint(self, trainer: L.Trainer, previous: str, current: str) -> bool:
        same = Path(previous).resolve() == Path(current).resolve()  # however it is spelt
        return not same and super()._should_remove_checkpoint(trainer, previous, current)

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        finite = _is_finite(trainer.lightning_module)
        if not trainer.strategy.reduce_boolean_decision(finite, all=True):
            raise Diverged(_diverged(trainer, "the weights are not finite any more"))
        scores = {name: trainer.callback_metrics.get(name) for name in ("accuracy/val", "f_score/val")}
        most = trainer.max_steps * trainer.accumulate_grad_batches if trainer.max_steps > 0 else sys.maxsize
        self._facts = {
            "epochs": trainer.fit_loop.epoch_progress.current.ready,
            **{name: float(score) for name, score in scores.items() if score is not None},
            "batches": [min(int(trainer.num_training_batches), most), len(trainer.train_dataloader or [])],
        }
        super()._save_checkpoint(trainer, filepath)


def best_and_last(trainer: L.Trainer) -> BestAndLast | None:
    """The callback that keeps the checkpoints of a run, beside others that a user may have added."""
    return next((callback for callback in trainer.checkpoint_callbacks if isinstance(callback, BestAndLast)), None)


class Guard(Callback):
    """Ends training on a signal with its state saved, and as soon as the loss is not finite.

    On a CPU it looks at the loss of every step, elsewhere at every 50th and at the last of an epoch, because each
    look makes an accelerator wait.
    """

    def __init__(self, signals: StopSignals | None = None) -> None:
        self._signals = signals or StopSignals()
        self._every = CHECK_EVERY

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """From here on there is something to save; refuses to go on for longer than the schedule."""
        _check_schedule(trainer)
        alone = pl_module.device.type == "cpu" and trainer.world_size == 1
        self._every = 1 if alone else CHECK_EVERY
        self._signals.take_over()  # from Lightning, whose handler talks to the other processes at any moment
        self._signals.deferred = True

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stops between two epochs; the first one is saved."""
        if trainer.strategy.reduce_boolean_decision(self._signals.received is not None, all=False):
            self._stop(trainer)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Looks at the loss, and whether a signal came."""
        if (batch_idx + 1) % self._every and not trainer.is_last_batch:
            return
        outputs = outputs.get("loss") if isinstance(outputs, dict) else outputs
        loss = 0.0 if outputs is None else float(outputs)
        diverged = not math.isfinite(loss) and not _is_scaled_and_finite(trainer)
        diverged = trainer.strategy.reduce_boolean_decision(diverged, all=False)  # in all processes or in none
        stop = trainer.strategy.reduce_boolean_decision(self._signals.received is not None, all=False)
        if diverged:
            raise Diverged(_diverged(trainer, f"the loss is {loss}"))
        checkpoint = best_and_last(trainer)
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stop and stepped and not trainer.is_last_batch:  # at the end of an epoch that is done with its own
            if checkpoint:
                checkpoint.save_within_epoch(trainer, batch_idx)
            self._stop(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """All is saved: a signal may act at once."""
        self._signals.deferred = False

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Likewise."""
        self._signals.deferred = False

    def _stop(self, trainer: L.Trainer) -> None:
        last = _newest_checkpoint(trainer)
        go_on = f"{last} is saved, go on with the same command and --ckpt_path=last"
        where = f"interrupted at step {trainer.global_step} (epoch {trainer.current_epoch + 1})"
        number = self._signals.received or signal.SIGTERM
        raise Interrupted(number, f"{where}: {go_on if last else 'nothing was saved, start again'}")


def _is_finite(module: torch.nn.Module) -> bool:
    weights = all(bool(weight.isfinite().all()) for weight in module.parameters())
    return weights and not any(bool(buffer.isnan().any()) for buffer in module.buffers() if buffer.is_floating_point())


def _is_scaled_and_finite(trainer: L.Trainer) -> bool:
    """Whether this is 16-bit training with a scaler, which leaves out steps that are not finite."""
    precision = trainer.precision_plugin
    scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
    return scaled and _is_finite(trainer.lightning_module)


def _diverged(trainer: L.Trainer, what: str) -> str:
    where = f"{what} at step {trainer.global_step} (epoch {trainer.current_epoch + 1})"
    good = _newest_checkpoint(trainer)
    kept = f"the last good checkpoint is {good}" if good else "no checkpoint was written"
    remedy = "--trainer.precision=16-mixed" if trainer.precision == "16-true" else "a smaller --model.learning_rate"
    return f"training diverged: {where}; {kept}; give {remedy}"


def _newest_checkpoint(trainer: L.Trainer) -> str | None:
    callback = best_and_last(trainer)
    paths = [getattr(callback, name, "") for name in ("last_model_path", "best_model_path")]
    return next((os.path.relpath(path) for path in paths if path and Path(path).exists()), None)


def _check_schedule(trainer: L.Trainer) -> None:
    """Before the first step rather than at the last one."""
    ends = [getattr(config.scheduler, "total_steps", None) for config in trainer.lr_scheduler_configs]
    steps = trainer.estimated_stepping_batches if trainer.ckpt_path else 0
    if any(end is not None and end < steps for end in ends):
        raise CheckpointError(
            "--model.schedule=one_cycle ends with the epochs that the run began with, and cannot go on beyond them: "
            "give its own settings, as by --config=RUN/config.yaml, and no other --trainer.max_epochs"
        )

"""Runs: found, gone on with in their own folder, and kept from other processes."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from mnist_cnn.checkpoints import (
    CheckpointError,
    checkpoint_arguments,
    find_checkpoint,
    find_to_resume,
    newest_run,
    note_elsewhere,
    read_checkpoint,
)
from mnist_cnn.cli import history
from mnist_cnn.errors import SettingsError
from mnist_cnn.tasks.weights import KEPT

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@dataclass
class Start:
    """What a verb starts from."""

    checkpoint: Path | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    """Of options, which the checkpoint brings."""
    run: Path | None = None
    """The folder in which to go on."""
    news: str = ""
    warning: str = ""


def find_start(verb: str, config: Namespace, pretrained: Path, of_scenes: bool) -> Start:
    """Finds the checkpoint that a verb was told to start from.

    `pretrained` is the one that comes with the package for this task; detector and recognizer are `of_scenes`.
    """
    path, resume = config.get("ckpt_path"), verb == "fit"
    logs = Path(config["trainer"].get("default_root_dir") or ".") / "lightning_logs"
    if config["model"]["weights"] is not None and not resume:
        raise SettingsError(f"--model.weights is what fit starts from: give {verb} its checkpoint by --ckpt_path")
    if path is None:
        if resume:
            return _start_anew(config, logs, pretrained)
        raise CheckpointError(
            f"{verb} needs trained weights: add --ckpt_path=pretrained (comes with the package), --ckpt_path=best "
            f"(of the newest run), --ckpt_path=last or --ckpt_path=FILE"
        )
    found = find_to_resume(str(path), logs) if resume else find_checkpoint(str(path), logs, pretrained)
    if found:
        _check_task(found, of_scenes)
        defaults = checkpoint_arguments(found, resume=resume, trusted=_named_classes(config))
        run = found.parent.parent
        # A run's own folder: go on there; its curves have what is validated.
        own = run if verb != "validate" and run.name and (run / "config.yaml").exists() else None
        if not own and not resume:
            defaults["trainer.logger"] = False
        warning = history.warning(found, logs) if str(path) in ("best", "last") else ""
        return Start(found, defaults, own, f"checkpoint: {found}{history.about(found)}", warning)
    newest = newest_run(logs)  # killed before its first checkpoint
    none = f"none yet in {newest}" if newest else "no earlier run to resume"
    news = f"checkpoint: {none}, starting from the beginning"
    begun = newest if newest and newest.name.startswith("version_") else None
    return Start(defaults=_start_anew(config, logs, pretrained).defaults, run=begun, news=news)


def _named_classes(config: Namespace) -> list[str]:
    """The import paths of the classes that the user named, which may be imported for a checkpoint."""
    chosen = [config["model"].get(name) for name in ("network", "optimizer", "schedule")]
    return [choice["class_path"] for choice in chosen if isinstance(choice, Namespace)]


def _check_task(checkpoint: Path, of_scenes: bool) -> None:
    known = read_checkpoint(checkpoint)["hyper_parameters"]
    if not {"learning_rate", "warmup"} <= known.keys():  # of neither, which is told where it is used
        return
    if of_scenes and "optimizer" in known:
        raise CheckpointError(f"{checkpoint} is of a classifier: leave out --task, or give another --ckpt_path=FILE")
    if not of_scenes and "optimizer" not in known:
        raise CheckpointError(
            f"{checkpoint} is of a detector or a recognizer: add --task=detector or --task=recognizer, or give another "
            f"--ckpt_path=FILE"
        )


def _start_anew(config: Namespace, logs: Path, pretrained: Path) -> Start:
    """A new run, from chance or from the weights of a checkpoint."""
    if config["model"]["weights"] is None:
        return Start()
    found = find_checkpoint(str(config["model"]["weights"]), logs, pretrained)
    arguments = checkpoint_arguments(found, resume=False, trusted=_named_classes(config))
    defaults = {f"model.{name}": arguments.get(f"model.{name}") for name in KEPT}
    known = {name: value for name, value in defaults.items() if value is not None}
    return Start(defaults={**known, "model.weights": str(found)}, news=f"weights: {found}")


def hold_folder(trainer: Trainer, new: bool, held: contextlib.ExitStack) -> None:
    """Takes the logger's folder until `held` is closed; a new one gets the next number while others have that."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger | CSVLogger)]
    if trainer.loggers[:1] != loggers[:1] or not loggers or is_trial(trainer) or not trainer.is_global_zero:
        return
    first = loggers[0]
    while True:
        folder = Path(first.log_dir)
        try:
            folder.mkdir(parents=True, exist_ok=not new)
            held.callback(_remove_if_empty, folder)
            held.enter_context(locked(folder))
            break
        except (FileExistsError, CheckpointError):
            if not new:
                raise
            first._version = int(first.version) + 1
    for logger in loggers:
        if logger.root_dir == first.root_dir:  # each would take the next number
            logger._version = first.version
        if isinstance(logger, CSVLogger):
            metrics = Path(logger.log_dir) / "metrics.csv"
            if metrics.exists():  # of a run that is gone on with: CSVLogger would delete them
                number = len([*metrics.parent.glob("metrics*.csv")])
                metrics.rename(metrics.with_name(f"metrics_until_{number}.csv"))


def _remove_if_empty(folder: Path) -> None:
    """A run that ends before it has begun leaves no folder."""
    with contextlib.suppress(OSError):
        folder.rmdir()


class NoteFolder(Callback):
    """Notes where a run keeps its checkpoints, if that is not in the folder of all runs."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes it as soon as training starts, because the run may be killed."""
        folder = getattr(trainer.checkpoint_callback, "dirpath", None)
        if folder and "://" not in folder and trainer.is_global_zero and not is_trial(trainer):
            note_elsewhere(Path(os.path.relpath(trainer.default_root_dir)) / "lightning_logs", Path(folder))


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keeps other processes from training in the folder of a run; a killed process holds nothing.

    Raises:
        CheckpointError: Another process is training there, or nothing can be written.
    """
    if not os.access(run, os.W_OK):
        raise CheckpointError(f"{run} cannot be written: mend that, or give --trainer.default_root_dir=FOLDER")
    descriptor = os.open(run, os.O_RDONLY) if fcntl else None
    try:
        if descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CheckpointError(
                    f"{run} is still being trained by another process: wait for it, or start a run of its own without "
                    f"--ckpt_path"
                ) from None
            except OSError:  # a file system without locks: as if there were none
                pass
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_trial(trainer: Trainer) -> bool:
    """Whether it is a `fast_dev_run`, which leaves nothing behind."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def end_children(trainer: Trainer) -> None:
    """Kills the processes that Lightning started for this run: without the first one they would wait for ever."""
    processes = getattr(trainer.strategy.launcher, "procs", [])
    running = [*processes]
    processes.clear()  # Lightning watches them, and kills this process when one ends with an error
    for process in running:
        process.kill()

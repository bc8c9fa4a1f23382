"""Runs: found, gone on with in their own folder, and kept from other processes."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from mnist_cnn.checkpoints import CheckpointError, checkpoint_arguments, find_checkpoint, locked, newest_run
from mnist_cnn.cli.settings import DEFAULTS
from mnist_cnn.errors import SettingsError
from mnist_cnn.tasks.weights import KEPT


@dataclass
class Start:
    """What a verb starts from."""

    checkpoint: Path | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    """Of options, which the checkpoint or its run brings."""
    news: str = ""


def find_start(verb: str, config: Namespace) -> Start:
    """Finds the checkpoint that a verb was told to start from.

    Raises:
        CheckpointError: There is none, or it cannot be read.
    """
    path, resume, logs = config.get("ckpt_path"), verb == "fit", logs_of(config)
    if config["model"]["weights"] is not None and not resume:
        raise SettingsError(f"--model.weights is what fit starts from: give {verb} its checkpoint by --ckpt_path")
    if path is None:
        if resume:
            return _start_anew(config, logs)
        raise CheckpointError(
            f"{verb} needs trained weights: add --ckpt_path=pretrained (comes with the package), --ckpt_path=best "
            f"(of the newest run), --ckpt_path=last or --ckpt_path=FILE"
        )
    found = find_checkpoint(str(path), logs, resume=resume)
    if found:
        named = config["model"]["network"]["class_path"]
        defaults = checkpoint_arguments(found, resume=resume, trusted=named)
        if (found.parent.parent / "config.yaml").exists():  # a run's own folder: go on there
            defaults["trainer.logger"] = logger_of(found.parent.parent, log_graph=resume)
        elif not resume:
            defaults["trainer.logger"] = False
        return Start(found, defaults, f"checkpoint: {found}")
    run = newest_run(logs)  # killed before its first checkpoint
    none = f"none yet in {run}" if run else "no earlier run to resume"
    news = f"checkpoint: {none}, starting from the beginning"
    return Start(None, {"trainer.logger": logger_of(run, log_graph=True)} if run else {}, news)


def _start_anew(config: Namespace, logs: Path) -> Start:
    """A new run, from chance or from the weights of a checkpoint."""
    if config["model"]["weights"] is None:
        return Start()
    found = find_checkpoint(str(config["model"]["weights"]), logs)
    assert found is not None  # only to resume there may be none
    arguments = checkpoint_arguments(found, resume=False, trusted=config["model"]["network"]["class_path"])
    defaults = {f"model.{name}": arguments.get(f"model.{name}") for name in KEPT}
    known = {name: value for name, value in defaults.items() if value is not None}
    return Start(defaults={**known, "model.weights": str(found)}, news=f"weights: {found}")


def hold_folder(trainer: Trainer, new: bool, held: contextlib.ExitStack) -> None:
    """Takes a folder that no other process trains in, also when several start at once.

    Args:
        trainer: Whose logger has the folder.
        new: Whether the folder may be another one, of the next number.
        held: Keeps the lock until it is closed.

    Raises:
        CheckpointError: Another process is training there, or nothing can be written.
    """
    logger = trainer.logger
    if not isinstance(logger, TensorBoardLogger) or is_trial(trainer) or not trainer.is_global_zero:
        return
    while True:
        folder = Path(logger.log_dir)
        try:
            folder.mkdir(parents=True, exist_ok=not new)
            held.enter_context(locked(folder))
            return
        except (FileExistsError, CheckpointError):
            if not new:
                raise
            logger._version = int(logger.version) + 1


def logs_of(config: Namespace) -> Path:
    """The folder of all runs."""
    return Path(config["trainer"].get("default_root_dir") or ".") / "lightning_logs"


def logger_of(run: Path, log_graph: bool) -> dict[str, Any]:
    """The TensorBoardLogger that goes on in the folder of a run."""
    logger: dict[str, Any] = DEFAULTS["trainer.logger"]  # type: ignore[assignment]
    place = {
        "save_dir": str(run.parent.parent),
        "name": run.parent.name,
        "version": run.name,
        "log_graph": log_graph,
    }
    return {**logger, "init_args": {**logger["init_args"], **place}}


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

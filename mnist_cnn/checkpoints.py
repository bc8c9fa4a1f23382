"""Checkpoints: found by name, written all or nothing, and read without trusting what they say."""

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_cnn.atomic import replacing

KINDS: dict[str, tuple[type, str]] = {
    "network": (nn.Module, r"mnist_cnn(\.networks(\.\w+)?)?|torch\.nn(\.modules\.\w+)?"),
    "optimizer": (Optimizer, r"torch\.optim(\.\w+)?"),
    "schedule": (LRScheduler, r"torch\.optim\.\w+|lightning\.pytorch\.cli"),  # where ReduceLROnPlateau has a monitor
}
"""The arguments that take a class: of which kind, and from which modules a checkpoint may name one."""

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
HINT = "give another checkpoint with --ckpt_path=FILE"
PRETRAINED = Path(__file__).parent / "weights" / "pretrained.ckpt"
"""The classifier that comes with the package, made by `scripts/pretrain.py`."""
DETECTOR = PRETRAINED.with_name("detector.ckpt")
"""The detector that comes with the package, likewise."""

ELSEWHERE = "elsewhere.txt"
"""In the folder of all runs: the folders of checkpoints of those runs that keep them outside of it."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be found, read or written; the message is one line that says what to do."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """There is no such checkpoint."""


def find_checkpoint(path: str, logs: Path, resume: bool = False, pretrained: Path = PRETRAINED) -> Path | None:
    """Resolves what `--ckpt_path` was given.

    Args:
        path: `best` or `last` of the newest run that has one; `pretrained`, which comes with the package; or a file.
            To resume, `last` means the newest run whatever it has; a run that was killed between its first two files
            has its best one for the last.
        logs: The folder that holds the runs.
        resume: Whether training is to go on from it.
        pretrained: What comes with the package for this task.

    Returns:
        The file, or None where `last` is to be resumed, but the newest run has no checkpoint yet.

    Raises:
        CheckpointNotFoundError: There is no such file.
        CheckpointError: Training cannot go on from it.
    """
    if path == "pretrained":
        if resume:
            raise CheckpointError(
                "fit cannot go on from --ckpt_path=pretrained, which has weights, but not the state of training: start "
                "a new run from them by --model.weights=pretrained, or go on with a run by --ckpt_path=last"
            )
        return pretrained
    if path not in ("best", "last"):
        if not Path(path).is_file():
            raise CheckpointNotFoundError(
                f"there is no checkpoint file {path!r}: give best, last, pretrained or a .ckpt file"
            )
        return Path(path)
    if path == "last" and resume:
        run = newest_run(logs)
        return _resumable(run) if run else None
    folders = [*logs.glob("*/checkpoints"), *elsewhere(logs)]
    files = [folder / f"{path}.ckpt" for folder in folders if (folder / f"{path}.ckpt").is_file()]
    found = max(files, key=_time, default=None)
    if not found:
        raise CheckpointNotFoundError(
            f"no run in {logs} has a checkpoint yet: train one with fit, or give --ckpt_path=pretrained or FILE"
        )
    return found


def newest_run(logs: Path) -> Path | None:
    """The folder of the run that was trained most recently, also of one that was killed before its first checkpoint."""
    runs = [path for path in logs.glob("*") if path.name.startswith("version_") or (path / "checkpoints").is_dir()]
    runs += [folder.parent if folder.name == "checkpoints" else folder for folder in elsewhere(logs)]
    return max((run for run in runs if run.is_dir()), key=lambda run: _time(_last(run) or run), default=None)


def elsewhere(logs: Path) -> list[Path]:
    """The folders of checkpoints outside `logs`, of which `note_elsewhere` left a note there."""
    try:
        lines = (logs / ELSEWHERE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [Path(os.path.normpath(logs / line)) for line in lines]


def note_elsewhere(logs: Path, folder: Path) -> None:
    """Notes in the folder of all runs that one keeps its checkpoints somewhere else, so that they are found by name."""
    if folder.parent.parent.resolve() != logs.resolve() and folder.resolve() not in map(Path.resolve, elsewhere(logs)):
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / ELSEWHERE).open("a", encoding="utf-8") as file:
            file.write(f"{os.path.relpath(folder, logs)}\n")


def _checkpoints(run: Path) -> Path:
    return run / "checkpoints" if (run / "checkpoints").is_dir() else run


def _last(run: Path) -> Path | None:
    last = _checkpoints(run) / "last.ckpt"
    return last if last.is_file() else max(_checkpoints(run).glob("*.ckpt"), key=_time, default=None)


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _resumable(run: Path) -> Path | None:
    found = _last(run)
    last = _checkpoints(run) / "last.ckpt"
    if found and found != last:  # so that a run that had only its end to write has its last one, too
        try:
            os.link(found, last)
        except OSError:
            with replacing(last) as file, found.open("rb") as source:
                shutil.copyfileobj(source, file)
    return last if found else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint of this project as plain data and tensors, on the CPU.

    Raises:
        CheckpointNotFoundError: There is no such file.
        CheckpointError: The file is damaged, something else, or holds more than data.
    """
    if not os.path.lexists(path):
        raise CheckpointNotFoundError(f"there is no checkpoint file {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            intact = archive.testzip() is None  # torch does not look at the checksums
    except Exception:  # whatever a damaged file provokes
        intact = False
    if not intact:
        raise CheckpointError(f"{path} is damaged, or no checkpoint: {HINT}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        objects = "Weights only load failed" in str(error)
        reason = "holds something else than plain data" if objects else "is damaged, or no checkpoint"
        raise CheckpointError(f"{path} {reason}: {HINT}") from error
    needed = {"state_dict": dict, "hyper_parameters": dict, "pytorch-lightning_version": str}
    if not isinstance(content, dict) or not all(isinstance(content.get(key), kind) for key, kind in needed.items()):
        raise CheckpointError(f"{path} is not a checkpoint of this project: {HINT}")
    return content


def checkpoint_arguments(path: Path, resume: bool, trusted: str | Iterable[str] | None = None) -> dict[str, Any]:
    """Reads the arguments of model and data that a checkpoint was made with.

    Args:
        path: The file; it is read as plain data.
        resume: Whether training is to go on from it, which takes more than weights.
        trusted: Import paths of the classes that the user named, which may be imported for that.

    Returns:
        Defaults for the parser, such as `model.learning_rate`. What only training needs is left out where it is of a
        class that is neither known nor trusted, unless training goes on.

    Raises:
        CheckpointError: The file is not a readable checkpoint of a `DigitClassifier`, or names what may not be
            imported.
    """
    content = read_checkpoint(path)
    if resume and not (content.get("optimizer_states") and "fit_loop" in content.get("loops", {})):
        raise CheckpointError(f"{path} has weights, but not the state of training that fit goes on from: {HINT}")
    groups = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}
    for name in () if resume else foreign_training(content["hyper_parameters"], path, trusted):
        del content["hyper_parameters"][name]
    for key in groups.values():
        check_hyperparameters(content.get(key, {}), path, trusted)
    return {
        f"{group}.{name}": value
        for group, key in groups.items()
        for name, value in content.get(key, {}).items()
        if name != "_instantiator" and value is not None
    }


def foreign_training(hyperparameters: dict[str, Any], path: Any, trusted: str | Iterable[str] | None) -> list[str]:
    """Which of `optimizer` and `schedule`, which only training needs, name what may not be imported."""
    foreign = []
    for name in hyperparameters.keys() & {"optimizer", "schedule"}:
        try:
            check_hyperparameters({name: hyperparameters[name]}, path, trusted)
        except CheckpointError:
            foreign.append(name)
    return foreign


def check_hyperparameters(hyperparameters: Any, path: Any, trusted: str | Iterable[str] | None = None) -> None:
    """Makes sure that building a model from these imports nothing that the user did not ask for.

    Allowed are the networks of this package, what `torch.nn` and `torch.optim` offer, and what stands in the modules
    of `trusted`.

    Args:
        hyperparameters: Of a checkpoint.
        path: The checkpoint, for the message.
        trusted: Import paths of the classes that the user named.

    Raises:
        CheckpointError: Something else is named.
    """
    if not isinstance(hyperparameters, dict):
        raise CheckpointError(f"{path} is not a checkpoint of this project: {HINT}")
    trusted = {trusted} if isinstance(trusted, str) else set(trusted or ())
    for key, value in hyperparameters.items():
        if key == "_instantiator":
            if value != INSTANTIATOR:
                raise CheckpointError(f"{path} asks for {value!r} to be called, which nothing here does: {HINT}")
        elif key == "classes" and isinstance(value, list) and all(isinstance(name, str) for name in value):
            continue  # names that may look like import paths, and are never imported
        elif key in KINDS and isinstance(value, dict):
            _check_class(key, value, path, trusted)
        else:
            _check_value(value, path, trusted)


def _check_class(key: str, spec: dict[str, Any], path: Any, trusted: set[str]) -> None:
    name = spec.get("class_path")
    if not (isinstance(name, str) and name in trusted) and not is_known_class(name, key):
        if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", name):
            raise CheckpointError(f"{path} names {str(name)[:80]!r} as its {key}, which is no class: {HINT}")
        raise CheckpointError(
            f"{path} has its own {key}, {name}: a checkpoint alone does not get code imported, so if you trust that "
            f"class, add --model.{key}={name}"
        )
    _check_value({key: value for key, value in spec.items() if key != "class_path"}, path, trusted)


def _check_value(value: Any, path: Any, trusted: set[str]) -> None:
    """Refuses import paths anywhere inside: options that take a class or a function would import them."""
    if isinstance(value, dict):
        for item in (*value, *value.values()):
            _check_value(item, path, trusted)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _check_value(item, path, trusted)
    elif isinstance(value, str) and re.search(r"\w\s*\.\s*[^\W\d]", value):
        homes = {name.rpartition(".")[0] for name in trusted}
        if not is_known_class(value) and value.rpartition(".")[0] not in homes:
            raise CheckpointError(
                f"{path} names {value[:80]!r} in its settings, and a checkpoint alone does not get code imported: give "
                f"that option on the command line if you trust it"
            )


def is_known_class(name: Any, *keys: str) -> bool:
    """Whether this is a class of the package or of torch for one of these arguments; imports nothing."""
    home, _, attribute = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    kind = getattr(sys.modules.get(home), attribute, None)
    return isinstance(kind, type) and any(
        issubclass(kind, KINDS[key][0]) and re.fullmatch(KINDS[key][1], home) for key in keys or KINDS
    )

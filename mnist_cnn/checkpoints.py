"""Checkpoints by name, and what is read from one before anything is built from it."""

from pathlib import Path
from typing import Any

import torch


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be found or read; the message is one line that says what to do."""


def find_checkpoint(path: str, logs: Path, required: bool) -> Path | None:
    """Resolves what `--ckpt_path` was given.

    Args:
        path: `best` or `last` of the newest run that has one, or a file.
        logs: The folder that holds the runs.
        required: Whether it is an error that there is no run for `best` or `last`.

    Returns:
        The file, or None where there is no run.

    Raises:
        CheckpointError: There is no such file.
    """
    if path not in ("best", "last"):
        if not Path(path).is_file():
            raise CheckpointError(f"there is no checkpoint file {path!r}: give best, last or the path of a .ckpt file")
        return Path(path)
    found = sorted(logs.glob(f"*/checkpoints/{path}.ckpt"), key=lambda file: file.stat().st_mtime_ns)
    if not found and (required or path == "best"):
        raise CheckpointError(f"no run in {logs} has a checkpoint yet: train one with fit, or give --ckpt_path=FILE")
    return found[-1] if found else None


def checkpoint_arguments(path: Path, resume: bool) -> dict[str, Any]:
    """Reads the arguments of model and data that a checkpoint was made with.

    Args:
        path: The file; it is read as plain data.
        resume: Whether training is to go on from it, which takes more than weights.

    Returns:
        Defaults for the parser, such as `model.learning_rate`.

    Raises:
        CheckpointError: The file is not a readable checkpoint of a `DigitClassifier`.
    """
    hint = "give another checkpoint with --ckpt_path=FILE"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file provokes in the unpickler
        objects = "Weights only load failed" in str(error) and path.stat().st_size > 0
        reason = "holds something else than plain data, or is damaged" if objects else "is damaged, or no checkpoint"
        raise CheckpointError(f"{path} {reason}: {hint}") from error
    needed = {"state_dict", "hyper_parameters", "pytorch-lightning_version"}
    if not isinstance(content, dict) or not needed <= content.keys():
        raise CheckpointError(f"{path} is not a checkpoint of this project: {hint}")
    if resume and not (content.get("optimizer_states") and "fit_loop" in content.get("loops", {})):
        raise CheckpointError(f"{path} has weights, but not the state of training that fit goes on from: {hint}")
    groups = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}
    return {
        f"{group}.{name}": value
        for group, key in groups.items()
        for name, value in content.get(key, {}).items()
        if name != "_instantiator" and value is not None
    }

"""Checkpoint files, read as plain data."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

HINT = "give another checkpoint with --ckpt_path=FILE"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be found, read or written; the message is one line that says what to do."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """There is no such checkpoint."""


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
    kinds = {**needed, "callbacks": dict, "loops": dict}
    if (
        not isinstance(content, dict)
        or not needed.keys() <= content.keys()
        or not all(isinstance(content[key], kind) for key, kind in kinds.items() if key in content)
    ):
        raise CheckpointError(f"{path} is not a checkpoint of this project: {HINT}")
    return content


def noted(content: dict[str, Any], name: str) -> Any:
    """What a callback noted in a checkpoint under this name; None where none did."""
    states = [state for state in content.get("callbacks", {}).values() if isinstance(state, dict)]
    return next((state[name] for state in states if state.get(name) is not None), None)

"""Errors in data, in one line each."""

import shlex
from pathlib import Path


class DataError(RuntimeError):
    """Data that cannot be had or used; the message is one line that says what to do."""


def first_line(error: BaseException) -> str:
    """A library's message, as far as it fits into ours."""
    return (str(error) or type(error).__name__).splitlines()[0]


def how_to_go_on(place: str, checkpoint: str | None) -> str:
    """Says how a run on labelled pictures is gone on with, of which a checkpoint is."""
    folder = Path(checkpoint or "").parent
    known = folder.name == "checkpoints" and (folder.parent / "config.yaml").is_file()
    option = f"--config={folder.parent / 'config.yaml'}" if known else f"--data.labelled={place}"
    return f"this run is trained on labelled pictures: add {shlex.quote(option)} to go on"

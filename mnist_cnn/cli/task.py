"""Which task a command line is for, if it is not the classifier."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import yaml

from mnist_cnn.errors import SettingsError

DETECTOR, RECOGNIZER = "detector", "recognizer"
"""The values of `task` in a config file, or of `--task`, that choose another task."""


def chosen(words: Sequence[str]) -> str:
    """The task that arguments choose by `--task` or by a config file that says so; empty for the classifier."""
    files = [word.partition("=")[2] for word in words if word.startswith(("--config=", "-c="))]
    named = [word.partition("=")[2] for word in words if word.startswith("--task=")]
    for file in files:
        with contextlib.suppress(OSError, ValueError, yaml.YAMLError):  # which the parser tells
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get("task") is not None:
                named.append(str(content["task"]))
    if unknown := set(named) - {DETECTOR, RECOGNIZER}:
        raise SettingsError(
            f"--task={unknown.pop()}: give {DETECTOR} or {RECOGNIZER}, or leave it out for a classifier"
        )
    return next(iter(named), "")

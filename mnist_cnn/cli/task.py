"""Which of the two tasks a command line is for."""

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import yaml

DETECTOR = "detector"
"""The value of `task` in a config file, or of `--task`, that chooses the detector."""


def is_detector(words: Sequence[str]) -> bool:
    """Whether arguments choose the detector: by `--task=detector`, or by a config file that says so."""
    files = [word.partition("=")[2] for word in words if word.startswith(("--config=", "-c="))]
    files += [word for before, word in itertools.pairwise(words) if before in ("--config", "-c")]
    for file in files:
        with contextlib.suppress(OSError, yaml.YAMLError):
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get("task") == DETECTOR:
                return True
    return f"--task={DETECTOR}" in words or any(pair == ("--task", DETECTOR) for pair in itertools.pairwise(words))

"""Shared by experiments: seeds, answers, means in a table, plots."""

import statistics
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_cnn.data.errors import DataError
from mnist_cnn.start import fail

INTERRUPTED = "interrupted: the same command goes on with the runs that are not finished"


class ResultsError(DataError):
    """Stored results that cannot be used; the message is one line that says what to do."""


def without_repeats(option: str, values: Sequence[Any]) -> list[Any]:
    """The values, if none is there twice; else the program ends."""
    if repeated := {str(value) for value in values if values.count(value) > 1}:
        fail(f"{option} repeats {', '.join(sorted(repeated))}: give each once")
    return list(values)


def claim(folder: Path, command: str, option: str = "--output") -> None:
    """Notes what the runs in a folder are made by; ends the program where that was something else."""
    note = folder / "command.txt"
    if note.exists() and note.read_text() != command:
        fail(f"{folder} holds what another preset or other arguments made: choose another {option}")
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(command)


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a process wrote before it failed; a killed one may have written none."""
    return [f"exit status {done.returncode}", *(done.stderr or done.stdout).strip().splitlines()][-1]


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, 0 for a single value."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def percent(values: Sequence[float]) -> str:
    """Mean ± standard deviation of shares, in percent."""
    mean, deviation = spread(values)
    return f"{mean:.2%}" if len(values) == 1 else f"{100 * mean:.2f} ± {100 * deviation:.2f}%"


def plain(values: Sequence[float]) -> str:
    """Mean ± standard deviation."""
    mean, deviation = spread(values)
    digits = 4 if abs(mean) < 10 else 1
    return f"{mean:.{digits}f}" if len(values) == 1 else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


@torch.no_grad()
def answers(model: Any, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """A classifier's log-probabilities for all images of a split, [N, 10], and their labels, [N]."""
    model.eval()
    parts = [(model(images.to(model.device)).cpu(), labels) for images, labels in batches]
    log_probabilities, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return log_probabilities, labels


def pyplot() -> Any:
    """The plotting module of matplotlib, drawing into files."""
    try:
        import matplotlib
    except ImportError:
        fail("the plots need matplotlib: pip install 'mnist-cnn[plots]'")
    matplotlib.use("Agg")
    import matplotlib.pyplot

    return matplotlib.pyplot


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines) + "\n"

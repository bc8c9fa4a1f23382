"""What experiments share: options, types of arguments, means in a table, plots, and an end in one line."""

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mnist_cnn.data.files import DataError
from mnist_cnn.errors import fail


class ResultsError(RuntimeError):
    """Stored results that cannot be used; the message is one line that says what to do."""


def add_options(parser: argparse.ArgumentParser, output: str) -> None:
    """Adds the options that all experiments have."""
    parser.add_argument("--seeds", type=natural(0), nargs="+", help="one run for each of them (default 0 1 2)")
    parser.add_argument("--output", type=Path, default=Path(output), help=f"folder of the results (default {output})")
    parser.add_argument("--data-dir", help="folder of the data files (default: the per-user cache)")
    parser.add_argument(
        "--workers",
        type=natural(1),
        default=1,
        help="runs at a time, each with its share of the processor's cores (default 1)",
    )


def natural(least: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers from `least` on."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least {least}")
        return int(text)

    return parse


def without_repeats(option: str, values: Sequence[Any]) -> list[Any]:
    """The values, if none is there twice; else the program ends."""
    if repeated := {str(value) for value in values if values.count(value) > 1}:
        fail(f"{option} repeats {', '.join(sorted(repeated))}: give each once")
    return list(values)


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


def end_with_one_line(function: Callable[..., None], *arguments: Any) -> None:
    """Calls a program; what a user can mend ends it with one line and status 2, an interruption with 130."""
    try:
        function(*arguments)
    except (ResultsError, DataError) as error:
        fail(error)
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on with the runs that are not finished")
        raise SystemExit(130) from None

"""Races this project against others on this machine, and writes a table and a plot.

    python scripts/benchmark.py epoch ladder startup --rounds=5

The sides of a race take turns, each in a process of its own, so that a machine that is busy or throttled slows all of
them; figures are medians over the rounds, ratios are the median of the ratios round by round. Round N uses seed N.

epoch    one epoch of the default network, 60,000 digits: `fit` with all its defaults, a bare loop over the same
         tensors, and the tutorial's own program over torchvision's Dataset and DataLoader
ladder   training from nothing to a given accuracy: the presets of this project and three known recipes
startup  how long the command line takes to do next to nothing
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import experiments
import torch
from experiments import markdown, percent
from jsonargparse.typing import PositiveInt
from speed.sides import RACES, Result

from mnist_cnn.data import files
from mnist_cnn.hardware import has_bfloat16
from mnist_cnn.start import fail

Race = Literal["epoch", "ladder", "startup"]

COLUMNS = {
    "epoch": "seconds per epoch",
    "images": "images per second",
    "seconds": "seconds of training",
    "accuracy": "test accuracy",
    "process": "seconds, whole process",
    "memory": "peak memory, MiB",
}


def main(
    races: list[Race] | None = None,
    rounds: PositiveInt = 5,
    sides: list[str] | None = None,
    output: Path | None = None,
) -> None:
    """Holds races and prints their tables.

    Args:
        races: Which; `epoch` alone by default.
        rounds: How often each side runs.
        sides: Only these sides of the races.
        output: Folder for `benchmark.md` and `benchmark.png`. Default: print only.
    """
    races = races or ["epoch"]
    known = [name for race in races for name in RACES[race]]
    if unknown := [name for name in sides or () if name not in known]:
        fail(f"--sides: there is no {', '.join(unknown)} among {', '.join(known)}")
    chosen = {race: pick(race, sides) for race in races}
    files.prepare("MNIST", files.default_data_dir())  # so that no side does it on the clock
    write({race: hold(race, names, rounds) for race, names in chosen.items() if names}, output)


def run_here(race: str, name: str, seed: int) -> None:
    """Runs a side in its own process, and prints its result."""
    side = RACES[race][name]
    assert side.run
    result = side.run(seed)
    if "epoch" in result:
        result["images"] = 60_000 / result["epoch"]
    unit = 1 if sys.platform == "darwin" else 1024  # in bytes, or in KiB as Linux counts
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    print(json.dumps(result))


def pick(race: str, names: Sequence[str] | None) -> list[str]:
    """The sides that take part: not that which takes most of the time where bfloat16 is emulated, unless asked for."""
    chosen = [name for name in RACES[race] if names is None or name in names]
    if names is None and "fit_bf16" in chosen and not has_bfloat16("cpu"):
        chosen.remove("fit_bf16")
        print(f"{race}: without fit_bf16, for want of bfloat16 instructions; --sides=[fit,fit_bf16] runs it, too")
    return chosen


def hold(race: str, names: Sequence[str], rounds: int) -> dict[str, list[Result]]:
    """Runs the sides in turn, some rounds of it."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            result = run_side(race, name, number)
            results[name].append(result)
            figures = ", ".join(f"{key} {value:.4g}" for key, value in result.items())
            print(f"{race}, round {number + 1} of {rounds}, {name}: {figures}", flush=True)
    return results


def run_side(race: str, name: str, seed: int) -> Result:
    """Runs a side in a process of its own."""
    side = RACES[race][name]
    command = side.command or (__file__, "--side", race, name, str(seed))
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env={**os.environ, **side.environment}
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"error: {name} failed: {experiments.last_words(done)}")
    result = {} if side.command else json.loads(done.stdout.splitlines()[-1])
    return {**result, "process": seconds}


def write(results: dict[str, dict[str, list[Result]]], output: Path | None) -> None:
    """Prints the tables and, where there is a folder for them, writes them with a plot of the ladder."""
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
    parts = [f"{machine}, torch {torch.__version__}, {torch.get_num_threads()} threads\n"]
    parts += [f"## {race}\n\n{table(race, sides)}" for race, sides in results.items()]
    text = "\n".join(parts)
    print("\n" + text)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        (output / "benchmark.md").write_text("# Benchmark\n\n`python scripts/benchmark.py`: " + text)
        if "ladder" in results:
            plot(results["ladder"], output / "benchmark.png")


def table(race: str, sides: dict[str, list[Result]]) -> str:
    """One row for each side: medians, and how many times the time of the first side it takes."""
    first = next(iter(sides.values()))
    measures = [key for key in COLUMNS if all(key in results[0] for results in sides.values())]
    clock = "seconds" if race == "ladder" else measures[0]
    header = ["", *(COLUMNS[key] for key in measures), "times the first", "rounds"]
    rows = []
    for name, results in sides.items():
        ratios = [mine[clock] / base[clock] for mine, base in zip(results, first, strict=True)]
        cells = [cell(key, [result[key] for result in results]) for key in measures]
        rows.append([RACES[race][name].title, *cells, f"{statistics.median(ratios):.2f}", str(len(results))])
    return markdown(header, rows)


def cell(measure: str, values: Sequence[float]) -> str:
    """Accuracies as mean ± standard deviation, all else as the median."""
    if measure == "accuracy":
        return percent(values)
    return f"{statistics.median(values):.{0 if measure in ('images', 'memory') else 2}f}"


def plot(sides: dict[str, list[Result]], path: Path) -> None:
    """Draws test accuracy by seconds of training: a point for each run."""
    plt = experiments.pyplot()
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for number, (name, results) in enumerate(sides.items()):
        points = [(result["seconds"], 100 * result["accuracy"]) for result in results]
        axis.plot(*zip(*points, strict=True), "o", color=f"C{number}", alpha=0.6, label=name)
    axis.set(xscale="log", xlabel="seconds of training", ylabel="test accuracy, %")
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        run_here(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        from mnist_cnn.cli.script import run_script  # not in the process of a side, whose memory is measured

        run_script(main)

"""Medians of races as a table, and a plot."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import experiments
import torch
from experiments import markdown, percent

from speed.sides import RACES, Result

COLUMNS = {
    "epoch": "seconds per epoch",
    "images": "images per second",
    "seconds": "seconds of training",
    "accuracy": "test accuracy",
    "process": "seconds, whole process",
    "memory": "peak memory, MiB",
}


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

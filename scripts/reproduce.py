"""Runs the systems of the two tutorials behind this project and sets the results beside their published figures.

    python scripts/reproduce.py --quick --output=/tmp/quick     # two epochs of each, one seed: minutes
    python scripts/reproduce.py --workers=2                     # all of it, three seeds: hours

Each run is stored in OUTPUT/runs as soon as it is finished and is not repeated; the same command goes on where it was
interrupted. From what is stored, OUTPUT/tables.md and a plot for each system are written. The test set is scored after
each epoch for these tables only: nothing is chosen by it. Training figures are those of the epoch as its batches were
seen, dropout included; they are what the tutorials print.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import experiments
import yaml
from experiments import markdown, percent, plain
from jsonargparse.typing import NonNegativeInt, PositiveInt
from tutorials import training
from tutorials.measures import Result
from tutorials.training import Run

from mnist_cnn.cli.script import run_script
from mnist_cnn.start import fail

PUBLISHED = Path(__file__).parent / "tutorials" / "published.yaml"
UNIT = ("--model.network.init_args.scaling=unit",)


@dataclass(frozen=True)
class System:
    """A preset of `mnist_cnn/configs`, what is changed in it, and how many epochs it is run for."""

    title: str
    preset: str
    epochs: int
    changes: tuple[str, ...] = ()


SYSTEMS = {
    "tutorial_cnn": System("The tutorial's CNN, rate halved after each epoch", "tutorial_cnn", 10),
    "tutorial_cnn_constant": System("The tutorial's CNN, constant rate", "tutorial_cnn_constant", 10),
    "dezero_mlp": System("DeZero's MLP", "dezero_mlp", 5),
    "mnist_plus_1": System("MNISTPlus 1: 1 channel, raw pixels", "mnist_plus_1", 20),
    "mnist_plus_2": System("MNISTPlus 2: 30 channels, raw pixels", "mnist_plus_2", 9),
    "mnist_plus_2_long": System("MNISTPlus 2, all 50 epochs", "mnist_plus_2", 50),
    "mnist_conv": System("MNISTConv, raw pixels", "mnist_conv", 20),
    "mnist_plus_1_scaled": System("MNISTPlus 1, pixels / 255", "mnist_plus_1", 20, UNIT),
    "mnist_plus_2_scaled": System("MNISTPlus 2, pixels / 255", "mnist_plus_2", 10, UNIT),
    "mnist_conv_scaled": System("MNISTConv, pixels / 255", "mnist_conv", 5, UNIT),
    "mnist_plus": System("MNISTPlus 2, pixels / 255, torch's initialization", "mnist_plus", 10),
}

COLUMNS = {
    "test_accuracy": "test accuracy",
    "dropout_accuracy": "test accuracy, dropout left on",
    "test_loss": "test loss",
    "dropout_loss": "test loss, dropout left on",
    "train_accuracy": "train accuracy",
    "train_loss": "train loss",
}
"""The measures after an epoch, and their names in tables and plots."""

PREFACE = (
    "Written by `python scripts/reproduce.py`. Mean ± standard deviation over seeds; the seeds are named with each "
    "table. The test set is scored after each epoch for these tables only, and nothing is chosen by it.\n\n"
    "*Dropout left on*: the published programs of MNISTPlus score the test set inside `dezero.no_grad()`, which "
    "stops gradients but, unlike `dezero.test_mode()`, not dropout. Their published test figures compare with "
    "these columns.\n"
)

SUMMARY = ["system", "seeds", "epoch", "published", "ours, scored as published", "ours", "last epoch", "ours",
           "mean of the last five", "highest - lowest of these, points"]  # fmt: skip


def main(
    systems: list[str] | None = None,
    epochs: PositiveInt | None = None,
    quick: bool = False,
    seeds: list[NonNegativeInt] | None = None,
    output: Path = Path("docs/reproduction"),
    data_dir: Path | None = None,
    workers: PositiveInt = 1,
) -> None:
    """Runs systems and writes their tables and plots.

    Args:
        systems: Which to run; all by default.
        epochs: Of each run. Default: those of the system.
        quick: The same as `--epochs=2 --seeds=[0]`, where those are not given.
        seeds: One run for each of them; 0, 1 and 2 by default.
        output: Folder of the results.
        data_dir: Folder of the data files. Default: the per-user cache.
        workers: Runs at a time, each with its share of the processor's cores.
    """
    systems = experiments.without_repeats("--systems", systems or list(SYSTEMS))
    seeds = experiments.without_repeats("--seeds", seeds or ([0] if quick else [0, 1, 2]))
    if unknown := [name for name in systems if name not in SYSTEMS]:
        fail(f"there is no system {', '.join(unknown)}: choose from {' '.join(SYSTEMS)}")
    runs = [run_of(name, seed, epochs or (2 if quick else None)) for seed in seeds for name in systems]
    training.complete(runs, output, data_dir, workers)
    report(output)


def run_of(name: str, seed: int, epochs: int | None) -> Run:
    """The run of a system with a seed."""
    system = SYSTEMS[name]
    return Run(name, system.preset, system.changes, epochs or system.epochs, seed, training.TRAIN_BATCHES)


def report(output: Path) -> None:
    """Writes the tables and the plots of all stored runs of a folder."""
    published = yaml.safe_load(PUBLISHED.read_text())
    groups: dict[str, list[Result]] = {name: [] for name in SYSTEMS}
    for result in training.load(output):
        groups.get(result["run"]["name"], []).append(result)
    groups = {name: results for name, results in groups.items() if results}
    parts = ["# The systems, ours and published\n", PREFACE, summary(groups, published)]
    for name, results in groups.items():
        parts += [f"## {SYSTEMS[name].title}\n", f"`{name}`, {seeds_of(results)}\n"]
        parts += [table(results, published.get(name, {})), f"![accuracy and loss per epoch]({name}.png)\n"]
        plot(results, published.get(name, {}), SYSTEMS[name].title, output / f"{name}.png")
    (output / "tables.md").write_text("\n".join(parts))
    print(f"tables and plots: {output / 'tables.md'}")


def seeds_of(results: Sequence[Result]) -> str:
    """The seeds of some runs, in words."""
    seeds = [str(result["run"]["seed"]) for result in results]
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}"


def summary(groups: dict[str, list[Result]], published: Result) -> str:
    """One row for each system: the last epoch that ours and the tutorial have in common, and our last epochs."""
    rows = []
    for name, results in groups.items():
        theirs = published.get(name, {}).get("test_accuracy", [])
        length = min(len(result["epochs"]) for result in results)
        shared = min(length, len(theirs)) or length
        as_published = [series(result, measured_as("test_accuracy", results)) for result in results]
        accuracies = [series(result, "test_accuracy") for result in results]
        window = [accuracy[-5:] for accuracy in accuracies]
        row = [SYSTEMS[name].title, str(len(results)), str(shared)]
        if theirs:
            row += [f"{theirs[shared - 1]:.2%}", percent([accuracy[shared - 1] for accuracy in as_published])]
        else:
            row += ["", ""]
        row += [percent([accuracy[shared - 1] for accuracy in accuracies]), str(length)]
        row += [percent([accuracy[length - 1] for accuracy in accuracies])]
        row += [percent([statistics.mean(part) for part in window])]
        row += [f"{100 * statistics.mean(max(part) - min(part) for part in window):.2f}"]
        rows.append(row)
    return markdown(SUMMARY, rows)


def table(results: Sequence[Result], published: Result) -> str:
    """One row for each epoch: our figures, each beside the published one where there is one."""
    names = [name for name in COLUMNS if name in results[0]["epochs"][0]]
    beside = {measured_as(kind, results): theirs for kind, theirs in published.items()}
    header = ["epoch"]
    for name in names:
        header += [COLUMNS[name]] + (["published"] if name in beside else [])
    rows = []
    for i in range(max(len(result["epochs"]) for result in results)):
        row = [str(i + 1)]
        for name in names:
            values = [series(result, name)[i] for result in results if i < len(result["epochs"])]
            row.append(percent(values) if "accuracy" in name else plain(values))
            if theirs := beside.get(name):
                form = "{:.2%}" if "accuracy" in name else "{:.4f}"
                row.append(form.format(theirs[i]) if i < len(theirs) else "")
        rows.append(row)
    return markdown(header, rows)


def measured_as(name: str, results: Sequence[Result]) -> str:
    """Which measure of ours a published one compares with: the published programs leave dropout on."""
    left_on = name.replace("test", "dropout")
    return left_on if left_on in results[0]["epochs"][0] else name


def series(result: Result, name: str) -> list[float]:
    """A measure of a run, epoch by epoch."""
    return [epoch[name] for epoch in result["epochs"]]


def plot(results: Sequence[Result], published: Result, title: str, path: Path) -> None:
    """Draws accuracy and loss by epoch: our mean with a band of ± one standard deviation, published points on it."""
    plt = experiments.pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    styles = {"test": ("C0", "o"), "dropout": ("C2", "s"), "train": ("C1", "^")}
    length = min(len(result["epochs"]) for result in results)
    epochs = range(1, length + 1)
    for axis, kind in zip(axes, ("accuracy", "loss"), strict=True):
        for stage, (colour, marker) in styles.items():
            name = f"{stage}_{kind}"
            if name in results[0]["epochs"][0]:
                values = [experiments.spread([series(result, name)[i] for result in results]) for i in range(length)]
                low, high = ([mean + sign * deviation for mean, deviation in values] for sign in (-1, 1))
                axis.plot(epochs, [mean for mean, _ in values], colour, label=f"ours, {COLUMNS[name]}")
                axis.fill_between(epochs, low, high, color=colour, alpha=0.25, linewidth=0)
            if theirs := published.get(name):
                shown = range(1, len(theirs) + 1)
                colour, marker = styles[measured_as(name, results).partition("_")[0]]
                axis.plot(shown, theirs, marker, color=colour, mec="k", label=f"published {stage} {kind}")
        axis.set(xlabel="epoch", ylabel=kind)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    axes[1].set_yscale("log")
    figure.suptitle(f"{title} ({seeds_of(results)})")
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

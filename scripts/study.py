"""The study of MNISTPlus: which of its four ingredients ruins it, and how.

    python scripts/study.py --workers=2

A controlled comparison of all 16 combinations of pixels (raw or / 255), initialization (DeZero's or torch's), dropout
(0.5 or none) and channels (1 or 30), two epochs and three seeds each. All else is the preset `mnist_plus_2`, so every
cell is conv - pool - 100 hidden units - 10, and cells that differ in channels differ in the convolution and the fan-in
of the hidden layer alone. Each run is stored in OUTPUT/runs and not repeated. OUTPUT/tables.md and two plots are
written from what is stored.
"""

import itertools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import experiments
from experiments import markdown, percent, spread
from jsonargparse.typing import NonNegativeInt, PositiveInt
from tutorials import training
from tutorials.measures import PROBE_IMAGES, Result
from tutorials.training import Run

from mnist_cnn.cli.script import run_script

FACTORS: dict[str, tuple[str, str]] = {
    "pixels": ("raw", "unit"),
    "initialization": ("dezero", "torch"),
    "dropout": ("0.5", "0.0"),
    "channels": ("1", "30"),
}
"""The factors that are varied: the published value first, but for channels, where both were published."""

OPTIONS = {
    "pixels": "scaling={}",
    "initialization": "initialization={}",
    "dropout": "dropout={}",
    "channels": "blocks=[[{}]]",
}

WORDS = {"unit": "/ 255", "dezero": "DeZero", "0.0": "none"}

Cell = tuple[str, ...]


def main(
    epochs: PositiveInt = 2,
    seeds: list[NonNegativeInt] | None = None,
    output: Path = Path("docs/study"),
    data_dir: str | None = None,
    workers: PositiveInt = 1,
) -> None:
    """Runs all combinations and writes their tables and plots.

    Args:
        epochs: Of each run.
        seeds: One run for each of them; 0, 1 and 2 by default.
        output: Folder of the results.
        data_dir: Folder of the data files. Default: the per-user cache.
        workers: Runs at a time, each with its share of the processor's cores.
    """
    seeds = experiments.without_repeats("--seeds", seeds or [0, 1, 2])
    runs = [run_of(cell, seed, epochs) for seed in seeds for cell in cells()]
    training.complete(runs, output, data_dir, workers)
    report(output)


def cells() -> list[Cell]:
    """All combinations of the factors' values."""
    return list(itertools.product(*FACTORS.values()))


def run_of(cell: Cell, seed: int, epochs: int) -> Run:
    """The run of a combination with a seed."""
    changes = tuple(
        f"--model.network.init_args.{OPTIONS[factor].format(value)}"
        for factor, value in zip(FACTORS, cell, strict=True)
    )
    return Run("-".join(cell), "mnist_plus_2", changes, epochs, seed, training.TRAIN_BATCHES)


def report(output: Path) -> None:
    """Writes the tables and the plots of all stored runs of a folder."""
    names = {"-".join(cell): cell for cell in cells()}
    groups: dict[Cell, list[Result]] = {cell: [] for cell in cells()}
    for result in training.load(output):
        if result["run"]["name"] in names:
            groups[names[result["run"]["name"]]].append(result)
    groups = {cell: results for cell, results in groups.items() if results}
    seeds = sorted({result["run"]["seed"] for results in groups.values() for result in results})
    epochs = min(len(result["epochs"]) for results in groups.values() for result in results)
    heading = (
        "# The study of MNISTPlus: tables\n\nWritten by `python scripts/study.py`. "
        f"Seeds {', '.join(map(str, seeds))}; mean ± standard deviation over them; {epochs} epochs.\n"
    )
    parts = [heading, "## Outcome\n", outcome(groups, epochs), "![test accuracy](accuracy.png)\n"]
    parts += ["## What each factor does\n", effects(groups, epochs)]
    parts += ["## Inside the network\n", LEGEND, mechanism(groups), "![mechanism](mechanism.png)\n"]
    (output / "tables.md").write_text("\n".join(parts))
    plot_accuracy(groups, epochs, output / "accuracy.png")
    plot_mechanism(groups, output / "mechanism.png")
    print(f"tables and plots: {output / 'tables.md'}")


LEGEND = f"""\
At step 0 unless another time is named, on the first {PROBE_IMAGES:,} training images without dropout.
*Scale*: root mean square of a layer's outputs before the activation function. *Dead*: hidden units whose output is
zero for every image. *Active*: share of hidden outputs that ReLU lets through. *Sure*: images for which some digit has
a probability above 99%. *Gradient*: norm of the loss's gradient for a layer's weights.
"""


def words(cell: Cell) -> list[str]:
    """The values of a combination as they are printed."""
    return [WORDS.get(value, value) for value in cell]


def outcome(groups: dict[Cell, list[Result]], epochs: int) -> str:
    """Loss at step 0 and accuracy after each epoch."""
    header = [*FACTORS, "loss at step 0", *(f"test accuracy, epoch {i + 1}" for i in range(epochs))]
    header.append("the last, dropout left on")
    rows = []
    for cell, results in groups.items():
        row = [*words(cell), number([result["probes"]["start"]["loss"] for result in results])]
        row += [percent([result["epochs"][i]["test_accuracy"] for result in results]) for i in range(epochs)]
        left_on = [result["epochs"][epochs - 1].get("dropout_accuracy") for result in results]
        rows.append([*row, percent(left_on) if left_on[0] is not None else ""])
    return markdown(header, rows)


def effects(groups: dict[Cell, list[Result]], epochs: int) -> str:
    """The effect of one factor alone on the last accuracy, over all combinations of the others."""
    rows = []
    for place, (factor, (before, after)) in enumerate(FACTORS.items()):
        changes = []
        for cell in groups:
            other = (*cell[:place], after, *cell[place + 1 :])
            if cell[place] == before and other in groups:
                pair = [statistics.mean(last_accuracies(groups[key], epochs)) for key in (cell, other)]
                changes.append(100 * (pair[1] - pair[0]))
        if changes:
            change = f"{WORDS.get(before, before)} to {WORDS.get(after, after)}"
            figures = (statistics.mean(changes), min(changes), max(changes))
            rows.append([factor, change, *(f"{figure:+.2f}" for figure in figures), str(len(changes))])
    return markdown(["factor", "change", "mean effect, points", "lowest", "highest", "pairs of cells"], rows)


def last_accuracies(results: Sequence[Result], epochs: int) -> list[float]:
    """Test accuracy of each seed after the last epoch that all have."""
    return [result["epochs"][epochs - 1]["test_accuracy"] for result in results]


MECHANISM: dict[str, Callable[[Result], float]] = {
    "scale, conv": lambda result: layer(result, 0)["rms"],
    "scale, hidden": lambda result: layer(result, 1)["rms"],
    "scale, logits": lambda result: layer(result, 2)["rms"],
    "sure": lambda result: result["probes"]["start"]["sure"],
    "gradient, conv": lambda result: layer(result, 0)["gradient"],
    "gradient, hidden": lambda result: layer(result, 1)["gradient"],
    "gradient, output": lambda result: layer(result, 2)["gradient"],
    "dead": lambda result: layer(result, 1)["dead"],
    "dead after epoch 1": lambda result: layer(result, 1, "epoch_1")["dead"],
    "active": lambda result: layer(result, 1)["active"],
    "active after epoch 1": lambda result: layer(result, 1, "epoch_1")["active"],
}
"""The figures that are taken from the probe of three layers: convolution, hidden layer, output."""


def layer(result: Result, index: int, time: str = "start") -> Result:
    """The probe of a layer."""
    return result["probes"][time]["layers"][index]


def mechanism(groups: dict[Cell, list[Result]]) -> str:
    """Scales, gradients and dead units."""
    rows = []
    for cell, results in groups.items():
        row = words(cell)
        for name, read in MECHANISM.items():
            values = [read(result) for result in results]
            row.append(percent(values) if name.startswith(("sure", "dead", "active")) else number(values))
        rows.append(row)
    return markdown([*FACTORS, *MECHANISM], rows)


def number(values: Sequence[float]) -> str:
    """Mean ± standard deviation in three significant digits."""
    mean, deviation = spread(values)
    return f"{mean:.3g}" if len(values) == 1 else f"{mean:.3g} ± {deviation:.2g}"


def plot_accuracy(groups: dict[Cell, list[Result]], epochs: int, path: Path) -> None:
    """Draws the last test accuracy of each combination, a point for each seed, grouped by pixels."""
    plt = experiments.pyplot()
    figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
    others = list(itertools.product(*list(FACTORS.values())[1:]))
    for pixels, colour in zip(FACTORS["pixels"], ("C3", "C0"), strict=True):
        points = [
            (position, 100 * accuracy)
            for position, other in enumerate(others)
            for accuracy in last_accuracies(groups.get((pixels, *other), []), epochs)
        ]
        axis.plot(
            *zip(*points, strict=True) if points else ([], []),
            "o",
            color=colour,
            alpha=0.7,
            label=f"pixels {WORDS.get(pixels, pixels)}",
        )
    labels = [
        f"{init}\ndropout {dropout}\n{channels} channel{'s' * (channels != '1')}"
        for init, dropout, channels in map(words, others)
    ]
    axis.set_xticks(range(len(others)), labels, fontsize=8)
    axis.set(ylabel=f"test accuracy after epoch {epochs}, %")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def plot_mechanism(groups: dict[Cell, list[Result]], path: Path) -> None:
    """Draws, with dropout and 30 channels, scale by layer, loss by step, and active hidden outputs."""
    plt = experiments.pyplot()
    figure, (scales, losses, active) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    shown = {cell: results for cell, results in groups.items() if cell[2:] == ("0.5", "30")}
    for i, (cell, results) in enumerate(shown.items()):
        label = "pixels {}, {}".format(*words(cell))
        rms = [statistics.mean(layer(result, index)["rms"] for result in results) for index in range(3)]
        scales.plot(["conv", "hidden", "logits"], rms, "o-", color=f"C{i}", label=label)
        steps = zip(*(result["first_losses"] for result in results), strict=True)
        losses.plot([statistics.mean(step) for step in steps], color=f"C{i}", label=label)
        shares = [
            statistics.mean(100 * layer(result, 1, time)["active"] for result in results)
            for time in ("start", "epoch_1")
        ]
        active.plot(["step 0", "after epoch 1"], shares, "o-", color=f"C{i}", label=label)
    scales.set(yscale="log", ylabel="root mean square of outputs, step 0", title="Scale by layer")
    losses.set(yscale="log", xlabel="step", ylabel="training loss", title="Loss of the first steps")
    active.set(ylim=(0, None), ylabel="hidden outputs that ReLU lets through, %", title="Active hidden outputs")
    for axis in (scales, losses, active):
        axis.grid(alpha=0.3)
    scales.legend(fontsize=8)
    figure.suptitle("MNISTPlus 2 (30 channels, dropout 0.5)")
    figure.savefig(path, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

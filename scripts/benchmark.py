"""Races this project against others on this machine, and writes a table and a plot.

    python scripts/benchmark.py epoch ladder startup --rounds 5

The sides of a race take turns, each in a process of its own, so that a machine that is busy or throttled slows all of
them; figures are medians over the rounds, ratios are the median of the ratios round by round. Round N uses seed N.

epoch    one epoch of the default network, 60,000 digits: `fit` with all its defaults, a bare loop over the same
         tensors, and the tutorial's own program over torchvision's Dataset and DataLoader
ladder   training from nothing to a given accuracy: the presets of this project and three known recipes
startup  how long the command line takes to do next to nothing
ddp      one epoch in one process and in two
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import mnist_cnn
from mnist_cnn.hardware import has_bfloat16
from mnist_cnn.start import THREADS

Result = dict[str, float]

CONFIGS = Path(mnist_cnn.__file__).parent / "configs"
TRAIN_PY = Path(__file__).with_name("train.py")


@dataclass(frozen=True)
class Side:
    """One side of a race: what is run in a process of its own."""

    title: str
    run: Callable[[int], Result] | None = None
    command: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)


def fit(seed: int, *arguments: str, test: bool = False) -> Result:
    """Seconds of each epoch and of all training of `fit`, logging and checkpoints included; test accuracy if wanted."""
    from lightning.pytorch.callbacks import Callback

    from mnist_cnn.cli import DigitCLI, run

    ticks: list[float] = []

    class Clock(Callback):
        def on_train_epoch_start(self, *args: object) -> None:
            ticks.append(time.perf_counter())

        def on_train_end(self, *args: object) -> None:
            ticks.append(time.perf_counter())

    class ClockedCLI(DigitCLI):
        def before_fit(self) -> None:
            super().before_fit()
            self.trainer.callbacks.insert(0, Clock())  # type: ignore[attr-defined]

    with tempfile.TemporaryDirectory() as folder, quiet():
        options = [f"--seed_everything={seed}", "--data.val_size=0", f"--trainer.default_root_dir={folder}"]
        cli = run(["fit", *options, *arguments], ClockedCLI)
        result = {"epoch": min(b - a for a, b in itertools.pairwise(ticks)), "seconds": ticks[-1] - ticks[0]}
        if test:
            result["accuracy"] = cli.trainer.test(cli.model, cli.datamodule, verbose=False)[0]["accuracy/test"]
    return result


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what is printed to itself."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def bare_loop(seed: int) -> Result:
    """The same training as `fit`'s default, without Lightning, metrics, logging and checkpoints."""
    from mnist_cnn.data import files
    from mnist_cnn.hardware import keep_freed_memory
    from mnist_cnn.networks import TutorialCNN

    keep_freed_memory()
    torch.manual_seed(seed)
    images, labels = files.load("MNIST", files.default_data_dir(), train=True)
    network = TutorialCNN().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005, fused=True)

    def epoch() -> None:
        for index in torch.randperm(len(images)).split(200):
            loss = F.nll_loss(network(images[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    seconds = []
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    return {"epoch": min(seconds)}


def torchvision_loop(seed: int) -> Result:
    """The tutorial's own program: its network in torch's layers, over torchvision's Dataset and DataLoader."""
    from speed import peers

    torch.manual_seed(seed)
    (first, _), (both, _) = itertools.islice(peers.tutorial(), 2)
    return {"epoch": min(first, both - first)}


def peer(name: str, target: float = 1.0) -> Callable[[int], Result]:
    """Trains as a recipe of `speed/peers.py` until a test accuracy is reached."""

    def run(seed: int) -> Result:
        from speed import peers

        torch.manual_seed(seed)
        for seconds, accuracy in peers.PEERS[name]():
            result = {"seconds": seconds, "accuracy": accuracy}
            if accuracy >= target:
                break
        return result

    return run


def preset(name: str) -> Side:
    """A preset of this project, trained and tested."""
    return Side(
        f"`{name}`",
        lambda seed: fit(seed, f"--config={CONFIGS / name}.yaml", "--trainer.accelerator=cpu", test=True),
        environment=THREADS,
    )


DEFAULT = ("--trainer.accelerator=cpu", "--trainer.max_epochs=2")
DDP = ("--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

RACES: dict[str, dict[str, Side]] = {
    "epoch": {
        "fit": Side("mnist_cnn, `fit` with all its defaults", lambda seed: fit(seed, *DEFAULT), environment=THREADS),
        "fit_bf16": Side(
            "the same, `--trainer.precision=bf16-mixed`",
            lambda seed: fit(seed, *DEFAULT, "--trainer.precision=bf16-mixed"),
            environment=THREADS,
        ),
        "bare_loop": Side("a bare loop over the same tensors", bare_loop, environment=THREADS),
        "torchvision": Side("torchvision `MNIST` + `ToTensor` + `DataLoader`", torchvision_loop),
    },
    "ladder": {
        **{name: preset(name) for name in ("fast", "strong", "accurate")},
        "train_mnist_fast": Side("tuomaso/train_mnist_fast, its one epoch", peer("train_mnist_fast")),
        "tutorial": Side("the tutorial's program, until 99%", peer("tutorial", 0.99)),
        "pytorch_examples": Side("pytorch/examples, until 99%", peer("pytorch_examples", 0.99)),
    },
    "startup": {
        "imports": Side("importing lightning and torchvision", command=("-c", "import lightning.pytorch, torchvision")),
        "help": Side("`train.py --help`", command=(str(TRAIN_PY), "--help")),
        "fit_help": Side("`train.py fit --help`", command=(str(TRAIN_PY), "fit", "--help")),
        "fast_dev_run": Side(
            "`train.py fit --trainer.fast_dev_run=true`",
            command=(str(TRAIN_PY), "fit", "--trainer.fast_dev_run=true", "--trainer.accelerator=cpu"),
        ),
    },
    "ddp": {
        "one": Side("one process, one thread", lambda seed: fit(seed, *DDP), environment=ONE_THREAD),
        "two": Side(
            "two processes, one thread each",
            lambda seed: fit(seed, *DDP, "--trainer.strategy=ddp", "--trainer.devices=2", "--data.batch_size=100"),
            environment=ONE_THREAD,
        ),
    },
}

COLUMNS = {
    "epoch": "seconds per epoch",
    "images": "images per second",
    "seconds": "seconds of training",
    "accuracy": "test accuracy",
    "process": "seconds, whole process",
    "memory": "peak memory, MiB",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--side"]:
        race, name, seed = arguments[1:]
        print_result(RACES[race][name], int(seed))
        return
    from mnist_cnn.errors import ScriptParser

    parser = ScriptParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", help=f"any of: {' '.join(RACES)} (default epoch)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs (default 5)")
    parser.add_argument("--sides", nargs="+", help="only these sides of the races")
    parser.add_argument("--output", type=Path, help="folder for benchmark.md and benchmark.png (default: print only)")
    options = parser.parse_args(arguments)
    races = options.races or ["epoch"]
    if unknown := [name for name in races if name not in RACES]:
        parser.error(f"there is no race {', '.join(unknown)}: choose from {' '.join(RACES)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    chosen = {race: pick(race, options.sides) for race in races}
    if not any(chosen.values()):
        parser.error(f"--sides names none of {', '.join(name for race in races for name in RACES[race])}")
    prepare()
    results = {race: hold(race, sides, options.rounds) for race, sides in chosen.items() if sides}
    write(results, options.output)


def print_result(side: Side, seed: int) -> None:
    """What a side's own process does."""
    assert side.run
    result = side.run(seed)
    if "epoch" in result:
        result["images"] = 60_000 / result["epoch"]
    result["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
    print(json.dumps(result))


def pick(race: str, names: Sequence[str] | None) -> list[str]:
    """The sides that take part: not that which takes most of the time where bfloat16 is emulated, unless asked for."""
    chosen = [name for name in RACES[race] if names is None or name in names]
    if names is None and "fit_bf16" in chosen and not has_bfloat16("cpu"):
        chosen.remove("fit_bf16")
        print(f"{race}: without fit_bf16, for want of bfloat16 instructions; --sides fit fit_bf16 runs it all the same")
    return chosen


def prepare() -> None:
    """Unpacks the data, so that no side does it on the clock."""
    from mnist_cnn.data import files

    files.prepare("MNIST", files.default_data_dir())


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
        raise SystemExit(f"error: {name} failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
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
    lines = [header, ["---"] * len(header)]
    for name, results in sides.items():
        ratios = [mine[clock] / base[clock] for mine, base in zip(results, first, strict=True)]
        cells = [cell(key, [result[key] for result in results]) for key in measures]
        lines.append([RACES[race][name].title, *cells, f"{statistics.median(ratios):.2f}", str(len(results))])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(measure: str, values: Sequence[float]) -> str:
    """Accuracies as mean ± standard deviation, all else as the median."""
    if measure != "accuracy":
        return f"{statistics.median(values):.{0 if measure in ('images', 'memory') else 2}f}"
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{deviation}%"


def plot(sides: dict[str, list[Result]], path: Path) -> None:
    """Draws test accuracy by seconds of training: a point for each run."""
    import experiments

    plt: Any = experiments.pyplot()
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
    main()

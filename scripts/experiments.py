"""Training runs that are measured after each epoch, stored and resumed: shared by `reproduce.py` and `study.py`."""

import argparse
import json
import logging
import math
import os
import signal
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningCLI
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

import mnist_cnn
from mnist_cnn import DigitClassifier, DigitDataModule
from mnist_cnn.atomic import replacing
from mnist_cnn.cli import NOISE, fail
from mnist_cnn.data import files
from mnist_cnn.data.files import DataError
from mnist_cnn.hardware import keep_freed_memory

CONFIGS = Path(mnist_cnn.__file__).parent / "configs"
TRAIN_BATCHES = 1.0
"""Share or number of batches in an epoch, as Lightning's `limit_train_batches`; tests lower it."""

PROBE_IMAGES = 1000
"""The first images of the training set, with which a network's layers are looked at."""

STEPS = 100
"""Training steps whose loss is stored one by one."""

Result = dict[str, Any]


class ResultsError(RuntimeError):
    """Stored results that cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True)
class Run:
    """One training run: a preset, what is changed in it, a seed, and how long."""

    name: str
    preset: str
    changes: tuple[str, ...]
    epochs: int
    seed: int
    train_batches: float

    def path(self, output: Path) -> Path:
        """Where its result is stored."""
        return output / "runs" / f"{self.name}-seed{self.seed}.json"


class OneLineParser(argparse.ArgumentParser):
    """Reports a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit status 2."""
        fail(message)


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


def complete(runs: Sequence[Run], output: Path, data_dir: str | None, workers: int) -> None:
    """Executes those of the runs that are not stored yet, with one progress bar over all.

    Raises:
        ResultsError: The folder holds results of the same names with other settings; nothing was run or written.
        DataError: The data or the folder cannot be used.
    """
    pyplot()  # is missing now rather than after hours
    check(runs, output)
    missing = [run for run in runs if not run.path(output).exists()]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished earlier: {output / 'runs'}")
    print(files.prepare("MNIST", Path(data_dir).expanduser() if data_dir else files.default_data_dir()))
    try:
        (output / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(
            f"cannot write to {output} ({error.strerror}): choose another folder with --output"
        ) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("training", total=sum(run.epochs for run in missing))
        execute(missing, output, data_dir, workers, lambda: progress.advance(task), progress.console.print)


def execute(
    runs: Sequence[Run],
    output: Path,
    data_dir: str | None,
    workers: int,
    advance: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Trains and stores, here or in several processes; `advance` is called after each epoch, `say` with each result."""
    if workers == 1:
        for run in runs:
            say(store(run, train(run, data_dir, advance), output))
        return
    context = get_context("spawn")
    epochs = context.SimpleQueue()  # one item for each epoch that a worker has finished
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(epochs, threads))
    try:
        pending = {pool.submit(_train_in_worker, run, output, data_dir) for run in runs}
        while pending:
            done, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
            while not epochs.empty():
                epochs.get()
                advance()
            for future in done:
                say(future.result())
    except BaseException:  # interrupted, or a run failed: the others would go on for long
        for worker in active_children():
            worker.kill()  # Lightning would only note a request to end
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_epochs: Any = None  # in a worker, where it reports its epochs


def _start_worker(epochs: Any, threads: int) -> None:
    global _epochs
    _epochs = epochs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that the user started, which ends this one
    torch.set_num_threads(threads)


def _train_in_worker(run: Run, output: Path, data_dir: str | None) -> str:
    return store(run, train(run, data_dir, lambda: _epochs.put(1)), output)


def store(run: Run, result: Result, output: Path) -> str:
    """Writes a result, whole or not at all, and returns a line about it."""
    path = run.path(output)
    with replacing(path) as file:
        file.write(json.dumps(result, indent=1).encode() + b"\n")
    last = result["epochs"][-1]
    seconds = statistics.mean(epoch["seconds"] for epoch in result["epochs"])
    return f"{path.stem}: test accuracy {last['test_accuracy']:.2%}, {seconds:.1f} s per epoch"


def check(runs: Iterable[Run], output: Path) -> None:
    """Makes sure that results of other settings are neither overwritten nor mixed with those of `runs`.

    Raises:
        ResultsError: A stored run of one of the names has other settings, or cannot be read.
    """
    expected = {run.name: {**asdict(run), "changes": list(run.changes), "seed": None} for run in runs}
    settings: dict[str, Result] = {}
    for result in load(output):
        stored, name = result["run"], result["run"]["name"]
        if name not in expected:
            continue
        if name not in settings:
            settings[name] = resolved(next(run for run in runs if run.name == name))
        for want, have in ((expected[name], {**stored, "seed": None}), (settings[name], result["settings"])):
            if differing := sorted(key for key in want if not _agree(want[key], have.get(key))):
                raise ResultsError(
                    f"{output} holds results of {name} with other settings ({', '.join(differing)}): give another "
                    f"folder with --output, or delete those"
                )


def _agree(want: Any, have: Any) -> bool:
    """Whether two settings are the same, but for arguments that did not exist yet when a result was stored."""
    if isinstance(want, dict) and isinstance(have, dict):
        return all(key not in have or _agree(want[key], have[key]) for key in want)
    return want == have


def load(output: Path) -> list[Result]:
    """All stored results of a folder, by name and seed.

    Raises:
        ResultsError: A file cannot be read as a result.
    """
    results = []
    for path in sorted((output / "runs").glob("*.json")):
        try:
            result = json.loads(path.read_text())
            result["run"]["seed"], result["run"]["name"], result["settings"], result["epochs"][-1]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise ResultsError(f"{path} is not a result of this program: delete it or give another --output") from error
        results.append(result)
    return sorted(results, key=lambda result: (result["run"]["name"], result["run"]["seed"]))


def build(run: Run, data_dir: str | None = None, callbacks: Sequence[Callback] = ()) -> LightningCLI:
    """Model, data and trainer of a run, as the command line builds them from its preset."""
    for message in (*NOISE, "LightningCLI's args parameter is intended"):  # the process has arguments of its own
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return LightningCLI(
        DigitClassifier,
        DigitDataModule,
        run=False,
        save_config_callback=None,
        auto_configure_optimizers=False,
        trainer_defaults={**quiet, "callbacks": list(callbacks)},
        args=[
            f"--config={CONFIGS / run.preset}.yaml",
            *run.changes,
            f"--seed_everything={run.seed}",
            f"--trainer.max_epochs={run.epochs}",
            "--trainer.accelerator=cpu",
            *([f"--data.data_dir={data_dir}"] if data_dir else []),
        ],
    )


def resolved(run: Run) -> Result:
    """Every argument of model and data, defaults included."""
    return _arguments(build(run))


def _arguments(cli: LightningCLI) -> Result:
    config = cli.config.as_dict()
    config["data"].pop("data_dir")
    return json.loads(json.dumps({"model": config["model"], "data": config["data"]}))


def train(run: Run, data_dir: str | None, advance: Callable[[], None]) -> Result:
    """Trains and measures; nothing is chosen by what is measured."""
    keep_freed_memory()
    measures = Measures(advance)
    cli = build(run, data_dir, [measures])
    cli.trainer.limit_train_batches = run.train_batches
    cli.datamodule.prepare_data = lambda: None  # was done once, before all runs
    cli.datamodule.setup("test")
    try:
        cli.trainer.fit(cli.model, cli.datamodule)
    except SystemExit:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from None
    return {
        "run": asdict(run),
        "settings": _arguments(cli),
        "software": {"torch": torch.__version__, "lightning": L.__version__},
        "threads": torch.get_num_threads(),
        "epochs": measures.epochs,
        "probes": measures.probes,
        "first_losses": measures.losses,
    }


class Measures(Callback):
    """Scores on the test set after each epoch, and a look into the layers before and after the first."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self.advance = advance
        self.epochs: list[Result] = []
        self.probes: dict[str, Result] = {}
        self.losses: list[float] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Looks at the network as it was initialised."""
        self.probes["start"] = self._probe(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stores the losses of the first steps."""
        if len(self.losses) < STEPS:
            self.losses.append(_rounded(float(outputs["loss"])))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Scores the network; the training metrics are those of the epoch, as its batches were seen."""
        seconds = time.perf_counter() - self._start
        images, labels = trainer.datamodule.test_set.tensors  # type: ignore[attr-defined]
        values = {"train_loss": "loss/train", "train_accuracy": "accuracy/train"}
        epoch = {name: float(trainer.callback_metrics[metric]) for name, metric in values.items()}
        epoch["test_loss"], epoch["test_accuracy"] = score(pl_module, images, labels)
        if any(isinstance(layer, nn.Dropout) for layer in pl_module.modules()):
            epoch["dropout_loss"], epoch["dropout_accuracy"] = score(pl_module, images, labels, dropout=True)
        self.epochs.append({name: _rounded(value) for name, value in {**epoch, "seconds": seconds}.items()})
        if len(self.epochs) == 1:
            self.probes["epoch_1"] = self._probe(trainer, pl_module)
        self.advance()

    def _probe(self, trainer: L.Trainer, pl_module: L.LightningModule) -> Result:
        images, labels = trainer.datamodule.train_set[:PROBE_IMAGES]  # type: ignore[attr-defined]
        return probe(pl_module, images, labels)


@torch.no_grad()
def score(model: nn.Module, images: Tensor, labels: Tensor, dropout: bool = False) -> tuple[float, float]:
    """Mean loss and accuracy.

    Args:
        model: Gives log-probabilities [B, 10].
        images: uint8 [N, 1, 28, 28].
        labels: int64 [N].
        dropout: Leaves dropout on, as a program does that forgets to turn it off. The state of torch's random
            numbers is put back, so that training goes on as if nothing had been scored.
    """
    was_training = model.training
    model.eval()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.train(dropout)
    with torch.random.fork_rng(devices=[]):
        log_probs = torch.cat([model(batch) for batch in images.split(500)])
    model.train(was_training)
    return float(F.nll_loss(log_probs, labels)), float((log_probs.argmax(dim=1) == labels).float().mean())


def probe(model: nn.Module, images: Tensor, labels: Tensor) -> Result:
    """What the layers do with some images, without dropout.

    Args:
        model: Gives log-probabilities [B, 10].
        images: uint8 [N, 1, 28, 28].
        labels: int64 [N].

    Returns:
        The mean loss; `sure`, the share of images with a probability above 0.99 for some digit; and for each
        convolution and linear layer the root mean square of its outputs before the activation function, the norm of
        the loss's gradient for its weights, the share of dead units (or channels) whose output is not positive for
        any image and the share of active outputs, those that ReLU lets through.
    """
    was_training = model.training
    model.eval()
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}
    outputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: outputs.update({name: output}))
        for name, layer in layers.items()
    ]
    log_probs = model(images)
    loss = F.nll_loss(log_probs, labels)
    gradients = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
    for hook in hooks:
        hook.remove()
    model.train(was_training)
    looks = []
    for name, gradient in zip(layers, gradients, strict=True):
        positive = (outputs[name].detach() > 0).transpose(0, 1).flatten(1)
        look = {
            "rms": float(outputs[name].detach().square().mean().sqrt()),
            "gradient": float(gradient.norm()),
            "dead": float((~positive.any(dim=1)).float().mean()),
            "active": float(positive.float().mean()),
        }
        looks.append({"layer": name.removeprefix("network."), **{key: _rounded(look[key]) for key in look}})
    sure = (log_probs.max(dim=1).values > math.log(0.99)).float().mean()
    return {"loss": _rounded(float(loss.detach())), "sure": _rounded(float(sure)), "layers": looks}


def _rounded(value: float) -> float:
    """Five significant digits: small files, and all that one can read."""
    return float(f"{value:.5g}")


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

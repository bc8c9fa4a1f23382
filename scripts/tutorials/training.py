"""Training runs that are measured after each epoch, stored and resumed."""

import json
import logging
import os
import signal
import statistics
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import lightning as L
import torch
from experiments import ResultsError, pyplot
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningCLI
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mnist_cnn import DigitClassifier, DigitDataModule
from mnist_cnn.atomic import replacing
from mnist_cnn.cli import NOISE
from mnist_cnn.cli.quick import CONFIGS
from mnist_cnn.data import files
from mnist_cnn.hardware import keep_freed_memory
from tutorials.measures import Measures, Result

TRAIN_BATCHES = 1.0
"""Share or number of batches in an epoch, as Lightning's `limit_train_batches`; tests lower it."""


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


def complete(runs: Sequence[Run], output: Path, data_dir: Path | None, workers: int) -> None:
    """Executes those of the runs that are not stored yet, with one progress bar over all.

    Raises:
        ResultsError: The folder holds results of the same names with other settings; nothing was run or written.
        DataError: The data or the folder cannot be used.
    """
    pyplot()  # is missing now rather than after hours
    check(runs, output)
    missing = [run for run in runs if not run.path(output).exists()]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished earlier: {output / 'runs'}")
    print(files.prepare("MNIST", data_dir or files.default_data_dir()))
    try:
        (output / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot write to {output} ({error.strerror}): choose another folder with --output"
        raise ResultsError(message) from error
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("training", total=sum(run.epochs for run in missing))
        execute(missing, output, data_dir, workers, lambda: progress.advance(task), progress.console.print)


def execute(
    runs: Sequence[Run],
    output: Path,
    data_dir: Path | None,
    workers: int,
    advance: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Trains and stores, here or in several processes; `advance` is called after each epoch, `say` with each result."""
    if workers == 1:
        for run in runs:
            say(train(run, output, data_dir, advance))
        return
    context = get_context("spawn")
    epochs = context.SimpleQueue()  # one item for each epoch that a worker has finished
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(epochs, threads))
    try:
        pending = {pool.submit(train, run, output, data_dir, _report) for run in runs}
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


def _report() -> None:
    _epochs.put(1)


def check(runs: Iterable[Run], output: Path) -> None:
    """Makes sure that results of other settings are neither overwritten nor mixed with those of `runs`.

    Raises:
        ResultsError: A stored run of one of the names has other settings, or cannot be read.
    """
    ours = {run.name: run for run in runs}
    wanted: dict[str, Result] = {}
    for result in load(output):
        name, have = result["run"]["name"], {**result["run"], **result["settings"]}
        if name not in ours:
            continue
        if name not in wanted:
            run = ours[name]
            wanted[name] = {**asdict(run), "changes": list(run.changes), **resolved(build(run))}
            del wanted[name]["seed"]
        if differing := sorted(key for key, want in wanted[name].items() if not _agree(want, have.get(key))):
            raise ResultsError(
                f"{output} holds results of {name} with other settings ({', '.join(differing)}): give another "
                f"folder with --output, or delete those"
            )


def _agree(want: Any, have: Any) -> bool:
    """Whether two settings are the same, but for arguments that did not exist yet when a result was stored."""
    if isinstance(want, dict) and isinstance(have, dict):
        return all(key not in have or _agree(want[key], have[key]) for key in want)
    if isinstance(want, str) and isinstance(have, str):  # a class is imported from more than one place
        want, have = (text.removeprefix("mnist_cnn.networks.").removeprefix("mnist_cnn.") for text in (want, have))
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


def build(run: Run, data_dir: Path | None = None, callbacks: Sequence[Callback] = ()) -> LightningCLI:
    """Model, data and trainer of a run, as the command line builds them from its preset."""
    for message in (*NOISE, "LightningCLI's args parameter is intended"):  # the process has arguments of its own
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    loud = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    return LightningCLI(
        DigitClassifier,
        DigitDataModule,
        run=False,
        save_config_callback=None,
        auto_configure_optimizers=False,
        trainer_defaults={**dict.fromkeys(loud, False), "callbacks": list(callbacks)},
        args=[
            f"--config={CONFIGS / run.preset}.yaml",
            *run.changes,
            f"--seed_everything={run.seed}",
            f"--trainer.max_epochs={run.epochs}",
            "--trainer.accelerator=cpu",
            *([f"--data.data_dir={data_dir}"] if data_dir else []),
        ],
    )


def resolved(cli: LightningCLI) -> Result:
    """Every argument of model and data, defaults included."""
    config = cli.config.as_dict()
    config["data"].pop("data_dir")
    return json.loads(json.dumps({"model": config["model"], "data": config["data"]}))


def train(run: Run, output: Path, data_dir: Path | None, advance: Callable[[], None]) -> str:
    """Trains, measures, which chooses nothing, stores the result, whole or not at all, and returns a line about it."""
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
    result = {
        "run": asdict(run),
        "settings": resolved(cli),
        "software": {"torch": torch.__version__, "lightning": L.__version__},
        "threads": torch.get_num_threads(),
        "epochs": measures.epochs,
    }
    path = run.path(output)
    with replacing(path) as file:
        file.write(json.dumps(result, indent=1).encode() + b"\n")
    seconds = statistics.mean(epoch["seconds"] for epoch in measures.epochs)
    return f"{path.stem}: test accuracy {measures.epochs[-1]['test_accuracy']:.2%}, {seconds:.1f} s per epoch"

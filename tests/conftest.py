"""What all tests share: real MNIST, prepared once without a network, and a command line in an empty folder."""

import multiprocessing
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer
from torchvision import datasets

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import INSTANTIATOR
from mnist_cnn.cli import main
from mnist_cnn.data import bundle, files

Cli = Callable[..., None]
Fails = Callable[..., str]
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
TINY = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=20", "--trainer.limit_test_batches=3")
"""Options of a run of seconds."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors that refuse at once: tests neither need nor use a network."""
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture(scope="session")
def mnist_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four real files."""
    folder = tmp_path_factory.mktemp("data")
    for name in bundle.MNIST_SHA256:
        path = folder / "MNIST" / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bundle.unbundle(name))
    return folder


@pytest.fixture(scope="session")
def mnist(mnist_dir: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, uint8 [60000, 1, 28, 28], and labels, int64 [60000], of the training split."""
    return files.load("MNIST", mnist_dir, train=True)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Ctrl-C acts as on a terminal, though a shell that started the tests in the background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def cli(tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Calls `main` in an empty working directory, in seconds: on the CPU, with the prepared data."""
    monkeypatch.chdir(tmp_path)
    # TensorBoard reads the files of one second by their numbers, as text: 10 before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(1000))
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])

    def run(*args: str) -> None:
        main([*args, f"--data.data_dir={mnist_dir}", "--trainer.accelerator=cpu"])

    return run


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, and a data set of 140 and 60 images."""

    def load(dataset: str, data_dir: Path, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
        count = 140 if train else 60
        numbers = torch.arange(count)
        return numbers.byte().view(-1, 1, 1, 1).repeat(1, 1, 28, 28), numbers % 10

    monkeypatch.setattr(files, "load", load)
    monkeypatch.setattr(files, "prepare", lambda *args: "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    benchmark = torch.backends.cudnn.benchmark
    yield tmp_path
    torch.use_deterministic_algorithms(False)  # which Lightning leaves on
    torch.backends.cudnn.benchmark = benchmark


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    """Calls something that must end in one line of error and a status that is not 0; returns the line."""

    def call(function: Callable[..., None], *args: str, status: int = 2) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            function(*args)
        assert exit_info.value.code == status
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        return errors[0]

    return call


def hint(output: str) -> list[str]:
    """The arguments that a run tells to type next; none where it names none."""
    found = re.search(r"^test it: +python scripts/train.py (.*)$", output, flags=re.MULTILINE)
    return shlex.split(found[1]) if found else []


def processes() -> BaseContext:
    """Starts processes as copies of one that has imported the libraries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mnist_cnn.cli", "conftest"])
    return context


def event_files() -> list[tuple[Path, int]]:
    """TensorBoard's files below the current folder, and their sizes."""
    return sorted((path, path.stat().st_size) for path in Path().rglob("events.out.tfevents.*"))


def curves(run: int | Path = 0, raw: bool = False) -> Any:
    """What TensorBoard shows of a run: step and value of all points, by tag; or all that it knows of it."""
    folder = run if isinstance(run, Path) else Path(f"lightning_logs/version_{run}")
    events = EventAccumulator(str(folder)).Reload()
    if raw:
        return events
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def quiet_trainer(folder: Path | None = None, **options: Any) -> L.Trainer:
    """A trainer on the CPU that prints, logs and keeps nothing but what it is told to."""
    names = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    plain = {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, **dict.fromkeys(names, False)}
    return L.Trainer(default_root_dir=folder, **{**plain, **options})


def saved_as(path: Path, model: L.LightningModule) -> Path:
    """Writes a checkpoint of a model that was not trained."""
    trainer = quiet_trainer(path.parent)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


class Killed(BaseException):
    """As if by kill -9: no handler knows it."""


def before_step(step: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has something happen when training comes to a step."""
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            act()
        return original(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, "training_step", training_step)


def dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills training when it comes to a step."""

    def die() -> None:
        raise Killed

    before_step(step, die, monkeypatch)


class UserNet(torch.nn.Module):
    """A network that is not part of the package."""

    def __init__(self, width: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(784, width), torch.nn.ReLU(), torch.nn.Dropout(dropout), torch.nn.Linear(width, 10)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images.flatten(1).float() / 255)


class ElevenClasses(UserNet):
    """A network with a mistake in it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Linear(784, 11)


def checkpoint(run: int = 0, name: str = "best") -> Path:
    return Path(f"lightning_logs/version_{run}/checkpoints/{name}.ckpt")


def written(path: Path, **more: Any) -> Path:
    """Writes a checkpoint without weights; `more` replaces what it holds, or leaves out what is None."""
    content = {
        "state_dict": {},
        "hyper_parameters": {"gamma": 0.7, "classes": ["a.b"], "weights": None, "_instantiator": INSTANTIATOR},
        "datamodule_hyper_parameters": {"dataset": "KMNIST", "batch_size": 7},
        "pytorch-lightning_version": "2.6.6",
        "optimizer_states": [{}],
        "loops": {"fit_loop": {}},
        **more,
    }
    torch.save({name: value for name, value in content.items() if value is not None}, path)
    return path

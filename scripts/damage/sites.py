"""Training runs that `campaign.py` does something to, whether they leave the same, and the lines of its table."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import torch

from mnist_cnn import cli as command_line

TRAIN = Path(__file__).parents[1] / "train.py"
EPOCHS, BATCHES = 3, 40
RECIPE = (
    "fit",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    f"--trainer.max_epochs={EPOCHS}",
    f"--trainer.limit_train_batches={BATCHES}",
    "--trainer.limit_val_batches=5",
    "--data.batch_size=50",
    "--model.network=mnist_cnn.networks.MLP",
    "--model.network.hidden=[300]",
    "--model.network.dropout=0.3",
    "--model.schedule=one_cycle",
)
BY_STEPS = ("--checkpoint.every_n_train_steps=7",)
LAST = ("--ckpt_path=last",)


class Forked(ForkProcess):
    """A run in a copy of this process, with what we use of `subprocess.Popen`."""

    wanted = False

    def __init__(self, site: "Site", arguments: list[str], preexec_fn: Callable[[], object] = lambda: None) -> None:
        super().__init__(target=self._main, args=(site, arguments, preexec_fn))
        self.start()

    @staticmethod
    def _main(site: "Site", arguments: list[str], prepare: Callable[[], object]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        output = os.open(site.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(site.folder)
        sys.argv = [str(TRAIN), *arguments]
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        prepare()
        command_line.main()

    def send_signal(self, number: int) -> None:
        """Sends it a signal."""
        os.kill(self.pid or 0, number)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status."""
        self.join(timeout)
        if self.exitcode is None:
            raise subprocess.TimeoutExpired("train.py", timeout or 0.0)
        return self.exitcode


class Site:
    """An empty folder with data of its own, where commands run."""

    def __init__(self, folder: Path, data: Path | None = None, log: Path | None = None) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.log = log or folder / "output.txt"
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self, *options: str, launcher: tuple[str, ...] = (), **popen: Any) -> Any:
        """Starts `scripts/train.py` there; its output goes to `log`."""
        if Forked.wanted and not launcher and "--trainer.strategy=ddp" not in options:
            return Forked(self, [*options, f"--data.data_dir={self.data}"], **popen)
        command = [*(launcher or (sys.executable,)), str(TRAIN), *options, f"--data.data_dir={self.data}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TRAIN.parent.parent)}
        with self.log.open("a") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output, text=True, **popen
            )

    def run(self, *options: str, **more: Any) -> int:
        """Runs it to its end and returns the exit status."""
        return int(self.start(*options, **more).wait(timeout=600))

    def struck(self, number: int, seconds: float, *options: str, **popen: Any) -> tuple[bool, int]:
        """Runs it and sends a signal after so many seconds: whether it still ran, and its exit status."""
        process = self.start(*options, **popen)
        try:
            return False, process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        return True, process.wait(timeout=120)

    def output(self) -> str:
        """All that the commands said so far."""
        return self.log.read_text() if self.log.exists() else ""

    def checkpoint(self, name: str = "last", run: int = 0) -> Path:
        """A checkpoint of a run."""
        return self.folder / "lightning_logs" / f"version_{run}" / "checkpoints" / f"{name}.ckpt"

    def leftovers(self) -> list[str]:
        """Unfinished files that nobody will finish."""
        names = [path.name for path in self.folder.rglob("*") if path.name.startswith(".")]
        return [name for name in names if not name.endswith(".lock")]


@dataclass
class Row:
    """One line of the table: what was done, how often, and what was lost."""

    what: str
    times: int = 0
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, kept: bool, what: str) -> None:
        """Counts as a loss what does not hold."""
        if not kept:
            self.lost.append(" ".join(what.split()))
            print(f"LOST: {what}", file=sys.stderr, flush=True)

    def compare(self, one: Site, other: Site, run: int = 0) -> None:
        """Counts as a loss what differs between the first run of a folder and some run of another."""
        for name in ("best", "last"):
            equal = same(one.checkpoint(name), other.checkpoint(name, run))
            self.check(equal, f"{other.folder.name}, version_{run}: {name}.ckpt differs")

    def __str__(self) -> str:
        lost = f"{len(self.lost)}: {'; '.join(self.lost[:3])}" if self.lost else "nothing"
        return f"| {self.what} | {self.times} | {lost} | {'; '.join(self.notes)} |"


def undisturbed(root: Path) -> tuple[Site, float, Row]:
    """Two runs of one command: the first, which all others are compared with, and the seconds of the second."""
    row, wanted, seconds = Row("the same command twice", 2), Forked.wanted, 0.0
    sites = [Site(root / f"undisturbed{i}") for i in range(2)]
    for site, Forked.wanted in zip(sites, (False, wanted), strict=True):
        start = time.monotonic()
        row.check(site.run(*RECIPE, *BY_STEPS) == 0, f"{site.folder.name} failed")
        seconds = time.monotonic() - start
    row.compare(sites[0], sites[1])
    row.notes.append(f"{seconds:.0f} s each")
    return sites[0], seconds, row


def same(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold the same bits: weights, optimizer, schedule, progress, best score."""
    if not (one.exists() and other.exists()):
        return False
    keys = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")
    parts = []
    for path in (one, other):
        content = torch.load(path, weights_only=True)
        scores = [state.get("best_model_score") for state in content["callbacks"].values() if isinstance(state, dict)]
        parts.append([*(content[key] for key in keys), scores])
    return _equal(*parts)


def _equal(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def readable(site: Site) -> bool:
    """Whether each checkpoint that bears a good name can be read."""
    for path in site.folder.rglob("*.ckpt"):
        try:
            torch.load(path, weights_only=True)
        except Exception:
            return False
    return True

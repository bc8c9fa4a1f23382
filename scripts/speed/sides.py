"""The sides of the races of `benchmark.py`: each is run in a process of its own.

Libraries are imported where a side uses them: the peak memory of its process is measured.
"""

import io
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F

from mnist_cnn.start import THREADS

Result = dict[str, float]

TRAIN_PY = Path(__file__).parents[1] / "train.py"


@dataclass(frozen=True)
class Side:
    """One side of a race: what is run in a process of its own."""

    title: str
    run: Callable[[int], Result] | None = None
    command: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)


def fit(seed: int, *arguments: str, test: bool = False) -> Result:
    """Seconds of each epoch and of all training of `fit`, logging and checkpoints included; test accuracy if wanted."""
    from lightning.pytorch.callbacks import LambdaCallback

    from mnist_cnn.cli import DigitCLI, run

    ticks: list[float] = []

    def tick(*args: object) -> None:
        ticks.append(time.perf_counter())

    class ClockedCLI(DigitCLI):
        def before_fit(self) -> None:
            super().before_fit()
            clock = LambdaCallback(on_train_epoch_start=tick, on_train_end=tick)
            self.trainer.callbacks.insert(0, clock)  # type: ignore[attr-defined]

    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        options = [f"--seed_everything={seed}", "--data.val_size=0", f"--trainer.default_root_dir={folder}"]
        cli = run(["fit", *options, *arguments], ClockedCLI)
        result = {"epoch": min(b - a for a, b in itertools.pairwise(ticks)), "seconds": ticks[-1] - ticks[0]}
        if test:
            result["accuracy"] = cli.trainer.test(cli.model, cli.datamodule, verbose=False)[0]["accuracy/test"]
    return result


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
    """Trains as a function of `speed/peers.py` does until a test accuracy is reached."""

    def run(seed: int) -> Result:
        from speed import peers

        torch.manual_seed(seed)
        for seconds, accuracy in getattr(peers, name)():
            result = {"seconds": seconds, "accuracy": accuracy}
            if accuracy >= target:
                break
        return result

    return run


def preset(name: str) -> Side:
    """A preset of this project, trained and tested."""
    return Side(
        f"`{name}`",
        lambda seed: fit(seed, f"--config={name}", "--trainer.accelerator=cpu", test=True),
        environment=THREADS,
    )


DEFAULT = ("--trainer.accelerator=cpu", "--trainer.max_epochs=2")

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
}

"""Times an epoch of the default network as trained here, against the same over torchvision's Dataset and DataLoader.

    python scripts/benchmark.py --rounds 5

Both sides train the same network with the same recipe (60,000 digits, batch 200, AdamW, float32). They take turns,
each in a process of its own, so that a machine that is busy or throttled slows both. Printed are the median of each
side and of the ratio round by round. The side of this project runs `fit` with everything that is on by default:
metrics, TensorBoard, checkpoints. The other side is a bare loop without any of it.
"""

import argparse
import contextlib
import io
import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

SIDES = {
    "mnist_cnn": "mnist_cnn, `fit` with all its defaults",
    "torchvision": "torchvision `MNIST` + `ToTensor` + `DataLoader`",
}


def mnist_cnn_epochs(epochs: int) -> list[float]:
    """Seconds of each epoch of `fit`, metrics, logging and checkpoint of the epoch included."""
    from lightning.pytorch.callbacks import Callback

    from mnist_cnn.cli import DigitCLI, run

    starts: list[float] = []

    class Clock(Callback):
        def on_train_epoch_start(self, *args: object) -> None:
            starts.append(time.perf_counter())

        def on_train_end(self, *args: object) -> None:
            starts.append(time.perf_counter())

    prepare = DigitCLI.before_fit

    def with_clock(self: DigitCLI) -> None:
        prepare(self)
        self.trainer.callbacks.insert(0, Clock())  # type: ignore[attr-defined]

    DigitCLI.before_fit = with_clock  # type: ignore[method-assign]
    options: dict[str, object] = {"max_epochs": epochs, "accelerator": "cpu"}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        options["default_root_dir"] = folder
        run(["fit", "--data.val_size=0", *(f"--trainer.{name}={value}" for name, value in options.items())])
    return [end - start for start, end in itertools.pairwise(starts)]


def torchvision_epochs(epochs: int) -> list[float]:
    """Seconds of each epoch of a bare loop over a shuffling DataLoader."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    from mnist_cnn.data import files
    from mnist_cnn.networks import TutorialCNN

    files.prepare("MNIST", files.default_data_dir())
    loader = DataLoader(MNIST(files.default_data_dir(), transform=ToTensor()), batch_size=200, shuffle=True)
    network = TutorialCNN()
    network.scale = torch.nn.Identity()  # type: ignore[assignment]  # ToTensor has scaled the pixels
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for images, labels in loader:
            loss = F.nll_loss(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs (default 5)")
    parser.add_argument(
        "--epochs", type=int, default=2, help="epochs in a run, of which the fastest counts (default 2)"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        epochs = mnist_cnn_epochs if arguments.side == "mnist_cnn" else torchvision_epochs
        print(min(epochs(arguments.epochs)))
        return
    if arguments.rounds < 1 or arguments.epochs < 1:
        parser.error("--rounds and --epochs must be at least 1")

    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(1, arguments.rounds + 1):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--epochs", str(arguments.epochs)]
            seconds[side].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(
            f"round {number}:",
            ", ".join(f"{side} {times[-1]:.2f} s" for side, times in seconds.items()),
            flush=True,
        )
    ours, theirs = seconds.values()
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    print(f"\n{os.cpu_count()} CPUs ({platform.machine()}), torch {torch.__version__}, medians of {arguments.rounds}\n")
    print("| one epoch, 60,000 digits, float32 | seconds | |\n|---|---|---|")
    print(f"| {SIDES['mnist_cnn']} | {statistics.median(ours):.2f} | {ratio:.2f}x |")
    print(f"| {SIDES['torchvision']} | {statistics.median(theirs):.2f} | 1x |")


if __name__ == "__main__":
    main()

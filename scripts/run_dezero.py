"""Runs DeZero itself on two of the published systems, and ours beside it: accuracy, loss and seconds by epoch.

    pip install -e ".[dezero]"
    python scripts/run_dezero.py --epochs=3

Both sides get the same digits from this project's data files, and do what the published programs do: the same network,
batch of 100, Adam with weight decay. MNISTPlus 2 is scored twice: with dropout left on, as published, and without.
Seconds are those of training, without scoring.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from experiments import markdown
from jsonargparse.typing import NonNegativeInt, PositiveInt
from reproduce import SYSTEMS, run_of
from tutorials import training
from tutorials.measures import Result

from mnist_cnn import DigitDataModule
from mnist_cnn.cli.script import run_script

if not hasattr(np, "int"):
    np.int = int  # type: ignore[attr-defined]  # DeZero 0.0.13 names it; NumPy 1.24 removed it

import dezero
import dezero.functions as DF
import dezero.layers as DL

BATCH = 100
LIMIT = 60_000
"""Training digits of an epoch of DeZero; tests lower it."""


class MLP(dezero.Model):
    """Two hidden layers of 1000."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1, self.hidden2, self.output = DL.Linear(1000), DL.Linear(1000), DL.Linear(10)

    def forward(self, images: np.ndarray) -> Any:
        """Logits of pixels, 0 to 1."""
        x = DF.relu(self.hidden1(images.reshape(len(images), -1).astype(np.float32) / 255))
        return self.output(DF.relu(self.hidden2(x)))


class MNISTPlus2(dezero.Model):
    """Thirty channels, 100 hidden units with dropout; raw pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = DL.Conv2d(30, kernel_size=3, stride=1, pad=1)
        self.hidden, self.output = DL.Linear(100), DL.Linear(10)

    def forward(self, images: np.ndarray) -> Any:
        """Logits of raw pixels."""
        x = DF.pooling(DF.relu(self.conv(images)), 2, 2)
        x = DF.dropout(DF.relu(self.hidden(DF.reshape(x, (len(images), -1)))))
        return self.output(x)


MODELS: dict[str, type[dezero.Model]] = {"dezero_mlp": MLP, "mnist_plus_2": MNISTPlus2}


def main(
    systems: list[Literal["dezero_mlp", "mnist_plus_2"]] | None = None,
    epochs: PositiveInt = 3,
    seed: NonNegativeInt = 0,
    data_dir: str | None = None,
) -> None:
    """Runs both sides and prints a table for each system.

    Args:
        systems: Which to run; both by default.
        epochs: Of each run.
        seed: Of both sides.
        data_dir: Folder of the data files. Default: the per-user cache.
    """
    data = DigitDataModule(data_dir=data_dir, val_size=0)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    for name in systems or MODELS:
        print(f"\n{SYSTEMS[name].title}, seed {seed}\n")
        theirs = list(dezero_epochs(MODELS[name](), data, epochs, seed))
        ours = training.train(run_of(name, seed, epochs), data_dir, lambda: None)["epochs"]
        print(side_by_side(theirs, ours))


def dezero_epochs(model: dezero.Model, data: DigitDataModule, epochs: int, seed: int) -> Iterator[Result]:
    """Trains a model of DeZero; yields the measures of each epoch under the names that ours have."""
    np.random.seed(seed)  # DeZero draws from NumPy's global state
    optimizer = dezero.optimizers.Adam().setup(model)
    optimizer.add_hook(dezero.optimizers.WeightDecay(1e-4))
    images, labels = (tensor.numpy()[:LIMIT] for tensor in data.train_set.tensors)  # type: ignore[union-attr]
    for _ in range(epochs):
        start = time.perf_counter()
        totals = np.zeros(2)
        order = np.random.permutation(len(images))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            logits = model(images[batch])
            loss = DF.softmax_cross_entropy(logits, labels[batch])
            model.cleargrads()
            loss.backward()
            optimizer.update()
            totals += len(batch) * measures(logits, loss, labels[batch])
        train = totals / len(images)
        epoch = {"seconds": time.perf_counter() - start, "train_loss": train[0], "train_accuracy": train[1]}
        epoch["dropout_loss"], epoch["dropout_accuracy"] = dezero_score(model, data)
        with dezero.test_mode():
            epoch["test_loss"], epoch["test_accuracy"] = dezero_score(model, data)
        yield epoch


def dezero_score(model: dezero.Model, data: DigitDataModule) -> tuple[float, float]:
    """Mean loss and accuracy on the test set, as the published programs compute them."""
    images, labels = (tensor.numpy() for tensor in data.test_set.tensors)  # type: ignore[union-attr]
    totals = np.zeros(2)
    with dezero.no_grad():
        for start in range(0, len(images), BATCH):
            target = labels[start : start + BATCH]
            logits = model(images[start : start + BATCH])
            totals += len(target) * measures(logits, DF.softmax_cross_entropy(logits, target), target)
    return tuple(totals / len(images))


def measures(logits: Any, loss: Any, labels: np.ndarray) -> np.ndarray:
    """Mean loss and accuracy of a batch."""
    return np.array([float(loss.data), float(DF.accuracy(logits, labels).data)])


def side_by_side(theirs: Sequence[Result], ours: Sequence[Result]) -> str:
    """One row for each epoch."""
    names = {
        "train_loss": "train loss",
        "train_accuracy": "train accuracy",
        "dropout_accuracy": "test accuracy, dropout left on",
        "test_accuracy": "test accuracy",
        "seconds": "seconds",
    }
    shown = {name: title for name, title in names.items() if name in ours[0]}
    header = ["epoch", *(f"{title}, {side}" for title in shown.values() for side in ("DeZero", "ours"))]
    rows = []
    for i, pair in enumerate(zip(theirs, ours, strict=True)):
        row = [str(i + 1)]
        for name in shown:
            form = "{:.2%}" if "accuracy" in name else "{:.1f}" if name == "seconds" else "{:.4f}"
            row += [form.format(side[name]) for side in pair]
        rows.append(row)
    return markdown(header, rows)


if __name__ == "__main__":
    run_script(main)

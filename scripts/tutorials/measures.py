"""Measures of a network in training: scores after each epoch."""

import time
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

Result = dict[str, Any]


class Measures(Callback):
    """Scores on the test set after each epoch."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self.advance = advance
        self.epochs: list[Result] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

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
        self.advance()


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


def _rounded(value: float) -> float:
    """Five significant digits: small files, and all that one can read."""
    return float(f"{value:.5g}")

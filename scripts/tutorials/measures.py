"""Measures of a network in training: scores after each epoch, and probes of its layers."""

import math
import time
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

PROBE_IMAGES = 1000
"""The first images of the training set, with which a network's layers are probed."""

STEPS = 100
"""Training steps whose loss is stored one by one."""

Result = dict[str, Any]


class Measures(Callback):
    """Scores on the test set after each epoch, and probes of the layers before and after the first."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self.advance = advance
        self.epochs: list[Result] = []
        self.probes: dict[str, Result] = {}
        self.losses: list[float] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Probes the network as it was initialised."""
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
    """Probes the layers with some images, without dropout.

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
    probes = []
    for name, gradient in zip(layers, gradients, strict=True):
        positive = (outputs[name].detach() > 0).transpose(0, 1).flatten(1)
        seen = {
            "rms": float(outputs[name].detach().square().mean().sqrt()),
            "gradient": float(gradient.norm()),
            "dead": float((~positive.any(dim=1)).float().mean()),
            "active": float(positive.float().mean()),
        }
        probes.append({"layer": name.removeprefix("network."), **{key: _rounded(seen[key]) for key in seen}})
    sure = (log_probs.max(dim=1).values > math.log(0.99)).float().mean()
    return {"loss": _rounded(float(loss.detach())), "sure": _rounded(float(sure)), "layers": probes}


def _rounded(value: float) -> float:
    """Five significant digits: small files, and all that one can read."""
    return float(f"{value:.5g}")

"""What is said: before training, and at the end of each verb."""

import os
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import nn

from mnist_cnn.callbacks.results import verdict
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.errors import program
from mnist_cnn.hardware.gelu_max_pool import can_be_compiled, compiled
from mnist_cnn.networks import GELUMaxPool

say = rank_zero_only(print)
"""Prints, once however many processes there are."""


def what_is_trained(network: nn.Module, device: str) -> None:
    """Says which network is trained, and what would make that faster.

    Args:
        network: The network.
        device: The type of the device on which it is trained.
    """
    count = sum(parameter.numel() for parameter in network.parameters())
    say(f"network: {type(network).__name__}, {count:,} parameters")
    pools = any(isinstance(layer, GELUMaxPool) for layer in network.modules())
    if pools and device == "cpu" and can_be_compiled() and not compiled():
        say("GELU and pooling: in torch's operations; a C++ compiler (c++, or $CXX) would save a third of the time")


def what_came_out(trainer: Trainer, logs: Path) -> None:
    """Says how good the network became, and what to type next."""
    checkpoint = trainer.checkpoint_callback
    if not isinstance(checkpoint, ModelCheckpoint):
        return
    path = os.path.relpath(checkpoint.best_model_path) if checkpoint.best_model_path else None
    metrics = trainer.callback_metrics
    if checkpoint.best_model_score is not None and checkpoint.monitor == "accuracy/val":
        say(f"best validation accuracy: {float(checkpoint.best_model_score):.2%}")
    elif "accuracy/train" in metrics and "accuracy/val" not in metrics:
        say(f"training accuracy of the last epoch: {float(metrics['accuracy/train']):.2%} (nothing was validated)")
    if path:
        say(f"checkpoint: {path}")
        say(f"test it:    {program()} test --ckpt_path={path}")
    if trainer.logger:
        say(f"see it:     tensorboard --logdir {os.path.relpath(logs)}")


def validated(trainer: Trainer, data: DigitDataModule) -> None:
    """Says how many of the validation split are wrong."""
    assert data.val_set is not None
    count = len(data.val_set)
    errors = round((1 - float(trainer.callback_metrics["accuracy/val"])) * count)
    say(f"{data.dataset} validation split: {verdict(errors, count)}")
    calibration(trainer, "val")


def calibration(trainer: Trainer, stage: str) -> None:
    """Says how far the confidence is from the accuracy."""
    say(f"expected calibration error: {float(trainer.callback_metrics[f'calibration_error/{stage}']):.2%}")

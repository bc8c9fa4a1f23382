"""The words before training, and at the end of each verb."""

import os
import shlex
from collections.abc import Sized
from pathlib import Path
from typing import cast

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import nn

from mnist_cnn.callbacks.safety import best_and_last
from mnist_cnn.checkpoints import is_known_class
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.hardware.gelu_max_pool import can_be_compiled, compiled
from mnist_cnn.networks import GELUMaxPool
from mnist_cnn.start import program

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


def what_came_out(trainer: Trainer, data: DigitDataModule, config: Namespace) -> None:
    """Says how good the network became, and what to type next."""
    checkpoint, metrics = best_and_last(trainer), trainer.callback_metrics
    best = checkpoint.best_model_score if checkpoint and checkpoint.monitor == "accuracy/val" else None
    score = metrics.get("accuracy/val") if best is None else best
    if getattr(data, "own_held_out", 0):
        pass  # `BeforeAndAfter` has said it, of labelled pictures and of MNIST
    elif score is not None:
        count, full = validated_digits(trainer, data)
        part = f" (of {count:,} of the {full:,} digits)" if count < full else ""
        say(f"{'last' if best is None else 'best'} validation accuracy: {float(score):.2%}{part}")
    elif "accuracy/train" in metrics:
        say(f"training accuracy of the last epoch: {float(metrics['accuracy/train']):.2%} (nothing was validated)")
    if checkpoint and checkpoint.best_model_path:
        path = os.path.relpath(checkpoint.best_model_path)
        say(f"checkpoint: {path}")
        say(f"test it:    {program()} test {' '.join(needed_to_use(path, config))}")
    else:
        say("checkpoint: none was kept")
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            say(f"see it:     tensorboard --logdir {shlex.quote(os.path.relpath(logger.root_dir))}")
        elif isinstance(logger, CSVLogger):
            say(f"metrics:    {os.path.relpath(Path(logger.log_dir) / 'metrics.csv')}")


def needed_to_use(checkpoint: str, config: Namespace) -> list[str]:
    """The options that use a checkpoint, for bash and zsh: its file, and what it does not bring itself."""
    options = [f"--ckpt_path={shlex.quote(checkpoint)}"]
    network = config["model"]["network"]
    if network and not is_known_class(network["class_path"]):
        options.append(f"--model.network={network['class_path']}")
    if config["data"].get("data_dir"):
        options.append(f"--data.data_dir={shlex.quote(config['data']['data_dir'])}")
    return options


def validated_digits(trainer: Trainer, data: DigitDataModule) -> tuple[int, int]:
    """How many digits were validated by all processes, and how many there are."""
    full, loader = len(data.val_set) if data.val_set else 0, cast(Sized, trainer.val_dataloaders)
    if not trainer.num_val_batches:  # there was nothing left to train
        return full, full
    batches, size = trainer.num_val_batches[0], data.batch_size * trainer.world_size
    return (full if batches >= len(loader) else min(full, int(batches) * size)), full


def calibration(trainer: Trainer, stage: str) -> None:
    """Says how far the confidence is from the accuracy."""
    say(f"expected calibration error: {float(trainer.callback_metrics[f'calibration_error/{stage}']):.2%}")

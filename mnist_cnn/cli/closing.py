"""The words before training, and at the end of each verb."""

import json
import os
import shlex
from collections.abc import Sized
from pathlib import Path
from typing import Any, cast

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from mnist_cnn.callbacks.results import say
from mnist_cnn.callbacks.safety import best_and_last
from mnist_cnn.checkpoints import is_known_class
from mnist_cnn.cli.task import DETECTOR
from mnist_cnn.hardware.gelu_max_pool import can_be_compiled, compiled
from mnist_cnn.networks import GELUMaxPool
from mnist_cnn.start import program


def what_is_trained(network: nn.Module, device: str) -> None:
    """Says which network is trained, and what would make that faster on this type of device."""
    count = sum(parameter.numel() for parameter in network.parameters())
    say(f"network: {type(network).__name__}, {count:,} parameters")
    pools = any(isinstance(layer, GELUMaxPool) for layer in network.modules())
    if pools and device == "cpu" and can_be_compiled() and not compiled():
        say("GELU and pooling: in torch's operations; a C++ compiler (c++, or $CXX) would save a third of the time")


def what_came_out(trainer: Trainer, data: Any, config: Namespace, task: str) -> None:
    """Says how good the network became, and what to type next; the task is empty for the classifier."""
    checkpoint, metrics = best_and_last(trainer), trainer.callback_metrics
    metric = "f_score/val" if task == DETECTOR else "accuracy/val"
    best = checkpoint.best_model_score if checkpoint and checkpoint.monitor == metric else None
    score = metrics.get(metric) if best is None else best
    if getattr(data, "own_held_out", 0):
        pass  # `BeforeAndAfter` has said it, of labelled pictures and of MNIST
    elif score is not None:
        name = {"": "validation accuracy", DETECTOR: "F-score"}.get(task, "accuracy")
        full = data.hparams["val_scenes"] if task else len(data.val_set or ())
        part = _part(trainer, full, data.hparams["batch_size"], "scenes" if task else "digits")
        say(f"{'last' if best is None else 'best'} {name}: {float(score):.2%}{part}")
    elif "accuracy/train" in metrics:
        say(f"training accuracy of the last epoch: {float(metrics['accuracy/train']):.2%} (nothing was validated)")
    elif task:
        say("nothing was validated")
    _what_to_type(trainer, config, task)


def scenes(batches: float, trainer: Trainer, data: Any) -> None:
    """Says how many scenes were scored."""
    full = data.hparams["val_scenes"]
    count = min(full, int(min(batches, full)) * data.hparams["batch_size"] * trainer.world_size)
    unknown = "; a barebones trainer keeps no scores: leave out --trainer.barebones" if trainer.barebones else ""
    say(f"of {count:,} scenes{unknown}")


def _what_to_type(trainer: Trainer, config: Namespace, task: str) -> None:
    """Names the checkpoint, the command that tests it, and where the curves are."""
    checkpoint = best_and_last(trainer)
    if checkpoint and (file := checkpoint.best_model_path or checkpoint.last_model_path):
        path = os.path.relpath(file)
        say(f"checkpoint: {path}")
        say(f"test it:    {program()} test {' '.join(needed_to_use(path, config, task))}")
    else:
        say("checkpoint: none was kept" + ("" if trainer.global_step else ", for nothing was trained"))
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            say(f"see it:     tensorboard --logdir {shlex.quote(os.path.relpath(logger.root_dir))}")
        elif isinstance(logger, CSVLogger):
            say(f"metrics:    {os.path.relpath(Path(logger.log_dir) / 'metrics.csv')}")


def needed_to_use(checkpoint: str, config: Namespace, task: str) -> list[str]:
    """The options that use a checkpoint, for bash and zsh: its file, and what it does not bring itself."""
    options = [f"--ckpt_path={shlex.quote(checkpoint)}"]
    network = config["model"]["network"]
    if network and (task or not is_known_class(network["class_path"])):
        options.append(f"--model.network={network['class_path']}")
    if task:  # whose checkpoints do not bring their network
        arguments: dict[str, Any] = dict((network or {}).get("init_args") or {})
        options += [shlex.quote(f"--model.network.{name}={json.dumps(value)}") for name, value in arguments.items()]
        options.insert(0, f"--task={task}")
    if config["data"].get("data_dir"):
        options.append(f"--data.data_dir={shlex.quote(config['data']['data_dir'])}")
    return options


def _part(trainer: Trainer, full: int, batch_size: int, kind: str) -> str:
    """How much was validated by all processes, in brackets; empty where it was all."""
    loader = cast(Sized, trainer.val_dataloaders)
    if not trainer.num_val_batches or trainer.num_val_batches[0] >= len(loader):  # there was nothing left to train
        return ""
    count = min(full, int(trainer.num_val_batches[0]) * batch_size * trainer.world_size)
    return f" (of {count:,} of the {full:,} {kind})"

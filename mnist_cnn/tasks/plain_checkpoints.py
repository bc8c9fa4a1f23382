"""Checkpoints of a LightningModule that are data alone: written as such, and loaded without running their code."""

import inspect
from pathlib import Path
from types import FrameType
from typing import Any, Self, cast

import lightning as L
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import nn

from mnist_cnn.arguments import class_spec, plain_numbers
from mnist_cnn.checkpoints import INSTANTIATOR, check_hyperparameters, foreign_training, read_checkpoint

STARTING = ["weights", "remember"]
"""Arguments that say how a run begins, and nothing of what its checkpoint holds."""


class PlainCheckpoints(L.LightningModule):
    """Keeps the arguments of `__init__` in checkpoints as plain data, which `torch.load(weights_only=True)` reads."""

    def _save_plain_hyperparameters(self, **objects: Any) -> None:
        """Keeps the arguments of the `__init__` that calls this.

        What comes from the command line is there as class path and arguments. Of a network that was handed over as an
        object only the class is known, so `load_from_checkpoint` builds it with its default arguments; for others
        hand the object to `load_from_checkpoint(path, network=...)`, too.

        Args:
            **objects: Those arguments that may be objects or classes.
        """
        frame = cast(FrameType, cast(FrameType, inspect.currentframe()).f_back)
        self.save_hyperparameters(ignore=[*objects, *STARTING], frame=frame)
        if "_instantiator" in self.hparams:  # built from a command line, a config or a checkpoint
            self.save_hyperparameters(ignore=STARTING, frame=frame)
            return
        specs = {name: class_spec(name, value) for name, value in objects.items() if value is not None}
        made = {"_instantiator": INSTANTIATOR} if any(isinstance(spec, dict) for spec in specs.values()) else {}
        self.save_hyperparameters({**plain_numbers(self.hparams), **specs, **made})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the network's arguments, which Lightning does not hand on."""
        super().on_load_checkpoint(checkpoint)
        saved = checkpoint.get("hyper_parameters", {})
        kept = {name: saved[name] for name in ("network", "_instantiator") if isinstance(saved.get(name), dict | str)}
        self.save_hyperparameters({**self.hparams, **kept})

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, *args: Any, network: nn.Module | type[nn.Module] | None = None, **kwargs: Any
    ) -> Self:
        """Rebuilds the model of a checkpoint file, with its own network class and arguments.

        As Lightning's, but it reads plain data and tensors only and builds no class but those of
        `mnist_cnn.networks` and `torch.nn`, so that a checkpoint cannot run code of its own.

        Args:
            checkpoint_path: The file.
            *args: As Lightning's.
            network: For a network of your own: its class, which is built with the arguments that the checkpoint
                remembers, or a network that gets the weights.
            **kwargs: As Lightning's, and arguments of `__init__` that replace those of the checkpoint.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: The file is damaged, no checkpoint of this class, or names a class that is not allowed.
        """
        content = read_checkpoint(Path(checkpoint_path))
        named = f"{network.__module__}.{network.__qualname__}" if isinstance(network, type) else None
        hyperparameters = dict(content["hyper_parameters"])
        if network is not None and not isinstance(network, type):
            kwargs["network"] = network
        for name in foreign_training(hyperparameters, checkpoint_path, named):
            if name not in kwargs:
                rank_zero_warn(
                    f"{checkpoint_path} was trained with its own {name}: to train on, hand it over as {name}=..."
                )
                kwargs[name] = inspect.signature(cls.__init__).parameters[name].default
        for name in kwargs:  # which replaces what is there
            hyperparameters.pop(name, None)
        check_hyperparameters(hyperparameters, checkpoint_path, named)
        kwargs["weights_only"] = True
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)

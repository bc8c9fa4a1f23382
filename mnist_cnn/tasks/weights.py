"""Weights to start a new run from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from mnist_cnn.checkpoints import INSTANTIATOR, find_checkpoint, is_known_class, read_checkpoint
from mnist_cnn.networks import DIGITS, Extended, TutorialCNN, fit_head
from mnist_cnn.reading.models import load_classifier, load_weights

Spec = dict[str, Any] | None
"""The class path and arguments of a network, as checkpoints keep them."""

KEPT = ("network", "temperature", "test_time_shift")
"""The arguments of `DigitClassifier` that belong to weights rather than to their training."""


def start_from(weights: str, network: nn.Module | None) -> tuple[nn.Module, dict[str, Any], list[str]]:
    """A network with the weights of a checkpoint, of which nothing else is taken over.

    Args:
        weights: `pretrained`, `best` or `last` of the newest run, or a file.
        network: That gets the weights, with ten outputs or as many as the checkpoint has classes. Default: the
            checkpoint's own network.

    Returns:
        The network; where it is the checkpoint's own, the arguments of `DigitClassifier` that belong to it; its
        classes.

    Raises:
        CheckpointError: The checkpoint cannot be found or read, or has weights of another network.
    """
    path = find_checkpoint(str(weights), Path("lightning_logs"))
    if network is None:
        loaded = load_classifier(path)
        saved = read_checkpoint(path)["hyper_parameters"]
        kept = {name: saved[name] for name in KEPT if saved.get(name) is not None}
        return loaded.network.train(), {**kept, "_instantiator": INSTANTIATOR}, loaded.classes
    content = read_checkpoint(path)
    known = list(content["hyper_parameters"].get("classes") or DIGITS)
    state = content["state_dict"]
    if isinstance(network, Extended) and not any(name.startswith("network.before.") for name in state):
        load_weights(network.before, state, path)
        return Extended(network.before), {}, known
    fit_head(network, DIGITS, known)
    load_weights(network, state, path)
    return network, {}, known


def with_classes(network: nn.Module, spec: Spec, old: Sequence[str], new: Sequence[str]) -> tuple[nn.Module, Spec]:
    """A network for classes that may be others than its own.

    Args:
        network: It is changed in place. Of an extended one that shall give up digits, what learns is left.
        spec: Its class path and arguments, where they are known.
        old: The names of its classes.
        new: The names of those that it shall have.

    Returns:
        The network, and its class path and arguments.
    """
    if isinstance(network, Extended) and not set(DIGITS) <= set(new):
        network, spec = network.alone(), spec and spec["init_args"]["network"]
    fit_head(network, old, new)
    return network, spec


def extended(network: nn.Module, spec: Spec) -> tuple[nn.Module, Spec]:
    """A network of the ten digits that remembers, if it is one of this package that does not yet.

    Args:
        network: It becomes a part of the new one.
        spec: Its class path and arguments. Default: `TutorialCNN`'s.

    Returns:
        The network, and its class path and arguments.
    """
    inner = spec or {"class_path": f"{TutorialCNN.__module__}.{TutorialCNN.__name__}"}
    if isinstance(network, Extended) or not is_known_class(inner["class_path"], "network"):
        return network, spec
    name = f"{Extended.__module__}.{Extended.__name__}"
    return Extended(network), {"class_path": name, "init_args": {"network": inner}}

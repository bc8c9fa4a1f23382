"""Weights to start a new run from."""

from pathlib import Path
from typing import Any

from torch import nn

from mnist_cnn.checkpoints import INSTANTIATOR, find_checkpoint, read_checkpoint
from mnist_cnn.networks import DIGITS, fit_head
from mnist_cnn.reading.models import load_classifier, load_weights

KEPT = ("network", "classes", "temperature", "test_time_shift")
"""The arguments of `DigitClassifier` that belong to weights rather than to their training."""


def start_from(
    weights: str, network: nn.Module | None, classes: list[str] | None
) -> tuple[nn.Module, dict[str, Any], list[str]]:
    """A network with the weights of a checkpoint, of which nothing else is taken over.

    Args:
        weights: `pretrained`, `best` or `last` of the newest run, or a file.
        network: That gets the weights, with ten outputs or as many as the checkpoint has classes. Default: the
            checkpoint's own network.
        classes: That it shall have. Default: the checkpoint's own.

    Returns:
        The network; where it is the checkpoint's own, the arguments of `DigitClassifier` that belong to it; its
        classes.

    Raises:
        CheckpointError: The checkpoint cannot be found or read, or has weights of another network.
    """
    path = find_checkpoint(str(weights), Path("lightning_logs"))
    kept: dict[str, Any] = {}
    if network is None:
        loaded = load_classifier(path)
        network, known = loaded.network.train(), loaded.classes
        saved = read_checkpoint(path)["hyper_parameters"]
        kept = {name: saved[name] for name in KEPT if name != "classes" and saved.get(name) is not None}
        kept["_instantiator"] = INSTANTIATOR
    else:
        content = read_checkpoint(path)
        known = list(content["hyper_parameters"].get("classes") or DIGITS)
        fit_head(network, DIGITS, known)
        load_weights(network, content["state_dict"], path)
    fit_head(network, known, classes or known)
    return network, kept, list(classes or known)

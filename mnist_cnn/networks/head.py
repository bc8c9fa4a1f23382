"""The last layer of a network made to fit other classes."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from mnist_cnn.networks.cosine import Towers

DIGITS = tuple("0123456789")
"""The classes of MNIST, and of every network that was not told otherwise."""


class HeadError(RuntimeError):
    """A network whose last layer cannot be made to fit; the message is one line."""


def fit_head(network: nn.Module, old: Sequence[str], new: Sequence[str]) -> None:
    """Gives a network as many outputs as there are classes, in place.

    Its last linear layer, or that of each of its towers, is replaced where the classes change. A class that it knew
    keeps its weights, the others begin anew. A network that was built for the number of new classes stays as it is. One
    with a method `fit_classes` gets the names of the new classes and does it itself.

    Args:
        network: Returns logits or log-probabilities [B, C].
        old: The names of its classes.
        new: The names of those that it shall have.

    Raises:
        HeadError: It has no linear layer, or one with neither the old number of outputs nor the new one.
    """
    if list(old) == list(new):
        return
    if callable(by_itself := getattr(network, "fit_classes", None)):
        by_itself(new)
        return
    for part, name, layer in list(last_layers(network)):
        if layer.out_features != len(old):
            if layer.out_features == len(new):
                continue
            raise HeadError(
                f"{type(network).__name__} has {layer.out_features} outputs for {len(old)} classes: build it with "
                f"{len(new)}"
            )
        head = nn.Linear(layer.in_features, len(new), bias=layer.bias is not None)
        head = head.to(layer.weight.device, layer.weight.dtype)
        with torch.no_grad():
            for target, source in [(new.index(each), old.index(each)) for each in new if each in old]:
                head.weight[target] = layer.weight[source]
                if layer.bias is not None:
                    head.bias[target] = layer.bias[source]
        setattr(part, name, head)


def last_layers(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """The last linear layers, each with the module that holds it and its name there."""
    towers = next((module.towers for module in network.modules() if isinstance(module, Towers)), None)
    for part in [network] if towers is None else towers:
        linear = [(name, module) for name, module in part.named_modules() if isinstance(module, nn.Linear)]
        if not linear or not linear[-1][0]:
            raise HeadError(
                f"{type(network).__name__} has no linear layer that could be made to fit other classes than its own: "
                f"build it with as many outputs as there are classes"
            )
        path, layer = linear[-1]
        home, _, name = path.rpartition(".")
        yield part.get_submodule(home), name, layer

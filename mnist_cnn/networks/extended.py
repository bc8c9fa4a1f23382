"""A network that learns more without forgetting."""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_cnn.networks.head import DIGITS, fit_head, last_layers

AS_BEFORE = "as before"
"""The name of the output beside those of the classes."""
TRUST = 3.0
"""Logit by which that output is likelier at the start, so that it is given up only where there is more to learn."""


class Extended(nn.Module):
    """Learns more, and leaves what it has not learned to the network that it began as.

    It is two copies of one network. The first stays as it is. The second is trained, may get more classes, and has an
    output more: that the image is to be read as before. The probability of that output goes to the answers of the first
    one, as in a mixture of experts (https://doi.org/10.1162/neco.1991.3.1.79).
    """

    places: Tensor
    """Of each class among the digits; behind the last of them for another class."""

    def __init__(self, network: nn.Module) -> None:
        """Begins with the answers of a network.

        Args:
            network: Returns logits or log-probabilities of the ten digits.

        Raises:
            HeadError: It has no last linear layer with ten outputs.
        """
        super().__init__()
        self.classes = list(DIGITS)
        self.before = network.requires_grad_(False)
        self.now = copy.deepcopy(network).requires_grad_(True)
        fit_head(self.now, DIGITS, [*DIGITS, AS_BEFORE])
        with torch.no_grad():
            for _, _, layer in last_layers(self.now):
                if layer.bias is not None:
                    layer.bias[-1] = TRUST
        self.register_buffer("places", torch.arange(len(DIGITS)), persistent=False)
        self.train(network.training)

    def fit_classes(self, classes: Sequence[str]) -> None:
        """Gives it outputs for these classes, in this order.

        Args:
            classes: Their names, the ten digits among them.
        """
        fit_head(self.now, [*self.classes, AS_BEFORE], [*classes, AS_BEFORE])
        self.classes = list(classes)
        places = [DIGITS.index(name) if name in DIGITS else len(DIGITS) for name in classes]
        self.places = torch.tensor(places, device=self.places.device)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, float [B, C], or [K, B, C] of a network with K parts in training, of [B, 1, 28, 28]."""
        if self.training:
            self.before.eval()  # here, because Lightning warns of what is in this mode when training starts
        now, before = (network(images).log_softmax(dim=-1) for network in (self.now, self.before))
        before = F.pad(before, (0, 1), value=-torch.inf)[..., self.places]
        return torch.logaddexp(now[..., :-1], now[..., -1:] + before)

    def alone(self) -> nn.Module:
        """The network with what it has learned, and no more outputs than classes."""
        fit_head(self.now, [*self.classes, AS_BEFORE], self.classes)
        return self.now

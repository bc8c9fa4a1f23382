"""The last layer made to fit other classes."""

import pytest
import torch

from mnist_cnn.networks import DIGITS, MLP, CosineCNN, HeadError, fit_head


def test_a_head_keeps_the_classes_that_it_knew() -> None:
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for network in (MLP(hidden=(5,)), CosineCNN(towers=2)):
        network.eval()
        before = network(images)
        fit_head(network, DIGITS, ["7", "A", "3"])
        after = network(images)
        assert after.shape == (5, 3)
        if isinstance(network, MLP):  # the mean of towers is one of probabilities
            torch.testing.assert_close(after[:, 0] - after[:, 2], before[:, 7] - before[:, 3])
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 2))
    fit_head(own, DIGITS, ["A", "B"])
    assert own[1].out_features == 2
    with pytest.raises(HeadError, match="build it with 3"):
        fit_head(own, DIGITS, ["A", "B", "C"])
    with pytest.raises(HeadError, match="no linear layer"):
        fit_head(torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3)), DIGITS, ["A", "B"])


def test_a_network_may_fit_itself_to_other_classes() -> None:
    class Own(torch.nn.Module):
        def fit_classes(self, classes: list[str]) -> None:
            self.names = classes

    own = Own()  # without a linear layer
    fit_head(own, DIGITS, ["A", "B"])
    assert own.names == ["A", "B"]

import copy

import pytest
import torch
from torch import nn

from mnist_cnn.networks import CosineCNN
from mnist_cnn.tasks.optimizers import Muon, orthogonalized

RATES = {"lr": 0.05, "weight_decay": 0.1, "momentum": 0.6, "adamw_lr": 0.01}


def train(network: nn.Module, optimizer: Muon, steps: int, seed: int) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(steps):
        images = torch.randint(0, 256, (64, 1, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.arange(64) % 10
        images[torch.arange(64), 0, 5 + labels, 8:20] = 255  # the row tells the class
        loss = nn.functional.nll_loss(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_singular_values_come_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((32, 144), (144, 32), (20, 20)):
        values = torch.linalg.svdvals(orthogonalized(torch.randn(shape), steps=5))
        assert values.min() > 0.3
        assert values.max() < 1.3


@pytest.mark.parametrize("towers", [1, 3])
def test_every_parameter_is_in_one_group_by_its_kind(towers: int) -> None:
    network = CosineCNN(blocks=((4, 4),), hidden=(8,), towers=towers)
    hidden, output, others = (group["params"] for group in Muon(network, **RATES).param_groups)
    assert [tuple(p.shape) for p in hidden] == [(4, 16, 3, 3), (4, 4, 3, 3), (8, 64)] * towers
    assert [tuple(p.shape) for p in output] == [(10, 8)] * towers
    assert all(p.ndim == 1 for p in others)
    assert len(hidden) + len(output) + len(others) == len(list(network.parameters()))


def test_learns_and_goes_on_from_a_saved_state_with_the_same_bits() -> None:
    torch.manual_seed(0)
    network = CosineCNN(filters=4, blocks=((8,),), hidden=(16,))
    optimizer = Muon(network, **RATES)
    losses = train(network, optimizer, steps=30, seed=1)
    assert losses[-1] < losses[0] / 2
    saved = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    uninterrupted = train(network, optimizer, steps=5, seed=2)

    resumed = CosineCNN(filters=4, blocks=((8,),), hidden=(16,))
    resumed.load_state_dict(saved[0])
    other = Muon(resumed, **(RATES | {"lr": 1.0}))
    other.load_state_dict(saved[1])
    assert train(resumed, other, steps=5, seed=2) == uninterrupted


def test_schedules_reach_all_groups() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = Muon(network, **RATES)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.0)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(network.state_dict())
    network(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_of_one_layer_and_parameters_without_gradient() -> None:
    network = nn.Linear(4, 2)
    optimizer = Muon(network, **RATES)
    optimizer.step()
    network(torch.ones(1, 4)).sum().backward()
    before = network.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(network.weight, before)

import copy
import functools
import math
from typing import Any

import pytest
import torch
from torch import nn

from mnist_cnn.networks import CosineCNN
from mnist_cnn.tasks.optimizers import Muon, make_optimizer, make_schedule, orthogonalized

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


def sgd(momentum: float = 0.9) -> torch.optim.Optimizer:
    return make_optimizer("sgd", nn.Linear(2, 2), 0.1, 0.0, momentum, fused=False)


def rates(optimizer: torch.optim.Optimizer, schedule: dict[str, Any], steps: int) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule["scheduler"].step()
    return seen


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_sgd_has_nesterov_momentum_unless_it_is_turned_off(momentum: float) -> None:
    group = sgd(momentum).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (momentum, momentum > 0)
    make_schedule("one_cycle", optimizer := sgd(momentum), lambda: 10, 0.5, 0.3)
    assert (optimizer.param_groups[0]["momentum"] > 0) == (momentum > 0)


@pytest.mark.parametrize("warmup", [0.1, 0.3, 0.8])
def test_one_cycle_rises_for_the_share_of_warmup(warmup: float) -> None:
    optimizer = sgd()
    seen = rates(optimizer, make_schedule("one_cycle", optimizer, lambda: 100, 0.5, warmup), 100)
    assert seen.index(max(seen)) == round(100 * warmup) - 1
    assert max(seen) == pytest.approx(0.1)


def test_cosine_falls_to_nothing_over_all_steps() -> None:
    optimizer = sgd()
    seen = rates(optimizer, make_schedule("cosine", optimizer, lambda: 8, 0.5, 0.3), 10)
    assert seen == pytest.approx([0.05 * (1 + math.cos(math.pi * min(step, 8) / 8)) for step in range(10)])


def test_classes_of_others_get_the_learning_rate() -> None:
    rmsprop = functools.partial(torch.optim.RMSprop, momentum=0.3)
    optimizer = make_optimizer(rmsprop, nn.Linear(2, 2), 0.02, 0.5, 0.9, fused=True)
    group = optimizer.param_groups[0]
    assert (type(optimizer), group["lr"], group["momentum"], group["weight_decay"]) == (
        torch.optim.RMSprop,
        0.02,
        0.3,
        0,
    )
    schedule = make_schedule(functools.partial(torch.optim.lr_scheduler.StepLR, step_size=2), optimizer, int, 0.5, 0.3)
    assert schedule["interval"] == "epoch"
    assert rates(optimizer, schedule, 3) == pytest.approx([0.02, 0.02, 0.002])

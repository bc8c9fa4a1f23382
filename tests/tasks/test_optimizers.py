import copy
import functools
import math
from typing import Any

import pytest
import torch
from conftest import Cli, checkpoint
from torch import nn

from mnist_cnn.checkpoints import read_checkpoint
from mnist_cnn.networks import CosineCNN
from mnist_cnn.tasks.optimizers import Muon, make_optimizer, make_schedule, orthogonalized

CLIPPED = ("--trainer.precision=bf16-mixed", "--trainer.gradient_clip_val=0.5")
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
    assert optimizer.param_groups[0]["momentum"] == (0.95 if momentum else 0)  # where a cycle begins


@pytest.mark.parametrize("warmup", [0.1, 0.3, 0.8])
def test_one_cycle_rises_for_the_share_of_warmup(warmup: float) -> None:
    optimizer = sgd()
    seen = rates(optimizer, make_schedule("one_cycle", optimizer, lambda: 100, 0.5, warmup), 100)
    assert seen.index(max(seen)) == round(100 * warmup) - 1
    assert max(seen) == pytest.approx(0.1)


@pytest.mark.parametrize(("warmup", "steps"), [(0.05, 20), (0.1, 10), (1.0, 1), (1, 1), (0, 5), (0.3, 1)])
def test_one_cycle_of_few_steps(warmup: float, steps: int) -> None:
    seen = rates(optimizer := sgd(0.9), make_schedule("one_cycle", optimizer, lambda: steps, 0.5, warmup), steps)
    assert len(seen) == steps
    assert all(0 < rate <= 0.1 for rate in seen)


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


def driven_to_one(matrix: torch.Tensor) -> torch.Tensor:
    """What three iterations of the published quintic make of a matrix: the same polynomial of its singular values."""
    left, values, right = torch.linalg.svd(matrix.double() / matrix.double().norm(), full_matrices=False)
    for _ in range(3):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return ((left * values) @ right).float()


@pytest.mark.parametrize("shape", [(8, 18), (18, 8), (9, 9)])
def test_singular_values_follow_the_published_quintic(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthogonalized(matrix), driven_to_one(matrix), atol=1e-4, rtol=1e-4)
    assert not orthogonalized(torch.zeros(shape)).any()


def test_steps_of_muon_are_those_of_its_definition() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 12, 2), nn.Flatten(), nn.Linear(12, 4), nn.Linear(4, 3))
    adamw = copy.deepcopy(network)
    optimizer = Muon(network, **RATES)
    reference = torch.optim.AdamW(
        [
            {"params": [adamw[3].weight], "weight_decay": 0.1},
            {"params": [adamw[k].bias for k in (0, 2, 3)], "weight_decay": 0.0},
        ],
        lr=0.01,
        betas=(0.7, 0.9),
    )
    hidden = {"0.weight": (12 / 8) ** 0.5, "2.weight": 1.0}  # a tall one, whose steps are larger, and a wide one
    weights = {name: network.state_dict()[name].clone() for name in hidden}
    buffers = dict.fromkeys(hidden, torch.tensor(0.0))
    for _ in range(3):
        for (name, p), other in zip(network.named_parameters(), adamw.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            other.grad = p.grad.clone()
            if name in hidden:
                buffers[name] = 0.6 * buffers[name] + p.grad
                step = driven_to_one((p.grad + 0.6 * buffers[name]).flatten(1)).view_as(p)
                weights[name] = weights[name] * (1 - 0.05 * 0.1) - 0.05 * hidden[name] * step
        assert optimizer.step(lambda: torch.is_grad_enabled()) is True
        reference.step()
    expected = {**adamw.state_dict(), **weights}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD), ("muon", Muon)],
)
def test_optimizers_get_their_settings(name: Any, kind: type) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = make_optimizer(name, network, 0.02, 0.03, 0.8, fused=False)
    assert type(optimizer) is kind
    first, *rest = optimizer.param_groups
    assert (first["lr"], first["weight_decay"]) == (0.02, 0.03)
    assert name not in ("sgd", "muon") or first["momentum"] == 0.8
    assert [(group["lr"], group["weight_decay"]) for group in rest] == ([(0.002, 0.03), (0.002, 0)] if rest else [])
    assert len(rest) == (2 if name == "muon" else 0)


def test_schedules_say_when_they_take_a_step() -> None:
    names: tuple[Any, ...] = ("exponential", "one_cycle", "cosine")
    schedules = {name: make_schedule(name, sgd(), lambda: 9, 0.5, 0.3) for name in names}
    assert {name: schedule["interval"] for name, schedule in schedules.items() if schedule} == {
        "exponential": "epoch",
        "one_cycle": "step",
        "cosine": "step",
    }
    assert make_schedule("constant", sgd(), lambda: 9, 0.5, 0.3) is None
    optimizer = sgd()
    falling = make_schedule("exponential", optimizer, lambda: 9, 0.5, 0.3)
    assert rates(optimizer, falling, 3) == pytest.approx([0.1, 0.05, 0.025])

    class Watching(torch.optim.lr_scheduler.ConstantLR):
        monitor = "accuracy/val"

    assert make_schedule(Watching, sgd(), int, 0.5, 0.3)["monitor"] == "accuracy/val"


def test_one_cycle_moves_the_momentum_of_optimizers_that_have_one() -> None:
    p = [nn.Parameter(torch.zeros(2))]
    adam = torch.optim.Adam(p, 0.1)
    make_schedule("one_cycle", adam, lambda: 10, 0.5, 0.3)
    assert adam.param_groups[0]["betas"][0] == 0.95
    for still in (torch.optim.Adagrad(p, 0.1), torch.optim.RMSprop(p, 0.1)):
        make_schedule("one_cycle", still, lambda: 10, 0.5, 0.3)
        assert still.param_groups[0].get("momentum", 0) == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--model.optimizer=torch.optim.LBFGS", "--model.schedule=constant"),
        ("--trainer.callbacks=ModelPruning", "--trainer.callbacks.pruning_fn=l1_unstructured"),
        *((f"--model.optimizer={name}", *CLIPPED) for name in ("muon", "adam", "sgd")),
    ],
)
def test_weights_as_a_vector_and_clipping_under_mixed_precision(cli: Cli, options: tuple[str, ...]) -> None:
    cli("fit", *options, "--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1")
    content = read_checkpoint(checkpoint())
    assert content["global_step"] == 2
    state = content["state_dict"]
    assert all(value.isfinite().all() for value in state.values() if value.is_floating_point())

"""Optimizers and schedules by name or class; Muon, which torch has for matrices alone, for convolutions, too."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torch.optim import lr_scheduler

OptimizerName = Literal["adam", "adamw", "sgd", "muon"]
OptimizerClass = Callable[[Iterable, float], torch.optim.Optimizer]
"""Of parameters and learning rate, which all optimizers of torch take first."""

ScheduleName = Literal["constant", "exponential", "one_cycle", "cosine"]
ScheduleClass = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that drives all singular values towards 1."""


class Muon(torch.optim.Optimizer):
    """Steps whose singular values are all about 1 for hidden weights, AdamW for everything else.

    The momentum of a hidden weight, as a matrix [out, in * height * width], is replaced by an approximately orthogonal
    one. `torch.optim.Muon` takes nothing but matrices, and Lightning drives one optimizer with one schedule; hence this
    one. After https://kellerjordan.github.io/posts/muon/.
    """

    def __init__(
        self, network: nn.Module, lr: float, weight_decay: float, momentum: float, adamw_lr: float, fused: bool = True
    ) -> None:
        """Sorts the parameters of a network; those that need no gradient are left out.

        Args:
            network: The weights of output layers, matrices of as many rows as the last one, are AdamW's, like all
                biases and normalisation weights.
            lr: Step size of the hidden weights, as the root mean square of a square matrix's singular values.
            weight_decay: Decoupled, for weights alone.
            momentum: Of the hidden weights, Nesterov's.
            adamw_lr: Step size of all others, whose betas are 0.7 and 0.9.
            fused: Whether AdamW's arithmetic is one kernel.
        """
        weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
        output = [w for w in weights if w.ndim == 2 and len(w) == len(weights[-1])]
        hidden = [w for w in weights if not any(w is other for other in output)]
        others = [p for p in network.parameters() if p.requires_grad and p.ndim < 2]
        rule = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        adamw = {"lr": adamw_lr, "betas": (0.7, 0.9)}  # short memories, for runs of a few hundred steps
        self._adamw = torch.optim.AdamW(
            [
                {"params": output, "weight_decay": weight_decay, **adamw},
                {"params": others, "weight_decay": 0.0, **adamw},
            ],
            fused=fused,
        )
        super().__init__([{"params": hidden, **rule}, *self._adamw.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Makes AdamW work on this optimizer's groups and state, so that schedules and checkpoints reach it."""
        self._adamw.param_groups = self.param_groups[1:]
        self._adamw.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a checkpoint's state."""
        super().load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step for all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        group = self.param_groups[0]
        for weight in group["params"]:
            if weight.grad is not None:
                self._muon_step(weight, weight.grad, group)
        self._adamw.step()
        return loss

    def _muon_step(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        update = orthogonalized(gradient.add(buffer, alpha=group["momentum"]).flatten(1)).view_as(weight)
        stretch = max(1.0, len(weight) / weight[0].numel()) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * stretch)


def orthogonalized(matrix: Tensor, steps: int = 3) -> Tensor:
    """The matrix with singular values near 1, by Newton-Schulz iterations.

    Args:
        matrix: Float [M, N].
        steps: Three leave the singular values of typical gradients between about 0.3 and 1.2, which trains as well
            as five.

    Returns:
        Float [M, N].
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def make_optimizer(
    kind: OptimizerName | OptimizerClass,
    network: nn.Module,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
    fused: bool,
) -> torch.optim.Optimizer:
    """The optimizer of a name, or one of another class, which gets parameters and learning rate alone."""
    if not isinstance(kind, str):
        return kind(network.parameters(), learning_rate)
    if kind == "muon":
        return Muon(network, learning_rate, weight_decay, momentum, adamw_lr=learning_rate / 10, fused=fused)
    options: dict[str, Any] = {"lr": learning_rate, "weight_decay": weight_decay, "fused": fused}
    match kind:
        case "adam":
            return torch.optim.Adam(network.parameters(), **options)
        case "adamw":
            return torch.optim.AdamW(network.parameters(), **options)
        case "sgd":
            return torch.optim.SGD(network.parameters(), momentum=momentum, nesterov=momentum > 0, **options)
    raise ValueError(f"unknown optimizer {kind!r}")


def make_schedule(
    kind: ScheduleName | ScheduleClass,
    optimizer: torch.optim.Optimizer,
    count_steps: Callable[[], int],
    gamma: float,
    warmup: float,
) -> dict[str, Any] | None:
    """The schedule of a name or of another class, as Lightning takes it; None leaves the rate as it is."""
    match kind:
        case "constant":
            return None
        case "exponential":
            return {"scheduler": lr_scheduler.ExponentialLR(optimizer, gamma), "interval": "epoch"}
        case "one_cycle":
            has_momentum = "betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0
            return one_cycle(optimizer, count_steps(), warmup, has_momentum)
        case "cosine":
            steps = count_steps()
            # In closed form: torch's CosineAnnealingLR would rise again in a run that is resumed for more epochs.
            cosine = lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * min(1, step / steps))) / 2)
            return {"scheduler": cosine, "interval": "step"}
    if isinstance(kind, str):
        raise ValueError(f"unknown schedule {kind!r}")
    scheduler = kind(optimizer)
    monitor = {"monitor": scheduler.monitor} if hasattr(scheduler, "monitor") else {}
    return {"scheduler": scheduler, "interval": "epoch", **monitor}


def count_steps(trainer: L.Trainer) -> int:
    """All steps of the training.

    Raises:
        MisconfigurationException: It has no end.
    """
    steps = trainer.estimated_stepping_batches
    if not math.isfinite(steps):
        raise MisconfigurationException(
            "this schedule of the learning rate needs to know the end: give --trainer.max_epochs or --trainer.max_steps"
        )
    return max(1, int(steps))  # where nothing is trained, too


def one_cycle(optimizer: torch.optim.Optimizer, steps: int, warmup: float, cycle_momentum: bool) -> Any:
    """One cycle over so many steps up to the optimizer's learning rates, as Lightning takes it.

    Args:
        optimizer: Its learning rates are the highest.
        steps: Of the whole training.
        warmup: Share of them in which the learning rate rises.
        cycle_momentum: Whether the momentum falls and rises against it.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    rising = warmup * (1 - 1e-6) if warmup * steps == 1 else float(warmup)  # torch divides by 0 where it is one step
    cycle = lr_scheduler.OneCycleLR(optimizer, rates, steps, pct_start=rising, cycle_momentum=cycle_momentum)
    return {"scheduler": cycle, "interval": "step"}

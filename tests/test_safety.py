"""Runs that are killed, interrupted, starved or diverge: nothing is lost, and the same bits come out."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mnist_cnn import DigitClassifier

Cli = Callable[..., None]
Fails = Callable[..., str]
TRAIN = str(Path(__file__).parent.parent / "scripts" / "train.py")
SMALL = (
    "--trainer.limit_train_batches=12",
    "--trainer.limit_val_batches=2",
    "--trainer.max_epochs=3",
    "--data.batch_size=20",
)
DROPOUT = (
    "--model.network=conftest.UserNet",
    "--model.network.init_args.dropout=0.5",
    "--model.schedule=one_cycle",
)


def checkpoint(run: int = 0, name: str = "last") -> Path:
    return Path(f"lightning_logs/version_{run}/checkpoints/{name}.ckpt")


def content(run: int = 0, name: str = "last") -> dict:
    return torch.load(checkpoint(run, name), weights_only=True)


def same_training(one: dict, other: dict) -> bool:
    """Whether two checkpoints agree to the bit in weights, optimizer, schedule and the best score."""

    def tensors(saved: dict) -> list[torch.Tensor]:
        moments = [tensor for state in saved["optimizer_states"][0]["state"].values() for tensor in state.values()]
        scores = [state["best_model_score"] for key, state in saved["callbacks"].items() if "BestAndLast" in key]
        return [*saved["state_dict"].values(), *moments, *scores]

    equal = all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))
    return equal and one["lr_schedulers"] == other["lr_schedulers"] and one["global_step"] == other["global_step"]


class Killed(BaseException):
    """As if by kill -9: no handler knows it."""


def dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            raise Killed
        return original(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, "training_step", training_step)


ACCUMULATED = ("--trainer.accumulate_grad_batches=2", *DROPOUT)


@pytest.mark.parametrize(("step", "options"), [(3, DROPOUT), (18, DROPOUT), (12, ACCUMULATED), (15, ACCUMULATED)])
def test_killed_within_an_epoch_and_resumed(
    step: int, options: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("fit", *SMALL, *options, "--checkpoint.every_n_train_steps=4")
    cli(*command)
    with monkeypatch.context() as patch:
        dies_at(step, patch)
        with pytest.raises(Killed):
            cli(*command)
    assert checkpoint(1).exists() == (step > 4)
    saved = content(1)["global_step"] if checkpoint(1).exists() else 0
    assert step - 4 <= saved <= step
    capsys.readouterr()
    cli(*command, "--ckpt_path=last")
    assert same_training(content(0), content(1))
    assert same_training(content(0, "best"), content(1, "best"))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 3/3")]
    cli("fit", *SMALL, *options)  # how often is saved changes nothing
    assert lines == [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 3/3")]

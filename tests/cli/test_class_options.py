"""Options that choose a class."""

import re
from pathlib import Path

import pytest
import torch
from conftest import Fails
from test_trainer_options import SMALL

from mnist_cnn.cli import main

BLAMED = {
    "--model.optimizer=SGD --model.optimizer.momentum=-1": "Invalid momentum value",
    "--model.optimizer=torch.optim.Muon": "Muon only supports 2D",
    "--model.optimizer=SparseAdam": "SparseAdam does not support dense gradients",
    "--model.schedule=StepLR --model.schedule.step_size=0": "ZeroDivisionError",
    "--model.schedule=LRScheduler": "NotImplementedError$",
    "--model.network=Transformer": "cannot be built .*activation",
    "--trainer.callbacks+=BackboneFinetuning": "no attribute 'backbone'",
    "--trainer.callbacks+=EarlyStopping --trainer.callbacks.monitor=val_loss": "val_loss. which is not available",
    "--trainer.callbacks+=Timer --trainer.callbacks.duration=5": "not a valid duration",
}


@pytest.mark.parametrize("options", BLAMED)
def test_an_error_in_a_class_names_the_option_that_chose_it(options: str, tiny: Path, fails: Fails) -> None:
    words = ["fit", *SMALL, *options.split()]
    if "network" in options:
        words = [word for word in words if "hidden" not in word]
    assert re.match(f"error: {re.escape(options)}: .*{BLAMED[options]}", fails(main, words))


def test_overfitting_sees_the_same_batch_in_every_epoch(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    step = "mnist_cnn.tasks.classifier.DigitClassifier.training_step"
    from mnist_cnn import DigitClassifier

    training_step = DigitClassifier.training_step

    def noted(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        seen.append(batch[0][:, 0, 0, 0].tolist())
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(step, noted)
    main(["fit", *SMALL, "--trainer.overfit_batches=1", "--trainer.max_epochs=3"])
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 40

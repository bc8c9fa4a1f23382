"""Options of `--checkpoint` and `--figures`, and those that choose a class."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import torch
from conftest import Capture, Fails, Patch, hint
from lightning.pytorch.callbacks import ModelCheckpoint
from test_trainer_options import SMALL, TEST

from mnist_cnn import DigitClassifier
from mnist_cnn.callbacks.figures import TensorBoardFigures
from mnist_cnn.cli import main

WORKS = """
checkpoint.dirpath=elsewhere  checkpoint.filename=mine  checkpoint.filename={epoch}-{step}
checkpoint.monitor=loss/val  checkpoint.monitor=null  checkpoint.mode=max  checkpoint.verbose=true
checkpoint.save_last=false  checkpoint.save_last=null  checkpoint.save_last=link  checkpoint.save_on_exception=true
checkpoint.save_top_k=0  checkpoint.save_top_k=2  checkpoint.save_top_k=-1  checkpoint.save_weights_only=true
checkpoint.auto_insert_metric_name=false  checkpoint.every_n_train_steps=2  checkpoint.train_time_interval=00:00:00:01
checkpoint.every_n_epochs=2  checkpoint.save_on_train_epoch_end=false  checkpoint.enable_version_counter=true
figures.every_n_epochs=2  figures.mistakes=0  figures.digits=0  figures.norms=true
"""
FAILS = {
    "checkpoint.monitor=accuracy": r"monitor=.accuracy... could not find .*accuracy/train",
    "checkpoint.mode=up": "min.*max|max.*min",
    "checkpoint.save_top_k=-2": "save_top_k",
    "checkpoint.every_n_epochs=-1": "every_n_epochs",
    "checkpoint.train_time_interval=soon": "give a time such as 00:12:00:00",
    "checkpoint.save_last=perhaps": "save_last",
    "figures.every_n_epochs=0": "every_n_epochs",
    "figures.mistakes=-1": "mistakes",
}


def test_no_option_is_left_out() -> None:
    groups = {"checkpoint": ModelCheckpoint, "figures": TensorBoardFigures}
    known = {f"{group}.{name}" for group, kind in groups.items() for name in inspect.signature(kind).parameters}
    assert {option.partition("=")[0] for option in shlex.split(WORKS)} == known


@pytest.mark.parametrize("option", shlex.split(WORKS))
def test_a_run_with_an_option_is_tested_and_gone_on_with_as_it_says(option: str, tiny: Path, capsys: Capture) -> None:
    main(["fit", *SMALL, "--trainer.max_epochs=2", f"--{option}"])
    main([*hint(capsys.readouterr().out), *TEST[2:]])
    assert "errors in 40" in capsys.readouterr().out
    best = option != "checkpoint.save_top_k=0"  # which keeps none
    main(TEST if best else [TEST[0], "--ckpt_path=last", *TEST[2:]])
    assert "errors in 40" in capsys.readouterr().out


@pytest.mark.parametrize("option", FAILS)
def test_what_cannot_work_ends_in_one_line(option: str, tiny: Path, fails: Fails) -> None:
    assert re.search(FAILS[option], fails(main, ["fit", *SMALL, f"--{option}"]))


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


def test_overfitting_sees_the_same_batch_in_every_epoch(tiny: Path, monkeypatch: Patch) -> None:
    seen = []
    training_step = DigitClassifier.training_step

    def noted(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        seen.append(batch[0][:, 0, 0, 0].tolist())
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, "training_step", noted)
    main(["fit", *SMALL, "--trainer.overfit_batches=1", "--trainer.max_epochs=3"])
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 40

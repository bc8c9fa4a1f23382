"""Every option of `--checkpoint` and `--figures` works, and what is printed afterwards can be typed."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
from conftest import Fails
from lightning.pytorch.callbacks import ModelCheckpoint
from test_trainer_options import SMALL, TEST

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
def test_a_run_with_an_option_is_tested_and_gone_on_with_as_it_says(
    option: str, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", *SMALL, "--trainer.max_epochs=2", f"--{option}"])
    output = capsys.readouterr().out
    hint = re.search(r"^test it: +python scripts/train.py (test .*)$", output, flags=re.MULTILINE)
    assert hint, output
    main([*shlex.split(hint[1]), *TEST[2:]])
    assert "errors in 40" in capsys.readouterr().out
    best = option != "checkpoint.save_top_k=0"  # which keeps none
    main(TEST if best else [TEST[0], "--ckpt_path=last", *TEST[2:]])
    assert "errors in 40" in capsys.readouterr().out


def test_a_best_one_that_was_not_kept_is_not_looked_for_in_vain(tiny: Path, fails: Fails) -> None:
    main(["fit", *SMALL, "--checkpoint.save_top_k=0"])
    assert fails(main, TEST).endswith("kept its best checkpoint: give --ckpt_path=last")


@pytest.mark.parametrize("option", FAILS)
def test_what_cannot_work_ends_in_one_line(option: str, tiny: Path, fails: Fails) -> None:
    assert re.search(FAILS[option], fails(main, ["fit", *SMALL, f"--{option}"]))

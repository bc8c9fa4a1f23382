"""The tasks that learn from scenes, on the command line."""

import re
from pathlib import Path

import pytest
import torch
from conftest import Capture, Cli, Fails, Patch, curves, hint

from mnist_cnn.checkpoints import PRETRAINED
from mnist_cnn.scenes import arrangement

DATA = ("--data.glyphs=120", "--data.scenes=8", "--data.val_scenes=4", "--data.batch_size=4", "--data.num_workers=0")
TINY = (*DATA, "--model.warmup=0.4", "--trainer.limit_val_batches=1")


def test_a_detector_is_trained_goes_on_and_is_tested(cli: Cli, fails: Fails, capsys: Capture) -> None:
    fit = ("fit", "--config=detector", *TINY)
    cli(*fit, "--trainer.max_epochs=2", "--trainer.limit_train_batches=1", "--figures.scenes=4")
    output = capsys.readouterr().out
    assert "network: DetectorNet, 402,262 parameters" in output
    assert re.search(r"^epoch 2/2: accuracy/val .*%, f_score/val .*%$", output, re.MULTILINE)
    words = hint(output)
    assert "see it:     tensorboard --logdir lightning_logs" in output
    run = Path("lightning_logs/version_0")
    first = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert first["global_step"] == 2
    events = curves(raw=True)
    tags = events.Tags()
    assert {"loss/val", "f_score/val", "ink/val"} <= set(tags["scalars"])
    assert tags["images"] == ["scenes/val"]
    drawn = events.Images("scenes/val")[-1]
    assert drawn.height * 3 > drawn.width  # two rows of tiles twice as wide as high: three, and the fourth
    cli(*words)  # the sizes of the data are remembered
    output = capsys.readouterr().out
    assert re.search(r"best.ckpt \(epoch \d, validation F-score \d.*, a trial with 1 of 2 batches an epoch\)", output)
    assert "f_score/test" in output
    assert "of 4 scenes" in output
    cli("test", "--task=detector", "--ckpt_path=pretrained", *TINY[:5])
    assert "is of a classifier: leave out --task" in fails(cli, "test", "--task=detector", f"--ckpt_path={PRETRAINED}")
    for verb in ("test", "fit"):
        message = fails(cli, verb, "--ckpt_path=last")
        assert "is of a detector or a recognizer: add --task=detector or --task=recognizer" in message
    assert "needs trained weights" in fails(cli, "test", "--task=detector")
    assert "predict is not for --task=detector" in fails(cli, "predict", "--task=detector")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_in_a_kind_of_scene_keeps_its_traceback(cli: Cli, monkeypatch: Patch, workers: int) -> None:
    monkeypatch.setattr(arrangement, "KINDS", ((0.5, 0.5, arrangement._row, 1.0),))
    with pytest.raises(ValueError, match="robabilities"):
        cli("fit", "--config=detector", *TINY, f"--data.num_workers={workers}", "--trainer.max_epochs=1")


def test_a_recognizer_is_trained_and_tested(cli: Cli, fails: Fails, capsys: Capture) -> None:
    cli("fit", "--config=recognizer", *TINY, "--trainer.max_epochs=1")
    output = capsys.readouterr().out
    assert "network: RecognizerNet, 247,675 parameters" in output
    assert re.search(r"^best accuracy: \d[\d.]*%$", output, re.MULTILINE)
    words = hint(output)
    assert words[:2] == ["test", "--task=recognizer"]
    tags = curves(raw=True).Tags()
    assert {"loss/val", "accuracy/val"} <= set(tags["scalars"])
    assert tags["images"] == ["rows/val"]
    cli(*words)
    assert "accuracy/test" in capsys.readouterr().out
    cli("test", "--task=recognizer", "--ckpt_path=pretrained", *DATA)
    assert "of 4 scenes" in capsys.readouterr().out
    cli("fit", "--config=recognizer", *TINY, "--trainer.fast_dev_run=true", "--model.weights=pretrained")
    assert "weights: " in capsys.readouterr().out
    for option in ["precision=bf16-mixed", "precision=bf16-true", "precision=64-true", "deterministic=true"]:
        one = ("--data.batch_size=1", "--trainer.limit_train_batches=1")  # convolutions of such numbers are slow
        cli("fit", "--config=recognizer", *TINY, *one, "--trainer.max_epochs=1", f"--trainer.{option}")
        assert "accuracy: " in capsys.readouterr().out, option
    assert "--task=recogniser: give detector or recognizer" in fails(cli, "test", "--task=recogniser")
    assert "predict is not for --task=recognizer" in fails(cli, "predict", "--task=recognizer")
    assert "do not fit its network" in fails(cli, "test", "--task=detector", "--ckpt_path=best", *DATA)


WORKS = """
trainer.logger=false  trainer.logger=CSVLogger  trainer.enable_checkpointing=false  trainer.max_steps=1
trainer.overfit_batches=1  trainer.limit_val_batches=0  data.val_scenes=0  trainer.barebones=true
trainer.fast_dev_run=true  trainer.precision=bf16-mixed  trainer.precision=bf16-true  trainer.precision=64-true
trainer.num_sanity_val_steps=1  trainer.logger.name=mine
"""
FAILS = {
    "trainer.strategy=ddp_spawn": "give --trainer.strategy=ddp",
    "seed_everything=-1": "give a number from 0 to 4294967295",
    "data.glyphs=1": "--data.glyphs=1 leaves some scenes without digits or signs: give 400 or more",
    "data.batch_size=0": "--data.batch_size=0: give a whole number above 0",
    "model.learning_rat=1": "did you mean --model.learning_rate",
    "optimizer=Adam": "unrecognized arguments: --optimizer=Adam",
    "ckpt_path=pretrained": "start a new run from them by --model.weights=pretrained",
    "ckpt_path=best.ckpt": "no checkpoint file",
    "model.warmup=2": "give a number from 0 to 1",
    "trainer.max_epochs=-1": "needs to know the end: give --trainer.max_epochs or --trainer.max_steps",
}


def test_its_options_work_or_end_in_one_line(cli: Cli, fails: Fails, capsys: Capture) -> None:
    fit = ("fit", "--config=detector", *TINY, "--trainer.max_epochs=1")
    for option in WORKS.split():
        cli(*fit, f"--{option}")
        output = capsys.readouterr().out
        keeps = not re.search("fast_dev_run|barebones|enable_checkpointing=false", option)
        words = hint(output)
        assert bool(words) == keeps, (option, output)
        assert not words or Path(words[2].partition("=")[2]).is_file(), (option, output)
        validated = not re.search("limit_val_batches=0|val_scenes=0|max_steps|fast_dev_run|barebones", option)
        assert ("best F-score: " in output or "last F-score: " in output) == validated, (option, output)
    cli("test", *DATA, "--task=detector", "--ckpt_path=pretrained", "--trainer.barebones=true")
    assert "a barebones trainer keeps no scores" in capsys.readouterr().out
    for option, message in FAILS.items():
        assert message in fails(cli, *fit, f"--{option}"), option
    for verb in ("validate", "test"):
        nothing = (verb, "--task=detector", "--ckpt_path=pretrained", "--data.val_scenes=0")
        assert f"nothing to {verb} with --data.val_scenes=0" in fails(cli, *nothing)
    no_batch = ("test", *DATA, "--task=detector", "--ckpt_path=pretrained", "--trainer.limit_test_batches=0")
    assert "nothing to test with --trainer.limit_test_batches=0" in fails(cli, *no_batch)
    assert "test does not use --model.learning_rate, only fit" in fails(
        cli, "test", "--task=detector", "--ckpt_path=pretrained", "--model.learning_rate=1"
    )

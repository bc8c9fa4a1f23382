"""End to end through `main([...])`, as users type it."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY, Capture, Cli, Fails, Patch, checkpoint, curves
from lightning.pytorch.loggers import TensorBoardLogger

import mnist_cnn
from mnist_cnn.cli.quick import CONFIGS

PRESETS = sorted(CONFIGS.glob("*.yaml"))


def same_weights(one: Path, other: Path) -> bool:
    states = [torch.load(path, weights_only=True)["state_dict"] for path in (one, other)]
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("config", PRESETS, ids=lambda path: path.stem)
def test_every_preset_runs_for_a_step_and_leaves_nothing_behind(config: Path, cli: Cli) -> None:
    cli("fit", "--config", str(config), "--trainer.fast_dev_run=true")
    assert list(Path().iterdir()) == []


def test_a_run_leaves_config_checkpoints_and_events_and_says_what_to_type(cli: Cli, capsys: Capture) -> None:
    cli("fit", *TINY)
    output = capsys.readouterr()
    config = yaml.safe_load(Path("lightning_logs/version_0/config.yaml").read_text())
    assert config["model"]["network"]["class_path"] == "mnist_cnn.TutorialCNN"
    assert checkpoint().exists()
    assert checkpoint(name="last").exists()
    assert re.search(r"epoch 1/1: accuracy/train \d.*accuracy/val \d.*loss/train \d.*loss/val \d", output.out)
    assert "best validation accuracy: " in output.out
    assert f"test --ckpt_path={checkpoint()}" in output.out
    assert "tensorboard --logdir lightning_logs" in output.out
    assert "Warning" not in output.err

    events = curves(raw=True)
    tags = events.Tags()
    assert set(tags["scalars"]) >= {
        *(f"{metric}/{stage}" for metric in ("accuracy", "loss") for stage in ("train", "val")),
        *(f"error/{stage}" for stage in ("train", "val")),
        "learning_rate",
        "speed/epoch_seconds",
        "speed/images_per_second",
        "per_class_accuracy/7/val",
        "calibration_error/val",
    }
    assert "hp_metric" not in tags["scalars"]
    assert set(tags["images"]) == {
        "validation/confusion_matrix",
        "validation/most_confident_mistakes",
        "validation/reliability_curve",
        "filters/first_layer",
        "training/digits",
    }
    assert tags["graph"]
    assert "_hparams_/session_start_info" in events.summary_metadata
    assert "custom_scalars__config__" in events.summary_metadata


def test_test_validate_and_predict_take_the_newest_run(
    cli: Cli, fails: Fails, mnist_dir: Path, capsys: Capture
) -> None:
    cli("fit", "--trainer.max_epochs=1", "--trainer.limit_train_batches=60")
    cli("fit", *TINY)
    before = sorted(Path().rglob("*.ckpt"))
    os.utime(checkpoint(0))  # version_0 becomes the newest
    capsys.readouterr()

    cli("test", "--ckpt_path=best")
    output = capsys.readouterr().out
    assert f"checkpoint: {checkpoint(0)}" in output
    both = re.findall(r"accuracy (\d+\.\d+)%, (\d+) errors in ([\d,]+) \(95% interval ([\d.]+)% to ([\d.]+)%\)", output)
    assert [row[2] for row in both] == ["10,000", "9,985"]
    for accuracy, errors, count, low, high in both:
        number = int(count.replace(",", ""))
        assert float(accuracy) == pytest.approx(100 - 100 * int(errors) / number, abs=0.006)
        assert float(low) < float(accuracy) < float(high)
    assert int(both[0][1]) - 15 <= int(both[1][1]) <= int(both[0][1])
    points = curves()
    assert [step for step, _ in points["accuracy/test"]] == [60]
    assert [event.step for event in curves(raw=True).Images("test/confusion_matrix")] == [60]
    error = points["calibration_error/test"][0][1]
    assert f"expected calibration error: {error:.2%}" in output
    assert sorted(Path("lightning_logs").iterdir()) == [Path(f"lightning_logs/version_{i}") for i in (0, 1)]

    cli("validate", f"--ckpt_path={checkpoint(1, 'last')}")
    assert re.search(r"validation split: accuracy .* errors in 5,000", capsys.readouterr().out)
    cli("validate", f"--ckpt_path={checkpoint(1, 'last')}", "--trainer.limit_val_batches=2")
    accuracy, errors = re.search(r"split: accuracy (.*)%, (\d+) errors in 400 ", capsys.readouterr().out).groups()
    assert float(accuracy) == 100 - int(errors) / 4
    for verb in ("test", "predict"):
        assert f"nothing to {verb} with --trainer.limit_{verb}_batches=0" in fails(
            cli, verb, "--ckpt_path=last", f"--trainer.limit_{verb}_batches=0"
        )

    cli("predict", "--ckpt_path=last", "--predictions.output=out/p.csv")
    with Path("out/p.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = mnist_cnn.data.files.load("MNIST", mnist_dir, train=False)[1].tolist()
    assert len(rows) == 10_000
    assert (list(rows[0]), rows[1]["file"]) == (["file", "digits", "confidence"], "MNIST/test/1")
    assert all(0.1 < float(row["confidence"]) <= 1 for row in rows)
    wrong = sum(int(row["digits"]) != label for row, label in zip(rows, labels, strict=True))
    cli("test", f"--ckpt_path={checkpoint(1, 'last')}")
    assert f"{wrong} errors in 10,000" in capsys.readouterr().out
    assert sorted(Path().rglob("*.ckpt")) == before


@pytest.mark.parametrize("val_size", [5000, 0])
def test_a_resumed_run_ends_with_the_same_weights_in_its_own_folder(val_size: int, cli: Cli, capsys: Capture) -> None:
    options = ("--trainer.limit_train_batches=8", f"--data.val_size={val_size}", "--model.learning_rate=0.002")
    cli("fit", *options, "--trainer.max_epochs=3")
    cli("fit", *options, "--trainer.max_epochs=2")
    # Network, learning rate and val_size are remembered; the number of epochs is what is new.
    cli("fit", "--ckpt_path=last", "--trainer.max_epochs=3", "--trainer.limit_train_batches=8")
    assert f"checkpoint: {checkpoint(1, 'last')}" in capsys.readouterr().out
    assert sorted(Path("lightning_logs").iterdir()) == [Path(f"lightning_logs/version_{i}") for i in (0, 1)]
    assert same_weights(checkpoint(0, "last"), checkpoint(1, "last"))
    assert same_weights(checkpoint(0, "best"), checkpoint(1, "best"))


def test_two_runs_of_a_command_give_the_same_bits(cli: Cli) -> None:
    for _ in range(2):
        cli("fit", *TINY)
    assert same_weights(checkpoint(0, "last"), checkpoint(1, "last"))
    cli("fit", *TINY, "--seed_everything=1")
    assert not same_weights(checkpoint(0, "last"), checkpoint(2, "last"))


def test_without_validation_best_is_the_last_epoch(cli: Cli, capsys: Capture) -> None:
    cli("fit", "--data.val_size=0", "--trainer.max_epochs=2", "--trainer.limit_train_batches=5")
    output = capsys.readouterr()
    assert "nothing was validated" in output.out
    assert "Warning" not in output.err
    assert same_weights(checkpoint(name="best"), checkpoint(name="last"))
    assert "accuracy/train" in curves()


@pytest.mark.slow
def test_two_processes_score_what_one_does(cli: Cli, mnist_dir: Path, capsys: Capture) -> None:
    cli("fit", *TINY)
    capsys.readouterr()
    cli("test", "--ckpt_path=best", "--trainer.logger=false")
    one = capsys.readouterr().out
    program = [sys.executable, str(Path(__file__).parents[2] / "scripts" / "train.py"), "test", "--ckpt_path=best"]
    options = [f"--data.data_dir={mnist_dir}", "--trainer.accelerator=cpu", "--trainer.logger=false"]
    ddp = ["--trainer.strategy=ddp", "--trainer.devices=2"]
    two = subprocess.run([*program, *options, *ddp], capture_output=True, text=True, check=True)
    assert "Warning" not in two.stderr
    assert "recommended" not in two.stderr
    scores = [[line for line in output.splitlines() if ": accuracy" in line] for output in (one, two.stdout)]
    assert len(scores[0]) == 2
    assert scores[0] == scores[1]


def test_runs_that_start_at_once_take_folders_of_their_own(cli: Cli, monkeypatch: Patch) -> None:
    monkeypatch.setattr(TensorBoardLogger, "_get_next_version", lambda self: 0)  # as each would see it
    for _ in range(3):
        cli("fit", *TINY, "--trainer.limit_val_batches=1")
    assert all(checkpoint(run).exists() for run in range(3))

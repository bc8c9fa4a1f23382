"""Labelled pictures learned from and tested on, from the command line and in Python."""

import csv
import re
from pathlib import Path

import pytest
import torch
from conftest import Cli, Fails
from drawn import Mnist, digits, saved
from PIL import Image

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import PRETRAINED, read_checkpoint
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading import sighting

LETTERS = {"alef": 0, "beth": 1}
"""Classes with names of their own, and the digits of MNIST that stand for them."""


def letters(folder: Path, mnist: Mnist, count: int = 10, start: int = 0) -> Path:
    for name, digit in LETTERS.items():
        saved(digits(mnist, digit, count, start), folder / name)
    return folder


def test_classes_with_names_from_fit_to_predict(
    cli: Cli, fails: Fails, tmp_path: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    letters(tmp_path / "mine", mnist)
    letters(tmp_path / "others", mnist, 10, 50)
    saved(digits(mnist, 0, 1, 70), tmp_path / "others" / "beth", "wrong.png")
    line = fails(cli, "test", "--ckpt_path=pretrained", "--data.labelled=mine")
    assert "classes that this checkpoint does not know (alef, beth)" in line
    assert "fit --config finetune --data.labelled=mine" in line

    quick = ["--model.network=MLP", "--model.network.hidden=[8]", "--trainer.max_epochs=2"]
    cli("fit", *quick, "--data.labelled=mine", "--data.batch_size=100")
    assert "your pictures, held out: " in capsys.readouterr().out
    saved_hparams = read_checkpoint(Path("lightning_logs/version_0/checkpoints/best.ckpt"))["hyper_parameters"]
    assert saved_hparams["classes"] == ["alef", "beth"]
    assert DigitClassifier.load_from_checkpoint("lightning_logs/version_0/checkpoints/best.ckpt").classes == [*LETTERS]

    cli("test", "--ckpt_path=best", "--data.labelled=others")
    out = capsys.readouterr().out
    assert "labelled pictures: accuracy 95.24%, 1 error in 21 (95% interval 77.33% to 99.15%)" in out
    assert "most often confused: beth is read as alef, 1 of 11 times" in out
    assert "expected calibration error" in out
    assert "mistakes: mistakes.png, 1 pictures" in out
    with Image.open("mistakes.png") as sheet:
        assert sheet.size[0] > 100
    cli("test", "--ckpt_path=best", "--data.labelled=mine")
    assert "16 of these pictures were trained on" in capsys.readouterr().err
    cli("validate", "--ckpt_path=best", "--data.labelled=mine")
    assert "your pictures, held out: accuracy 100.00%, 0 errors in 4" in capsys.readouterr().out
    assert "add --data.labelled=" in fails(cli, "fit", "--ckpt_path=last", "--trainer.max_epochs=3")

    cli("predict", "--ckpt_path=best", "--data.pictures=others/beth")
    with Path("predictions.csv").open(newline="") as file:
        assert {row["digits"] for row in csv.DictReader(file)} == {"alef", "beth"}
    cli("test", "--ckpt_path=best", "--data.labelled=predictions.csv")  # as it was read, so without a mistake
    assert "accuracy 100.00%, 0 errors in 11" in capsys.readouterr().out
    cli("export", "--ckpt_path=best", "--format=pt2")
    names = {"classes": ""}
    torch.export.load("digits.pt2", extra_files=names)
    assert names["classes"] == "alef beth"


def test_the_bundled_networks_vote_in_test_as_they_do_in_predict(
    cli: Cli, mnist: Mnist, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for digit in (3, 4):
        saved(digits(mnist, digit, 5), Path("mine") / str(digit))
    cli("test", "--ckpt_path=pretrained", "--data.labelled=mine")
    assert "labelled pictures: accuracy 100.00%, 0 errors in 10" in capsys.readouterr().out
    monkeypatch.setattr(sighting, "VOTES", (-1.0, 0.0))  # the least likely digit wins
    cli("test", "--ckpt_path=pretrained", "--data.labelled=mine")
    assert "labelled pictures: accuracy 0.00%, 10 errors in 10" in capsys.readouterr().out


def test_fine_tuning_never_calls_worse_weights_best(
    cli: Cli, tmp_path: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    for digit in range(10):
        saved(digits(mnist, digit, 5, 40), tmp_path / "mine" / str(digit))
    preset = str(Path(__file__).parents[2] / "mnist_cnn/configs/finetune.yaml")
    small = ["--data.rendered=0", "--data.mixed=100", "--data.val_size=200", "--trainer.max_epochs=1"]
    ruin = ["--model.learning_rate=3", "--trainer.limit_train_batches=2"]
    cli("fit", "--config", preset, "--data.labelled=mine", *small, *ruin)
    out = capsys.readouterr().out
    assert f"weights: {PRETRAINED}" in out
    assert re.search(r"your pictures, held out: (\d+\.\d\d%) before, \1 after \((\d+) and \2 of 10 right\)", out)
    assert "MNIST validation split: " in out
    assert "no epoch was better than the weights that it began with" in out
    best = read_checkpoint(Path("lightning_logs/version_0/checkpoints/best.ckpt"))
    begun = read_checkpoint(PRETRAINED)
    for name, value in begun["state_dict"].items():
        assert torch.equal(best["state_dict"][name.replace("network.", "network.before.", 1)], value)
    then, now = begun["hyper_parameters"], best["hyper_parameters"]
    assert now["network"]["init_args"]["network"]["init_args"] == then["network"]["init_args"]
    assert (now["temperature"], now["test_time_shift"]) == (then["temperature"], then["test_time_shift"])


def test_further_classes_beside_digits_from_fit_to_predict(
    cli: Cli, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(digits(mnist, 3, 10), Path("mine/3"))
    saved(digits(mnist, 4, 10).transpose(2, 3), Path("mine/sign"))
    recipe = ["--config=finetune", "--data.labelled=mine", "--data.rendered=0", "--data.mixed=500"]
    small = ["--data.val_size=500", "--data.batch_size=50", "--trainer.max_epochs=3"]
    cli("fit", *recipe, *small)
    out = capsys.readouterr().out
    assert "network: Extended" in out
    found = re.search(r"MNIST validation split: (\S+)% before, (\S+)% after", out)
    assert found is not None
    before, after = map(float, found.groups())
    assert before > 98.5
    assert after > 97
    best = Path("lightning_logs/version_0/checkpoints/best.ckpt")
    loaded = DigitClassifier.load_from_checkpoint(best)
    assert loaded.classes == loaded.network.classes == [*DIGITS, "sign"]
    begun = read_checkpoint(PRETRAINED)["state_dict"]
    assert all(torch.equal(value, loaded.state_dict()["network.before." + name[8:]]) for name, value in begun.items())
    cli("predict", "--ckpt_path=best", "--data.pictures=mine/sign")
    with Path("predictions.csv").open(newline="") as file:
        assert [row["digits"] for row in csv.DictReader(file)].count("sign") > 5
    again = DigitClassifier(weights="best", classes=[*DIGITS, "hook", "sign"], remember=True)
    assert again.classes == again.network.classes == [*DIGITS, "hook", "sign"]
    assert all(torch.equal(value, again.state_dict()["network.before." + name[8:]]) for name, value in begun.items())


def test_weights_in_python_and_for_the_wrong_verb(cli: Cli, fails: Fails) -> None:
    model = DigitClassifier(weights="pretrained", classes=["3", "A"])
    assert (model.classes, model.network.classifier[-2].out_features) == (["3", "A"], 2)
    assert model.hparams["temperature"] == read_checkpoint(PRETRAINED)["hyper_parameters"]["temperature"]
    assert "test does not use --model.weights, only fit" in fails(
        cli, "test", "--ckpt_path=pretrained", "--model.weights=pretrained"
    )
    assert "no run in" in fails(cli, "fit", "--model.weights=best")


def test_a_run_that_is_refused_to_go_on_keeps_its_settings(
    cli: Cli, fails: Fails, tmp_path: Path, mnist: Mnist, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in (3, 8):
        saved(digits(mnist, label, 10), tmp_path / "all mine" / str(label))
    quick = ["--model.network=MLP", "--model.network.hidden=[8]", "--model.schedule=one_cycle"]
    cli("fit", *quick, "--trainer.max_epochs=2", "--data.labelled=all mine", "--data.batch_size=100")
    config = Path("lightning_logs/version_0/config.yaml")
    before = config.read_bytes()
    assert f"add --config={config} to go on" in fails(cli, "fit", "--ckpt_path=last")
    longer = fails(cli, "fit", "--ckpt_path=last", f"--config={config}", "--trainer.max_epochs=9")
    assert "one_cycle ends with the epochs that the run began with, and cannot go on beyond them" in longer
    assert config.read_bytes() == before
    capsys.readouterr()
    cli("fit", "--ckpt_path=last", f"--config={config}")
    assert "see it:" in capsys.readouterr().out
    config.unlink()
    assert "add '--data.labelled=all mine' to go on" in fails(cli, "fit", "--ckpt_path=last")


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again_with_its_weights(
    cli: Cli, capsys: pytest.CaptureFixture[str], mnist: Mnist, tmp_path: Path
) -> None:
    for label in (1, 2):
        saved(digits(mnist, label, 6), tmp_path / "mine" / str(label))
    few = ["--data.mixed=20", "--data.rendered=0", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"]
    (tmp_path / "lightning_logs" / "version_0").mkdir(parents=True)
    cli("fit", "--config=finetune", "--data.labelled=mine", "--ckpt_path=last", "--trainer.max_epochs=1", *few)
    output = capsys.readouterr().out
    assert "none yet in lightning_logs/version_0, starting from the beginning" in output
    assert "network: Extended" in output
    assert (tmp_path / "lightning_logs" / "version_0" / "checkpoints" / "last.ckpt").exists()


def test_printed_settings_are_those_of_the_weights(
    cli: Cli, capsys: pytest.CaptureFixture[str], mnist: Mnist, tmp_path: Path
) -> None:
    for name, words in {
        "fit.yaml": ("fit", "--config=finetune", "--data.labelled=mine"),
        "test.yaml": ("test", "--ckpt_path=pretrained"),
    }.items():
        with pytest.raises(SystemExit):
            cli(*words, "--print_config")
        Path(name).write_text(capsys.readouterr().out)
        assert "class_path: mnist_cnn.ConvNet" in Path(name).read_text()
    cli("test", "--config=test.yaml", "--trainer.limit_test_batches=1")
    assert "MNIST test set: accuracy" in capsys.readouterr().out
    saved(digits(mnist, 1, 6), tmp_path / "mine" / "1")
    saved(digits(mnist, 2, 6), tmp_path / "mine" / "2")
    few = ["--data.mixed=20", "--data.rendered=0", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"]
    cli("fit", "--config=fit.yaml", "--trainer.max_epochs=1", *few)
    assert "network: Extended" in capsys.readouterr().out

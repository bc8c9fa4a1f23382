"""The weights that come with the package, and `scripts/pretrain.py`, which makes them."""

import re
from pathlib import Path

import pretrain
import pytest
import torch
from conftest import Cli, Fails
from drawn import enlarged, finished, on_paper

from mnist_cnn import DigitClassifier, read_digits
from mnist_cnn.checkpoints import DETECTOR, PRETRAINED, RECOGNIZER, read_checkpoint
from mnist_cnn.cli.script import run_script
from mnist_cnn.data import files


@pytest.fixture
def call(tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    others = [f"--data.data_dir={mnist_dir}", "--trainer.accelerator=cpu", "--trainer.limit_train_batches=2"]
    return lambda *arguments: run_script(pretrain.main, ["--config=fast", "--folder=run", *others, *arguments])


def test_the_bundled_weights_are_slim_data_that_every_verb_takes(
    cli: Cli, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    content = read_checkpoint(PRETRAINED)
    assert set(content) == set(pretrain.KEPT)
    assert sum(path.stat().st_size for path in (PRETRAINED, DETECTOR, RECOGNIZER)) <= 3_000_000
    assert read_checkpoint(DETECTOR)["state_dict"]["network.calibration"][0] > 1  # it was fitted
    assert content["hyper_parameters"]["temperature"] > 0
    for verb in ("test", "validate"):
        cli(verb, "--ckpt_path=pretrained")
    output = capsys.readouterr()
    accuracies = [float(found) for found in re.findall(r"accuracy (\d+\.\d+)%", output.out)]
    assert len(accuracies) == 3
    assert min(accuracies) > 97
    assert output.out.count("expected calibration error: ") == 2
    assert output.err == ""
    assert list(Path().iterdir()) == []  # no run, so no place for TensorBoard's files
    assert "by --model.weights=pretrained" in fails(cli, "fit", "--ckpt_path=pretrained")


def test_pictures_are_read_right_after_installation(cli: Cli, mnist_dir: Path) -> None:
    images, labels = files.load("MNIST", mnist_dir, train=True)
    plain = [images[(labels == label).nonzero()[3].item(), 0].numpy() for label in (0, 6, 1)]
    pages = [finished(on_paper(enlarged(image, 150))) for image in plain]
    readings = [read_digits(page) for page in pages]
    assert [reading.digits for reading in readings] == ["0", "6", "1"]
    assert readings[0].confidence == read_digits(pages[0], checkpoint="pretrained").confidence


def test_a_run_becomes_weights_once(call: Cli, fails: Fails, capsys: pytest.CaptureFixture[str]) -> None:
    call("--output=new/weights.ckpt")
    first = capsys.readouterr().out
    assert re.search(r"MNIST test set: accuracy \d.* errors in 10,000", first)
    found = re.search(r"validation split: (\d.*)%, at temperature (\S+) (\d.*)%", first)
    assert found
    assert float(found[3]) <= float(found[1])
    model = DigitClassifier.load_from_checkpoint("new/weights.ckpt")
    assert model.hparams["temperature"] == pytest.approx(float(found[2]), abs=1e-3)
    assert model.hparams["optimizer"] == "muon"
    weights = Path("new/weights.ckpt").read_bytes()
    call("--output=new/again.ckpt")
    assert "epoch 1/1" not in capsys.readouterr().out  # was trained already
    again = torch.load("new/again.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(again[key], value) for key, value in model.state_dict().items())

    assert "choose another --folder" in fails(call, "--model.learning_rate=0.01")
    assert Path("new/weights.ckpt").read_bytes() == weights
    assert [path.name for path in Path("new").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=none.yaml"], "no config file 'none.yaml'"),
        (["--output=."], "is a folder"),
        (["--data.val_size=0"], "needs a validation split"),
        (["--nope=1"], "unrecognized arguments: --nope=1"),
    ],
)
def test_wrong_arguments(call: Cli, fails: Fails, arguments: list[str], message: str) -> None:
    assert message in fails(call, "--trainer.limit_val_batches=1", *arguments)


def test_networks_that_are_too_large_are_not_bundled(fails: Fails, tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.zeros(800_000)}, "hyper_parameters": {}}
    assert "train a smaller network" in fails(pretrain.write, content, {}, tmp_path / "weights.ckpt")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_detector_becomes_weights_calibrated_on_its_own_validation_glyphs(
    call: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "SCENES", 4)
    small = ["--data.glyphs=400", "--data.scenes=8", "--data.val_scenes=2", "--data.batch_size=4"]
    options = ["--data.num_workers=0", "--trainer.max_epochs=1", "--model.weights=pretrained", "--output=new.ckpt"]
    call("--config=detector", *small, *options)
    printed = capsys.readouterr().out
    calibration = re.search(r"calibration: \[(.*), (.*)\]; votes of classifier and detector: \[", printed)
    assert calibration
    fitted = read_checkpoint(Path("new.ckpt"))["state_dict"]["network.calibration"].tolist()
    assert fitted == pytest.approx([float(calibration[1]), float(calibration[2])])
    assert fitted != [1, 0]
    assert f"written: new.ckpt, {Path('new.ckpt').stat().st_size:,} bytes" in printed


def test_a_recognizer_becomes_weights_in_half_precision(call: Cli) -> None:
    small = ["--data.glyphs=400", "--data.scenes=8", "--data.val_scenes=2", "--data.batch_size=4"]
    options = ["--data.num_workers=0", "--trainer.max_epochs=1", "--model.weights=pretrained", "--output=new.ckpt"]
    call("--config=recognizer", *small, *options)
    before, after = (read_checkpoint(path)["state_dict"] for path in (RECOGNIZER, Path("new.ckpt")))
    assert before.keys() == after.keys()
    assert {weights.dtype for weights in after.values()} == {torch.float16, torch.int64}
    assert not torch.equal(before["network.head.weight"], after["network.head.weight"])
    assert Path("new.ckpt").stat().st_size < 600_000

"""Wrong arguments and config files: one line that says what is right."""

import re
from pathlib import Path

import pytest
from conftest import Cli, Fails, Patch

from mnist_cnn.cli import main

BAD_ARGUMENTS = [
    (["fit", "--nope=1"], "unrecognized arguments: --nope=1"),
    (["fit", "--learning_rate=1"], "did you mean --model.learning_rate"),
    (["fit", "--data.augment=Nope"], "--data.augment=Nope: .*give RandomAffine"),
    (["fit", "--model.network=Nope"], "--model.network=Nope: .*give MLP, .* or the import path of your own"),
    (["fit", "--model.network=ConvNt"], "did you mean ConvNet"),
    (["fit", "--model.network=MLP", "--model.network.hiden=[3]"], "did you mean --model.network.hidden"),
    (["fit", "--trainer.callbacks=EarlyStoping"], r"=EarlyStoping: .*did you mean EarlyStopping\?.*lists the classes"),
    (["fit", "--trainer.callbacks=[EarlyStopping]"], "error: in the config: the class needs more arguments, monitor"),
    (["fit", "--data.augment=RandomRotation", "--data.augment.degrees=x"], "degrees=x: give a number or a list"),
    (["fit", "--model.network", "mlp"], r"--model.network=mlp: .*did you mean MLP\?"),
    (["fit", "--model.network=Linear"], r"Give the full class path to avoid ambiguity: torch.nn.Linear, "),
    (["fit", "--model.network.help=Nope"], "--model.network.help=Nope: there is no such class .give MLP"),
    (["fit", "--model.schedule.help", "StepL"], r"--model.schedule.help=StepL: .*did you mean StepLR\?"),
    (["fit", "--model.help"], "fit --help. explains the options"),
    (["fit", "--model.optimizer=Muon"], r"ambiguity: torch.optim.Muon, .*did you mean muon\?"),
    (["fit", "--model.optimizer", "RMSpro"], r"=RMSpro: there is no such class, did you mean RMSprop\? .give adam, "),
    (["fit", "--model.optimizer=torch.optim.Adamm"], "has no attribute 'Adamm', did you mean adam"),
    (["fit", "--model.schedule=Cosine"], r"did you mean cosine\? .give constant, "),
    (["fit", "--model.schedule=no_module.X"], "No module named 'no_module'"),
    (["fit", "--seed=1"], r"did you mean --seed_everything\?"),
    (
        ["fit", "--trainer.callbacks+=GradientAccumulationScheduler", "--trainer.callbacks.scheduling=2"],
        "scheduling=2: give pairs such as '{1: 2}', each a whole number with a whole number",
    ),
    (["fit", "fast"], r"unrecognized arguments: fast \(did you mean --config fast\?"),
    (["fit", "--lr=1"], r"did you mean --model.learning_rate\?"),
    (["fit", "--optimizer=Adam", "--optimizer.lr=1"], r"did you mean --model.optimizer\?"),
    (["fit", "--optimizer.lr=1"], r"did you mean --model.learning_rate\?"),
    (["fit", "--lr_scheduler.gamma=1"], r"did you mean --model.schedule.gamma\?"),
    (["fit", "--trainer.gpus=1"], r"did you mean --trainer.devices\?"),
    (["fit", "--model.optimizer.lr=1"], r"model.optimizer is a name here, .*did you mean --model.learning_rate\?"),
    (["fit", "--model.schedule.step_size=1"], r"only a class, --model.schedule=CLASS, has arguments$"),
    (["fit", "--model.optimizer=SGD", "--model.optimizer.lr=1"], r"did you mean --model.learning_rate\?"),
    (["fit", "--model.optimizer=SGD", "--model.optimizer.nestrov=1"], r"did you mean --model.optimizer.nesterov\?"),
    (["fit", "--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitr=x"], "mean --trainer.callbacks.monitor"),
    (["fit", "--trainer.logger=CSVLogger", "--trainer.logger.nme=x"], r"did you mean --trainer.logger.name\?"),
    (["fit", "--model=TutorialCNN"], "one of them is --model.OPTION=VALUE"),
    (["fit", "--data.pictures=photos"], "fit does not use --data.pictures, only predict"),
    (["fit", "--predictions.output=x.csv"], "fit does not use --predictions.output, only predict"),
    (["test", "--ckpt_path=pretrained", "--model.learning_rate=1"], "test does not use .* only fit"),
    (["fit", "--model.network=torch.nn.Nope"], "no attribute 'Nope'"),
    (["fit", "--model.network=collections.Counter"], "does not correspond to a subclass of Module"),
    (["fit", "--model.network=ConvNet", "--model.network.blocks=[[0]]"], "a list, each item a whole number above 0"),
    (["fit", "--model.network=MLP", "--model.network.dropout=2"], "network.dropout=2: give a number from 0 to 1"),
    (["fit", "--model.network=MLP", "--model.network.scaling=huge"], "network.scaling=huge: give unit, raw or"),
    (["fit", "--data.batch_size=-5"], "--data.batch_size=-5: give a whole number above 0"),
    (["fit", "--model.learning_rate=-1"], "--model.learning_rate=-1: give a number above 0"),
    (["fit", "--model.optimizer=lion"], "give adam, adamw, sgd"),
    (["fit", "--data.dataset=CIFAR10"], "FashionMNIST"),
    (["fit", "--data.val_size=-1"], "--data.val_size=-1: give a whole number from 0 to 59,999"),
    (["fit", "--config=missing.yaml"], "missing.yaml"),
    (["fit", "--seed_everything=-1"], "--seed_everything=-1 is out of range"),
    (["fit", "--trainer.accelerator=banana"], "invalid accelerator name"),
    (["fit", "--trainer.strategy=banana"], "invalid strategy name"),
    (["fit", "--trainer.precision=banana"], "--trainer.precision"),
    (["fit", "--model.network=TutorialCNN", "--model.network.hidden=10000000000000"], "not enough memory"),
    (["fit", "--model.network=torch.nn.Linear"], "in_features"),
    (["fit", "--model.network=TutorialCNN", "--model.network.channels=[16]"], "--model.network.channels"),
    (["test", "--ckpt_path=."], "no checkpoint file '.'"),
    (["test"], "test needs trained weights: add --ckpt_path=pretrained"),
    (["test", "--ckpt_path=best"], "no run in lightning_logs has a checkpoint yet: train one"),
    (["fit", "--ckpt_path=best"], "no run in lightning_logs"),
    (["fit", "--ckpt_path=pretrained"], "start a new run from them by --model.weights=pretrained"),
    (["test", "--ckpt_path", "checkpoint.ckpt"], "there is no checkpoint file 'checkpoint.ckpt'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS, ids=str)
def test_bad_arguments_end_in_one_clear_line(
    arguments: list[str], message: str, fails: Fails, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    line = fails(main, arguments)
    assert re.search(message, line, flags=re.IGNORECASE)
    assert len(line) < 400
    assert list(tmp_path.iterdir()) == []


BAD_CONFIGS = {
    b"model: 5": "in the config, model is 5: give its options",
    b"figures: 5": "in the config, figures is 5: give its options",
    b"checkpoint: null": "in the config, checkpoint is None: give its options",
    b"seed_everything: null": "--seed_everything=None is out of range",
    b"\xff\xfe\x00": "the config file cannot be understood: 'utf-8' codec",
    b"{": "bad.yaml|config",
    b"nope: 1": "an option that is none, nope",
    b"{data: {val_size: 0.1}}": "in the config, data.val_size.*: give a whole number from 0 to 59,999",
    b"{model: {learning_rat: 1}}": "learning_rat .did you mean --model.learning_rate",
    b"{model: {network: {class_path: mnist_cnn.MLP, init_args: {hiden: [3]}}}}": "hiden .did you mean hidden",
    b"{model: {network: MLP}}": "full class path.*mnist_cnn.MLP",
    b"{model: {network: {class_path: mnist_cnn.networks.ML}}}": "did you mean MLP",
    b"{model: {optimizer: {class_path: torch.optim.SGD, init_args: {momentumm: 1}}}}": "did you mean momentum",
}


@pytest.mark.parametrize("content", BAD_CONFIGS, ids=str)
def test_config_files_that_are_none(content: bytes, cli: Cli, fails: Fails) -> None:
    Path("bad.yaml").write_bytes(content)
    line = fails(cli, "fit", "--config=bad.yaml")
    assert len(line) < 400
    assert re.search(BAD_CONFIGS[content], line)

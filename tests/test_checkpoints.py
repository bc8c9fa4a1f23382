"""What a checkpoint or a config file from a stranger can do: nothing but end in an error."""

import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import UserNet

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import CheckpointError, check_hyperparameters, read_checkpoint
from mnist_cnn.cli import main

Cli = Callable[..., None]
Fails = Callable[..., str]
BEST = Path("lightning_logs/version_0/checkpoints/best.ckpt")
TINY = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1")
VERBS = ("test", "validate", "predict", "fit")
EVIL = "from pathlib import Path\nPath('ran').touch()\nimport torch\nclass Net(torch.nn.Linear):\n    pass\n"


@pytest.fixture
def trained(cli: Cli, tmp_path: Path) -> Cli:
    """A run in the current folder, beside a module that tells that it was imported."""
    cli("fit", *TINY)
    (tmp_path / "evil_module.py").write_text(EVIL)
    return cli


def forge(**hyperparameters: object) -> Path:
    content = torch.load(BEST, weights_only=True)
    content["hyper_parameters"].update(hyperparameters)
    torch.save(content, "forged.ckpt")
    return Path("forged.ckpt")


def network(**init_args: object) -> dict:
    return {"class_path": "torch.nn.TransformerEncoderLayer", "init_args": {"d_model": 28, "nhead": 2, **init_args}}


FORGED = {
    "module": {"network": {"class_path": "evil_module.Net"}},
    "function": {"network": {"class_path": "os.system", "init_args": {"command": "touch ran"}}},
    "relative": {"network": {"class_path": "torch.nn..os.system"}},
    "no path": {"network": {"class_path": "import evil_module"}},
    "no string": {"network": {"class_path": ["evil_module.Net"]}},
    "nested": {"network": network(activation={"class_path": "evil_module.Net"})},
    "callable": {"network": network(activation="evil_module.Net")},
    "deep": {"network": {"class_path": "torch.nn.Sequential", "init_args": {"args": [{"a": ({"b": "os.system"},)}]}}},
    "dict_kwargs": {"network": {"class_path": "torch.nn.Identity", "dict_kwargs": {"x": "evil_module.Net"}}},
    "kwargs key": {"network": {"class_path": "torch.nn.Identity", "init_args": {"evil_module.Net": 1}}},
    "plain string": {"network": "evil_module.Net"},
    "instantiator": {"_instantiator": "os.system"},
    "instantiator of ours": {"_instantiator": "mnist_cnn.cli.main"},
    "model class": {"_class_path": "evil_module.Net"},
    "other option": {"gamma": {"class_path": "evil_module.Net"}},
    "optimizer": {"optimizer": {"class_path": "evil_module.Net"}},
    "schedule": {
        "schedule": {"class_path": "torch.optim.lr_scheduler.LambdaLR", "init_args": {"lr_lambda": "os.system"}}
    },
    "network as optimizer": {"optimizer": {"class_path": "torch.nn.Linear"}},
    "optimizer as network": {"network": {"class_path": "torch.optim.SGD"}},
    "not in torch.optim": {"optimizer": {"class_path": "torch.optim.lr_scheduler.types"}},
    "not in torch.nn": {"network": {"class_path": "torch.nn.functional.relu"}},
    "torch.nn.os": {"network": {"class_path": "torch.nn.init.torch.os.system"}},
}


def test_classes_of_torch_and_of_this_package_may_be_named() -> None:
    names = {
        "network": ("mnist_cnn.TutorialCNN", "mnist_cnn.networks.TutorialCNN", "torch.nn.Linear"),
        "optimizer": ("torch.optim.RMSprop", "torch.optim.rmsprop.RMSprop"),
        "schedule": ("torch.optim.lr_scheduler.StepLR", "lightning.pytorch.cli.ReduceLROnPlateau"),
    }
    for key, paths in names.items():
        for path in paths:
            check_hyperparameters({key: {"class_path": path, "init_args": {"x": 1}}}, "x.ckpt")


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_checkpoint_imports_nothing(kind: str) -> None:
    with pytest.raises(CheckpointError):
        check_hyperparameters(FORGED[kind], "x.ckpt")


def test_a_forged_checkpoint_does_nothing_but_an_error(trained: Cli, fails: Fails) -> None:
    for kind in ("module", "callable", "instantiator", "model class", "plain string"):
        path = forge(**FORGED[kind])
        for verb in VERBS:
            assert "forged.ckpt" in fails(trained, verb, f"--ckpt_path={path}", *TINY), (kind, verb)
        with pytest.raises(CheckpointError):
            DigitClassifier.load_from_checkpoint(path)
        assert not Path("ran").exists()
        assert "evil_module" not in sys.modules


def test_of_the_data_s_settings_likewise(trained: Cli, fails: Fails) -> None:
    content = torch.load(BEST, weights_only=True)
    content["datamodule_hyper_parameters"]["dataset"] = "evil_module.Net"
    torch.save(content, "forged.ckpt")
    assert "evil_module.Net" in fails(trained, "test", "--ckpt_path=forged.ckpt")
    assert not Path("ran").exists()


def test_a_network_of_the_user_is_built_when_it_is_named(cli: Cli, fails: Fails) -> None:
    cli("fit", *TINY, "--model.network=conftest.UserNet", "--model.network.init_args.width=12")
    add = "--model.network=conftest.UserNet"
    for verb in VERBS:
        assert f"if you trust that class, add {add}" in fails(cli, verb, f"--ckpt_path={BEST}", *TINY)
        cli(
            verb,
            f"--ckpt_path={BEST}",
            *TINY,
            add,
            "--trainer.limit_test_batches=1",
            "--trainer.limit_predict_batches=1",
        )
    Path("my.yaml").write_text("model:\n  network: conftest.UserNet\n")
    cli("test", f"--ckpt_path={BEST}", "--config=my.yaml", "--trainer.limit_test_batches=1")
    with pytest.raises(CheckpointError, match=r"add --model\.network=conftest\.UserNet"):
        DigitClassifier.load_from_checkpoint(BEST)
    assert DigitClassifier.load_from_checkpoint(BEST, network=UserNet).network.layers[0].out_features == 12


class Attack:
    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")


DAMAGE = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "a bit of the weights": lambda path: flip(path, path.stat().st_size // 2),
    "a bit of the directory": lambda path: flip(path, path.stat().st_size - 60),
    "another zip": other_zip,
    "text": lambda path: path.write_text("hello"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Attack())),
    "a torch pickle": lambda path: torch.save(Attack(), path),
    "a hidden pickle": lambda path: torch.save({**torch.load(path, weights_only=True), "callbacks": Attack()}, path),
    "another model's": lambda path: torch.save({"state_dict": {"w": torch.zeros(3)}}, path),
    "a list": lambda path: torch.save([1, 2], path),
    "another type": lambda path: torch.save({**torch.load(path, weights_only=True), "hyper_parameters": [1]}, path),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Fails) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    path = Path("x.ckpt")
    good = {"state_dict": {"w": torch.zeros(3000)}, "hyper_parameters": {}, "pytorch-lightning_version": "2.6.6"}
    torch.save(good, path)
    assert read_checkpoint(path).keys() == good.keys()
    DAMAGE[kind](path)
    before = path.read_bytes()
    for verb in VERBS:
        line = fails(main, [verb, f"--ckpt_path={path}"])
        assert "x.ckpt" in line
        assert len(line) < 300
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.ckpt"]


CONFIGS = [
    "model: {network: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "model: {network: {class_path: os.system, init_args: {command: touch ran}}}",
    "model: {network: {class_path: torch.nn.Sequential, init_args: {args: [{class_path: subprocess.Popen}]}}}",
    "model: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}",
    "data: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}",
    "data: {dataset: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "data: {augment: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "data: {augment: {class_path: os.system, init_args: {command: touch ran}}}",
    "trainer: {callbacks: [{class_path: subprocess.Popen, init_args: {args: [touch, ran]}}]}",
    "trainer: {callbacks: {class_path: os.system, init_args: {command: touch ran}}}",
    "trainer: {logger: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "trainer: {logger: [{class_path: os.system, init_args: {command: touch ran}}]}",
    "trainer: {strategy: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "trainer: {strategy: {class_path: os.system, init_args: {command: touch ran}}}",
    "trainer: {profiler: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "trainer: {plugins: [{class_path: subprocess.Popen, init_args: {args: [touch, ran]}}]}",
    "checkpoint: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}",
    "figures: {mistakes: {class_path: subprocess.Popen, init_args: {args: [touch, ran]}}}",
    "!!python/object/apply:os.system ['touch ran']",
    "model: !!python/object/apply:os.system ['touch ran']",
]


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_builds_only_what_its_options_are_for(text: str, cli: Cli, fails: Fails) -> None:
    Path("forged.yaml").write_text(text)
    fails(cli, "fit", "--config=forged.yaml", *TINY)
    assert [file.name for file in Path().iterdir()] == ["forged.yaml"]

"""What a checkpoint or a config file from a stranger can do: nothing but end in an error."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli, Fails, UserNet, written

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import INSTANTIATOR, CheckpointError, check_hyperparameters, checkpoint_arguments

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
        for verb in (*VERBS, "export"):
            assert "forged.ckpt" in fails(trained, verb, f"--ckpt_path={path}", *TINY), (kind, verb)
        with pytest.raises(CheckpointError):
            DigitClassifier.load_from_checkpoint(path)
    content = torch.load(BEST, weights_only=True)
    content["datamodule_hyper_parameters"]["dataset"] = "evil_module.Net"
    torch.save(content, path)
    assert "evil_module.Net" in fails(trained, "test", f"--ckpt_path={path}")
    assert not Path("ran").exists()
    assert "evil_module" not in sys.modules


def test_a_network_of_the_user_is_built_when_it_is_named(cli: Cli, fails: Fails) -> None:
    cli("fit", *TINY, "--model.network=conftest.UserNet", "--model.network.init_args.width=12")
    add = "--model.network=conftest.UserNet"
    for verb in VERBS:
        assert f"if you trust that class, add {add}" in fails(cli, verb, f"--ckpt_path={BEST}", *TINY)
        batch = ("--trainer.limit_test_batches=1", "--trainer.limit_predict_batches=1")
        cli(verb, f"--ckpt_path={BEST}", *TINY, add, *batch)
    Path("my.yaml").write_text("model:\n  network: conftest.UserNet\n")
    cli("test", f"--ckpt_path={BEST}", "--config=my.yaml", "--trainer.limit_test_batches=1")
    with pytest.raises(CheckpointError, match=r"add --model\.network=conftest\.UserNet"):
        DigitClassifier.load_from_checkpoint(BEST)
    assert DigitClassifier.load_from_checkpoint(BEST, network=UserNet).network.layers[0].out_features == 12


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


def test_a_checkpoint_gives_the_arguments_of_model_and_data(tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt")
    expected = {"model.gamma": 0.7, "model.classes": ["a.b"], "data.dataset": "KMNIST", "data.batch_size": 7}
    for resume in (False, True):
        assert checkpoint_arguments(path, resume) == expected
    written(path, datamodule_hyper_parameters=None)
    assert checkpoint_arguments(path, False) == {"model.gamma": 0.7, "model.classes": ["a.b"]}


@pytest.mark.parametrize(
    "missing", [{"optimizer_states": []}, {"optimizer_states": None}, {"loops": {}}, {"loops": None}]
)
def test_only_what_was_saved_in_training_can_go_on(missing: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / "x.ckpt", **missing)
    assert checkpoint_arguments(path, resume=False)["model.gamma"] == 0.7
    with pytest.raises(CheckpointError, match="has weights, but not the state of training"):
        checkpoint_arguments(path, resume=True)


@pytest.mark.parametrize("name", ["optimizer", "schedule"])
def test_an_optimizer_or_schedule_of_ones_own_is_needed_to_train_alone(name: str, tmp_path: Path) -> None:
    settings = {"gamma": 0.7, "optimizer": "adam", "schedule": "cosine", name: {"class_path": "my.Own"}}
    path = written(tmp_path / "x.ckpt", hyper_parameters=settings)
    arguments = checkpoint_arguments(path, resume=False)
    assert arguments.keys() & {"model.optimizer", "model.schedule"} == {f"model.{x}" for x in settings} - {
        f"model.{name}",
        "model.gamma",
    }
    with pytest.raises(CheckpointError, match=rf"add --model\.{name}=my\.Own"):
        checkpoint_arguments(path, resume=True)
    for trusted in ("my.Own", ["other.One", "my.Own"]):
        for resume in (False, True):
            assert checkpoint_arguments(path, resume, trusted)[f"model.{name}"] == {"class_path": "my.Own"}


REFUSED: list[tuple[Any, str]] = [
    ({"network": {"class_path": "my.Net"}}, "if you trust that class, add --model.network=my.Net"),
    *(({"network": {"class_path": n}}, "is no class") for n in ("import my", "my..Net", "Net", "1my.Net", "", None)),
    ([1], "not a checkpoint of this project"),
    ({"_instantiator": "os.system"}, "asks for 'os.system' to be called"),
    *(
        ({"classes": ["a.b"], "_instantiator": INSTANTIATOR, "gamma": value}, "does not get code imported")
        for value in (["evil.Net"], ("evil.Net",), {"evil.Net"}, {"a": {"evil.Net": 1}}, [{"a": "evil.Net"}], "a . b")
    ),
    ({"classes": [1, "evil.Net"]}, "evil.Net"),
    ({"classes": "evil.Net"}, "evil.Net"),
    ({"network": {"class_path": "torch.nn.Linear", "init_args": {"x": "evil.Net"}}}, "evil.Net"),
]


def test_why_a_class_is_refused() -> None:
    for value, message in REFUSED:
        with pytest.raises(CheckpointError, match=re.escape(message)):
            check_hyperparameters(value, "x.ckpt")
    for harmless in ("0.5", "3.", "mnist_cnn.MLP"):
        check_hyperparameters({"gamma": harmless, "x": [harmless, 1, None]}, "x.ckpt")


def test_what_the_user_names_is_trusted_with_its_module_and_nothing_else() -> None:
    settings = {"network": {"class_path": "my.nets.Net", "init_args": {"block": "my.nets.Block"}}}
    for trusted in ("my.nets.Net", ["my.nets.Net"], {"my.nets.Net", "other.One"}):
        check_hyperparameters(settings, "x.ckpt", trusted)
    for trusted in ("my.nets.Block", "my.Net", "other.Net", None):
        with pytest.raises(CheckpointError):
            check_hyperparameters(settings, "x.ckpt", trusted)
    settings["network"]["init_args"] = {"block": "my.other.Block"}
    with pytest.raises(CheckpointError, match=r"my\.other\.Block"):
        check_hyperparameters(settings, "x.ckpt", "my.nets.Net")

"""End to end through `main([...])`, as users type it."""

import csv
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import UserNet
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mnist_cnn
from mnist_cnn import DigitClassifier
from mnist_cnn.cli import main

Cli = Callable[..., None]
Fails = Callable[..., str]
CONFIGS = sorted((Path(mnist_cnn.__file__).parent / "configs").glob("*.yaml"))
TINY = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=20", "--trainer.limit_test_batches=3")


def checkpoint(run: int = 0, name: str = "best") -> Path:
    return Path(f"lightning_logs/version_{run}/checkpoints/{name}.ckpt")


def same_weights(one: Path, other: Path) -> bool:
    states = [torch.load(path, weights_only=True)["state_dict"] for path in (one, other)]
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def events(run: int = 0) -> EventAccumulator:
    return EventAccumulator(f"lightning_logs/version_{run}").Reload()


def test_fast_dev_run_leaves_nothing_behind(cli: Cli) -> None:
    cli("fit", "--trainer.fast_dev_run=true")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_preset_runs_for_a_step(config: Path, cli: Cli) -> None:
    cli("fit", "--config", str(config), "--trainer.fast_dev_run=true")


def test_a_run_leaves_config_checkpoints_and_events_and_says_what_to_type(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
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

    tags = events().Tags()
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
    assert "_hparams_/session_start_info" in events().summary_metadata
    assert "custom_scalars__config__" in events().summary_metadata


def test_test_validate_and_predict_take_the_newest_run(
    cli: Cli, fails: Fails, capsys: pytest.CaptureFixture[str]
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
    assert [event.step for event in events(0).Scalars("accuracy/test")] == [60]
    assert [event.step for event in events(0).Images("test/confusion_matrix")] == [60]
    error = events(0).Scalars("calibration_error/test")[0].value
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
    labels = mnist_cnn.data.files.load("MNIST", next(iter_data_dirs()), train=False)[1].tolist()
    assert len(rows) == 10_000
    wrong = sum(int(row["digits"]) != label for row, label in zip(rows, labels, strict=True))
    cli("test", f"--ckpt_path={checkpoint(1, 'last')}")
    assert f"{wrong} errors in 10,000" in capsys.readouterr().out
    assert sorted(Path().rglob("*.ckpt")) == before


def iter_data_dirs():
    config = yaml.safe_load(Path("lightning_logs/version_0/config.yaml").read_text())
    yield Path(config["data"]["data_dir"])


@pytest.mark.parametrize("val_size", [5000, 0])
def test_a_resumed_run_ends_with_the_same_weights_in_its_own_folder(
    val_size: int, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "--trainer.limit_train_batches=8",
        f"--data.val_size={val_size}",
        "--model.learning_rate=0.002",
    )
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


def test_without_validation_best_is_the_last_epoch(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    cli("fit", "--data.val_size=0", "--trainer.max_epochs=2", "--trainer.limit_train_batches=5")
    output = capsys.readouterr()
    assert "nothing was validated" in output.out
    assert "Warning" not in output.err
    assert same_weights(checkpoint(name="best"), checkpoint(name="last"))
    assert "accuracy/train" in events().Tags()["scalars"]


def test_the_user_s_own_network_by_class_path(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    cli("fit", *TINY, "--model.network=conftest.UserNet", "--model.network.init_args.width=12")
    model = DigitClassifier.load_from_checkpoint(checkpoint(), network=UserNet)
    assert type(model.network) is UserNet
    assert model.network.layers[0].out_features == 12
    assert model.hparams["network"]["init_args"] == {"width": 12, "dropout": 0.0}
    hint = re.search(r"test it: +python scripts/train.py (.*)", capsys.readouterr().out)
    assert hint
    cli(*shlex.split(hint[1]))  # its arguments need not be given again
    assert "10,000" in capsys.readouterr().out


def test_sizes_scaling_and_initialization_by_option(cli: Cli) -> None:
    options = {
        "blocks": "[[4,4],[8]]",
        "hidden": "[20]",
        "dropout": "0.2",
        "batch_norm": "true",
        "scaling": "raw",
        "initialization": "dezero",
    }
    cli(
        "fit",
        *TINY,
        "--trainer.limit_val_batches=2",
        "--model.network=ConvNet",
        *(f"--model.network.{k}={v}" for k, v in options.items()),
    )
    saved = torch.load(checkpoint(), weights_only=True)["hyper_parameters"]["network"]["init_args"]
    assert saved == {
        "blocks": [[4, 4], [8]],
        "hidden": [20],
        "dropout": 0.2,
        "batch_norm": True,
        "scaling": "raw",
        "initialization": "dezero",
    }
    network = DigitClassifier.load_from_checkpoint(checkpoint()).network
    assert [tuple(p.shape) for p in network.parameters() if p.ndim > 1][-2:] == [(20, 8 * 7 * 7), (10, 20)]
    assert network.scale.scaling == "raw"
    cli("test", "--ckpt_path=best", "--trainer.limit_test_batches=2")
    preset = next(path for path in CONFIGS if path.stem == "mnist_plus_1")
    cli("fit", *TINY, "--config", str(preset), "--model.network.scaling=unit")
    saved = torch.load(checkpoint(1), weights_only=True)["hyper_parameters"]["network"]["init_args"]
    assert (saved["scaling"], saved["initialization"], saved["blocks"]) == ("unit", "dezero", [[1]])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo on Windows needs a network adapter's name")
def test_two_processes_score_what_one_does(cli: Cli, mnist_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_fit_last_without_a_run_starts_from_the_beginning(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    cli("fit", "--ckpt_path=last", *TINY)
    assert "no earlier run" in capsys.readouterr().out
    assert checkpoint().exists()


def test_print_config_is_a_config(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli("fit", "--model.learning_rate=0.125", "--print_config")
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["model"]["learning_rate"] == 0.125
    Path("my.yaml").write_text(text)
    cli("fit", "--config=my.yaml", "--trainer.fast_dev_run=true")


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "export"])
def test_help_explains_the_options_in_sentences_and_says_where_the_others_are(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines)) <= 90
    blocks = {block.split(":")[0].split()[0]: block.split("\n\n")[0] for block in text.split("\n  --")[1:]}
    assert {"model.network", "data.batch_size", "trainer.accelerator", "config", "help-all", "ckpt_path"} <= set(blocks)
    used = {"fit": "model.learning_rate", "predict": "data.pictures", "export": "format", "test": "figures.mistakes"}
    assert verb not in used or used[verb] in blocks
    assert ("predictions.output" in blocks) == (verb == "predict")
    for option, block in blocks.items():
        explanation = " ".join(block.split("\n      ", 1)[1].split())
        assert len(explanation.split()) > 3, f"--{option} has no words of help"
        assert explanation.endswith((".", "?")), f"--{option} has no whole sentence"
    if verb == "fit":
        with pytest.raises(SystemExit, match="0"):
            main([verb, "--help-all"])
        text = capsys.readouterr().out
        assert "--trainer.reload_dataloaders_every_n_epochs" in text
        assert "torch.ao.nn" not in text
        with pytest.raises(SystemExit, match="0"):
            main([verb, "--model.network.help=MLP"])
        assert "hidden" in capsys.readouterr().out


def test_logs_go_where_default_root_dir_says(cli: Cli, tmp_path: Path) -> None:
    cli("fit", *TINY, "--trainer.default_root_dir=elsewhere")
    assert (tmp_path / "elsewhere" / checkpoint()).exists()
    cli("test", "--ckpt_path=best", "--trainer.default_root_dir=elsewhere", "--trainer.limit_test_batches=2")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_without_a_logger(cli: Cli) -> None:
    cli("fit", *TINY, "--trainer.logger=false", "--trainer.enable_progress_bar=false")
    assert Path("checkpoints/best.ckpt").exists()


@pytest.mark.parametrize(
    ("options", "hidden"), [((), 16), (("--model.network.hidden=7",), 7), (("--config=mine.yaml",), 16)]
)
def test_a_network_of_one_s_own_keeps_its_own_defaults(cli: Cli, options: tuple[str, ...], hidden: int) -> None:
    Path("mine.py").write_text(
        "from torch import nn\n\n\nclass Mine(nn.Sequential):\n    def __init__(self, hidden: int = 16) -> None:\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, hidden), nn.Linear(hidden, 10))\n\n"
        "    def forward(self, images):\n        return super().forward(images.float())\n"
    )
    Path("mine.yaml").write_text("model: {network: {class_path: mine.Mine}}\n")
    chosen = () if "--config=mine.yaml" in options else ("--model.network=mine.Mine",)
    cli("fit", *chosen, *options, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1")
    config = yaml.safe_load(Path("lightning_logs/version_0/config.yaml").read_text())
    assert config["model"]["network"] == {"class_path": "mine.Mine", "init_args": {"hidden": hidden}}


def test_bad_settings_that_only_show_later(cli: Cli, fails: Fails, tmp_path: Path) -> None:
    assert "val_size=60000 leaves nothing to train on" in fails(cli, "fit", "--data.val_size=60000")
    assert "nothing to validate" in fails(trained(cli), "validate", "--ckpt_path=best", "--data.val_size=0")
    Path("file").write_text("")
    Path("folder").mkdir()
    assert "'folder' is a folder" in fails(cli, "predict", "--ckpt_path=best", "--predictions.output=folder")
    assert "cannot write" in fails(cli, "predict", "--ckpt_path=best", "--predictions.output=file/p.csv")


def trained(cli: Cli) -> Cli:
    cli("fit", *TINY)
    return cli


def test_an_unwritable_data_dir(cli: Cli, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    line = fails(main, ["fit", "--data.data_dir=file/data", "--trainer.accelerator=cpu"])
    assert "cannot write MNIST to file/data" in line


def test_a_network_in_the_current_folder_and_one_with_a_mistake(cli: Cli, fails: Fails) -> None:
    Path("my_network.py").write_text("from conftest import UserNet\n\nclass MyNet(UserNet):\n    pass\n")
    cli("fit", "--model.network=my_network.MyNet", "--trainer.fast_dev_run=true")
    line = fails(cli, "fit", "--model.network=conftest.ElevenClasses", "--trainer.fast_dev_run=true")
    assert re.search(r"ElevenClasses returned \[200, 11\] .* must return \[200, 10\]", line)


def test_lightning_does_not_repeat_what_is_said_of_a_signal(cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    cli("fit", "--trainer.fast_dev_run=true")
    logger = logging.getLogger("lightning.pytorch.trainer.connectors.signal_connector")
    for text in ("[rank: 0] Received SIGTERM: 15", "requeue"):
        logger.warning(text)
    assert [record.getMessage() for record in caplog.records if record.name == logger.name] == ["requeue"]


def test_double_precision(cli: Cli) -> None:
    cli("fit", "--trainer.precision=64-true", "--trainer.fast_dev_run=true")


def test_runs_that_start_at_once_take_folders_of_their_own(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TensorBoardLogger, "_get_next_version", lambda self: 0)  # as each would see it
    for _ in range(3):
        cli("fit", *TINY, "--trainer.limit_val_batches=1")
    assert all(checkpoint(run).exists() for run in range(3))


def test_what_fit_cannot_go_on_from(cli: Cli, fails: Fails) -> None:
    trained(cli)
    content = torch.load(checkpoint(), weights_only=True)
    torch.save({**content, "optimizer_states": []}, "weights.ckpt")
    assert "not the state of training" in fails(cli, "fit", "--ckpt_path=weights.ckpt")
    cli("test", "--ckpt_path=weights.ckpt", "--trainer.limit_test_batches=1")
    assert "leave out --model.optimizer" in fails(cli, "fit", "--ckpt_path=last", "--model.optimizer=sgd")


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="has a GPU")
@pytest.mark.parametrize(
    "options", [["--trainer.accelerator=gpu"], ["--trainer.accelerator=cuda", "--trainer.devices=[7]"]]
)
def test_a_gpu_that_is_not_there(options: list[str], fails: Fails, cli: Cli) -> None:
    assert "--trainer.accelerator=cpu" in fails(main, ["fit", *options])
    assert "no GPU was found" in fails(main, ["fit", "--trainer.devices=[3]"])


def test_a_gpu_index_that_is_not_there(fails: Fails, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning.pytorch.accelerators.cuda.CUDAAccelerator.is_available", lambda: True)
    monkeypatch.setattr("lightning.fabric.accelerators.cuda.num_cuda_devices", lambda: 1)
    line = fails(main, ["fit", "--trainer.accelerator=cuda", "--trainer.devices=[3]"])
    assert "[3]" in line


def test_a_batch_that_does_not_fit_into_memory(cli: Cli, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(self: DigitClassifier, batch: object, batch_idx: int) -> torch.Tensor:
        return torch.empty(2**60)

    monkeypatch.setattr(DigitClassifier, "training_step", too_much)
    assert "smaller --data.batch_size" in fails(cli, "fit", *TINY)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "text": lambda path: path.write_text("not a checkpoint"),
    "foreign": lambda path: torch.save({"weights": torch.zeros(3)}, path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "other weights": lambda path: torch.save(
        {**torch.load(path, weights_only=True), "state_dict": {"x": torch.zeros(1)}}, path
    ),
    "other model": lambda path: torch.save(
        {**torch.load(path, weights_only=True), "hyper_parameters": {"vocabulary": 3}}, path
    ),
    "other network": lambda path: torch.save(
        {**torch.load(path, weights_only=True), "hyper_parameters": {"network": {"class_path": "gone.Net"}}},
        path,
    ),
}


def test_damaged_checkpoints(cli: Cli, fails: Fails) -> None:
    trained(cli)
    for kind, damage in DAMAGE.items():
        path = Path(f"{kind}.ckpt")
        shutil.copy(checkpoint(), path)
        damage(path)
        before = path.read_bytes()
        for verb in ("test", "fit"):
            line = fails(cli, verb, f"--ckpt_path={path}", *TINY)
            assert re.search(r"checkpoint|cannot be built here", line), (kind, verb)
        assert path.read_bytes() == before
    assert "do not fit its network" in fails(
        cli, "test", "--ckpt_path=best", "--model.network=TutorialCNN", "--model.network.hidden=7"
    )

"""What single options do: networks and their arguments, help, places, precision."""

from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY, Capture, Cli, Patch, UserNet, checkpoint, hint

from mnist_cnn import DigitClassifier
from mnist_cnn.cli import main


def test_the_user_s_own_network_by_class_path(cli: Cli, capsys: Capture) -> None:
    cli("fit", *TINY, "--model.network=conftest.UserNet", "--model.network.init_args.width=12")
    model = DigitClassifier.load_from_checkpoint(checkpoint(), network=UserNet)
    assert type(model.network) is UserNet
    assert model.network.layers[0].out_features == 12
    assert model.hparams["network"]["init_args"] == {"width": 12, "dropout": 0.0}
    cli(*hint(capsys.readouterr().out))  # its arguments need not be given again
    assert "10,000" in capsys.readouterr().out


def test_sizes_scaling_and_initialization_by_option(cli: Cli) -> None:
    sizes = {"blocks": [[4, 4], [8]], "hidden": [20], "dropout": 0.2}
    options = {**sizes, "batch_norm": True, "scaling": "raw", "initialization": "dezero"}
    words = [f"--model.network.{name}={str(value).lower()}" for name, value in options.items()]
    cli("fit", *TINY, "--trainer.limit_val_batches=2", "--model.network=ConvNet", *words)
    saved = torch.load(checkpoint(), weights_only=True)["hyper_parameters"]["network"]["init_args"]
    assert saved == options
    network = DigitClassifier.load_from_checkpoint(checkpoint()).network
    assert [tuple(p.shape) for p in network.parameters() if p.ndim > 1][-2:] == [(20, 8 * 7 * 7), (10, 20)]
    assert network.scale.scaling == "raw"
    cli("test", "--ckpt_path=best", "--trainer.limit_test_batches=2")
    cli("fit", *TINY, "--config=mnist_plus_1", "--model.network.scaling=unit")
    saved = torch.load(checkpoint(1), weights_only=True)["hyper_parameters"]["network"]["init_args"]
    assert (saved["scaling"], saved["initialization"], saved["blocks"]) == ("unit", "dezero", [[1]])


def test_print_config_is_a_config(cli: Cli, capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli("fit", "--model.learning_rate=0.125", "--print_config")
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["model"]["learning_rate"] == 0.125
    Path("my.yaml").write_text(text)
    cli("fit", "--config=my.yaml", "--trainer.fast_dev_run=true")


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "export"])
def test_help_explains_the_options_in_sentences_and_says_where_the_others_are(
    verb: str, capsys: Capture, monkeypatch: Patch
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

"""What ends a run: settings, data, devices and checkpoints that will not do."""

import logging
import re
from pathlib import Path

import pytest
import torch
from conftest import TINY, Cli, Fails, Patch, UserNet, checkpoint

from mnist_cnn import DigitClassifier
from mnist_cnn.cli import main


def test_bad_settings_that_only_show_later(cli: Cli, fails: Fails) -> None:
    nothing_left = "val_size=60000 leaves nothing to train on: MNIST has 60,000"
    assert nothing_left in fails(cli, "fit", "--data.val_size=60000")
    assert "nothing to validate" in fails(trained(cli), "validate", "--ckpt_path=best", "--data.val_size=0")
    Path("file").touch()
    Path("folder").mkdir()
    line = fails(main, ["fit", "--data.data_dir=file/data", "--trainer.accelerator=cpu"])
    assert "cannot write MNIST to file/data" in line
    assert "'folder' is a folder" in fails(cli, "predict", "--ckpt_path=best", "--predictions.output=folder")
    assert "cannot write" in fails(cli, "predict", "--ckpt_path=best", "--predictions.output=file/p.csv")


def trained(cli: Cli) -> Cli:
    cli("fit", *TINY)
    return cli


def test_a_network_with_a_mistake(cli: Cli, fails: Fails) -> None:
    line = fails(cli, "fit", "--model.network=conftest.ElevenClasses", "--trainer.fast_dev_run=true")
    assert re.search(r"ElevenClasses returned \[200, 11\] .* must return \[200, 10\]", line)


def test_lightning_does_not_repeat_what_is_said_of_a_signal(cli: Cli, caplog: pytest.LogCaptureFixture) -> None:
    cli("fit", "--trainer.fast_dev_run=true")
    logger = logging.getLogger("lightning.pytorch.trainer.connectors.signal_connector")
    for text in ("[rank: 0] Received SIGTERM: 15", "requeue"):
        logger.warning(text)
    assert [record.getMessage() for record in caplog.records if record.name == logger.name] == ["requeue"]


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
    assert fails(main, ["fit", *options]).endswith("no GPU was found on this machine: give --trainer.accelerator=cpu")
    assert "no GPU was found" in fails(main, ["fit", "--trainer.devices=[3]"])


def test_a_gpu_index_that_is_not_there(fails: Fails, cli: Cli, monkeypatch: Patch) -> None:
    monkeypatch.setattr("lightning.pytorch.accelerators.cuda.CUDAAccelerator.is_available", lambda: True)
    monkeypatch.setattr("lightning.fabric.accelerators.cuda.num_cuda_devices", lambda: 1)
    line = fails(main, ["fit", "--trainer.accelerator=cuda", "--trainer.devices=[3]"])
    assert "[3]" in line


def test_a_batch_that_does_not_fit_into_memory(cli: Cli, fails: Fails, monkeypatch: Patch) -> None:
    def too_much(self: DigitClassifier, batch: object, batch_idx: int) -> torch.Tensor:
        return torch.empty(2**60)

    monkeypatch.setattr(DigitClassifier, "training_step", too_much)
    assert "smaller --data.batch_size" in fails(cli, "fit", *TINY)


FOREIGN = {
    "other weights": {"state_dict": {"x": torch.zeros(1)}},
    "other model": {"hyper_parameters": {"vocabulary": 3}},
    "other network": {"hyper_parameters": {"network": {"class_path": "gone.Net"}}},
}


def test_checkpoints_of_something_else(cli: Cli, fails: Fails) -> None:
    trained(cli)
    content = torch.load(checkpoint(), weights_only=True)
    for kind, changed in FOREIGN.items():
        path = Path(f"{kind}.ckpt")
        torch.save({**content, **changed}, path)
        before = path.read_bytes()
        for verb in ("test", "fit"):
            line = fails(cli, verb, f"--ckpt_path={path}", *TINY)
            assert re.search(r"checkpoint|cannot be built here", line), (kind, verb)
        assert path.read_bytes() == before
    assert "do not fit its network" in fails(
        cli, "test", "--ckpt_path=best", "--model.network=TutorialCNN", "--model.network.hidden=7"
    )


def test_a_mistake_in_a_network_of_the_user_keeps_its_traceback(cli: Cli, monkeypatch: Patch) -> None:
    def forward(self: UserNet, images: torch.Tensor) -> torch.Tensor:
        raise TypeError("my mistake")

    monkeypatch.setattr(UserNet, "forward", forward)
    with pytest.raises(TypeError, match="my mistake"):
        cli("fit", *TINY, "--model.network=conftest.UserNet")

"""The second task on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_cnn.checkpoints import PRETRAINED

Cli = Callable[..., None]
TINY = (
    "--data.glyphs=120",
    "--data.scenes=8",
    "--data.val_scenes=4",
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--model.warmup=0.4",
    "--trainer.limit_val_batches=1",
)


def test_a_detector_is_trained_goes_on_and_is_tested(
    cli: Cli, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ("fit", "--config=detector", *TINY)
    cli(*fit, "--trainer.max_epochs=2", "--trainer.limit_train_batches=1")
    assert "network: DetectorNet, 100,461 parameters" in capsys.readouterr().out
    run = Path("lightning_logs/version_0")
    first = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert first["global_step"] == 2
    scalars = EventAccumulator(str(run), {"images": 0}).Reload()
    assert {"loss/val", "f_score/val", "ink/val"} <= set(scalars.Tags()["scalars"])
    assert scalars.Tags()["images"] == ["scenes/val"]
    cli("test", "--task=detector", "--ckpt_path=best", *TINY[:5])
    assert "f_score/test" in capsys.readouterr().out
    assert "is not of a detector" in fails(cli, "test", "--task=detector", f"--ckpt_path={PRETRAINED}")
    assert "needs trained weights" in fails(cli, "test", "--task=detector")
    assert "predict is not for --task=detector" in fails(cli, "predict", "--task=detector")

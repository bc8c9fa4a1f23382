"""Data modules as a trainer would use them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mnist_cnn import DigitDataModule


def module(mnist_dir: Path, stage: str = "fit", **options: object) -> DigitDataModule:
    data = DigitDataModule(data_dir=str(mnist_dir), **options)
    data.prepare_data()
    data.setup(stage)
    data.setup(stage)  # as Lightning may
    return data


def running(stage: str, **more: Any) -> Any:
    """What the data module looks at of a trainer."""
    state = SimpleNamespace(fn=SimpleNamespace(value=stage))
    alone = {"world_size": 1, "global_rank": 0, "fast_dev_run": False, "fit_loop": SimpleNamespace(batch_idx=-1)}
    return SimpleNamespace(state=state, training=stage == "fit", **{**alone, **more})

"""What the tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mnist_cnn.data import files


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, and a data set of 140 and 60 images."""

    def load(dataset: str, data_dir: Path, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
        count = 140 if train else 60
        numbers = torch.arange(count)
        return numbers.byte().view(-1, 1, 1, 1).repeat(1, 1, 28, 28), numbers % 10

    monkeypatch.setattr(files, "load", load)
    monkeypatch.setattr(files, "prepare", lambda *args: "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    benchmark = torch.backends.cudnn.benchmark
    yield tmp_path
    torch.use_deterministic_algorithms(False)  # which Lightning leaves on
    torch.backends.cudnn.benchmark = benchmark

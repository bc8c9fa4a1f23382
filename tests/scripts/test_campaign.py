"""The parts of `scripts/campaign.py` that need no training."""

import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import interrupted
from damage.sites import Row, Site

from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO


def saved(site: Site, run: int, weight: float) -> None:
    content = {"state_dict": {"weight": torch.tensor(weight)}, "optimizer_states": [], "lr_schedulers": []}
    for name in ("best", "last"):
        path = site.checkpoint(name, run)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**content, "epoch": 1, "global_step": 2, "callbacks": {}}, path)


def test_what_differs_is_lost(tmp_path: Path) -> None:
    one, other, row = Site(tmp_path / "one"), Site(tmp_path / "other"), Row("nothing")
    saved(one, 0, 1.0)
    saved(other, 0, 1.0)
    row.compare(one, other)
    assert str(row) == "| nothing | 0 | nothing |  |"
    saved(other, 1, 1.5)
    row.compare(one, other, 1)
    assert row.lost == ["other, version_1: best.ckpt differs", "other, version_1: last.ckpt differs"]


def test_a_process_that_cannot_write_is_a_loss_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", full)
    (tmp_path / "writes").mkdir()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.ones(1_000_000).add_(1)  # starts threads that are not there after a fork
    row = interrupted.writes(tmp_path, 1, random.Random(0))
    torch.set_num_threads(threads)
    assert row.times == 1
    assert "unreadable" in row.lost[0]


@pytest.mark.parametrize(("status", "lost"), [(0, 0), (1, 1), (130, 0)])
def test_a_signal_that_comes_when_all_is_done_loses_nothing(
    status: int, lost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def struck(site: Site, *args: Any, **more: Any) -> tuple[bool, int]:
        saved(site, 0, 1.0)
        return True, status

    monkeypatch.setattr(Site, "struck", struck)
    monkeypatch.setattr(Site, "run", lambda *args: 0)
    monkeypatch.setattr(random.Random, "choice", lambda self, choices: signal.SIGINT)
    reference = Site(tmp_path / "reference")
    saved(reference, 0, 1.0)
    row = interrupted.signals(tmp_path, reference, 1.0, 1, random.Random(0))
    assert len(row.lost) == lost
    assert f"{int(status == 0)} came at the end" in row.notes[0]

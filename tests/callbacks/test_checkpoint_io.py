"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
import torch
from conftest import Cli, Fails
from test_safety import SMALL, checkpoint

from mnist_cnn import atomic
from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.checkpoints import CheckpointError, find_to_resume, newest_run


class TestWriting:
    def test_all_or_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "new" / "last.ckpt"
        writer = AtomicCheckpointIO()
        writer.save_checkpoint({"x": 1}, path)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CheckpointError, match=r"No space left.*earlier checkpoints are intact"):
                writer.save_checkpoint({"x": 2}, path)
        assert torch.load(path, weights_only=True) == {"x": 1}
        assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]

    def test_what_a_killed_writer_left_is_not_taken_and_does_not_stay(self, tmp_path: Path) -> None:
        folder = tmp_path / "version_0" / "checkpoints"
        folder.mkdir(parents=True)
        (folder / ".last.ckpt.partial").write_bytes(b"half")
        assert newest_run(tmp_path) == folder.parent
        assert find_to_resume("last", tmp_path) is None
        with replacing(folder / "last.ckpt") as file:
            file.write(b"whole")
        assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
        assert find_to_resume("last", tmp_path) == folder / "last.ckpt"

    def test_devices_pipes_and_folders_are_never_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "null").symlink_to(os.devnull)
        (tmp_path / "folder").mkdir()
        before = sorted(tmp_path.iterdir())
        for name in ("null", "folder"):
            with pytest.raises(OSError, match="no ordinary file"), replacing(tmp_path / name):
                pass
        monkeypatch.setattr(atomic, "DEVICES", tmp_path)  # where /dev/stdout may stand for an ordinary file
        with pytest.raises(OSError, match="no ordinary file"), replacing(tmp_path / "stdout"):
            pass
        assert sorted(tmp_path.iterdir()) == before
        assert (tmp_path / "null").is_symlink()

    def test_a_full_disk_ends_training_with_one_line(
        self, cli: Cli, fails: Fails, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cli("fit", *SMALL)
        before = checkpoint().read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("os.fsync", full)
        line = fails(cli, "fit", *SMALL, "--trainer.max_epochs=4", "--ckpt_path=last")
        assert "earlier checkpoints are intact" in line
        assert checkpoint().read_bytes() == before

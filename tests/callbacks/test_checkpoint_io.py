"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from conftest import Cli, Fails, Patch
from test_safety import SMALL, checkpoint

from mnist_cnn import atomic
from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints import find_to_resume, newest_run


def test_what_a_killed_writer_left_is_not_taken_and_does_not_stay(tmp_path: Path) -> None:
    folder = tmp_path / "version_0" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / ".last.ckpt.partial").write_bytes(b"half")
    assert newest_run(tmp_path) == folder.parent
    assert find_to_resume("last", tmp_path) is None
    with replacing(folder / "last.ckpt") as file:
        file.write(b"whole")
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
    assert find_to_resume("last", tmp_path) == folder / "last.ckpt"


def test_devices_pipes_and_folders_are_never_replaced(tmp_path: Path, monkeypatch: Patch) -> None:
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


def test_a_full_disk_ends_training_with_one_line(cli: Cli, fails: Fails, monkeypatch: Patch) -> None:
    cli("fit", *SMALL)
    before = {path: path.read_bytes() for path in checkpoint().parent.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    line = fails(cli, "fit", *SMALL, "--trainer.max_epochs=4", "--ckpt_path=last")
    assert "(No space left on device): earlier checkpoints are intact; free some space" in line
    assert {path: path.read_bytes() for path in checkpoint().parent.iterdir()} == before

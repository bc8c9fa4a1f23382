"""Checkpoints found by name: of the package, of the newest run, of one that was cut off."""

import os
from pathlib import Path

import pytest
import torch
from conftest import Patch

from mnist_cnn.checkpoints import (
    DETECTOR,
    PRETRAINED,
    CheckpointError,
    CheckpointNotFoundError,
    elsewhere,
    find_checkpoint,
    find_to_resume,
    newest_run,
    note_elsewhere,
    read_checkpoint,
)


def saved_run(logs: Path, name: str, *files: str, age: int = 0) -> Path:
    """A run with these files, all so many seconds old."""
    folder = logs / name / "checkpoints"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text(f"{name} {file}")
        os.utime(folder / file, (1e9 - age, 1e9 - age))
    os.utime(logs / name, (1e9 - age, 1e9 - age))
    return folder


def test_what_comes_with_the_package_is_found_by_name(tmp_path: Path) -> None:
    assert find_checkpoint("pretrained", tmp_path) == PRETRAINED
    assert find_checkpoint("pretrained", tmp_path, pretrained=DETECTOR) == DETECTOR
    for path in (PRETRAINED, DETECTOR):
        assert read_checkpoint(path)["state_dict"]
    with pytest.raises(CheckpointError, match="fit cannot go on from --ckpt_path=pretrained"):
        find_to_resume("pretrained", tmp_path)


def test_a_file_is_what_it_is_and_a_missing_one_an_error(tmp_path: Path) -> None:
    saved_run(tmp_path, "version_0", "best.ckpt")
    (tmp_path / "mine.ckpt").touch()
    for find in (find_checkpoint, find_to_resume):
        assert find(str(tmp_path / "mine.ckpt"), tmp_path) == tmp_path / "mine.ckpt"
        for missing in (tmp_path / "gone.ckpt", tmp_path / "version_0"):
            with pytest.raises(CheckpointNotFoundError, match="there is no checkpoint file"):
                find(str(missing), tmp_path)


def test_best_and_last_are_those_of_the_newest_run_that_has_one(tmp_path: Path) -> None:
    for name in ("best", "last"):
        with pytest.raises(CheckpointNotFoundError, match=r"no run in .* has a checkpoint yet"):
            find_checkpoint(name, tmp_path)
    assert find_to_resume("last", tmp_path) is None
    older = saved_run(tmp_path, "version_7", "best.ckpt", "last.ckpt", age=50)
    newer = saved_run(tmp_path, "mine", "best.ckpt", age=20)
    assert find_checkpoint("best", tmp_path) == find_to_resume("best", tmp_path) == newer / "best.ckpt"
    assert find_checkpoint("last", tmp_path) == older / "last.ckpt"
    saved_run(tmp_path, "version_9")
    assert find_checkpoint("last", tmp_path) == older / "last.ckpt"
    assert find_to_resume("last", tmp_path) is None  # the newest run has none


@pytest.mark.parametrize(("kept", "missing"), [("last", "best"), ("best", "last")])
def test_where_no_run_kept_one_of_the_two_the_other_is_named(tmp_path: Path, kept: str, missing: str) -> None:
    saved_run(tmp_path, "version_0", f"{kept}.ckpt")
    with pytest.raises(CheckpointNotFoundError, match=f"kept its {missing} checkpoint: give --ckpt_path={kept}"):
        find_checkpoint(missing, tmp_path)


def test_a_best_one_of_another_name_is_the_one_that_the_last_one_knows(tmp_path: Path) -> None:
    folder = saved_run(tmp_path, "version_0", "epoch=2.ckpt", "epoch=4.ckpt")
    callbacks = {"others": {"seen": 1}, "odd": 5, "kept": {"best_model_path": "/where/it/was/trained/epoch=2.ckpt"}}
    needed = {"state_dict": {}, "hyper_parameters": {}, "pytorch-lightning_version": "2.6.6"}
    torch.save({"callbacks": callbacks, **needed}, folder / "last.ckpt")
    assert find_checkpoint("best", tmp_path) == folder / "epoch=2.ckpt"
    assert find_checkpoint("last", tmp_path) == folder / "last.ckpt"
    (folder / "best.ckpt").touch()
    assert find_checkpoint("best", tmp_path) == folder / "best.ckpt"


def test_the_newest_run_is_one_by_its_name_or_by_what_it_has(tmp_path: Path) -> None:
    assert newest_run(tmp_path) is None
    (tmp_path / "notes").mkdir()
    (tmp_path / "version_1").write_text("a file")
    assert newest_run(tmp_path) is None
    saved_run(tmp_path, "mine", "best.ckpt", age=50)
    assert newest_run(tmp_path) == tmp_path / "mine"
    (tmp_path / "version_2").mkdir()
    os.utime(tmp_path / "version_2", (1e9 - 60, 1e9 - 60))
    assert newest_run(tmp_path) == tmp_path / "mine"
    os.utime(tmp_path / "version_2", (1e9, 1e9))
    assert newest_run(tmp_path) == tmp_path / "version_2"


def test_runs_that_keep_their_checkpoints_elsewhere_are_found(tmp_path: Path) -> None:
    logs, flat = tmp_path / "deep" / "logs", tmp_path / "flat"
    other = saved_run(tmp_path, "other", "best.ckpt", age=30)
    note_elsewhere(logs, other)
    flat.mkdir()
    (flat / "epoch=1.ckpt").write_text("older")
    (flat / "epoch=2.ckpt").write_text("newer")
    for number, name in enumerate(("epoch=1.ckpt", "epoch=2.ckpt")):
        os.utime(flat / name, (1e9 - 10 + number,) * 2)
    assert newest_run(logs) == tmp_path / "other"
    for _ in range(2):
        note_elsewhere(logs, flat)
        note_elsewhere(logs, logs / "version_0" / "checkpoints")
    assert elsewhere(logs) == [other, flat]
    lines = (logs / "elsewhere.txt").read_text().splitlines()
    assert [Path(line) for line in lines] == [Path("../../other/checkpoints"), Path("../../flat")]
    assert newest_run(logs) == flat
    assert find_checkpoint("best", logs) == other / "best.ckpt"
    assert find_to_resume("last", logs) == flat / "last.ckpt"
    assert (flat / "last.ckpt").read_text() == "newer"
    assert elsewhere(tmp_path / "none") == []


@pytest.mark.parametrize("links", [True, False])
def test_a_run_without_its_last_file_goes_on_from_the_newest_one(
    links: bool, tmp_path: Path, monkeypatch: Patch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr("os.link", refuse)
    folder = saved_run(tmp_path, "version_0", "best.ckpt")
    assert find_to_resume("last", tmp_path) == folder / "last.ckpt"
    assert (folder / "last.ckpt").read_bytes() == (folder / "best.ckpt").read_bytes()
    (folder / "last.ckpt").write_text("of its own")
    assert find_to_resume("last", tmp_path) == folder / "last.ckpt"
    assert (folder / "last.ckpt").read_text() == "of its own"

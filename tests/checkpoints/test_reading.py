"""Damaged files: one line of error, and nothing of them is run."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from conftest import Fails, Patch

from mnist_cnn.checkpoints import CheckpointError, read_checkpoint
from mnist_cnn.cli import main

VERBS = ("test", "validate", "predict", "fit")


class Attack:
    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")


DAMAGE = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "a bit of the weights": lambda path: flip(path, path.stat().st_size // 2),
    "a bit of the directory": lambda path: flip(path, path.stat().st_size - 60),
    "another zip": other_zip,
    "text": lambda path: path.write_text("hello"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Attack())),
    "a torch pickle": lambda path: torch.save(Attack(), path),
    "a hidden pickle": lambda path: torch.save({**torch.load(path, weights_only=True), "callbacks": Attack()}, path),
    "another model's": lambda path: torch.save({"state_dict": {"w": torch.zeros(3)}}, path),
    "a list": lambda path: torch.save([1, 2], path),
    "another type": lambda path: torch.save({**torch.load(path, weights_only=True), "hyper_parameters": [1]}, path),
    "callbacks without names": lambda path: torch.save({**torch.load(path, weights_only=True), "callbacks": [1]}, path),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line(kind: str, tmp_path: Path, monkeypatch: Patch, fails: Fails) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py"])
    path = Path("x.ckpt")
    good = {"state_dict": {"w": torch.zeros(3000)}, "hyper_parameters": {}, "pytorch-lightning_version": "2.6.6"}
    torch.save(good, path)
    assert read_checkpoint(path).keys() == good.keys()
    DAMAGE[kind](path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"x\.ckpt .*--ckpt_path=FILE"):
        read_checkpoint(path)
    for verb in VERBS:
        line = fails(main, [verb, f"--ckpt_path={path}"])
        assert "x.ckpt" in line
        assert len(line) < 300
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.ckpt"]

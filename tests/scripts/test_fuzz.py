"""A small part of what `scripts/fuzz.py` does."""

from pathlib import Path

import fuzz
import pytest


@pytest.mark.parametrize(
    ("name", "inputs"), [("idx_reader", 300), ("checkpoint_reader", 100), ("picture_reader", 40), ("command_line", 20)]
)
def test_garbage_is_refused(name: str, inputs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcomes = fuzz.fuzz(fuzz.TARGETS[name][0], inputs, seed=7)
    assert outcomes["refused"] > inputs / 10
    assert sum(outcomes.values()) - outcomes["MiB gained"] == inputs
    assert {path.name for path in tmp_path.iterdir()} <= {"MNIST", "x.ckpt", "x.png"}

"""`scripts/study.py`, with epochs of two batches."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import study
from test_reproduce import stored, tiny  # noqa: F401  # the fixture
from tutorials import training

from mnist_cnn.cli.script import run_script

Fails = Callable[..., str]


@pytest.fixture
def tiny_study(tiny: object, mnist_dir: Path) -> Callable[..., None]:  # noqa: F811
    def call(*arguments: str) -> None:
        run_script(study.main, [*arguments, "--output=out", f"--data-dir={mnist_dir}"])

    return call


def test_sixteen_cells_with_comparable_networks() -> None:
    settings = [training.resolved(study.run_of(cell, seed=0, epochs=1)) for cell in study.cells()]
    networks = [setting["model"].pop("network")["init_args"] for setting in settings]
    assert all(setting == settings[0] for setting in settings)
    assert len({str(network) for network in networks}) == 16
    assert all(network["hidden"] == [100] for network in networks)
    for factor, values in (
        ("scaling", {"raw", "unit"}),
        ("initialization", {"dezero", "torch"}),
        ("dropout", {0, 0.5}),
    ):
        assert {network[factor] for network in networks} == values
    assert {network["blocks"][0][0] for network in networks} == {1, 30}


def test_tables_plots_and_resuming(
    tiny_study: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [cell for cell in study.cells() if cell[1:3] == ("dezero", "0.5")]
    monkeypatch.setattr(study, "cells", lambda: few)
    tiny_study("--epochs=1", "--seeds", "3")
    assert "4 runs, 0 of them" in capsys.readouterr().out
    losses = {result["run"]["name"]: result["probes"]["start"]["loss"] for result in training.load(Path("out"))}
    assert losses["raw-dezero-0.5-30"] > 10 * losses["unit-dezero-0.5-30"]

    text = Path("out/tables.md").read_text()
    assert "Seeds 3;" in text
    assert len(re.findall(r"^\| (?:raw|/ 255) \|", text, flags=re.M)) == 8  # four cells, two tables
    rows = re.findall(r"^\| (\w+) \| (.* to .*?) \| ([+-].*?) \| .* \| 2 \|$", text, flags=re.M)
    assert [row[:2] for row in rows] == [("pixels", "raw to / 255"), ("channels", "1 to 30")]
    accuracies = {result["run"]["name"]: result["epochs"][0]["test_accuracy"] for result in training.load(Path("out"))}
    effect = sum(accuracies[f"unit-dezero-0.5-{n}"] - accuracies[f"raw-dezero-0.5-{n}"] for n in (1, 30)) / 2
    assert float(rows[0][2]) == pytest.approx(100 * effect, abs=0.006)
    for name in ("accuracy", "mechanism"):
        assert 10_000 < Path(f"out/{name}.png").stat().st_size < 150_000

    before = {path: content for path, content in stored().items() if "runs" in path}
    tiny_study("--epochs=1", "--seeds", "3")
    assert "4 runs, 4 of them" in capsys.readouterr().out
    assert {path: content for path, content in stored().items() if "runs" in path} == before


def test_bad_input(tiny_study: Callable, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--epochs=0: give" in fails(tiny_study, "--epochs=0")
    assert "--seeds repeats 2" in fails(tiny_study, "--seeds", "2", "2")
    monkeypatch.setattr(study, "cells", lambda: [("unit", "torch", "0.5", "30")])
    tiny_study("--epochs=1", "--seeds", "0")
    before = stored()
    assert "with other settings (epochs)" in fails(tiny_study, "--epochs=2", "--seeds", "0")
    assert stored() == before

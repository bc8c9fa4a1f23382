"""`scripts/benchmark.py` and its peers, with next to nothing to compute."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmark
import pytest
import torch
from conftest import Fails
from speed import peers, sides

from mnist_cnn.cli.script import run_script
from mnist_cnn.data import files


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch, mnist_dir: Path) -> None:
    """Peers see 200 training and 100 test digits."""
    monkeypatch.setattr(files, "default_data_dir", lambda: mnist_dir)
    load = files.load

    def few(*args: object, train: bool) -> tuple[torch.Tensor, ...]:
        return tuple(t[: 200 if train else 100] for t in load(*args, train=train))  # type: ignore[arg-type]

    monkeypatch.setattr(files, "load", few)
    dataset = peers._dataset

    def subset(train: bool, transform: Callable) -> torch.utils.data.Subset:
        return torch.utils.data.Subset(dataset(train, transform), range(200 if train else 100))

    monkeypatch.setattr(peers, "_dataset", subset)


@pytest.mark.parametrize(("name", "epochs"), [("train_mnist_fast", 1), ("tutorial", 10), ("pytorch_examples", 14)])
def test_peers_learn_epoch_by_epoch(few_digits: None, name: str, epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, train = [], peers._train

    def shorter(*args: Any, epochs: int, **options: Any) -> peers.Epochs:
        asked.append(epochs)
        return train(*args, epochs=min(epochs, 5), **options)  # rates fall so fast that no more is learnt

    monkeypatch.setattr(peers, "_train", shorter)
    torch.manual_seed(0)
    results = list(getattr(peers, name)())
    assert asked == [epochs]
    assert len(results) == min(epochs, 5)
    seconds = [result[0] for result in results]
    assert seconds == sorted(seconds)
    assert (results[-1][1] > 0.4) == (epochs > 1)


def test_a_peer_stops_where_it_reached_what_is_asked(few_digits: None) -> None:
    assert sides.peer("tutorial", target=0.0)(0)["accuracy"] < 0.5


def test_sides_take_turns_and_ratios_are_paired(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, mnist_dir: Path
) -> None:
    monkeypatch.setattr(files, "default_data_dir", lambda: mnist_dir)
    turns: list[str] = []
    times = {"fast": [1.0, 10.0, 2.0], "tutorial": [4.0, 20.0, 6.0]}

    def side(race: str, name: str, seed: int) -> benchmark.Result:
        turns.append(name)
        own = {"epoch": 1.0} if name == "fast" else {}  # what not every side measures is in no column
        return {**own, "seconds": times[name][seed], "accuracy": 0.99 + seed / 1000, "process": 50.0}

    monkeypatch.setattr(benchmark, "run_side", side)
    run_script(benchmark.main, ["ladder", "--rounds=3", "--sides", "fast", "tutorial", f"--output={tmp_path}"])
    assert turns == ["fast", "tutorial"] * 3
    text = (tmp_path / "benchmark.md").read_text()
    assert "| `fast` | 2.00 | 99.10 ± 0.10% | 50.00 | 1.00 | 3 |" in text
    assert f"| 6.00 | 99.10 ± 0.10% | 50.00 | {statistics.median([4, 2, 3]):.2f} | 3 |" in text
    assert (tmp_path / "benchmark.png").stat().st_size > 5000
    assert "round 3 of 3" in capsys.readouterr().out


def test_a_side_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {
        "well": sides.Side("well", command=("-c", "pass")),
        "ill": sides.Side("ill", command=("-c", "raise SystemExit('no luck')")),
        "killed": sides.Side("killed", command=("-c", "import os; os.kill(os.getpid(), 9)")),
    }
    monkeypatch.setitem(sides.RACES, "startup", both)
    assert list(benchmark.run_side("startup", "well", 0)) == ["process"]
    with pytest.raises(SystemExit, match="error: ill failed: no luck"):
        benchmark.run_side("startup", "ill", 0)
    with pytest.raises(SystemExit, match="error: killed failed: exit status -9"):
        benchmark.run_side("startup", "killed", 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "--races=[nonsense]: give a list, each item epoch, ladder or startup"),
        (["epoch", "--rounds=0"], "--rounds=0: give a whole number above 0"),
        (["epoch", "--sides", "fit", "nobody"], "--sides: there is no nobody among fit, fit_bf16, "),
        (["--round=3"], "unrecognized arguments: --round=3 (did you mean --rounds?)"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, fails: Fails) -> None:
    assert message in fails(run_script, benchmark.main, arguments)


def test_emulated_bfloat16_takes_part_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "has_bfloat16", lambda accelerator: False)
    assert benchmark.pick("epoch", None) == ["fit", "bare_loop", "torchvision"]
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert benchmark.pick("epoch", ["fit_bf16"]) == ["fit_bf16"]
    monkeypatch.setattr(benchmark, "has_bfloat16", lambda accelerator: True)
    assert "fit_bf16" in benchmark.pick("epoch", None)


@pytest.mark.slow
def test_fit_is_timed_and_tested(
    monkeypatch: pytest.MonkeyPatch, mnist_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(files, "default_data_dir", lambda: mnist_dir)
    result = sides.fit(0, "--trainer.limit_train_batches=3", "--trainer.max_epochs=2", "--trainer.accelerator=cpu")
    assert 0 < result["epoch"] <= result["seconds"]
    side = sides.Side("tiny", lambda seed: result)
    monkeypatch.setitem(sides.RACES, "epoch", {"fit": side})
    benchmark.run_here("epoch", "fit", 0)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["memory"] > 10

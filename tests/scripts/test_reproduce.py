"""`scripts/reproduce.py`, with epochs of a few batches."""

import json
import re
import sys
from pathlib import Path

import experiments
import pytest
import reproduce
import torch
import yaml
from conftest import Cli, Fails
from tutorials import measures, training

from mnist_cnn import DigitClassifier
from mnist_cnn.cli.quick import CONFIGS
from mnist_cnn.cli.script import run_script
from mnist_cnn.networks import MLP


@pytest.fixture
def tiny(tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Calls `main` of a script with little training and less testing, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "TRAIN_BATCHES", 3)
    score = measures.score
    monkeypatch.setattr(measures, "score", lambda model, x, y, **rest: score(model, x[:100], y[:100], **rest))

    def call(*arguments: str) -> None:
        run_script(reproduce.main, [*arguments, "--output=out", f"--data-dir={mnist_dir}"], experiments.INTERRUPTED)

    return call


def stored() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path("out").rglob("*")) if path.is_file()}


def test_tables_and_plots(tiny: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["tutorial_cnn", "mnist_plus_1", "mnist_plus_2_scaled"]
    tiny("--systems", *names, "--epochs=1", "--seeds", "0")
    assert "3 runs, 0 of them finished earlier" in capsys.readouterr().out
    text = Path("out/tables.md").read_text()
    for name in names:
        title = reproduce.SYSTEMS[name].title
        assert f"| {title} | 1 | 1 |" in text
        assert f"## {title}\n\n`{name}`, seed 0\n" in text
        assert f"({name}.png)" in text
        assert 10_000 < Path(f"out/{name}.png").stat().st_size < 150_000
    assert "| 98.12% |" in text
    assert len(re.findall("^## ", text, flags=re.M)) == 3


@pytest.mark.parametrize("name", reproduce.SYSTEMS)
def test_every_system_is_its_preset(name: str) -> None:
    system = reproduce.SYSTEMS[name]
    preset = yaml.safe_load((training.CONFIGS / f"{system.preset}.yaml").read_text())
    settings = training.resolved(training.build(reproduce.run_of(name, seed=0, epochs=None)))
    network = settings["model"]["network"]
    if system.changes:
        assert network["init_args"].pop("scaling") != preset["model"]["network"]["init_args"].pop("scaling")
    assert settings["model"] == {**settings["model"], **preset["model"], "network": network}
    assert settings["data"] == {**settings["data"], **preset["data"]}
    if isinstance(preset["model"]["network"], dict):
        assert network["init_args"] == {**network["init_args"], **preset["model"]["network"]["init_args"]}


def test_a_finished_run_is_not_repeated_and_another_seed_joins(tiny: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    tiny("--systems", "dezero_mlp", "--epochs=2", "--seeds", "0")
    path = Path("out/runs/dezero_mlp-seed0.json")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    tiny("--systems", "dezero_mlp", "--quick", "--seeds", "0", "1")
    assert "2 runs, 1 of them finished earlier" in capsys.readouterr().out
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    results = training.load(Path("out"))
    assert [result["run"]["seed"] for result in results] == [0, 1]
    assert results[0]["epochs"] != results[1]["epochs"]

    text = Path("out/tables.md").read_text()
    assert "`dezero_mlp`, seeds 0, 1" in text
    rows = re.findall(r"^\| ([12]) \| (.*) \|$", text, flags=re.M)
    assert [number for number, _ in rows] == ["1", "2"]
    cells = rows[1][1].split(" | ")
    accuracies = [100 * result["epochs"][1]["test_accuracy"] for result in results]
    mean, deviation = experiments.spread(accuracies)
    assert cells[:2] == [f"{mean:.2f} ± {deviation:.2f}%", "97.35%"]
    assert deviation == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)


def test_what_a_result_holds(tiny: Cli) -> None:
    tiny("--systems", "mnist_plus_2", "--epochs=1", "--seeds", "5")
    result = json.loads(Path("out/runs/mnist_plus_2-seed5.json").read_text())
    run = {"name": "mnist_plus_2", "preset": "mnist_plus_2", "changes": [], "epochs": 1, "seed": 5}
    assert result["run"] == {**run, "train_batches": 3}
    network = {"blocks": [[30]], "hidden": [100], "dropout": 0.5, "batch_norm": False}
    network |= {"scaling": "raw", "initialization": "dezero"}
    assert result["settings"]["model"]["network"]["init_args"] == network
    assert result["settings"]["data"].items() >= {"dataset": "MNIST", "batch_size": 100, "val_size": 0}.items()
    measures = {f"{stage}_{kind}" for stage in ("train", "test", "dropout") for kind in ("loss", "accuracy")}
    assert set(result["epochs"][0]) == {*measures, "seconds"}
    # The tutorial's test accuracy, of a program that leaves dropout on, stands beside ours of that kind.
    header = re.search(r"^\| epoch \|.*$", Path("out/tables.md").read_text(), flags=re.M)
    assert header
    assert "| test accuracy, dropout left on | published |" in header[0]


def test_a_worker_process_gives_the_same(tiny: Cli) -> None:
    tiny("--systems", "dezero_mlp", "--epochs=1", "--seeds", "0", "--workers=2")
    (theirs,) = training.load(Path("out"))
    Path("out/runs/dezero_mlp-seed0.json").unlink()
    tiny("--systems", "dezero_mlp", "--epochs=1", "--seeds", "0")
    (ours,) = training.load(Path("out"))
    assert ours["settings"] == theirs["settings"]
    losses = [result["epochs"][0]["train_loss"] for result in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_an_interrupted_run_stores_nothing(tiny: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.L.Trainer, "fit", lambda *_: sys.exit(1))  # Lightning, on Ctrl-C
    with pytest.raises(SystemExit, match="130"):
        tiny("--systems", "dezero_mlp", "--epochs=1")
    assert stored() == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--systems", "mnist_plus_1", "lenet"], "there is no system lenet: choose from tutorial_cnn "),
        (["--systems", "mnist_conv", "mnist_conv"], "--systems repeats mnist_conv"),
        (["--seeds", "0", "1", "0"], "--seeds repeats 0"),
        (["--seeds", "-1"], "--seeds"),
        (["--seeds", "one"], "--seeds=[one]: give a list, each item a whole number, 0 or more"),
        (["--epochs", "0"], "--epochs=0: give a whole number above 0"),
        (["--workers", "0"], "--workers"),
        (["--frob"], "unrecognized arguments: --frob"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_bad_arguments(arguments: list[str], message: str, tiny: Cli, fails: Fails, tmp_path: Path) -> None:
    assert message in fails(tiny, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_results_of_other_settings_are_left_alone(tiny: Cli, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    system = ("--systems", "dezero_mlp", "--seeds", "0")
    tiny(*system, "--epochs=1")
    before = stored()
    for seeds in (system, (*system, "1")):
        line = fails(tiny, *seeds, "--epochs=2")
        assert "out holds results of dezero_mlp with other settings (epochs): give another folder" in line
    monkeypatch.setattr(training, "TRAIN_BATCHES", 2)
    assert "(train_batches)" in fails(tiny, *system, "--epochs=1")
    monkeypatch.setattr(training, "TRAIN_BATCHES", 3)
    monkeypatch.setattr(training, "CONFIGS", Path("configs"))
    preset = yaml.safe_load((CONFIGS / "dezero_mlp.yaml").read_text())
    preset["model"]["learning_rate"] = 0.5
    Path("configs").mkdir()
    Path("configs/dezero_mlp.yaml").write_text(yaml.safe_dump(preset))
    assert "(model)" in fails(tiny, *system, "--epochs=1")
    assert stored() == before


def test_results_from_before_an_argument_was_added_still_count(tiny: Cli) -> None:
    system = ("--systems", "dezero_mlp", "--seeds", "0", "--epochs=1")
    tiny(*system)
    path = Path("out/runs/dezero_mlp-seed0.json")
    result = json.loads(path.read_text())
    del result["settings"]["model"]["label_smoothing"]
    del result["settings"]["model"]["network"]["init_args"]["dropout"]
    path.write_text(json.dumps(result))
    before = stored()
    tiny(*system)
    assert stored() == before


def test_a_damaged_result_and_an_unwritable_folder(tiny: Cli, fails: Fails) -> None:
    for content in ("{", "[]", "{}"):
        Path("out/runs").mkdir(parents=True, exist_ok=True)
        Path("out/runs/dezero_mlp-seed0.json").write_text(content)
        line = fails(tiny, "--systems", "dezero_mlp", "--epochs=1")
        assert "out/runs/dezero_mlp-seed0.json is not a result of this program" in line
    Path("out/runs/dezero_mlp-seed0.json").unlink()
    Path("out/runs").rmdir()
    Path("out").rmdir()
    Path("out").write_text("")
    assert "cannot write to out" in fails(tiny, "--systems", "dezero_mlp", "--epochs=1")


def test_published_figures_belong_to_systems() -> None:
    published = yaml.safe_load(reproduce.PUBLISHED.read_text())
    assert set(published) <= set(reproduce.SYSTEMS)
    assert all(set(measures) <= set(reproduce.COLUMNS) for measures in published.values())


def test_scoring_leaves_the_model_and_the_random_numbers_as_they_were() -> None:
    model = DigitClassifier(MLP(hidden=(50,), dropout=0.5))
    images, labels = torch.randint(0, 256, (300, 1, 28, 28), dtype=torch.uint8), torch.arange(300) % 10
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    without = measures.score(model, images, labels)
    left_on = measures.score(model, images, labels, dropout=True)
    assert torch.equal(torch.rand(3), expected)
    assert without != left_on
    assert without == measures.score(model, images, labels)
    assert all(module.training for module in model.modules())

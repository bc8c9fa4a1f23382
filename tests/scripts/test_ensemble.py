"""`scripts/ensemble.py`, with members of two batches."""

from pathlib import Path

import ensemble
import pytest
import torch
from conftest import Cli, Fails

from mnist_cnn.cli.script import run_script


@pytest.fixture
def call(tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    others = [f"--data.data_dir={mnist_dir}", "--trainer.accelerator=cpu", "--trainer.limit_train_batches=2"]
    return lambda *arguments: run_script(ensemble.main, ["--config=fast", "--output=out", *others, *arguments])


def test_members_are_trained_once_and_averaged(
    call: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: Fails
) -> None:
    call("--members=2")
    first = capsys.readouterr().out
    stored = [torch.load(f"out/seed_{seed}/probabilities.pt", weights_only=True) for seed in (0, 1)]
    assert not torch.equal(stored[0]["probabilities"], stored[1]["probabilities"])
    assert stored[0]["probabilities"].shape == (10_000, 10)
    mean = (stored[0]["probabilities"] + stored[1]["probabilities"]) / 2
    accuracy = (mean.argmax(1) == stored[0]["labels"]).float().mean()
    assert f"| mean of 2 | 1 | {accuracy:.2%} |" in first

    monkeypatch.setattr(ensemble, "train", lambda *args: pytest.fail("was finished already"))
    call("--members=2")
    assert "| mean of 2 |" in capsys.readouterr().out
    assert "choose another --output" in fails(call, "--members=2", "--model.learning_rate=0.01")
    assert (Path("out") / "seed_1" / "probabilities.pt").exists()


def test_the_mean_can_be_right_where_single_members_err() -> None:
    labels = torch.tensor([0, 1])
    one, two, three = torch.zeros(3, 2, 10).unbind()
    for member, wrong in ((one, 0), (two, 1), (three, None)):
        for item, label in enumerate(labels):
            member[item, label] = 0.4 if item == wrong else 0.9
            member[item, 9] = 0.6 if item == wrong else 0.1
    text = ensemble.table(torch.stack([one, two, three]), labels)
    assert "| one network | 3 | 66.67 ± 28.87% |" in text
    assert "| mean of 3 | 1 | 100.00% |" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--members=0"], "--members=0: give a whole number above 0"),
        (["--config=none.yaml"], "no config file 'none.yaml'"),
    ],
)
def test_wrong_arguments(call: Cli, fails: Fails, arguments: list[str], message: str) -> None:
    assert message in fails(call, *arguments)

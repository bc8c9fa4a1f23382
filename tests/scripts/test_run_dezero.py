"""`scripts/run_dezero.py`, where DeZero is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tutorials import training

from mnist_cnn.cli.script import run_script

pytestmark = pytest.mark.skipif(find_spec("dezero") is None, reason="needs the extra dezero")


def test_both_sides_of_the_mlp(mnist_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    import run_dezero

    monkeypatch.setattr(run_dezero, "LIMIT", 500)
    monkeypatch.setattr(training, "TRAIN_BATCHES", 5)
    run_script(run_dezero.main, ["--systems", "dezero_mlp", "--epochs=1", f"--data-dir={mnist_dir}"])
    header, _, row = capsys.readouterr().out.strip().splitlines()[-3:]
    values = dict(zip(header.split(" | "), row.split(" | "), strict=True))
    accuracies = [float(values[f"test accuracy, {side}"].rstrip("%")) for side in ("DeZero", "ours")]
    assert min(accuracies) > 50
    assert abs(accuracies[0] - accuracies[1]) < 15


def test_the_second_network_has_as_many_parameters_as_ours() -> None:
    import numpy as np
    import run_dezero

    model = run_dezero.MNISTPlus2()
    logits = model(np.zeros((2, 1, 28, 28), dtype=np.uint8))
    assert logits.shape == (2, 10)
    assert sum(parameter.data.size for parameter in model.params()) == 589_410

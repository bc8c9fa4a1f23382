"""The notebook runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from conftest import Patch
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_notebook_trains_shows_mistakes_and_reads(mnist_dir: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / "first_model.ipynb", as_version=4)
    assert len(notebook.cells) == 12
    for cell in notebook.cells:
        cell.source = cell.source.replace("max_epochs=2", "max_epochs=1, limit_train_batches=40, limit_val_batches=1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "mnist_cnn").symlink_to(mnist_dir)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3  # digits, mistakes, one's own
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert "errors in 5,000" in printed
    assert printed.count("Reading('7'") == 4

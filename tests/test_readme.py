"""The README's commands do what it says."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mnist_cnn.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(marker: str) -> list[str]:
    match = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)```", README, flags=re.S)
    assert match, f"README has no block {marker}"
    return [line.split("#")[0].strip() for line in match[1].splitlines()]


@pytest.mark.slow
def test_the_commands_work_one_after_the_other(cli: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "mnist_cnn").symlink_to(ROOT / "mnist_cnn")
    trained = 0
    for line in block("commands"):
        python, program, verb, *options = shlex.split(line.replace("accelerator=gpu", "accelerator=cpu"))
        assert (python, program) == ("python", "scripts/train.py")
        if "--print_config" in options:
            with pytest.raises(SystemExit, match="0"):
                main([verb, *options])
            continue
        limits = ["--trainer.limit_train_batches=3", "--trainer.limit_val_batches=2", "--trainer.limit_test_batches=2"]
        trained += verb == "fit" and not any(o.startswith(("--ckpt_path", "--trainer.fast_dev_run")) for o in options)
        cli(verb, *options, *limits)
    assert len(list(Path("lightning_logs").iterdir())) == trained
    assert Path("predictions.csv").exists()


def test_the_two_commands_set_everything_up_in_one_line() -> None:
    assert [line.split(" && ")[-1] for line in block("train")] == ["python scripts/train.py fit"]
    assert [line.split(" && ")[-1] for line in block("test")] == ["python -m pytest"]
    for marker in ("train", "test"):
        assert block(marker)[0].startswith("python3 -m venv .venv && . .venv/bin/activate && pip install -e ")


def test_the_python_example_runs(mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```python\n(.*?)```", README, flags=re.S)
    assert example
    text = example[1].replace("max_epochs=10", "max_epochs=1, limit_train_batches=2, accelerator='cpu'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "mnist_cnn").symlink_to(mnist_dir)
    names: dict = {}
    with pytest.warns():  # Lightning's own advice
        exec(text, names)
    assert type(names["model"].network).__name__ == "TutorialCNN"


def test_ci_runs_the_test_command_and_the_workflow_runs_ci() -> None:
    assert "<!-- test -->" in (ROOT / ".ci" / "run").read_text()
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = workflow["jobs"]["newest"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]


def test_files_that_the_readme_links_to_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link

"""The commands of README, README.ja and the docs do what they say, or at least are understood."""

import ast
import itertools
import re
import runpy
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import Capture, Cli, Patch

from mnist_cnn.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NOT_QUICK = ("--ckpt_path", "--config", "--data.dataset", "--data.labelled", "--print_config", "devices", "callbacks")
"""Of `fit`: what takes another machine, a download or minutes. It is parsed, and not run."""
OTHERS = {"cd", "pip", "python3", ".", "tensorboard", "mkdocs", "jupyter", "pre-commit", "bash"}
"""Programs whose arguments are not checked, but for the extras of `pip install`."""


def block(marker: str, text: str = README) -> list[str]:
    match = re.search(rf"<!-- {marker} -->\n```bash\n(.*?)```", text, flags=re.S)
    assert match, f"README has no block {marker}"
    return [line.split("#")[0].strip() for line in match[1].splitlines()]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command in the bash blocks and tables of a page."""
    text = page.read_text(encoding="utf-8")
    lines = [*re.findall(r"^\|.*`(python scripts/[^`]*)`", text, flags=re.M)]
    for found in re.findall(r"```bash\n(.*?)```", text, flags=re.S):
        script = re.sub(r"^#.*$", "", found.replace("\\\n", " "), flags=re.M)
        lines += [line for line in script.splitlines() if line.strip() not in ("", "done")]
    for line in lines:
        for part in re.split(r" && |; do$", line):
            words = shlex.split(part, comments=True)
            if words and words[0] != "for":
                yield words


ALL = [(page.relative_to(ROOT).as_posix(), words) for page in PAGES for words in commands(page)]
STARTS = ("scripts/train.py", "mnist-cnn")
VERBS = list(  # also after torchrun and srun
    dict.fromkeys(shlex.join(words[k + 1 :]) for _, words in ALL for k in range(len(words)) if words[k] in STARTS)
)


@pytest.mark.slow
def test_the_commands_work_one_after_the_other(cli: Cli, tmp_path: Path) -> None:
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


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="is no clone")
def test_git_ignores_what_the_commands_write_and_name() -> None:
    names = {"lightning_logs/version_0/config.yaml", "checkpoints/best.ckpt", "predictions-2.png", "mistakes.png"}
    for words in (words for _, words in ALL):
        values = [word.partition("=")[2] for word in words if word.startswith("--")]
        names |= {name for name in values if name.endswith(("/", ".onnx", ".pt2", ".png", ".csv"))}
        names |= {after for before, after in itertools.pairwise(words) if before in (">", "--output")}
    names = {f"{name}x" if name.endswith("/") else name for name in names if not name.startswith(("/", "[", "~"))}
    assert len(names) > 8
    missing = [n for n in names if subprocess.run(["git", "check-ignore", "-q", n], cwd=ROOT, check=False).returncode]
    assert not missing


@pytest.fixture
def my_module(tmp_path: Path, monkeypatch: Patch) -> None:
    """An empty folder with the module of docs/networks.md in it."""
    text = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    match = re.search(r'```python title="my_module.py"\n(.*?)```', text, flags=re.S)
    assert match
    (tmp_path / "my_module.py").write_text(match[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("my_module")
@pytest.mark.parametrize("command", VERBS)
def test_a_command_of_the_docs_is_understood(command: str, capsys: Capture) -> None:
    words = shlex.split(command.replace("$rate", "0.01"))
    asked = any(word in ("--help", "--print_config") for word in words)
    with pytest.raises(SystemExit) as end:
        main(words if asked else [*words, "--print_config"])
    assert end.value.code in (0, None), capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("my_module")
def test_each_way_to_train_in_the_docs_runs_one_batch(cli: Cli) -> None:
    quick = [
        command
        for command in VERBS
        if command.startswith("fit") and not any(word in command for word in (*NOT_QUICK, "--help"))
    ]
    assert len(quick) > 10
    for command in quick:
        cli(*shlex.split(command.replace("$rate", "0.01")), "--trainer.fast_dev_run=true")


@pytest.mark.parametrize("script", sorted({words[1] for _, words in ALL if words[0] == "python" and words[1] != "-m"}))
def test_a_script_of_the_docs_has_the_options_that_they_name(script: str, monkeypatch: Patch, capsys: Capture) -> None:
    assert (ROOT / script).is_file()
    if script == "scripts/train.py":
        return
    monkeypatch.setattr("sys.argv", [script, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert end.value.code in (0, None)
    printed = capsys.readouterr().out
    for _, words in ALL:
        if words[:2] == ["python", script]:
            for option in (word.partition("=")[0] for word in words if word.startswith("--")):
                assert option in printed, f"{script} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_programs_extras_and_python_of_a_page_exist(page: Path) -> None:
    for words in commands(page):
        ours = words[0] in ("python", *PROJECT["scripts"]) or "scripts/train.py" in words
        assert ours or words[0] in OTHERS, f"what is {words[0]}?"
        for extra in re.findall(r"\.\[(.*?)\]", " ".join(words)):
            assert extra in PROJECT["optional-dependencies"]
    for program in re.findall(r"```python.*?\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mnist_cnn"):
                exec(ast.unparse(node), {})


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_the_two_commands_set_everything_up_in_one_line(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    assert [line.split(" && ")[-1] for line in block("train", text)] == ["python scripts/train.py fit"]
    assert [line.split(" && ")[-1] for line in block("test", text)] == ["python -m pytest"]
    for marker in ("train", "test"):
        assert block(marker, text) == block(marker)
        assert block(marker)[0].startswith("python3 -m venv .venv && . .venv/bin/activate && pip install -e ")


def test_the_readme_is_of_one_page() -> None:
    assert len(README.splitlines()) <= 150


def test_the_python_example_runs(mnist_dir: Path, tmp_path: Path, monkeypatch: Patch) -> None:
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
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "<!-- test -->" in run
    assert "mkdocs build --strict" in run
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["newest"]["steps"]
    assert "bash .ci/run" in [step.get("run") for step in steps]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_a_page_links_to_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link

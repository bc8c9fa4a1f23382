"""What the command line answers before torch is loaded, and presets by name."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from conftest import Capture, Patch

import mnist_cnn
from mnist_cnn.cli import main
from mnist_cnn.cli.quick import CONFIGS, answer, config_file

ANSWERS = [
    (["--version"], 0, rf"^mnist-cnn {re.escape(mnist_cnn.__version__)}$"),
    (["--version", "--verbose"], 0, rf"(?s)python 3.*torch {re.escape(metadata.version('torch'))}.*platform \w+"),
    (["--help"], 0, r"(?s)fit .*predict .*presets .*  fast +99%"),
    (["presets"], 0, r"(?m)^  tutorial_cnn +The tutorial's CNN"),
    (["ft"], 2, r"there is no verb 'ft', did you mean fit\?"),
    ([], 2, "a verb is missing"),
    (["fit", "--config", "fsat"], 2, r"no config file 'fsat', .* did you mean fast\?"),
    (["--config=fast", "fit", "--print_config"], 2, "options come after the verb, .* fit --config=fast"),
    (["fit", "-c=missing.yaml"], 2, "no config file 'missing.yaml'"),
]


@pytest.mark.parametrize(("words", "status", "pattern"), ANSWERS, ids=str)
def test_answers(words: list[str], status: int, pattern: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        answer(words)
    assert stop.value.code == status
    output = capsys.readouterr()
    assert re.search(pattern, (output.err if status else output.out).strip())


def test_they_need_no_torch() -> None:
    code = f"""if True:
        import contextlib, io, sys
        from mnist_cnn.__main__ import main
        for words in {[words for words, *_ in ANSWERS]!r}:
            sys.argv = ["mnist-cnn", *words]
            with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
                main()
                raise AssertionError(words)
        assert not {{"torch", "lightning", "numpy", "jsonargparse", "yaml"}} & set(sys.modules)"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_each_preset_has_a_line_that_fits_a_terminal(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        answer(["presets"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    assert all(30 < len(line) <= 100 and line.endswith(".") for line in lines)


def test_a_preset_by_name_and_a_file_of_that_name_wins(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)

    def printed(*words: str) -> dict:
        with pytest.raises(SystemExit, match="0"):
            main(["fit", *words, "--print_config"])
        return yaml.safe_load(capsys.readouterr().out)

    assert config_file("fast") == str(CONFIGS / "fast.yaml")
    assert printed("--config", "fast")["model"]["optimizer"] == "muon"
    assert printed("--config=fast", "--model.momentum=0.5")["model"]["momentum"] == 0.5
    text = "model:\n  momentum: 0.25\n# longer than the name of a file" + 300 * "."
    assert printed(f"--config={text}")["model"]["momentum"] == 0.25
    Path("fast").write_text("model:\n  optimizer: sgd\n")
    assert printed("-c", "fast")["model"]["optimizer"] == "sgd"

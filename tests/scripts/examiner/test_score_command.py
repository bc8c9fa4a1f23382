"""The command that makes pictures and scores what is read in them."""

import csv
from pathlib import Path

import pytest
import score_pictures
from conftest import Fails

from mnist_cnn.cli.script import run_script


def test_the_command_writes_once_and_scores(
    tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def predict(args: list[str]) -> None:
        options = dict(arg[2:].split("=", 1) for arg in args[1:])
        asked.append((options["data.layout"], options["ckpt_path"]))
        files = sorted(Path(options["data.pictures"]).rglob("*.*"))
        with Path(options["predictions.output"]).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "digits", "confidence", "left", "top", "right", "bottom"))
            writer.writerows((path, "1", 0.75, 0, 0, 9, 9) for path in files)

    monkeypatch.setattr(score_pictures, "mnist_cnn", predict)
    options = ["--count=2", "--seed=1", f"--data-dir={mnist_dir}", "--workers=1", f"--output={tmp_path / 'out'}"]
    options += ["--only", "palette", "row, drawn on", "blank page", "page, one"]
    run_script(score_pictures.main, options)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    assert len(written) == 8 + 1
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["digits"] for row in rows][:2] == ["1", "2"]
    assert [row["digits"] == "" for row in rows] == [row["file"].startswith("nothing") for row in rows]
    assert all((tmp_path / "out" / row["file"]).exists() for row in rows)
    capsys.readouterr()

    run_script(score_pictures.main, [*options, "--ckpt_path=best"])
    assert asked == [("digit", "best"), ("row", "best"), ("page", "best"), ("digit", "best")]
    assert written.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}.items()
    assert "| palette PNG | 2 | 1 | 50.0% | 9.5% to 90.5% | 0.750 | 0.750 | 0 | 0 | 0 |" in capsys.readouterr().out


def test_what_a_user_can_mend_is_one_line(tmp_path: Path, fails: Fails) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    output = f"--output={tmp_path}"
    assert "holds other files" in fails(run_script, score_pictures.main, [output, "--only", "palette"])
    assert "fits no difficulty" in fails(run_script, score_pictures.main, [output, "--only", "nonsense"])
    assert "--count=0: give a whole number above 0" in fails(run_script, score_pictures.main, [output, "--count=0"])
    (tmp_path / "labels.csv").write_text("file,digits\n")
    assert "lacks left" in fails(run_script, score_pictures.main, [output, "--only", "palette"])

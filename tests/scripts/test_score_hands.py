"""`scripts/score_hands.py`, with a hand of a few pictures."""

from pathlib import Path

import pytest
import score_hands
from conftest import Fails
from examiner.shapes import ODD, SHAPES

from mnist_cnn.cli.script import run_script


def test_each_hand_writes_every_digit_in_shapes_that_exist() -> None:
    for hand in score_hands.HANDS.values():
        assert {shape[0] for shape in hand.shapes} == set("0123456789")
        assert set(hand.shapes) <= {*SHAPES, *ODD}


def test_a_seed_draws_the_same_pictures_and_others_are_different(tmp_path: Path) -> None:
    def written(name: str, seed: tuple[int, int]) -> list[bytes]:
        score_hands.draw(tmp_path / name, score_hands.HANDS["loops"], 1, seed)
        return [path.read_bytes() for path in sorted((tmp_path / name).glob("*/*"))]

    first = written("a", (0, 0))
    assert len(first) == 10
    assert first == written("b", (0, 0))
    assert not set(first) & set(written("c", (0, 1)))


def test_a_hand_is_learned_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fails: Fails
) -> None:
    typed = []

    def says(folder: Path, *arguments: str) -> str:
        typed.append(arguments)
        assert len(list((folder / "learn").glob("*/*"))) == 30
        wrong = {"pretrained": 8, "best": 2}.get(arguments[1].partition("=")[2], 0)
        return f"accuracy ?, {wrong} errors in {20 if 'labelled' in arguments[-1] else '10,000'} (95% interval ?)"

    monkeypatch.setattr(score_hands, "_typed", says)
    arguments = [f"--output={tmp_path}", "--hands=[loops]", "--seeds=[3]", "--learn=3", "--others=2"]
    run_script(score_hands.main, arguments)
    first = capsys.readouterr().out
    assert [words[0] for words in typed] == ["test", "test", "fit", "test", "test"]
    assert "--seed_everything=3" in typed[2]
    assert "| loops | 8 | 2 | 20 | 99.98% | 0 |" in first
    assert "errors fall by 75%" in first
    assert "MNIST loses -0.060 points" in first
    run_script(score_hands.main, arguments)
    assert len(typed) == 5
    assert capsys.readouterr().out == first
    assert "choose another --output" in fails(
        run_script, score_hands.main, [*arguments, "--options=[--model.remember=false]"]
    )
    assert "there are: flags, bars, hooks" in fails(
        run_script, score_hands.main, [f"--output={tmp_path}", "--hands=[x]"]
    )
    assert "--hands repeats loops" in fails(run_script, score_hands.main, [*arguments, "--hands=[loops,loops]"])


def test_a_hand_that_was_read_without_an_error_cannot_be_read_better() -> None:
    fine, ill = (["fine", "0", "0", "20", "5", "5", "100", "9"], ["ill", "8", "2", "20", "5", "5", "100", "9"])
    assert "errors fall by 75%" in score_hands.table([fine, ill], [0])
    assert "errors fall by 0%" in score_hands.table([fine], [0])


def test_what_the_command_line_says_is_understood(tmp_path: Path, fails: Fails, mnist_dir: Path) -> None:
    score_hands.draw(tmp_path / "others", score_hands.HANDS["loops"], 1, (0, 1))
    wrong, count = score_hands._errors(tmp_path, "pretrained", "--data.labelled=others", f"--data.data_dir={mnist_dir}")
    assert count == 10
    assert 0 < wrong < 10  # a 0 like a 6, and others
    assert "there is no verb 'nope'" in fails(score_hands._typed, tmp_path, "nope")

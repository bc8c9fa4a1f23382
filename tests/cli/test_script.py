"""Scripts as typed functions."""

from pathlib import Path
from typing import Any, Literal

import pytest
from conftest import Capture, Fails
from jsonargparse.typing import NonNegativeInt, PositiveInt

from mnist_cnn.cli.script import run_script
from mnist_cnn.data.errors import DataError

CALLS: list[Any] = []


def whole(
    names: list[Literal["one", "two"]] | None = None,
    output: Path = Path("here"),
    rounds: PositiveInt = 3,
    seeds: list[NonNegativeInt] | None = None,
    texts: list[str] | None = None,
    data_dir: str | None = None,
    quick: bool = False,
) -> None:
    """Notes what it was called with.

    Args:
        names: Some names.
        output: Where to.
        rounds: How often.
        seeds: Numbers.
        texts: Any texts.
        data_dir: A folder.
        quick: Whether to hurry.
    """
    CALLS.append((names, output, rounds, seeds, texts, data_dir, quick))
    if data_dir == "bad":
        raise DataError("no data")


def open_ended(*others: str, config: str, members: PositiveInt = 5) -> None:
    """Hands on what it does not know.

    Args:
        *others: Options of another program.
        config: A name.
        members: How many.
    """
    CALLS.append((others, config, members))


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ([], (None, Path("here"), 3, None, None, None, False)),
        (["one", "two", "--rounds", "2"], (["one", "two"], Path("here"), 2, None, None, None, False)),
        (["--names=[two]", "--quick", "--output=a/b c"], (["two"], Path("a/b c"), 3, None, None, None, True)),
        (["--seeds", "0", "1", "--data-dir", "d"], (None, Path("here"), 3, [0, 1], None, "d", False)),
        (["--seeds=7", "--quick=false"], (None, Path("here"), 3, [7], None, None, False)),
        (["--texts", "row, drawn", "2"], (None, Path("here"), 3, None, ["row, drawn", "2"], None, False)),
    ],
)
def test_what_is_typed_is_what_the_function_gets(typed: list[str], called: tuple) -> None:
    run_script(whole, typed)
    assert CALLS.pop() == called


def test_a_path_may_begin_at_home() -> None:
    run_script(whole, ["--output=~/runs"])
    assert CALLS.pop()[1] == Path.home() / "runs"


def test_what_is_not_known_is_handed_on_as_it_is() -> None:
    run_script(open_ended, ["--config", "fast", "--trainer.max_epochs", "2", "--x=1", "--members=2"])
    assert CALLS.pop() == (("--trainer.max_epochs", "2", "--x=1"), "fast", 2)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["three"], "--names=[three]: give a list, each item one or two"),
        (["--rounds=0"], "--rounds=0: give a whole number above 0"),
        (["--rounds"], "--rounds: give a whole number above 0"),
        (["--seeds", "-1"], "--seeds=[-1]: give a list, each item a whole number, 0 or more"),
        (["--round=1"], "unrecognized arguments: --round=1 (did you mean --rounds?)"),
        (["--frob"], "unrecognized arguments: --frob (--help lists the options)"),
        (["--data-dir=bad"], "no data"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_a_wrong_word_is_one_line(typed: list[str], message: str, fails: Fails) -> None:
    assert fails(run_script, whole, typed) == f"error: {message}"
    assert "--config is missing" in fails(run_script, open_ended, ["--members=2"])


def test_help_is_the_docstrings(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_script(whole, ["--help"])
    printed = capsys.readouterr().out
    assert "Scripts as typed functions." in printed
    assert "--data_dir" in printed
    assert "Whether to hurry." in printed

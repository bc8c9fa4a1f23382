"""Answers that need no torch, and come at once: help, versions, presets, and a wrong first word."""

import difflib
import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import mnist_cnn
from mnist_cnn.start import fail, program

VERBS = {
    "fit": "Trains a network and keeps its best and its last checkpoint.",
    "validate": "Scores a checkpoint on the validation split of its run.",
    "test": "Scores a checkpoint on the official test set.",
    "predict": "Writes the predictions of a checkpoint for pictures, or for the test set, to a CSV file.",
    "export": "Writes the network of a checkpoint to one file that runs without this package.",
}
"""Each verb that needs torch, with what it does."""

CONFIGS = Path(mnist_cnn.__file__).parent / "configs"
"""The folder of the presets."""

PACKAGES = ("torch", "lightning", "torchvision", "torchmetrics", "tensorboard", "jsonargparse")
"""Libraries whose versions matter when something goes wrong."""

NAMED = ("--config", "-c", "--task", "--model.network", "--model.optimizer", "--model.schedule", "--trainer.logger")
"""Options that take a name."""


def answer(words: Sequence[str]) -> None:
    """Ends the program with the answer to what was typed, where that takes no torch; else returns."""
    first = words[0] if words else ""
    match first:
        case "-h" | "--help" | "help":
            print(_help())
        case "--version" | "-V":
            print(f"mnist-cnn {mnist_cnn.__version__}")
            if "--verbose" in words:
                print(f"python {platform.python_version()}", *map(_version, PACKAGES), sep="\n")
                print(f"platform {platform.platform()}")
        case "presets":
            print(f"{_lines()}\n\ntrain one:        {program()} fit --config fast")
            print(f"one as a file:    {program()} fit --config fast --print_config > my.yaml")
        case _:
            if not first.startswith("-") and first not in VERBS:
                what = f"there is no verb {first!r}" if first else "a verb is missing"
                fail(f"{what}{did_you_mean(first, [*VERBS, 'presets'])}: give {', '.join(VERBS)} or presets, or --help")
            if first.startswith("-") and (verb := next((word for word in words if word in VERBS), "")):
                fail(f"{first} stands before {verb}: options come after the verb, {program()} {verb} {first} ...")
            full_config_names(words)
            return
    raise SystemExit(0)


def did_you_mean(word: str, choices: Sequence[str]) -> str:
    """The choice that is spelt most like a word, in words; empty where none is close."""
    close = difflib.get_close_matches(word, choices, n=1)
    return f", did you mean {close[0]}?" if close else ""


def full_config_names(words: Sequence[str]) -> list[str]:
    """Writes `--config fast` as `--config=FILE` (a file of that name wins), and `--model.network MLP` with `=`, too."""
    full: list[str] = []
    for word in words:
        if full and full[-1].startswith(NAMED) and "=" not in full[-1] and word[:1] != "-":
            word = f"{full.pop()}={word}"
        option, equals, name = word.partition("=")
        full.append(f"{option}={config_file(name)}" if option in ("--config", "-c") and equals else word)
    return full


def config_file(name: str) -> str:
    """The file that `--config` means: a file, or a preset by name; the text of a config stays as it is."""
    presets = {path.stem: str(path) for path in CONFIGS.glob("*.yaml")}
    if os.path.isfile(name) or "://" in name or re.search(r"[\n{]", name):  # noqa: PTH113 (also of a long text)
        return name
    if name in presets:
        return presets[name]
    close = did_you_mean(Path(name).stem, sorted(presets))
    fail(f"there is no config file {name!r}, and no preset of that name{close}: `{program()} presets` lists them")


def _help() -> str:
    verbs = "\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())
    return (
        f"usage: {program()} VERB [--option=value ...]\n\n"
        f"Trains classifiers of handwritten digits, scores them, and reads pictures with them.\n\n"
        f"verbs:\n{verbs}\n  presets   Lists the presets, which are settings for fit.\n\n"
        f"`{program()} VERB --help` explains the options of a verb.\n"
        f"--version prints the version; --version --verbose also those of the libraries.\n\n"
        f"presets, each by `{program()} fit --config NAME`:\n{_lines()}"
    )


def _lines() -> str:
    return "\n".join(f"  {path.stem:<23}{_first_sentence(path)}" for path in sorted(CONFIGS.glob("*.yaml")))


def _first_sentence(config: Path) -> str:
    comments = re.match(r"(#.*\n)*", config.read_text(encoding="utf-8"))
    text = " ".join(line.lstrip("# ") for line in (comments[0] if comments else "").splitlines())
    return re.split(r"(?<=\.) ", text)[0]


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} is not installed"

"""Types of options in words, for the help and for errors."""

import types
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import typing as numbers

from mnist_cnn import networks

WORDS = {
    numbers.PositiveInt: "a whole number above 0",
    numbers.NonNegativeInt: "a whole number, 0 or more",
    numbers.PositiveFloat: "a number above 0",
    numbers.NonNegativeFloat: "a number, 0 or more",
    numbers.ClosedUnitInterval: "a number from 0 to 1",
    numbers.OpenUnitInterval: "a number between 0 and 1",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    timedelta: "a time such as 00:12:00:00 (days, hours, minutes, seconds)",
    type(None): "null",
}
"""The types that are no classes of somebody's own."""

OPTIONS = {
    "data.val_size": "a whole number from 0 to 59,999, of MNIST's 60,000 training images",
    "data.data_dir": "a folder",
    "data.pictures": "a path, or a list of paths",
    "predictions.output": "a file",
    "output": "a file",
}
"""Words for single options whose type alone does not say it."""

NETWORKS = [
    name
    for name in networks.__all__
    if isinstance(kind := getattr(networks, name), type) and issubclass(kind, networks.Network)
    if kind is not networks.Network
]
"""The names of the networks of this package."""


def in_words(hint: Any) -> str:
    """Says what an option takes.

    Args:
        hint: Its type annotation.
    """
    if hint in WORDS:
        return WORDS[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return either(_choices(hint))
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not type(None)]
        if int in kinds and float in kinds:
            kinds.remove(int)
        words = [word for kind in kinds if get_origin(kind) is not dict for word in _choices(kind)]
        return either(list(dict.fromkeys(words)))
    if origin in (list, tuple):
        return f"a list, each item {in_words(parts[0])}"
    return f"a class: {hint.__name__}" if isinstance(hint, type) else str(hint)


def _choices(hint: Any) -> list[str]:
    return [str(part) for part in get_args(hint)] if get_origin(hint) is Literal else [in_words(hint)]


def either(words: list[str]) -> str:
    """Choices in a sentence."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

"""Type hints in words, for the help and for errors."""

import types
from collections.abc import Callable, Sequence
from datetime import timedelta
from numbers import Number
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import typing as numbers

WORDS = {
    numbers.PositiveInt: "a whole number above 0",
    numbers.NonNegativeInt: "a whole number, 0 or more",
    numbers.PositiveFloat: "a number above 0",
    numbers.NonNegativeFloat: "a number, 0 or more",
    numbers.ClosedUnitInterval: "a number from 0 to 1",
    numbers.OpenUnitInterval: "a number between 0 and 1",
    int: "a whole number",
    float: "a number",
    Number: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    timedelta: "a time such as 00:12:00:00 (days, hours, minutes, seconds)",
    type(None): "null",
    Sequence: "a list such as [1,2]",
}
"""The types that are no classes of somebody's own."""

CLASS = "a class: "
"""How the words for an object begin, which the command line builds from a class."""


def in_words(hint: Any) -> str:
    """Says what an argument takes, by its type hint."""
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
    if origin is Callable:
        return f"the class of an {parts[1].__name__}"
    if origin is dict:
        return f"pairs such as '{{1: 2}}', each {in_words(parts[0])} with {in_words(parts[1])}"
    if origin in (list, tuple, Sequence):
        count = f" of {len(parts)}" if origin is tuple and parts[-1] is not ... else ""
        return f"a list{count}, each item {in_words(parts[0])}"
    return f"{CLASS}{hint.__name__}" if isinstance(hint, type) else str(hint)


def _choices(hint: Any) -> list[str]:
    return [str(part) for part in get_args(hint)] if get_origin(hint) is Literal else [in_words(hint)]


def either(words: list[str]) -> str:
    """Choices in a sentence."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

"""Arguments from Python, checked as the command line checks its options: by the type hints of `__init__`."""

import functools
import math
import os
import types
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from jsonargparse import ArgumentParser

from mnist_cnn.hints import CLASS, in_words


def check_arguments(scope: dict[str, Any]) -> None:
    """Checks the arguments of an `__init__`.

    What the command line would make of a string, such as a network or a number, must be made already.

    Args:
        scope: `locals()` on the first line of an `__init__` that calls `super().__init__()`.

    Raises:
        ValueError: An argument is not what its type hint says; the message names it, and the choices.
    """
    kind = scope["__class__"]
    parser, hints = _parser(kind)
    for name, hint in hints.items():
        value = without_paths(scope[name])
        wanted = in_words(hint).replace(CLASS, "a ")
        try:
            parsed = parser.parse_object({name: value}, defaults=False)[name]
            right = type(None) in (hint, *get_args(hint)) if value is None else True  # argparse takes None for anything
            right = right and isinstance(parsed, str) == isinstance(value, str)
        except Exception:  # whatever jsonargparse meets in a foreign object
            right = False
        if isinstance(value, float) and math.isinf(value):
            right, wanted = False, "a finite number"
        if not right:
            raise ValueError(f"{type(scope['self']).__name__}: {name} is {repr(value)[:80]}: give {wanted}")


@functools.cache
def _parser(kind: type) -> tuple[ArgumentParser, dict[str, Any]]:
    hints = get_type_hints(kind.__init__)  # type: ignore[misc]
    hints.pop("return", None)
    parser = ArgumentParser(exit_on_error=False)
    for name, hint in hints.items():
        parser.add_argument(f"--{name}", type=hint)
    return parser, hints


def without_paths(value: Any) -> Any:
    """Paths as the strings that a command line has."""
    if isinstance(value, list | tuple):
        return [without_paths(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def plain_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with Python's own numbers, which a checkpoint may hold, in place of `PositiveFloat` and the like."""
    plain = dict(values)
    for name, value in values.items():
        for kind in (int, float):
            if isinstance(value, kind) and not isinstance(value, bool):
                plain[name] = kind(value)
    return plain


def class_spec(name: str, value: Any) -> Any:
    """An argument as plain data, from which the command line and checkpoints build it again.

    It is a string, which stays as it is; a class, or `functools.partial` of one with plain arguments; or an object, of
    which only the class is known. Anything else is a ValueError.
    """
    if isinstance(value, str):
        return value
    kind: type | None = value if isinstance(value, type) else type(value)
    arguments: dict[str, Any] = {}
    if isinstance(value, functools.partial):  # jsonargparse's own have the class among their arguments
        kind = next((part for part in (value.func, *value.args) if isinstance(part, type)), None)
        arguments = value.keywords
    if kind is None or kind is types.FunctionType or not _is_plain(arguments):
        raise ValueError(
            f"{name} cannot be written to a checkpoint: give a class, or functools.partial of one with numbers and "
            f"strings as arguments"
        )
    spec: dict[str, Any] = {"class_path": f"{kind.__module__}.{kind.__qualname__}"}
    return {**spec, "init_args": dict(arguments)} if arguments else spec


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, float, bool)

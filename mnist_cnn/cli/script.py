"""The command line of a script: the arguments of a typed function are its options, its docstring is their help."""

import argparse
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from mnist_cnn.cli.help import Formatter
from mnist_cnn.cli.parser import OneLineParser
from mnist_cnn.errors import explain
from mnist_cnn.start import fail


class _Formatter(argparse.RawDescriptionHelpFormatter, Formatter):
    """Leaves the lines of a description as they are."""


class ScriptParser(OneLineParser):
    """Reports a wrong option in one line, as the main program does."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Ends the program."""
        if missing := re.search(r'required: (\w+)|"(\w+)" is required', message):
            fail(f"--{missing[1] or missing[2]} is missing: give --{missing[1] or missing[2]}=VALUE")
        super().error(message, ex)

    def _meant(self, option: str) -> str:
        meant = super()._meant(option)
        return meant if "did you mean" in meant else " (--help lists the options)"


def run_script(
    function: Callable[..., None], args: Sequence[str] | None = None, interrupted: str = "interrupted"
) -> None:
    """Calls a function with what was typed; what a user can mend ends the program in one line.

    Args:
        function: Its arguments with type hints are the options. Words before the first option are those of its first
            argument. `*others: str` gets all that is no option of its own.
        args: The words that were typed. Default: the arguments of the process.
        interrupted: The message after Ctrl-C, which ends the program with status 130.
    """
    parser = ScriptParser(description=inspect.getmodule(function).__doc__, formatter_class=_Formatter)
    parser.add_function_arguments(function, as_group=False)
    own, others = _sorted_out(function, sys.argv[1:] if args is None else args)
    OneLineParser._words = own  # for messages
    options = parser.parse_args(own)
    try:
        given = parser.instantiate_classes(options).as_dict()
        function(*others, **{name: v.expanduser() if isinstance(v, Path) else v for name, v in given.items()})
    except KeyboardInterrupt:
        print(f"\n{interrupted}")
        raise SystemExit(130) from None
    except Exception as error:
        explain(error)
        raise


def _sorted_out(function: Callable[..., None], words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of a function, each as one word `--name=value`, and all other words as they are."""
    hints = {name: hint for name, hint in get_type_hints(function).items() if name != "return"}
    takes_others = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values())
    names = [name for name in hints if not (takes_others and name == next(iter(hints)))]
    groups: list[list[str]] = [[f"--{names[0]}"]]  # each an option and its values, as they were typed
    for word in words:
        if word.startswith("--") or word == "-h":
            groups.append([word])
        else:
            groups[-1].append(word)
    own, others = [], []
    for group in groups if len(groups[0]) > 1 else groups[1:]:
        option, equals, value = group[0].partition("=")
        name = option.removeprefix("--").replace("-", "_")
        if name in names:
            own.append(f"--{name}={_value(hints[name], [value] * bool(equals) + group[1:])}")
        elif takes_others and option not in ("-h", "--help"):
            others += group
        else:
            own += group
    return own, others


def _value(hint: Any, values: list[str]) -> str:
    """The values of an option in one word: several as a list, none as a yes."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    items = next((get_args(kind)[0] for kind in kinds if get_origin(kind) is list), None)
    if items and not "".join(values).startswith("["):
        return json.dumps(values) if items is str else f"[{','.join(values)}]"
    return " ".join(values) if values or bool not in kinds else "true"

"""The parser of the command line: names in full, and a wrong argument in one line that says what is right."""

import difflib
import numbers
import re
import sys
from enum import Enum
from typing import Any, NoReturn

import torch
import yaml
from jsonargparse import ArgumentParser
from jsonargparse.typing import register_type
from lightning.pytorch import callbacks, loggers, profilers
from lightning.pytorch.cli import LightningArgumentParser
from torch.optim import lr_scheduler
from torchvision.transforms import v2

from mnist_cnn.cli.help import NETWORKS, OPTIONS, Formatter, HelpAll, short_help
from mnist_cnn.cli.quick import CONFIGS, full_config_names
from mnist_cnn.hints import CLASS, in_words
from mnist_cnn.start import fail, program


def _number(value: Any) -> Any:
    """Of the type that torchvision's transforms have for degrees and the like."""
    return value if isinstance(value, numbers.Number) else float(value)


register_type(numbers.Number, serializer=lambda value: value, deserializer=_number)

REASON = (
    r"No module named '[^']*'|\w+ '[^']*' has no attribute '\w+'|Import path does not correspond to a \w+ of \w+"
    r"|Give the full class path to avoid ambiguity: [\w.]+(, [\w.]+){0,2}\b"
)
"""What is wrong with a class, in the words of jsonargparse."""

RENAMED = {
    "optimizer": "model.optimizer",
    "optimizer.lr": "model.learning_rate",
    "model.optimizer.lr": "model.learning_rate",
    "lr_scheduler": "model.schedule",
    "lr": "model.learning_rate",
    "model.lr": "model.learning_rate",
    "seed": "seed_everything",
    "epochs": "trainer.max_epochs",
    "trainer.epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "trainer.gpus": "trainer.devices",
    "trainer.resume_from_checkpoint": "ckpt_path",
}
"""Options of other command lines, and what they are called here."""

CLASSES = {
    "model.network": NETWORKS,
    "model.optimizer": ["adam", "adamw", "sgd", "muon", *torch.optim.__all__],
    "model.schedule": ["constant", "exponential", "one_cycle", "cosine", *lr_scheduler.__all__],
    "data.augment": ["RandomElastic", *(name for name in vars(v2) if name[0].isupper())],
    "trainer.callbacks": callbacks.__all__,
    "trainer.logger": loggers.__all__,
    "trainer.profiler": profilers.__all__,
}
"""Names that options take for a class."""
SHORT = {
    **{("--model.network", name): f"mnist_cnn.networks.{name}" for name in NETWORKS},
    **{("--model.schedule", name): f"torch.optim.lr_scheduler.{name}" for name in lr_scheduler.__all__},
}
"""Full names of classes, where another library has one of the same short name, too."""

# The defaults of some classes of Lightning, such as Timer.
yaml.SafeDumper.add_multi_representer(Enum, lambda dumper, value: dumper.represent_data(value.value))


class OneLineParser(LightningArgumentParser):
    """Reports a wrong argument in one line, without the usage of a hundred options."""

    _words: list[str] = []
    """What is parsed, also for the parsers that jsonargparse makes for the arguments of a class."""

    def __init__(self, *args: Any, verb: str = "", **options: Any) -> None:
        """Like its base class; the verb is empty for the parser that reads the verb."""
        super().__init__(*args, **{"formatter_class": Formatter, "allow_abbrev": False, **options})
        self.verb = verb
        if verb:
            self.add_argument("--help-all", action=HelpAll, help="Show all options, also those of Lightning, and exit.")

    def parse_args(self, args: Any = None, *others: Any, **options: Any) -> Any:
        """As usual, of words in full."""
        words = sys.argv[1:] if args is None else args
        if isinstance(words, list) and self._verbs():
            words = OneLineParser._words = in_full(words)
        return super().parse_args(words, *others, **options)

    def format_help(self, *args: Any) -> str:
        """The options of ours, and those of Lightning that are used most."""
        return short_help(self) if self.verb else super().format_help(*args)

    def dump(self, *args: Any, **options: Any) -> str:
        """As usual; of a value that jsonargparse cannot write though it is a word, such as a device, the word."""
        return re.sub(r"Unable to serialize instance (\w+)$", r"\1", super().dump(*args, **options), flags=re.MULTILINE)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Ends the program."""
        text = " ".join(message.split())
        if unknown := re.match(r"unrecognized arguments: (\S+)", text):
            fail(f"{text}{self._meant(unknown[1].partition('=')[0])}")
        if unknown := re.search(r"does not accept option '([\w.]+)'", text):
            fail(f"the config file has an option that is none, {unknown[1]}{self._meant('--' + unknown[1])}")
        if unknown := re.fullmatch(r"Option '(\w+)' is not accepted", text):
            fail(self._unknown_argument(unknown[1]))
        if wrong := re.match(r'(?:Parser key "|(?=--[\w.]+\.help:)--)([\w.]+)"?: (.*)', text):
            fail(self._wrong_value(wrong[1], wrong[2]))
        if missing := re.match("the following arguments are required: (.*)", text):
            classes = [word for word in self._words if re.fullmatch(r"--[\w.+]+=([\w.]+\.)?[A-Z]\w+", word)]
            classes = [word for word in classes if re.split(r"[=.]", word)[-1] not in NETWORKS]
            where = " or ".join(classes) or "in the config"
            fail(f"{where}: the class needs more arguments, {missing[1]} (add --OPTION.NAME=VALUE)")
        fail(text)

    def _options(self) -> dict[str, Any]:
        """All options of the verb that was given, by name."""
        verb = next((word for word in self._words if word in self._verbs()), "fit")
        return self._verbs()[verb]._option_string_actions if self._verbs() else self._option_string_actions

    def _verbs(self) -> dict[str, ArgumentParser]:
        return self._subcommands_action.choices if self._subcommands_action else {}

    def _meant(self, option: str) -> str:
        """The option that was meant, in words."""
        if option.endswith(".help"):
            return f" (`{program()} fit --help` explains the options)"
        options = [name for name in self._options() if name.startswith("--")]
        group, _, rest = option.lstrip("-").partition(".")
        renamed = RENAMED.get(option.lstrip("-")) or (f"{RENAMED[group]}.{rest}" if group in RENAMED else "")
        if f"--{renamed}" in options or (rest and f"--{RENAMED.get(group)}" in options):
            return f" (did you mean --{renamed}?)"
        if option in (preset.stem for preset in CONFIGS.glob("*.yaml")):
            return f" (did you mean --config {option}?)"
        close = self._of_same_end(option) or difflib.get_close_matches(option, options, n=1, cutoff=0.75)
        return f" (did you mean {close[0]}?)" if close else f" (`{program()} fit --help-all` lists the options)"

    def _of_same_end(self, option: str) -> list[str]:
        """The options that have the last part of this name."""
        end = option.lstrip("-").rpartition(".")[2]
        return [name for name in self._options() if name.startswith("--") and name.rpartition(".")[2] == end]

    def _unknown_argument(self, name: str) -> str:
        """Of a class, whose parser this is."""
        option = self._typed(name).partition("=")[0]
        if not option.startswith("--"):
            option = name
        known = [argument.lstrip("-") for argument in self._option_string_actions]
        close = difflib.get_close_matches(name, known, n=1)
        right = f"{option.removesuffix(name)}{close[0]}" if close else ""
        if option.lstrip("-") in RENAMED:
            right = f"--{RENAMED[option.lstrip('-')]}"
        what = "unrecognized arguments:" if option != name else "the config has an option that is none,"
        return f"{what} {option}{f' (did you mean {right}?)' if right else ''}"

    def _wrong_value(self, key: str, reason: str) -> str:
        """What an option takes, where it got something else."""
        option, _, given = self._typed(key).partition("=")
        key = key.removesuffix(".help")  # which lists the arguments of a class
        hint = getattr(self._options().get(f"--{key}"), "_typehint", None)
        pattern = r"Given value: (.*)|Got value: (.*)|'(.*)'|(\S+) does not conform"
        if not given and (value := re.search(pattern, reason)):
            given = next((part for part in value.groups() if part), "")
        option = f"{option}={given}" if given and len(given) < 60 else option
        if hint is None and "Unable to load config" in reason:
            return f"{option}: this takes a file of settings; one of them is --{key}.OPTION=VALUE"
        if hint is None:
            return f"{option}: {reason}"
        if nested := re.search(r"Given value: NestedArg\(key='(\w+)'", reason):
            whole = f"{key}.{nested[1]}"
            right = self._of_same_end(RENAMED.get(whole, whole))
            meant = f" (did you mean {right[0]}?)" if right else ""
            what = "a name" if key.startswith("model.") else "no class"
            return f"--{whole}: --{key} is {what} here, and only a class, --{key}=CLASS, has arguments{meant}"
        if CLASS in in_words(hint) or key in CLASSES:
            return f"{option}: {_class_words(key, hint, reason, given)}"
        return f"{option}: give {OPTIONS.get(key) or in_words(hint)}"

    def _typed(self, name: str) -> str:
        """The last word that gives an option of this name, or what it would be in a config file."""
        words = [word for word in self._words if re.match(rf"--([\w.]+\.)?{re.escape(name)}\+?(=|$)", word)]
        return words[-1] if words else f"in the config, {name}"


def _class_words(key: str, hint: Any, reason: str, given: str) -> str:
    """What is wrong with the name of a class, which was meant, and which there are."""
    why, name = re.search(REASON, reason), given.rpartition(".")[2]
    plain = {choice.lower(): choice for choice in reversed(CLASSES.get(key, ()))}
    close = next((plain[word] for word in difflib.get_close_matches(name.lower(), plain, n=1)), "")
    what = f"{why[0] if why else 'there is no such class'}{f', did you mean {close}?' if close else ''}"
    if close == name and not why:
        what = "its package is not installed"
    choices = OPTIONS.get(key) or in_words(hint)
    listed = f"`{program()} fit --help-all` lists the classes" if CLASS in choices else f"give {choices}"
    return f"{what} ({listed})"


def in_full(words: list[str]) -> list[str]:
    """Puts the full names in the place of the short ones: presets, networks, and where a logger writes."""
    full = []
    for word in full_config_names(words):
        option, _, name = word.partition("=")
        full.append(f"{option}={SHORT.get((option.removesuffix('.help'), name), name)}" if name else word)
        if option in ("--trainer.logger", "--trainer.logger+") and name.endswith(("CSVLogger", "TensorBoardLogger")):
            full.append("--trainer.logger.save_dir=.")  # without which there is none
    return full

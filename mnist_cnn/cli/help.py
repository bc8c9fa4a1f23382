"""The help of a verb: first what is ours and what is used most, and all of Lightning's options on request."""

import argparse
import re
import textwrap
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from mnist_cnn import networks
from mnist_cnn.hints import CLASS, either, in_words
from mnist_cnn.start import program

if TYPE_CHECKING:
    from mnist_cnn.cli.parser import OneLineParser

NETWORKS = [
    name
    for name in networks.__all__
    if isinstance(kind := getattr(networks, name), type) and issubclass(kind, networks.Network)
    if kind is not networks.Network
]
"""The names of the networks of this package."""

OPTIONS = {
    "model.network": f"{either(NETWORKS)} or the import path of your own torch.nn.Module",
    "data.augment": "RandomAffine, RandomElastic or one of torchvision's",
    "data.val_size": "a whole number from 0 to 59,999, of MNIST's 60,000 training images",
    "data.data_dir": "a folder",
    "data.pictures": "a path, or a list of paths",
    "predictions.output": "a file",
    "output": "a file",
}
"""Words for single options whose type alone does not say it."""

TRAINING = "optimizer learning_rate weight_decay momentum schedule gamma warmup label_smoothing weights remember"
USED_BY: dict[str, tuple[str, ...]] = {
    **{f"model.{name}": ("fit",) for name in TRAINING.split()},
    "data.augment": ("fit",),
    "data.labelled": ("fit", "validate", "test"),
    "data.mixed": ("fit",),
    "data.rendered": ("fit", "validate"),
    "data.pictures": ("predict",),
    "data.layout": ("predict",),
    "figures": ("fit", "validate", "test"),
    "checkpoint": ("fit",),
    "predictions": ("predict",),
    "mistakes": ("test",),
}
"""The verbs that use an option, or a group of options; all that is not here is used by all."""

GROUPS = {
    "model": "The network and its training:",
    "data": "The data:",
    "trainer": "Lightning's Trainer:",
    "figures": "Pictures in TensorBoard:",
    "checkpoint": "Checkpoints:",
    "predictions": "The result:",
    "mistakes": "Mistakes in labelled pictures:",
    "": "In general:",
}

COMMON = {
    "trainer.max_epochs": "How many epochs to train.",
    "trainer.accelerator": "`cpu`, `gpu` or `mps`; `auto` takes what there is.",
    "trainer.devices": "How many GPUs, or which: `2` or `[1]`.",
    "trainer.precision": "`32-true`, or on hardware that is faster with it `bf16-mixed` or `16-mixed`.",
    "trainer.fast_dev_run": "`true` runs one batch of everything and leaves nothing behind: does it run?",
    "trainer.limit_train_batches": "Train on this many batches of each epoch, such as `10`, or this share, `0.1`.",
    "trainer.default_root_dir": "The folder in which `lightning_logs` is made. Default: the current one.",
    "trainer.logger": "What is logged to: `false`, a class of Lightning's such as `CSVLogger`, or one more by "
    "`--trainer.logger+=CSVLogger`.",
    "checkpoint.every_n_train_steps": "Save `last.ckpt` after every so many steps, too. It is saved after each epoch.",
    "config": "A file of settings, or the name of a preset, which `mnist-cnn presets` lists. What is given after it "
    "on the command line wins.",
    "print_config": "Print all settings as a config file and exit.",
    "seed_everything": "The seed of all random numbers: the same seed gives the same bits.",
    "ckpt_path": "The checkpoint to start from: `best` or `last` of the newest run, a file, or `pretrained`, which "
    "comes with the package and which fit cannot go on from.",
    "help_all": "Show all options, also those of Lightning, and exit.",
}
"""Options of Lightning's that are used most, in our words."""


class HelpAll(argparse._HelpAction):
    """Prints the help with all options."""

    def __call__(self, parser: Any, *args: Any, **options: Any) -> None:
        """Prints it and ends the program."""
        print(ArgumentParser.format_help(parser))
        parser.exit()


class Formatter(DefaultHelpFormatter):
    """Lists as networks ours, and not all modules of torch."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = super()._get_help_string(action)
        known = {"model.network": ", ".join(NETWORKS), "data.augment": "RandomAffine, RandomElastic, torchvision's"}
        if action.dest in known:
            text = re.sub(
                r"known subclasses: .*\)", f"known classes: {known[action.dest]}, and your own)", text, flags=re.DOTALL
            )
        return text


def short_help(parser: "OneLineParser") -> str:
    """What a verb does, and its options that are ours or used most."""
    lines = [f"usage: {program()} {parser.verb} [--option=value ...]", "", str(parser.description)]
    for group, title in GROUPS.items():
        options = [line for action in _shown(parser, group) for line in _option(action, parser)]
        if options:
            lines += ["", title, *options]
    return "\n".join(lines) + "\n"


def is_used(option: str, verb: str) -> bool:
    """Whether a verb uses an option, such as `data.layout`."""
    return verb in (users(option) or (verb,))


def users(option: str) -> tuple[str, ...]:
    """The verbs that use an option; empty where all do."""
    group, name = option.split(".")[0], ".".join(option.split(".")[:2])
    return USED_BY.get(name, USED_BY.get(group, ()))


def _shown(parser: "OneLineParser", group: str) -> list[argparse.Action]:
    ours, of_export = ("model", "data", "figures", "predictions"), ("format", "output")
    return [
        action
        for action in parser._actions
        if action.dest.rpartition(".")[0] == group
        and action.option_strings
        and is_used(action.dest, parser.verb)
        and (parser.verb == "fit" or action.dest not in ("trainer.max_epochs", "trainer.limit_train_batches"))
        and (action.dest in COMMON or group in ours or action.dest in of_export)
    ]


def _option(action: argparse.Action, parser: "OneLineParser") -> list[str]:
    """The lines of one option: what it takes, its default, and what it does."""
    hint, default = getattr(action, "_typehint", None), parser.get_defaults().get(action.dest)
    takes = OPTIONS.get(action.dest) or (in_words(hint) if hint is not None else "")
    if action.dest == "model.network":
        takes += f"; --{action.dest}.help=CLASS lists its arguments"
    elif takes.startswith(CLASS) or action.dest in COMMON:
        takes = ""
    name = max((option for option in action.option_strings if option[-1] != "+"), key=len)
    body = COMMON.get(action.dest) or " ".join(str(action.help).split())
    head = f"  {name}" + (f": {takes}" if takes else "")
    if default is not None and not hasattr(default, "class_path") and "Default: " not in body:
        head += f" (default: {str(default).lower() if isinstance(default, bool) else default})"
    return [
        *textwrap.wrap(head, 80, initial_indent="", subsequent_indent="        ", break_on_hyphens=False),
        *textwrap.wrap(body, 80, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False),
    ]

"""The parser of the command line: short names of networks, and a wrong argument in one line."""

import re
import sys
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from mnist_cnn import networks
from mnist_cnn.errors import fail

VERBS = {
    "fit": "Trains a network and keeps its best and its last checkpoint.",
    "validate": "Scores a checkpoint on the validation split of its run.",
    "test": "Scores a checkpoint on the official test set.",
    "predict": "Writes the predictions of a checkpoint for pictures, or for the test set, to a CSV file.",
    "export": "Writes the network of a checkpoint to one file that runs without this package.",
}


class OneLineParser(LightningArgumentParser):
    """Reports a wrong argument in one line, without the usage of a hundred options."""

    def parse_args(self, args: Any = None, *others: Any, **options: Any) -> Any:
        """As usual; a network's short name means one of `mnist_cnn.networks`, though torchvision has an MLP, too."""
        words = sys.argv[1:] if args is None else args
        return super().parse_args([_with_full_name(word) for word in words], *others, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Ends the program."""
        text = " ".join(message.split())
        # Of a type with alternatives, the first one's complaint is the one about what the user typed.
        if alternatives := re.search(r"Errors: - (.*?) (?:- Expected a <class 'NoneType'>|Given value)", text):
            text = f"{text.partition(': ')[0]}: {alternatives[1]}"
        text = re.sub(r'Parser key "([\w.]+)"', r"--\1", text).replace("a typing.Literal", "one of ")
        text = re.sub(r"^--(?!(?:config|seed_everything|ckpt_path|format|output):)(\w+):", r"--model.network.\1:", text)
        if text.startswith("--data.augment:"):
            text += " (give RandomAffine, or leave it out)"
        if text.startswith("--model.network:"):
            text += " (give a class of mnist_cnn.networks, or the import path of your own torch.nn.Module)"
        fail(text)


def _with_full_name(word: str) -> str:
    option, _, name = word.partition("=")
    ours = option in ("--model.network", "--model.network.class_path") and name in vars(networks)
    return f"{option}={networks.__name__}.{name}" if ours else word

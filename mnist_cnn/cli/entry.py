"""`main` and `run`: the command line for people and for callers in Python."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningCLI

from mnist_cnn.callbacks.safety import Diverged
from mnist_cnn.callbacks.signals import Interrupted
from mnist_cnn.cli import task
from mnist_cnn.cli.base import STOP_SIGNALS
from mnist_cnn.cli.digit_cli import DigitCLI
from mnist_cnn.cli.parser import OneLineParser, in_full
from mnist_cnn.cli.quick import VERBS, answer
from mnist_cnn.cli.settings import RunConfig
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.errors import SettingsError, end, explain
from mnist_cnn.export import DigitTrainer
from mnist_cnn.hardware import keep_freed_memory, remember_that_there_is_no_gpu
from mnist_cnn.tasks.classifier import DigitClassifier

NOISE = [
    r".*does not have many workers",  # workers only slow down data that are in memory
    r".*`isinstance\(treespec, LeafSpec\)",  # inside Lightning
    r"Total length of `list` across ranks is zero",  # nothing is validated where val_size is 0
    r"Checkpoint directory .* exists and is not empty",  # a resumed run goes on in its folder
    r"The number of training batches .* is smaller than the logging interval",  # metrics are logged per epoch
    r"`torch.jit.trace(_method)?` is deprecated",  # how TensorBoard draws the graph
    r"It is recommended to use `self.log\(.*sync_dist=True",  # torchmetrics has synchronized what is logged
    r"LightningCLI's args parameter is intended",  # scripts that call `run` mean what they say
    r"Couldn't infer the batch indices",  # predictions are written in order, after the last batch
    r"Encountered `nan` values in tensor",  # of a run that diverged, which ends with a message of its own
    r"Be aware that when using `ckpt_path`, callbacks used",  # of fit with labelled pictures, which other verbs lack
    r"You are trying to `self.log",  # with --trainer.barebones=true, which says so itself
    r"Experiment logs directory",  # the folder of a run, which has the files of TensorBoard, too
    r"\s*Unable to serialize instance \w+\s*$",  # of a word, which is written all the same
    r"You're resuming from a checkpoint that ended before the epoch ended",  # our loaders go on where it stood
]
"""Warnings of libraries that a user of this command line can do nothing about, by message."""

CHATTER = (
    "Tip:",
    "to estimate number of stepping batches",
    "TPU available",
    "HPU available",
    "Loaded model weights",
    "Restor",
    "Received SIGTERM",
)
"""Lightning's lines of information that say nothing new, by a part of the message."""


def main(args: ArgsType = None) -> None:
    """Runs the command line with a list of strings or a dictionary. Default: the arguments of the process.

    What a user can mend ends it with one line on stderr and exit status 2; training that diverged with 3, Ctrl-C with
    130 and SIGTERM with 143.
    """
    words = sys.argv[1:] if args is None else args
    if isinstance(words, list):
        answer(words)
    try:
        with STOP_SIGNALS:
            run(args)
        if STOP_SIGNALS.received:  # in the last epoch, when it was too late
            raise SystemExit(128 + STOP_SIGNALS.received)
    except Interrupted as stop:
        trains = "fit" in words  # also a dictionary's
        kept = "no checkpoint was harmed, a training run goes on with --ckpt_path=last"
        text = str(stop) or f"interrupted: {kept if trains else 'no result was written'}"
        end(text, 128 + stop.number)
    except Diverged as error:
        end(f"error: {error}", 3)
    except BrokenPipeError:  # for `until_nobody_reads`
        raise
    except Exception as error:
        explain(error, args)
        raise


def run(args: ArgsType = None, cli_class: type[LightningCLI] = DigitCLI) -> Any:
    """Runs the command line as `main` does, for callers in Python: errors are raised, trainer and model stay at hand.

    `cli_class` may be a subclass of `DigitCLI` with hooks of your own.
    """
    keep_freed_memory()
    remember_that_there_is_no_gpu()
    if str(Path.cwd()) not in sys.path:  # where a user's own network may lie, as for `python -m`
        sys.path.append(str(Path.cwd()))
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    for name in ("utilities.rank_zero", "accelerators.cuda", "trainer.connectors.signal_connector"):
        logging.getLogger(f"lightning.pytorch.{name}").addFilter(_is_news)
    words = sys.argv[1:] if args is None else args
    kinds: tuple[type[LightningModule], type[LightningDataModule]] = (DigitClassifier, DigitDataModule)
    chosen = task.chosen(in_full(words)) if isinstance(words, list) else ""
    if chosen == task.DETECTOR:  # whose modules the classifier does not wait for
        from mnist_cnn.cli.scene_cli import DetectorCLI
        from mnist_cnn.data.scenes import SceneDataModule
        from mnist_cnn.tasks.detector import DigitDetector

        cli_class, kinds = DetectorCLI, (DigitDetector, SceneDataModule)
    elif chosen == task.RECOGNIZER:
        from mnist_cnn.cli.scene_cli import RecognizerCLI
        from mnist_cnn.data.rows import RowDataModule
        from mnist_cnn.tasks.recognizer import RowRecognizer

        cli_class, kinds = RecognizerCLI, (RowRecognizer, RowDataModule)
    named = next((word for word in words if word in VERBS), None) if isinstance(words, list) else None
    verbs = [named] if named else [*VERBS]  # a parser takes a tenth of a second
    known = {verb: arguments for verb, arguments in cli_class.subcommands().items() if verb in verbs}
    if not known:
        raise SettingsError(f"{named} is not for --task={chosen}: give {', '.join(cli_class.subcommands())}")
    return type(cli_class.__name__, (cli_class,), {"subcommands": staticmethod(lambda: known)})(
        *kinds,
        save_config_callback=RunConfig,
        save_config_kwargs={"overwrite": True},
        trainer_class=DigitTrainer,
        seed_everything_default=0,
        parser_class=OneLineParser,
        parser_kwargs={verb: {"description": VERBS[verb], "verb": verb} for verb in verbs},
        auto_configure_optimizers=False,
        args=args,
    )


def _is_news(record: logging.LogRecord) -> bool:
    return not any(part in record.getMessage() for part in CHATTER)

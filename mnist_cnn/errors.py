"""Errors that a user can mend, of all packages and libraries: one line on stderr says how."""

import os
import re
import sys
import sysconfig
import traceback
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lightning.pytorch.cli import ArgsType
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.data.files import DataError
from mnist_cnn.export import ExportError
from mnist_cnn.hints import WORDS
from mnist_cnn.networks import HeadError
from mnist_cnn.reading.pictures import PictureError
from mnist_cnn.start import fail
from mnist_cnn.tasks.classifier import NetworkError


class SettingsError(ValueError):
    """Arguments that nothing can be built from; the message is one line."""


OURS = (
    MisconfigurationException,
    DataError,
    PictureError,
    CheckpointError,
    ExportError,
    SettingsError,
    NetworkError,
    HeadError,
)
"""Errors whose message is that line already."""

OF_MODELS = ("--model.network", "--model.optimizer", "--model.schedule", "--data.augment")
KINDS = (*OF_MODELS, "--trainer.", "--checkpoint.", "--figures.", "--config")
"""Options that may be to blame for an error in a library."""


SCENES = str(Path(__file__).parent / "scenes")
"""The folder of what composes scenes."""


def end(text: str, status: int) -> NoReturn:
    """Ends all processes of a run for a reason that all have agreed on: the first one tells it."""
    if getattr(rank_zero_only, "rank", 0):
        raise SystemExit(0)  # Lightning would kill the first one, were it anything else
    print(" ".join(text.split()), file=sys.stderr)
    raise SystemExit(status)


def explain(error: Exception, args: ArgsType = None) -> None:
    """Ends the program with one line and exit status 2, if a user can mend what went wrong; else returns.

    One of the arguments of the command line may be to blame. Default: those of the process.
    """
    if isinstance(error, OURS):
        fail(_plain(error))
    if isinstance(error, OSError):
        fail(f"cannot read or write {os.fsdecode(error.filename or 'a file')}: {error.strerror or error}")
    if isinstance(error, RuntimeError | MemoryError):
        text = str(error)
        if text.startswith("Error(s) in loading state_dict"):
            fail(
                "the checkpoint's weights do not fit its network: it is damaged, or --model.network or --task names "
                "another one"
            )
        if is_out_of_memory(error):
            fail("there is not enough memory for a batch: give a smaller --data.batch_size or a smaller network")
        if "Connection closed by peer" in text or "Connection reset by peer" in text:
            fail("another process of this run has ended: see its message, then go on with --ckpt_path=last")
    _blame_settings(error, args)


def _blame_settings(error: Exception, args: ArgsType) -> None:
    """Ends the program with one line where an error comes from a library, and a setting may be what it did not expect.

    An error that went through code of the user keeps its traceback, as does one in scenes, which no setting changes.
    """
    if isinstance(error, ModuleNotFoundError) and "pip install" in str(error):
        fail(error)
    if SCENES in str(error):  # from a worker, whose traceback is its message
        return
    files = [frame.f_code.co_filename for frame in _frames(error)]
    homes = (str(Path(__file__).parent), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["stdlib"], "<")
    users = [file for file in files if not file.startswith(homes) and not file.endswith("train.py")]
    if users or not files[-1].startswith(homes[1:]) or any(SCENES in file for file in files):
        return
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if named := to_blame(error, args):
        fail(f"{named}: {text}")
    if options := [word for word in _given(args) if word.startswith(KINDS)]:
        fail(f"{text}: is one of these settings wrong? {' '.join(options)}")


def to_blame(error: BaseException, args: ArgsType) -> str:
    """The options that name the class in whose methods an error arose, and its arguments; empty where none does."""
    words = _given(args)
    for frame in reversed(_frames(error)):
        if frame.f_code.co_name.endswith("_step"):  # further out is what called for a batch
            break
        kinds = {kind.__name__ for kind in type(frame.f_locals.get("self")).__mro__}
        for word in words:
            option, _, value = word.partition("=")
            if value.rpartition(".")[2] in kinds:
                return " ".join(other for other in words if other == word or other.startswith(f"{option.rstrip('+')}."))
    return ""


def _frames(error: BaseException | None) -> list[FrameType]:
    """What an error and its causes went through, the innermost last."""
    frames = []
    while error:
        frames += [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        error = error.__cause__
    return frames


def _given(args: ArgsType) -> list[str]:
    """The words of the command line, where it has any."""
    words = sys.argv if args is None else args
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or torch says that memory is used up."""
    text = str(error)
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def first_complaint(error: BaseException, args: ArgsType = None) -> str:
    """The message of an error about what cannot be built; of one about alternatives, what was wrong with the first."""
    text = " ".join(str(error).split())
    alternative = re.search(r"Union subtypes .*?Errors: - (.*?)(?: - (?:Expected a|Not a valid)| Given value)", text)
    named = f"{named}: " if (named := to_blame(error, args)) else ""
    return f"{named}cannot be built from these settings: {alternative[1] if alternative else text}"


def _plain(error: BaseException) -> str:
    """The message of an error, with what to type where the library does not say it."""
    text = str(error)
    if duration := re.match(r"`Timer\(duration='(.*)'\)` is not a valid", text):
        return f"{duration[1]!r} is no duration: give {WORDS[timedelta]}"
    if "`CPUAccelerator` should be an int > 0" in text:
        return "no GPU was found on this machine, and --trainer.devices counts processes on a CPU: leave it out"
    if "gpu backend" in text or "CUDAAccelerator" in text or "MPSAccelerator" in text:
        return "no GPU was found on this machine: give --trainer.accelerator=cpu"
    return text

"""Settings: the defaults of this project, and what follows from what the user gave."""

import sys
import warnings
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor, ProgressBar
from lightning.pytorch.cli import ArgsType
from lightning.pytorch.profilers import PassThroughProfiler

from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.callbacks.learning import SCORE
from mnist_cnn.callbacks.progress import NoProfiler, Speed, progress_bar
from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.cli.closing import say
from mnist_cnn.data.files import DataError
from mnist_cnn.errors import SettingsError
from mnist_cnn.hardware import has_bfloat16

DEFAULTS = {
    "trainer.max_epochs": 10,
    "trainer.num_sanity_val_steps": 0,
    "trainer.enable_model_summary": False,  # one line says it
    "trainer.logger": {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": ".", "default_hp_metric": False, "log_graph": True},
    },
    "model.network": {"class_path": "mnist_cnn.networks.TutorialCNN"},
    "checkpoint.monitor": "accuracy/val",
    "checkpoint.mode": "max",
    "checkpoint.filename": "best",
    "checkpoint.save_last": True,
    "checkpoint.save_on_train_epoch_end": True,
    "checkpoint.enable_version_counter": False,
}


def complete(verb: str, config: Namespace, checkpoint: Path | None) -> None:
    """Sets what follows from other settings, and refuses what does not go together."""
    seed = config["seed_everything"]
    if not isinstance(seed, bool) and not 0 <= seed < 2**32:
        raise SettingsError(f"--seed_everything={seed} is out of range: give a number from 0 to 4294967295")
    if config["trainer"]["overfit_batches"]:
        raise SettingsError("--trainer.overfit_batches would split our batches: use --trainer.limit_train_batches")
    config["ckpt_path"] = str(checkpoint) if checkpoint else None
    if verb != "export":  # which never does
        config["weights_only"] = config["weights_only"] is not False  # a checkpoint runs no code unless told to
    if verb in ("validate", "test"):
        config["verbose"] = False  # the report says it better
    if verb != "fit":
        warnings.filterwarnings("ignore", message="The dirpath has changed")  # no checkpoint is written
    if config["trainer"]["fast_dev_run"]:
        config["checkpoint"]["save_last"] = False  # Lightning would write it all the same
    logger = config["trainer"]["logger"]
    if isinstance(logger, Namespace) and logger["init_args"].get("save_dir") == ".":
        logger["init_args"]["save_dir"] = config["trainer"].get("default_root_dir") or "."
    if verb in ("predict", "export"):
        config["trainer"]["logger"] = False
    if config["data"]["labelled"] is not None and config["checkpoint"]["monitor"] == DEFAULTS["checkpoint.monitor"]:
        config["checkpoint"]["monitor"] = SCORE
    if config["data"]["val_size"] == 0 or config["trainer"].get("limit_val_batches") == 0:
        if verb == "validate":
            raise DataError("nothing to validate with --data.val_size=0: give a larger one, or use test")
        if config["checkpoint"]["monitor"] in (DEFAULTS["checkpoint.monitor"], SCORE):
            config["checkpoint"]["monitor"] = None  # best is then the last epoch


def check_optimizer(config: Namespace, saved: dict[str, Any]) -> None:
    """Refuses to go on with another optimizer than that of the checkpoint, whose defaults are given."""
    if config["model"]["optimizer"] != saved.get("model.optimizer"):
        raise CheckpointError("a run goes on with the optimizer that it began with: leave out --model.optimizer")


def fall_back(trainer: Namespace, args: ArgsType) -> None:
    """Takes float32 where a preset's bfloat16 would be emulated; what is on the command line itself wins."""
    words = sys.argv[1:] if args is None else args
    words = words if isinstance(words, list) else ["--trainer.precision"]  # a dictionary is all the user's
    asked = any(word.startswith(("--trainer.precision", "--trainer=")) for word in words)
    if trainer["precision"] != "bf16-mixed" or asked or has_bfloat16(str(trainer["accelerator"])):
        return
    trainer["precision"] = "32-true"
    say("precision: 32-true, for want of bfloat16 instructions; --trainer.precision=bf16-mixed takes it all the same")


def callbacks(trainer: Namespace) -> list[Callback]:
    """The callbacks of the user, and those that depend on where the output goes."""
    own = trainer["callbacks"] or []
    chosen = [*own] if isinstance(own, list) else [own]
    if trainer["enable_progress_bar"] is not False and not any(isinstance(c, ProgressBar) for c in chosen):
        chosen.append(progress_bar())
    return [*chosen, LearningRateMonitor(), Speed()] if trainer["logger"] else chosen


def equip(trainer: Trainer) -> None:
    """Gives a trainer checkpoints that are written whole, and takes profiling away where none was asked for."""
    if type(trainer.strategy._checkpoint_io) in (type(None), TorchCheckpointIO):  # not one of a strategy's own
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()
    if type(vars(trainer)["profiler"]) is PassThroughProfiler:
        vars(trainer)["profiler"] = NoProfiler()

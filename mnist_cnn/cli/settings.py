"""Settings: the defaults of this project, and what follows from what the user gave."""

import re
import sys
import warnings
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.profilers import PassThroughProfiler

from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.callbacks.learning import SCORE
from mnist_cnn.callbacks.progress import NoProfiler, Speed, progress_bar
from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.cli.closing import say
from mnist_cnn.cli.help import GROUPS, is_used, users
from mnist_cnn.cli.runs import Start
from mnist_cnn.data.files import DataError
from mnist_cnn.errors import SettingsError
from mnist_cnn.hardware import has_bfloat16
from mnist_cnn.hints import either

F_SCORE = "f_score/val"
"""What the best epoch of the detector is chosen by."""

DEFAULT_NETWORK = ("mnist_cnn.networks.TutorialCNN", "mnist_cnn.TutorialCNN")
"""The two import paths of the default."""

DEFAULTS = {
    "trainer.max_epochs": 10,
    "trainer.num_sanity_val_steps": 0,
    "trainer.enable_model_summary": False,  # one line says it
    "trainer.logger": {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": ".", "default_hp_metric": False, "log_graph": True},
    },
    "model.network": {"class_path": DEFAULT_NETWORK[0]},
    "checkpoint.monitor": "accuracy/val",
    "checkpoint.mode": "max",
    "checkpoint.filename": "best",
    "checkpoint.save_last": True,
    "checkpoint.save_on_train_epoch_end": True,
    "checkpoint.enable_version_counter": False,
}

LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "gradient_clip_val": 0,
    "log_every_n_steps": 0,
    "num_sanity_val_steps": -1,
}
"""Of numbers that Lightning's Trainer takes without a look."""


def complete(verb: str, config: Namespace, start: Start) -> None:
    """Sets what follows from other settings, and refuses what does not go together."""
    if str(config["trainer"]["strategy"]).endswith(("spawn", "fork", "notebook")):
        raise SettingsError(
            f"--trainer.strategy={config['trainer']['strategy']} is for notebooks: give --trainer.strategy=ddp, which "
            f"starts as many processes"
        )
    if config["trainer"]["profiler"] == "xla":
        raise SettingsError("--trainer.profiler=xla is for TPUs: give simple, advanced or pytorch")
    config["ckpt_path"] = str(start.checkpoint) if start.checkpoint else None
    if start.checkpoint and verb == "fit" and not config.get("task"):
        _check_optimizer(config, start.defaults)
    if verb in ("validate", "test") and not config.get("task"):
        config["verbose"] = False  # the report says it better
    if verb != "export":  # which never does
        config["weights_only"] = config["weights_only"] is not False  # a checkpoint runs no code unless told to
    if verb != "fit":
        warnings.filterwarnings("ignore", message="The dirpath has changed")  # no checkpoint is written
    kept = config["checkpoint"]
    if config["trainer"]["fast_dev_run"]:
        kept["save_last"] = False  # Lightning would write it all the same
    if kept["save_top_k"] not in (0, 1) and kept["filename"] and "{" not in kept["filename"]:
        kept["filename"] += "-{epoch}"  # or each would take the place of the one before
    if config["trainer"]["barebones"]:
        for name in ("logger", "enable_progress_bar", "enable_checkpointing"):
            config["trainer"][name] = False
    if verb in ("predict", "export"):
        config["trainer"]["logger"] = False
    place_loggers(config["trainer"], start.run, draw=verb == "fit" and not config.get("task"))
    _choose_monitor(verb, config)


def _choose_monitor(verb: str, config: Namespace) -> None:
    """What the best epoch is chosen by; without validation it is the last one."""
    data, checkpoint = config["data"], config["checkpoint"]
    if data.get("labelled") is not None and checkpoint["monitor"] == DEFAULTS["checkpoint.monitor"]:
        checkpoint["monitor"] = SCORE
    sizes = {f"data.{name}": data.get(name) for name in ("val_size", "val_scenes")}
    sizes["trainer.limit_val_batches"] = config["trainer"].get("limit_val_batches")
    nothing = next((option for option, size in sizes.items() if size == 0), None)
    if nothing and verb == "validate":
        raise DataError(f"nothing to validate with --{nothing}=0: give a larger one, or use test")
    if config["trainer"].get(f"limit_{verb}_batches") == 0:
        raise DataError(f"nothing to {verb} with --trainer.limit_{verb}_batches=0: leave it out")
    if verb == "test" and data.get("val_scenes") == 0:
        raise DataError("nothing to test with --data.val_scenes=0: give a larger one")
    if nothing and checkpoint["monitor"] in (DEFAULTS["checkpoint.monitor"], SCORE, F_SCORE):
        checkpoint["monitor"] = None


def check_values(config: Namespace) -> None:
    """Refuses a value in the place of a group of options, as a config file may have it, and numbers without sense."""
    for group in GROUPS:
        if group in config and not isinstance(config[group], Namespace):
            raise SettingsError(f"in the config, {group} is {config[group]!r}: give its options, one a line")
    seed = config["seed_everything"]
    if seed is None or not 0 <= seed < 2**32:
        raise SettingsError(f"--seed_everything={seed} is out of range: give a number from 0 to 4294967295")
    for name, least in LEAST.items():
        value = config["trainer"].get(name)
        if value is not None and value < least:
            raise SettingsError(f"--trainer.{name}={value}: give a number from {least} on")
    if config["trainer"]["val_check_interval"] == 0:
        raise SettingsError("--trainer.val_check_interval=0: give a number above 0")


def refuse_unused(verb: str, config: Namespace, args: ArgsType) -> None:
    """Refuses options on the command line that a verb does not use, and says which one does."""
    words: Any = sys.argv[1:] if args is None else args
    given = [word[2:].partition("=")[0].rstrip("+") for word in words if str(word).startswith("--")]
    if config["data"].get("pictures") is not None:  # also in a config file, where it would change what is read
        given.append("data.pictures")
    for option in given:
        if not is_used(option, verb):
            raise SettingsError(f"{verb} does not use --{option}, only {either(list(users(option)))}: leave it out")


def place_loggers(trainer: Namespace, run: Path | None, draw: bool) -> None:
    """Says where loggers write: in the `run` that goes on, else in `default_root_dir` unless told otherwise.

    TensorBoard gets a graph of the network only if that is to be drawn.
    """
    if trainer["logger"] is True:
        kind: dict[str, Any] = DEFAULTS["trainer.logger"]  # type: ignore[assignment]
        trainer["logger"] = Namespace(class_path=kind["class_path"], init_args=Namespace(kind["init_args"]))
    for logger in loggers(trainer):
        place = logger.get("init_args") or Namespace()
        kind_name = str(logger["class_path"]).rpartition(".")[2]
        if kind_name not in ("TensorBoardLogger", "CSVLogger"):
            continue
        if place.get("save_dir") == ".":
            place["save_dir"] = str(trainer.get("default_root_dir") or ".")
        if run and place.get("version") is None:
            place["save_dir"], place["name"], place["version"] = str(run.parent.parent), run.parent.name, run.name
        if kind_name == "TensorBoardLogger":
            is_other = re.fullmatch(r"64|(64|16|bf16)-true", str(trainer["precision"]))
            place["log_graph"] = bool(place.get("log_graph")) and draw and not is_other  # it is traced in float32


def loggers(trainer: Namespace) -> list[Namespace]:
    """The settings of each logger."""
    given = trainer["logger"]
    return [logger for logger in (given if isinstance(given, list) else [given]) if isinstance(logger, Namespace)]


class RunConfig(SaveConfigCallback):
    """Saves the settings of a run so that they can be used again for another one."""

    def __init__(self, parser: LightningArgumentParser, config: Namespace, **options: Any) -> None:
        config = config.clone()
        config.pop("ckpt_path")
        for logger in loggers(config["trainer"]):
            if "version" in (logger.get("init_args") or {}):
                logger["init_args"]["version"] = None
        super().__init__(parser, config, **options)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Saves nothing yet: a run that is refused to go on keeps the settings that it has."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves them in the folder of the run, where there is one, when training begins."""
        if isinstance(trainer.logger, TensorBoardLogger | CSVLogger):
            super().setup(trainer, pl_module, "fit")


def _check_optimizer(config: Namespace, saved: dict[str, Any]) -> None:
    """Refuses to go on with another optimizer than that of the checkpoint, whose defaults are given."""

    def name(choice: Any) -> Any:
        return choice if isinstance(choice, str | None) else choice["class_path"].rpartition(".")[2]

    if name(config["model"]["optimizer"]) != name(saved.get("model.optimizer")):
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
    return [*chosen, Speed()]


def equip(trainer: Trainer) -> None:
    """Gives a trainer checkpoints that are written whole, and takes profiling away where none was asked for."""
    if type(trainer.strategy._checkpoint_io) in (type(None), TorchCheckpointIO):  # not one of a strategy's own
        trainer.strategy.checkpoint_io = AtomicCheckpointIO()
    overfit = vars(trainer)["overfit_batches"]
    if isinstance(overfit, float) and overfit:
        trainer.limit_val_batches = 1.0  # Lightning would take that share of the validation split, often no batch
    if type(vars(trainer)["profiler"]) is PassThroughProfiler:
        vars(trainer)["profiler"] = NoProfiler()

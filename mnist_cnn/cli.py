"""The command line: Lightning's CLI with this project's defaults, checkpoints by name and errors of one line."""

import contextlib
import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, ProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mnist_cnn import networks
from mnist_cnn.callbacks.figures import TensorBoardFigures
from mnist_cnn.callbacks.progress import NoProfiler, Speed, progress_bar
from mnist_cnn.callbacks.results import PredictionWriter, TestReport, verdict
from mnist_cnn.callbacks.safety import BestAndLast, Diverged, Guard, Interrupted, StopSignals
from mnist_cnn.checkpoints import (
    AtomicCheckpointIO,
    CheckpointError,
    checkpoint_arguments,
    find_checkpoint,
    locked,
    newest_run,
)
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.data.files import DataError
from mnist_cnn.errors import SettingsError, end, explain, fail, first_complaint, is_out_of_memory, program
from mnist_cnn.export import DigitTrainer
from mnist_cnn.gelu_max_pool import can_be_compiled, compiled
from mnist_cnn.hardware import has_bfloat16, keep_freed_memory, remember_that_there_is_no_gpu
from mnist_cnn.module import DigitClassifier

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
    r"You're resuming from a checkpoint that ended before the epoch ended",  # our loaders go on where it stood
]
"""Warnings of libraries that a user of this command line can do nothing about, by message."""

say = rank_zero_only(print)
"""Prints, once however many processes there are."""

CHATTER = (
    "Tip:",
    "to estimate number of stepping batches",
    "TPU available",
    "HPU available",
    "Loaded model weights",
    "Restor",
)
"""Lightning's lines of information that say nothing new, by a part of the message."""

VERBS = {
    "fit": "Trains a network and keeps its best and its last checkpoint.",
    "validate": "Scores a checkpoint on the validation split of its run.",
    "test": "Scores a checkpoint on the official test set.",
    "predict": "Writes the predictions of a checkpoint for pictures, or for the test set, to a CSV file.",
    "export": "Writes the network of a checkpoint to one file that runs without this package.",
}

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


STOP_SIGNALS = StopSignals()
"""What `main` and the training loop know of Ctrl-C and SIGTERM."""


def main(args: ArgsType = None) -> None:
    """Runs the command line; what a user can mend ends it with one line on stderr and exit status 2.

    Training that diverged ends with exit status 3, Ctrl-C with 130 and SIGTERM with 143.

    Args:
        args: The arguments, as a list of strings or a dictionary. Default: those of the process.
    """
    try:
        with STOP_SIGNALS:
            run(args)
        if STOP_SIGNALS.received:  # in the last epoch, when it was too late
            raise SystemExit(128 + STOP_SIGNALS.received)
    except Interrupted as stop:
        text = str(stop) or "interrupted: no checkpoint was harmed, a training run goes on with --ckpt_path=last"
        end(text, 128 + stop.number)
    except Diverged as error:
        end(f"error: {error}", 3)
    except Exception as error:
        explain(error, args)
        raise


def run(args: ArgsType = None, cli_class: "type[DigitCLI] | None" = None) -> "DigitCLI":
    """Runs the command line for callers in Python: errors are raised, and trainer and model stay at hand.

    Args:
        args: As in `main`.
        cli_class: A subclass of `DigitCLI` with hooks of your own. Default: `DigitCLI`.
    """
    keep_freed_memory()
    remember_that_there_is_no_gpu()
    if str(Path.cwd()) not in sys.path:  # where a user's own network may lie, as for `python -m`
        sys.path.append(str(Path.cwd()))
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).addFilter(_is_news)
    usage = "%(prog)s [--option=value ...]"
    return (cli_class or DigitCLI)(
        DigitClassifier,
        DigitDataModule,
        save_config_kwargs={"overwrite": True},
        trainer_class=DigitTrainer,
        seed_everything_default=0,
        parser_class=OneLineParser,
        parser_kwargs={verb: {"description": text, "usage": usage} for verb, text in VERBS.items()},
        auto_configure_optimizers=False,
        args=args,
    )


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


class DigitCLI(LightningCLI):
    """LightningCLI for `DigitClassifier` and `DigitDataModule`."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's verbs and `export`, each with the arguments that are no options."""
        return {**LightningCLI.subcommands(), "export": {"model", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks that can be configured."""
        parser.add_lightning_class_args(BestAndLast, "checkpoint")
        parser.add_lightning_class_args(TensorBoardFigures, "figures")
        parser.add_lightning_class_args(PredictionWriter, "predictions")
        parser.set_defaults(DEFAULTS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the arguments, then once more with what the checkpoint brings as defaults."""
        try:
            super().parse_arguments(parser, args)
        except (TypeError, ValueError) as error:  # of config files that are no YAML or of another structure
            raise SettingsError(f"the arguments or the config file cannot be understood: {error}") from error
        verb, config = self._verb_config()
        path = config.get("ckpt_path")
        if path is None and verb != "fit":
            raise CheckpointError(
                f"{verb} needs trained weights: add --ckpt_path=pretrained (comes with the package), --ckpt_path=best "
                f"(of the newest run), --ckpt_path=last or --ckpt_path=FILE"
            )
        found = None if path is None else find_checkpoint(str(path), _logs(config), resume=verb == "fit")
        if found:
            named = config["model"]["network"]["class_path"]
            defaults = checkpoint_arguments(found, resume=verb == "fit", trusted=named)
            own = (found.parent.parent / "config.yaml").exists()
            if own and verb != "validate":  # a run's own folder: go on there; its curves have what is validated
                defaults["trainer.logger"] = _run_logger(found.parent.parent, log_graph=verb == "fit")
            elif verb != "fit":
                defaults["trainer.logger"] = False
            try:
                self._subcommand_parsers[verb].set_defaults(defaults)
            except (ImportError, AttributeError, ValueError, KeyError) as error:
                raise CheckpointError(f"{found} is for a model that cannot be built here: {error}") from error
            super().parse_arguments(parser, args)
            config = self._verb_config()[1]
            if verb == "fit" and config["model"]["optimizer"] != defaults.get("model.optimizer"):
                raise CheckpointError(
                    "a run goes on with the optimizer that it began with: leave out --model.optimizer"
                )
            say(f"checkpoint: {found}")
        elif path is not None:
            run = newest_run(_logs(config))
            if run:  # killed before its first checkpoint
                self._subcommand_parsers[verb].set_defaults({"trainer.logger": _run_logger(run, log_graph=True)})
                super().parse_arguments(parser, args)
                config = self._verb_config()[1]
            none = f"none yet in {run}" if run else "no earlier run to resume"
            say(f"checkpoint: {none}, starting from the beginning")
        self._complete(verb, config, found)
        self._fall_back(config["trainer"], sys.argv[1:] if args is None else args)

    def _verb_config(self) -> tuple[str, Namespace]:
        verb = self.config["subcommand"]
        return verb, self.config[verb]

    def _complete(self, verb: str, config: Namespace, checkpoint: Path | None) -> None:
        """Settings that follow from other settings."""
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
        if verb != "fit" or not logger:  # the configuration of a run is that of its training
            self.save_config_callback = None
        if verb in ("predict", "export"):
            config["trainer"]["logger"] = False
        if config["data"]["val_size"] == 0 or config["trainer"].get("limit_val_batches") == 0:
            if verb == "validate":
                raise DataError("nothing to validate with --data.val_size=0: give a larger one, or use test")
            if config["checkpoint"]["monitor"] == DEFAULTS["checkpoint.monitor"]:
                config["checkpoint"]["monitor"] = None  # best is then the last epoch

    def _fall_back(self, trainer: Namespace, args: ArgsType) -> None:
        """Takes float32 where a preset's bfloat16 would be emulated; what is on the command line itself wins."""
        words = args if isinstance(args, list) else ["--trainer.precision"]  # a dictionary is all the user's
        asked = any(word.startswith(("--trainer.precision", "--trainer=")) for word in words)
        if trainer["precision"] != "bf16-mixed" or asked or has_bfloat16(str(trainer["accelerator"])):
            return
        trainer["precision"] = "32-true"
        say(
            "precision: 32-true, for want of bfloat16 instructions; "
            "--trainer.precision=bf16-mixed takes it all the same"
        )

    def _parse_ckpt_path(self) -> None:
        """Replaced by `parse_arguments`, where arguments that the user gave win over the checkpoint's."""

    def instantiate_classes(self) -> None:
        """Builds model, data and trainer; what cannot be built is an error in the settings."""
        try:
            super().instantiate_classes()
        except (TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise SettingsError(
                    "there is not enough memory for a network of this size: give smaller ones"
                ) from error
            raise SettingsError(first_complaint(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the callbacks that depend on where the output goes."""
        config = self._get(self.config_init, "trainer")
        callbacks = config["callbacks"] or []
        callbacks = [*callbacks] if isinstance(callbacks, list) else [callbacks]
        if config["enable_progress_bar"] is not False and not any(isinstance(c, ProgressBar) for c in callbacks):
            callbacks.append(progress_bar())
        callbacks += [Speed(), Guard(STOP_SIGNALS), TestReport()]
        trainer = super().instantiate_trainer(**kwargs, callbacks=callbacks)
        if type(trainer.strategy._checkpoint_io) in (type(None), TorchCheckpointIO):  # not one of a strategy's own
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        if type(vars(trainer)["profiler"]) is PassThroughProfiler:  # none was asked for
            vars(trainer)["profiler"] = NoProfiler()
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        with contextlib.ExitStack() as self._held:
            try:
                super()._run_subcommand(subcommand)
            except BaseException:
                _end_children(self.trainer)
                raise

    def before_fit(self) -> None:
        """Takes a folder that no other process trains in, also when several start at once; says what is trained."""
        logger = self.trainer.logger
        settings = self._verb_config()[1]["trainer"]["logger"]
        if isinstance(logger, TensorBoardLogger) and not _is_trial(self.trainer) and self.trainer.is_global_zero:
            new = settings["init_args"].get("version") is None
            while True:
                folder = Path(logger.log_dir)
                try:
                    folder.mkdir(parents=True, exist_ok=not new)
                    self._held.enter_context(locked(folder))
                    break
                except (FileExistsError, CheckpointError):
                    if not new:
                        raise
                    logger._version = int(logger.version) + 1
        network = self.model.network
        count = sum(parameter.numel() for parameter in network.parameters())
        say(f"network: {type(network).__name__}, {count:,} parameters")
        pools = any(isinstance(layer, networks.GELUMaxPool) for layer in network.modules())
        if pools and self.trainer.strategy.root_device.type == "cpu" and can_be_compiled() and not compiled():
            say("GELU and pooling: in torch's operations; a C++ compiler (c++, or $CXX) would save a third of the time")

    def after_fit(self) -> None:
        """Says what came out and what to type next."""
        checkpoint = self.trainer.checkpoint_callback
        if _is_trial(self.trainer) or not isinstance(checkpoint, ModelCheckpoint):
            return
        path = os.path.relpath(checkpoint.best_model_path) if checkpoint.best_model_path else None
        metrics = self.trainer.callback_metrics
        if checkpoint.best_model_score is not None and checkpoint.monitor == "accuracy/val":
            say(f"best validation accuracy: {float(checkpoint.best_model_score):.2%}")
        elif "accuracy/train" in metrics:
            say(f"training accuracy of the last epoch: {float(metrics['accuracy/train']):.2%} (nothing was validated)")
        if path:
            say(f"checkpoint: {path}")
            say(f"test it:    {program()} test --ckpt_path={path}")
        if self.trainer.logger:
            say(f"see it:     tensorboard --logdir {os.path.relpath(_logs(self._verb_config()[1]))}")

    def after_validate(self) -> None:
        """Prints the verdict."""
        data = self.datamodule
        if data.val_set is not None and not _is_trial(self.trainer):
            count = len(data.val_set)
            errors = round((1 - float(self.trainer.callback_metrics["accuracy/val"])) * count)
            say(f"{data.dataset} validation split: {verdict(errors, count)}")
            self._say_calibration("val")

    def after_test(self) -> None:
        """Adds to the verdict of `TestReport` what all processes have computed by now."""
        self._say_calibration("test")

    def _say_calibration(self, stage: str) -> None:
        say(f"expected calibration error: {float(self.trainer.callback_metrics[f'calibration_error/{stage}']):.2%}")


def _end_children(trainer: Trainer) -> None:
    """Kills the processes that Lightning started for this run: without the first one they would wait for ever."""
    processes = getattr(trainer.strategy.launcher, "procs", [])
    running = [*processes]
    processes.clear()  # Lightning watches them, and kills this process when one ends with an error
    for process in running:
        process.kill()


def _logs(config: Namespace) -> Path:
    return Path(config["trainer"].get("default_root_dir") or ".") / "lightning_logs"


def _run_logger(run: Path, log_graph: bool) -> dict[str, Any]:
    """The TensorBoardLogger that goes on in the folder of a run."""
    logger: dict[str, Any] = DEFAULTS["trainer.logger"]  # type: ignore[assignment]
    place = {
        "save_dir": str(run.parent.parent),
        "name": run.parent.name,
        "version": run.name,
        "log_graph": log_graph,
    }
    return {**logger, "init_args": {**logger["init_args"], **place}}


def _is_trial(trainer: Trainer) -> bool:
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]


def _is_news(record: logging.LogRecord) -> bool:
    return not any(part in record.getMessage() for part in CHATTER)


if __name__ == "__main__":
    main()

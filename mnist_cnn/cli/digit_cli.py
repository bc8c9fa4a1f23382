"""Lightning's CLI with this project's verbs, settings and words."""

import contextlib
import sys
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from mnist_cnn.callbacks.figures import TensorBoardFigures
from mnist_cnn.callbacks.labelled import LabelledReport
from mnist_cnn.callbacks.learning import BeforeAndAfter
from mnist_cnn.callbacks.predictions import PredictionWriter
from mnist_cnn.callbacks.results import TestReport
from mnist_cnn.callbacks.safety import BestAndLast, Guard
from mnist_cnn.callbacks.signals import StopSignals
from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.cli import closing, runs, settings
from mnist_cnn.errors import SettingsError, first_complaint, is_out_of_memory

STOP_SIGNALS = StopSignals()
"""What `main` and the training loop know of Ctrl-C and SIGTERM."""


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
        parser.add_lightning_class_args(LabelledReport, "mistakes")
        parser.set_defaults(settings.DEFAULTS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the arguments, then once more with what the checkpoint brings as defaults."""
        try:
            super().parse_arguments(parser, args)
            settings.refuse_unused(*self._verb_config(), args)
            start = runs.find_start(*self._verb_config())
        except SettingsError:
            raise
        except (TypeError, ValueError) as error:  # of config files that are no YAML or of another structure
            raise SettingsError(f"the arguments or the config file cannot be understood: {error}") from error
        if start.defaults:
            self._set_defaults(start)
            super().parse_arguments(parser, args)
        verb, config = self._verb_config()
        if verb == "fit" and start.checkpoint:
            settings.check_optimizer(config, start.defaults)
        if start.news:
            closing.say(start.news)
        if start.warning:
            closing.say(f"warning: {start.warning}", file=sys.stderr)
        config["model"]["weights"] = start.defaults.get("model.weights", config["model"]["weights"])
        settings.complete(verb, config, start.checkpoint, start.run)
        settings.fall_back(config["trainer"], args)
        if verb != "fit" or not config["trainer"]["logger"]:  # the configuration of a run is that of its training
            self.save_config_callback = None

    def _verb_config(self) -> tuple[str, Namespace]:
        verb = self.config["subcommand"]
        return verb, self.config[verb]

    def _set_defaults(self, start: runs.Start) -> None:
        try:
            self._subcommand_parsers[self.config["subcommand"]].set_defaults(start.defaults)
        except (ImportError, AttributeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{start.checkpoint} is for a model that cannot be built here: {error}") from error

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
        """Adds the callbacks that every run has."""
        options = self._get(self.config_init, "trainer")
        if options["enable_checkpointing"] is False:
            self._parser(self.subcommand).callback_keys.remove("checkpoint")
        every = [BeforeAndAfter(), Guard(STOP_SIGNALS), TestReport(), runs.NoteFolder()]
        trainer = super().instantiate_trainer(**kwargs, callbacks=[*settings.callbacks(options), *every])
        settings.equip(trainer)
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        with contextlib.ExitStack() as self._held:
            try:
                super()._run_subcommand(subcommand)
            except BaseException:
                runs.end_children(self.trainer)
                raise

    def before_fit(self) -> None:
        """Takes a folder that no other process trains in; says what is trained."""
        first: Any = next(iter(settings.loggers(self._verb_config()[1]["trainer"])), {})
        new = (first.get("init_args") or {}).get("version") is None
        runs.hold_folder(self.trainer, new, self._held)
        closing.what_is_trained(self.model.network, self.trainer.strategy.root_device.type)

    def after_fit(self) -> None:
        """Says what came out and what to type next."""
        if not runs.is_trial(self.trainer):
            closing.what_came_out(self.trainer, self.datamodule, self._verb_config()[1])

    def after_validate(self) -> None:
        """Adds to the verdict of `TestReport` what all processes have computed by now."""
        if self.datamodule.own is None:
            closing.calibration(self.trainer, "val")

    def after_test(self) -> None:
        """Adds to the verdict of `TestReport` what all processes have computed by now."""
        if self.datamodule.own is None:  # of which `LabelledReport` says it
            closing.calibration(self.trainer, "test")

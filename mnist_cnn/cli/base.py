"""What the command lines of all tasks have in common."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from jsonargparse import Namespace
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from mnist_cnn.callbacks.safety import Guard
from mnist_cnn.callbacks.signals import StopSignals
from mnist_cnn.checkpoints import PRETRAINED, CheckpointError
from mnist_cnn.cli import closing, runs, settings
from mnist_cnn.errors import SettingsError, first_complaint, is_out_of_memory

STOP_SIGNALS = StopSignals()
"""What `main` and the training loop know of Ctrl-C and SIGTERM."""


class TaskCLI(LightningCLI):
    """LightningCLI with checkpoints by name, runs that go on in their folder, and errors of one line."""

    pretrained: ClassVar[Path] = PRETRAINED
    """What `--ckpt_path=pretrained` means."""
    task: ClassVar[str] = ""
    """What is trained from scenes, if it is not the classifier."""
    every: Sequence[type[Callback]] = ()
    """Callbacks that every run has."""

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the arguments, then once more with what the checkpoint brings as defaults."""
        words: Any = sys.argv[1:] if args is None else args
        first = [word for word in words if not word.startswith("--print_config")] if isinstance(words, list) else words
        try:
            super().parse_arguments(parser, first)
            settings.check_values(self._verb_config()[1])
            chosen = self._chosen_network()
            if first != words:
                with contextlib.suppress(CheckpointError, SettingsError):  # prints what a checkpoint brings, too
                    start = runs.find_start(*self._verb_config(), self.pretrained, bool(self.task))
                    chosen |= {name: value for name, value in start.defaults.items() if name != "model.weights"}
                self._set_defaults(chosen, "--print_config")
                super().parse_arguments(parser, words)  # prints the settings and ends
            settings.refuse_unused(*self._verb_config(), args)
            start = runs.find_start(*self._verb_config(), self.pretrained, bool(self.task))
        except SettingsError:
            raise
        except (TypeError, ValueError) as error:  # of config files that are no YAML or of another structure
            raise SettingsError(f"the arguments or the config file cannot be understood: {error}") from error
        if defaults := {**chosen, **start.defaults}:
            self._set_defaults(defaults, start.checkpoint)
            super().parse_arguments(parser, args)
        verb, config = self._verb_config()
        if start.news:
            closing.say(start.news)
        if start.warning:
            closing.say(f"warning: {start.warning}", file=sys.stderr)
        config["model"]["weights"] = start.defaults.get("model.weights", config["model"]["weights"])
        settings.complete(verb, config, start)
        settings.fall_back(config["trainer"], args)
        if verb != "fit" or not config["trainer"]["logger"]:  # the configuration of a run is that of its training
            self.save_config_callback = None
        self._args = args

    def _verb_config(self) -> tuple[str, Namespace]:
        verb = self.config["subcommand"]
        return verb, self.config[verb]

    def _chosen_network(self) -> dict[str, Any]:
        """The network's class as a default, if it is another one than the usual default.

        Otherwise arguments of the same name would be those of the usual default.
        """
        network = self._verb_config()[1]["model"]["network"]
        is_default = not network or network["class_path"] in settings.DEFAULT_NETWORK
        return {} if is_default else {"model.network": {"class_path": network["class_path"]}}

    def _set_defaults(self, defaults: dict[str, Any], source: object) -> None:
        try:
            self._subcommand_parsers[self.config["subcommand"]].set_defaults(defaults)
        except (ImportError, AttributeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{source} is for a model that cannot be built here: {error}") from error

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
            raise SettingsError(first_complaint(error, self._args)) from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the callbacks that every run has."""
        options = self._get(self.config_init, "trainer")
        if options["enable_checkpointing"] is False:
            self._parser(self.subcommand).callback_keys.remove("checkpoint")
        every = [*(kind() for kind in self.every), Guard(STOP_SIGNALS), runs.NoteFolder()]
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
            closing.what_came_out(self.trainer, self.datamodule, self._verb_config()[1], self.task)

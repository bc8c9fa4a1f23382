"""The command line of the second task: a detector trained on scenes, `fit --config detector`."""

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from mnist_cnn.callbacks.safety import BestAndLast, Guard, best_and_last
from mnist_cnn.callbacks.scenes import SceneFigures
from mnist_cnn.checkpoints import (
    DETECTOR,
    CheckpointError,
    find_checkpoint,
    find_to_resume,
    newest_run,
    read_checkpoint,
)
from mnist_cnn.cli import closing, runs, settings
from mnist_cnn.cli.digit_cli import STOP_SIGNALS
from mnist_cnn.start import program

TASK = "detector"
"""The value of `task` in a config file, or of `--task`, that chooses this command line."""

DEFAULTS = {
    **{key: value for key, value in settings.DEFAULTS.items() if not key.startswith("model.")},
    "trainer.logger": {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": ".", "default_hp_metric": False},
    },
    "checkpoint.monitor": "f_score/val",
}


def is_meant(words: Sequence[str]) -> bool:
    """Whether arguments choose the detector: by `--task=detector`, or by a config file that says so."""
    files = [word.partition("=")[2] for word in words if word.startswith("--config=")]
    files += [word for before, word in itertools.pairwise(words) if before in ("--config", "-c")]
    for file in files:
        with contextlib.suppress(OSError, yaml.YAMLError):
            content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get("task") == TASK:
                return True
    return f"--task={TASK}" in words or any(pair == ("--task", TASK) for pair in itertools.pairwise(words))


class DetectorCLI(LightningCLI):
    """LightningCLI for `DigitDetector` and `SceneDataModule`."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Training and scoring; pictures are read by `predict` of the other task, with both networks."""
        known = LightningCLI.subcommands()
        return {verb: known[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks that can be configured."""
        parser.add_argument("--task", type=str, default=TASK, help="What is trained: the detector.")
        parser.add_lightning_class_args(BestAndLast, "checkpoint")
        parser.add_lightning_class_args(SceneFigures, "figures")
        parser.set_defaults(DEFAULTS)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the arguments, and finds the checkpoint to start from."""
        super().parse_arguments(parser, args)
        verb = self.config["subcommand"]
        config: Namespace = self.config[verb]
        run = self._start(verb, config)
        config["weights_only"] = config["weights_only"] is not False
        settings.place_loggers(config["trainer"], run, draw=False)
        if config["trainer"]["fast_dev_run"]:
            config["checkpoint"]["save_last"] = False  # Lightning would write it all the same
        if verb != "fit" or not config["trainer"]["logger"]:
            self.save_config_callback = None

    def _start(self, verb: str, config: Namespace) -> Path | None:
        """Resolves `--ckpt_path`; returns the folder of the run that goes on."""
        path, logs = config.get("ckpt_path"), runs.logs_of(config)
        if path is None and verb != "fit":
            raise CheckpointError(f"{verb} needs trained weights: add --ckpt_path=best, --ckpt_path=last or a file")
        found = None
        if path is not None:
            found = find_to_resume(str(path), logs) if verb == "fit" else find_checkpoint(str(path), logs, DETECTOR)
        config["ckpt_path"] = str(found) if found else None
        if not found:
            return newest_run(logs) if path else None
        if "network.heads.weight" not in read_checkpoint(found)["state_dict"]:
            raise CheckpointError(f"{found} is not of a detector: give the checkpoint of one with --ckpt_path=FILE")
        closing.say(f"checkpoint: {found}")
        run = found.parent.parent
        return run if (run / "config.yaml").exists() else None

    def _parse_ckpt_path(self) -> None:
        """Replaced by `parse_arguments`."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the callbacks that every run has."""
        options = self._get(self.config_init, "trainer")
        callbacks = [*settings.callbacks(options), Guard(STOP_SIGNALS)]
        trainer = super().instantiate_trainer(**kwargs, callbacks=callbacks)
        settings.equip(trainer)
        return trainer

    def _run_subcommand(self, subcommand: str) -> None:
        with contextlib.ExitStack() as self._held:
            super()._run_subcommand(subcommand)

    def before_fit(self) -> None:
        """Takes a folder that no other process trains in; says what is trained."""
        first: Any = next(iter(settings.loggers(self.config["fit"]["trainer"])), {})
        runs.hold_folder(self.trainer, (first.get("init_args") or {}).get("version") is None, self._held)
        closing.what_is_trained(self.model.network, self.trainer.strategy.root_device.type)

    def after_fit(self) -> None:
        """Says what came out and what to type next."""
        checkpoint = best_and_last(self.trainer)
        if checkpoint and checkpoint.best_model_path and not runs.is_trial(self.trainer):
            path = os.path.relpath(checkpoint.best_model_path)
            print(f"best F-score: {float(checkpoint.best_model_score or 0):.2%}\ncheckpoint:   {path}")
            print(f"test it:      {program()} test --task={TASK} --ckpt_path={path}")

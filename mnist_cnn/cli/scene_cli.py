"""The command lines of the tasks that learn from scenes: `fit --config detector`, `fit --config recognizer`."""

from typing import ClassVar

from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from mnist_cnn.callbacks.safety import BestAndLast
from mnist_cnn.callbacks.scenes import FirstBatch, RowFigures, SceneFigures
from mnist_cnn.checkpoints import DETECTOR, RECOGNIZER
from mnist_cnn.cli import closing, settings, task
from mnist_cnn.cli.base import TaskCLI


class SceneCLI(TaskCLI):
    """What the command lines of detector and recognizer have in common."""

    figures: ClassVar[type[FirstBatch]]
    """What is drawn into TensorBoard."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Training and scoring; pictures are read by `predict` of the classifier, with all networks."""
        known = LightningCLI.subcommands()
        return {verb: known[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks that can be configured."""
        parser.add_argument("--task", type=str, default=self.task, help=f"What is trained: the {self.task}.")
        parser.add_lightning_class_args(BestAndLast, "checkpoint")
        parser.add_lightning_class_args(self.figures, "figures")
        parser.set_defaults({name: value for name, value in settings.DEFAULTS.items() if name != "model.network"})

    def after_validate(self) -> None:
        """Adds to Lightning's table how many scenes it is of."""
        closing.scenes(self.trainer.num_val_batches[0], self.trainer, self.datamodule)

    def after_test(self) -> None:
        """As `after_validate`."""
        closing.scenes(self.trainer.num_test_batches[0], self.trainer, self.datamodule)


class DetectorCLI(SceneCLI):
    """LightningCLI for `DigitDetector` and `SceneDataModule`."""

    pretrained, task, figures = DETECTOR, task.DETECTOR, SceneFigures

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what the best epoch is chosen by."""
        super().add_arguments_to_parser(parser)
        parser.set_defaults({"checkpoint.monitor": settings.F_SCORE})


class RecognizerCLI(SceneCLI):
    """LightningCLI for `RowRecognizer` and `RowDataModule`."""

    pretrained, task, figures = RECOGNIZER, task.RECOGNIZER, RowFigures

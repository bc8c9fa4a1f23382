"""Lightning's CLI with this project's verbs, settings and words."""

from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from mnist_cnn.callbacks.figures import TensorBoardFigures
from mnist_cnn.callbacks.labelled import LabelledReport
from mnist_cnn.callbacks.learning import BeforeAndAfter
from mnist_cnn.callbacks.predictions import PredictionWriter
from mnist_cnn.callbacks.results import TestReport
from mnist_cnn.callbacks.safety import BestAndLast
from mnist_cnn.cli import settings
from mnist_cnn.cli.base import TaskCLI


class DigitCLI(TaskCLI):
    """LightningCLI for `DigitClassifier` and `DigitDataModule`."""

    every = (BeforeAndAfter, TestReport)

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

"""Figures in TensorBoard beside the curves: pictures, charts with several curves, settings, norms."""

from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter
from torchmetrics import CatMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from mnist_cnn.arguments import check_arguments
from mnist_cnn.calibration import Reliability
from mnist_cnn.callbacks import hparams
from mnist_cnn.callbacks.drawing import draw_confusion, draw_digits, draw_filters, draw_mistakes, draw_reliability
from mnist_cnn.networks import DIGITS


class TensorBoardFigures(Callback):
    """Draws into TensorBoard: confusion matrix, reliability curve, most confident mistakes, the first layer's filters.

    Once a run also the first training digits, augmented, as the network gets them. Sets up the page of custom
    scalars, where the curves of training and validation share a chart that the test's score ends, and lists the
    settings of all runs with their results on the page HParams. Does nothing without a TensorBoardLogger.
    """

    def __init__(
        self,
        every_n_epochs: PositiveInt = 1,
        mistakes: NonNegativeInt = 25,
        digits: NonNegativeInt = 40,
        norms: bool = False,
    ) -> None:
        """Chooses the figures.

        Args:
            every_n_epochs: Draw after every so many epochs of training.
            mistakes: How many wrongly read digits to show, those of which the network was surest first.
            digits: How many training digits to show at the beginning of a run.
            norms: Whether to log the norm of all gradients, before they are clipped, and of all weights, to every
                logger, at the first step and every `log_every_n_steps`.
        """
        check_arguments(locals())
        super().__init__()
        self.every_n_epochs = every_n_epochs
        self.mistakes = mistakes
        self.digits = digits
        self.norms = norms
        self._classes: Sequence[str] = DIGITS
        self._confusion = MulticlassConfusionMatrix(len(DIGITS), validate_args=False)
        self._confidence, self._right = CatMetric(nan_strategy=0.0), CatMetric()
        self._wrong: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lists the settings, lays out the charts, and takes back what a killed run did after its last checkpoint."""
        if writer := writer_of(trainer):
            step = trainer.global_step
            # TensorBoard forgets what it has from this step on.
            restart = Event(step=step + 1 if step else 0, session_log=SessionLog(status=SessionLog.START))
            writer._get_file_writer().add_event(restart)
            if step == 0:
                writer.add_custom_scalars(
                    {
                        "training, validation and test": {
                            chart: ["Multiline", [f"{name}/{stage}" for stage in ("train", "val", "test")]]
                            for name, chart in {"error": "error in %", "accuracy": "accuracy", "loss": "loss"}.items()
                        }
                    }
                )
            for summary in hparams.beginning(*hparams.settings_of(trainer, pl_module)):
                writer._get_file_writer().add_summary(summary)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Draws the first training digits."""
        if trainer.global_step == batch_idx == 0 and self.digits and (writer := writer_of(trainer)):
            images, labels = (part[: self.digits].cpu() for part in batch)
            _add_image(writer, "training/digits", draw_digits(images, labels), 0)

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Logs the norms, if asked to."""
        if not self.norms or not trainer.loggers:
            return
        step, every = trainer.global_step + 1, trainer.log_every_n_steps  # type: ignore[attr-defined]
        if step == 1 or (every and step % every == 0):
            weights: list[Tensor] = list(pl_module.parameters())
            gradients = [weight.grad for weight in weights if weight.grad is not None]
            norms = {"norm/gradient": get_total_norm(gradients), "norm/weights": get_total_norm(weights)}
            for logger in trainer.loggers:
                logger.log_metrics({name: float(norm) for name, norm in norms.items()}, step)

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forgets the epoch before."""
        self._classes = getattr(pl_module, "classes", DIGITS)
        if self._confusion.num_classes != len(self._classes):
            self._confusion = MulticlassConfusionMatrix(len(self._classes), validate_args=False)
        for metric in (self._confusion, self._confidence, self._right):
            metric.reset()
            metric.to(pl_module.device)
        self._wrong.clear()

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts a batch and keeps its mistakes."""
        if not self._due(trainer):
            return
        images, labels = batch
        confidence, predicted = outputs.max(dim=1)
        self._confusion.update(predicted, labels)
        wrong = predicted != labels
        self._confidence.update(confidence.exp())
        self._right.update(~wrong)
        self._wrong.append((confidence[wrong].exp(), predicted[wrong], labels[wrong], images[wrong]))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the figures of the split that was just scored."""
        if not self._due(trainer):
            return
        counts = self._confusion.compute()  # in all processes, which it synchronizes, like the next two
        reliability = Reliability.of(self._confidence.compute(), self._right.compute())
        if writer := writer_of(trainer):
            pictures = {
                "confusion_matrix": draw_confusion(counts.cpu(), self._classes),
                "reliability_curve": draw_reliability(reliability),
                "most_confident_mistakes": self._mistakes(),
            }
            stage = "test" if trainer.testing else "validation"
            step = trainer.global_step or getattr(pl_module, "trained_steps", 0)
            for name, picture in pictures.items():
                if picture is not None:
                    _add_image(writer, f"{stage}/{name}", picture, step)

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_validation_epoch_end

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the filters of the first convolution."""
        first = next((layer for layer in pl_module.modules() if isinstance(layer, nn.Conv2d)), None)
        if first is not None and self._due(trainer) and (writer := writer_of(trainer)):
            _add_image(writer, "filters/first_layer", draw_filters(first.weight.detach().cpu()), trainer.global_step)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Notes on the page HParams that the run has ended well."""
        if writer := writer_of(trainer):
            writer._get_file_writer().add_summary(hparams.end())

    def _mistakes(self) -> Image.Image | None:
        """The surest mistakes of this process; None where there are none."""
        confidence, predicted, labels, images = (torch.cat(part).cpu() for part in zip(*self._wrong, strict=True))
        surest = confidence.argsort(descending=True, stable=True)[: self.mistakes]
        if not len(surest):
            return None
        return draw_mistakes(images[surest], labels[surest], predicted[surest], confidence[surest], self._classes)

    def _due(self, trainer: L.Trainer) -> bool:
        in_fit = trainer.state.fn == TrainerFn.FITTING
        return not trainer.sanity_checking and not (in_fit and (trainer.current_epoch + 1) % self.every_n_epochs)


def _add_image(writer: SummaryWriter, tag: str, picture: Image.Image, step: int) -> None:
    writer.add_image(tag, np.asarray(picture), step, dataformats="HWC")


def writer_of(trainer: L.Trainer) -> SummaryWriter | None:
    """TensorBoard's writer, in the one process that writes; of the first TensorBoardLogger, where there are several."""
    if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                return logger.experiment
    return None

"""Pictures and layouts for TensorBoard: what the numbers alone do not show."""

import functools
from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torchmetrics import CatMetric
from torchmetrics.classification import MulticlassConfusionMatrix

from mnist_cnn.calibration import Reliability
from mnist_cnn.networks import DIGITS

INK, PAPER, BLUE, RED = (34, 34, 34), (255, 255, 255), (31, 90, 166), (196, 48, 43)


class TensorBoardFigures(Callback):
    """Draws into TensorBoard: confusion matrix, reliability curve, most confident mistakes, the first layer's filters.

    Also sets up the page of custom scalars, where the curves of training and validation share a chart, and lists
    the hyperparameters with the final metrics. Does nothing without a TensorBoardLogger.
    """

    def __init__(self, every_n_epochs: PositiveInt = 1, mistakes: NonNegativeInt = 25) -> None:
        """What is drawn how often.

        Args:
            every_n_epochs: Draw after every so many epochs of training.
            mistakes: How many wrongly read digits to show, those of which the network was surest first.
        """
        self.every_n_epochs = every_n_epochs
        self.mistakes = mistakes
        self._classes: Sequence[str] = DIGITS
        self._confusion = MulticlassConfusionMatrix(len(DIGITS), validate_args=False)
        self._confidence, self._right = CatMetric(nan_strategy=0.0), CatMetric()
        self._wrong: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self._hyperparameters_listed = False

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Puts training and validation into one chart each, on TensorBoard's page of custom scalars."""
        if writer := _writer(trainer):
            charts = {name: ["Multiline", [f"{name}/train", f"{name}/val"]] for name in ("accuracy", "loss")}
            writer.add_custom_scalars({"training and validation": charts})

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
        if writer := _writer(trainer):
            stage = "test" if trainer.testing else "validation"
            step = trainer.global_step or getattr(pl_module, "trained_steps", 0)
            _add_image(writer, f"{stage}/confusion_matrix", draw_confusion(counts.cpu(), self._classes), step)
            _add_image(writer, f"{stage}/reliability_curve", draw_reliability(reliability), step)
            confidence, predicted, labels, images = (torch.cat(part).cpu() for part in zip(*self._wrong, strict=True))
            surest = confidence.argsort(descending=True, stable=True)[: self.mistakes]
            if len(surest):
                images, labels, predicted, confidence = (
                    part[surest] for part in (images, labels, predicted, confidence)
                )
                picture = draw_mistakes(images, labels, predicted, confidence, self._classes)
                _add_image(writer, f"{stage}/most_confident_mistakes", picture, step)

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_validation_epoch_end

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the filters of the first convolution."""
        first = next((layer for layer in pl_module.modules() if isinstance(layer, nn.Conv2d)), None)
        if first is not None and self._due(trainer) and (writer := _writer(trainer)):
            _add_image(writer, "filters/first_layer", draw_filters(first.weight.detach().cpu()), trainer.global_step)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lists the hyperparameters with the final metrics."""
        stage = "val" if "accuracy/val" in trainer.callback_metrics else "train"
        names = [name for name in (f"accuracy/{stage}", f"loss/{stage}") if name in trainer.callback_metrics]
        if names and isinstance(trainer.logger, TensorBoardLogger):
            data = getattr(trainer, "datamodule", None)
            settings = {"max_epochs": trainer.max_epochs, **getattr(data, "hparams", {}), **pl_module.hparams}
            settings.pop("_instantiator", None)
            metrics = {name: float(trainer.callback_metrics[name]) for name in names}
            trainer.logger.log_hyperparams(settings, metrics, step=trainer.global_step)

    def _due(self, trainer: L.Trainer) -> bool:
        in_fit = trainer.state.fn == TrainerFn.FITTING
        return not trainer.sanity_checking and not (in_fit and (trainer.current_epoch + 1) % self.every_n_epochs)


def draw_confusion(counts: Tensor, classes: Sequence[str] = DIGITS) -> Image.Image:
    """Draws a confusion matrix: a row for each true class, a column for each answer.

    Args:
        counts: int [C, C].
        classes: The names of the C classes.
    """
    cell, margin, number = 40, 52, len(classes)
    picture = Image.new("RGB", (margin + number * cell + 8, margin + number * cell + 8), PAPER)
    draw = ImageDraw.Draw(picture)
    share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    draw.text((margin + number * cell // 2, 14), "predicted", INK, _font(15), anchor="mm")
    draw.text((4, 30), "true", INK, _font(15))
    for row, name in enumerate(classes):
        middle = margin + row * cell + cell // 2
        size = _font(15 if len(name) < 3 else 10)
        draw.text((margin - 14, middle), name[:6], INK, size, anchor="mm")
        draw.text((middle, margin - 14), name[:6], INK, size, anchor="mm")
        for column in range(number):
            count, part = int(counts[row, column]), float(share[row, column])
            # A mistake of 5% of a digit is as dark as can be.
            colour = _blend(BLUE, 0.75 * part) if row == column else _blend(RED, min(1.0, 20 * part) ** 0.5)
            left, top = margin + column * cell, margin + row * cell
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), colour if count else (244, 244, 244))
            if count:
                ink = PAPER if sum(colour) < 450 else INK
                draw.text((left + cell // 2 - 1, middle), str(count), ink, _font(13), anchor="mm")
    return picture


def draw_reliability(reliability: Reliability) -> Image.Image:
    """Draws a reliability curve: accuracy over confidence in bins, and how far it is from the diagonal.

    The gap is red; the share of all answers stands at the foot of each bin.
    """
    side, margin = 420, 52
    picture = Image.new("RGB", (margin + side + 12, side + margin + 24), PAPER)
    draw = ImageDraw.Draw(picture)
    left, bottom, width = margin, 24 + side, side // len(reliability.share)
    bins = zip(reliability.share, reliability.confidence, reliability.accuracy, strict=True)
    for i, (share, sure, right) in enumerate(bins):
        if share:
            x, accuracy, confidence = left + i * width, bottom - float(right) * side, bottom - float(sure) * side
            ends = sorted((accuracy, confidence))
            draw.rectangle((x + 1, min(accuracy, bottom - 1), x + width - 2, bottom), _blend(BLUE, 0.6))
            draw.rectangle((x + 1, ends[0], x + width - 2, ends[1]), _blend(RED, 0.6))
            draw.text((x + width // 2, bottom - 8), f"{float(share):.0%}", INK, _font(10), anchor="mm")
    draw.line((left, bottom, left + side, bottom - side), INK)
    draw.rectangle((left, bottom - side, left + side, bottom), outline=INK)
    for i in range(6):
        draw.text((left + i * side // 5, bottom + 12), f"{i / 5:.1f}", INK, _font(13), anchor="mm")
        draw.text((left - 18, bottom - i * side // 5), f"{i / 5:.1f}", INK, _font(13), anchor="mm")
    draw.text((left + side // 2, bottom + 36), "confidence", INK, _font(15), anchor="mm")
    title = f"accuracy; expected calibration error {reliability.error:.2%}"
    draw.text((4, 12), title, INK, _font(15), anchor="lm")
    return picture


def draw_mistakes(
    images: Tensor, labels: Tensor, predicted: Tensor, confidence: Tensor, classes: Sequence[str] = DIGITS
) -> Image.Image:
    """Draws digits with what they are, what they were taken for and how surely.

    Args:
        images: uint8 [N, 1, 28, 28].
        labels: int [N], the true classes.
        predicted: int [N].
        confidence: float [N], 0 to 1.
        classes: The names of the classes.
    """
    tiles = []
    for image, label, answer, sure in zip(images, labels, predicted, confidence, strict=True):
        tile = Image.new("RGB", (112, 132), PAPER)
        tile.paste(Image.fromarray(255 - image[0].numpy()).resize((112, 112), Image.Resampling.NEAREST), (0, 0))
        text = f"{classes[int(label)]} read as {classes[int(answer)]}, {float(sure):.1%}"
        ImageDraw.Draw(tile).text((56, 122), text, INK, _font(13), anchor="mm")
        tiles.append(tile)
    return _grid(tiles, columns=5)


def draw_filters(weights: Tensor) -> Image.Image:
    """Draws the kernels of a convolution in grey: black the most negative weight, white the most positive.

    Args:
        weights: float [out channels, in channels, height, width]; the mean over the input channels is shown.
    """
    kernels = weights.mean(dim=1)
    grey = 127.5 + 127.5 * kernels / kernels.abs().max().clamp(min=1e-12)
    tiles = [Image.fromarray(kernel.round().byte().numpy()) for kernel in grey]
    return _grid([tile.resize((48, 48), Image.Resampling.NEAREST).convert("RGB") for tile in tiles], columns=8)


def _grid(tiles: Sequence[Image.Image], columns: int, gap: int = 6) -> Image.Image:
    width, height = tiles[0].width + gap, tiles[0].height + gap
    rows = -(-len(tiles) // columns)
    picture = Image.new("RGB", (min(columns, len(tiles)) * width + gap, rows * height + gap), PAPER)
    for i, tile in enumerate(tiles):
        picture.paste(tile, (gap + i % columns * width, gap + i // columns * height))
    return picture


def _blend(colour: tuple[int, int, int], strength: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 + (channel - 255) * strength) for channel in colour)
    return red, green, blue


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _add_image(writer: SummaryWriter, tag: str, picture: Image.Image, step: int) -> None:
    writer.add_image(tag, np.asarray(picture), step, dataformats="HWC")


def _writer(trainer: L.Trainer) -> SummaryWriter | None:
    """TensorBoard's writer, in the one process that writes."""
    if isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
        return trainer.logger.experiment
    return None

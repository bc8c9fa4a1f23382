"""Figures of a detector in TensorBoard: scenes with the boxes that were found."""

from typing import Any

import lightning as L
import numpy as np
import torch
from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from mnist_cnn.arguments import check_arguments
from mnist_cnn.networks.detector import find
from mnist_cnn.reading.results import Row, annotated


class SceneFigures(Callback):
    """Draws scenes of the validation split, the digits found in them and the ink seen, once an epoch."""

    def __init__(self, scenes: PositiveInt = 12, least: ClosedUnitInterval = 0.3) -> None:
        """Chooses the scenes.

        Args:
            scenes: How many.
            least: Lowest score of a digit that is drawn.
        """
        check_arguments(locals())
        super().__init__()
        self.scenes, self.least = scenes, least

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws into TensorBoard; does nothing without a TensorBoardLogger."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not loggers or trainer.sanity_checking or not trainer.is_global_zero:
            return
        loader: Any = trainer.val_dataloaders
        batch = next(iter(loader))
        pictures = batch.pictures[: self.scenes].to(pl_module.device)
        with torch.no_grad():
            output = pl_module(pictures)
        tiles = []
        for picture, found, ink in zip(pictures, find(output, self.least), output.ink, strict=True):
            digits = "".join(map(str, found.probabilities.argmax(dim=1).tolist()))
            scores, boxes = (value.float().cpu().numpy() for value in (found.score, found.boxes))
            row = Row(digits, 1.0, scores, boxes, np.zeros((len(digits), 28, 28), np.uint8))
            shown = annotated(Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()), [(row, boxes)])
            seen = Image.fromarray((255 * ink[0].sigmoid()).byte().cpu().numpy()).convert("RGB")
            tiles.append(np.concatenate((np.asarray(shown), np.asarray(seen)), axis=1))
        rows = [np.concatenate(tiles[k : k + 3], axis=1) for k in range(0, len(tiles) - len(tiles) % 3, 3)] or tiles[:1]
        for logger in loggers:
            logger.experiment.add_image("scenes/val", np.concatenate(rows), trainer.global_step, dataformats="HWC")

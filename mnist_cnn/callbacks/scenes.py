"""Figures of a detector in TensorBoard: scenes with the boxes that were found."""

from typing import Any

import lightning as L
import numpy as np
from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from lightning.pytorch.callbacks import Callback
from PIL import Image

from mnist_cnn.arguments import check_arguments
from mnist_cnn.callbacks.drawing import grid
from mnist_cnn.callbacks.figures import writer_of
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

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Draws the first scenes into TensorBoard; does nothing without a TensorBoardLogger."""
        if batch_idx or trainer.sanity_checking or not (writer := writer_of(trainer)):
            return
        pictures = batch.pictures[: self.scenes]
        output, tiles = pl_module(pictures), []
        for picture, found, ink in zip(pictures, find(output, self.least), output.ink, strict=True):
            digits = "".join(map(str, found.probabilities.argmax(dim=1).tolist()))
            scores, boxes = (value.float().cpu().numpy() for value in (found.score, found.boxes))
            row = Row(digits, 1.0, scores, boxes, np.zeros((len(digits), 28, 28), np.uint8))
            shown = annotated(Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()), [(row, boxes)])
            seen = Image.fromarray((255 * ink[0].sigmoid()).byte().cpu().numpy()).convert("RGB")
            tiles.append(grid([shown, seen], columns=2, gap=0))
        writer.add_image("scenes/val", np.asarray(grid(tiles, columns=3)), trainer.global_step, dataformats="HWC")

"""Figures in TensorBoard of the tasks that learn from scenes, once an epoch."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import lightning as L
import numpy as np
from jsonargparse.typing import ClosedUnitInterval, PositiveInt
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor

from mnist_cnn.arguments import check_arguments
from mnist_cnn.callbacks.drawing import draw_rows, grid
from mnist_cnn.callbacks.figures import writer_of
from mnist_cnn.data.rows import RowBatch
from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import DetectorOutput, find
from mnist_cnn.networks.recognizer import best_path
from mnist_cnn.reading.results import Row, annotated


class FirstBatch(Callback, ABC):
    """Draws what `validation_step` returned of the first batch of the validation split."""

    tag: ClassVar[str]

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Draws into TensorBoard; does nothing without a TensorBoardLogger."""
        if batch_idx == 0 and not trainer.sanity_checking and (writer := writer_of(trainer)):
            picture = np.asarray(self.drawn(outputs["seen"], batch))
            writer.add_image(self.tag, picture, trainer.global_step, dataformats="HWC")

    @abstractmethod
    def drawn(self, seen: Any, batch: Any) -> Image.Image:
        """The picture of a batch and what the network said of it."""


class SceneFigures(FirstBatch):
    """Draws scenes of the validation split, the digits found in them and the ink seen."""

    tag = "scenes/val"

    def __init__(self, scenes: PositiveInt = 12, least: ClosedUnitInterval = 0.3) -> None:
        """Chooses the scenes.

        Args:
            scenes: How many, of the first batch.
            least: Lowest score of a digit that is drawn.
        """
        check_arguments(locals())
        super().__init__()
        self.scenes, self.least = scenes, least

    def drawn(self, seen: DetectorOutput, batch: SceneBatch) -> Image.Image:
        """Each scene with the boxes that were found, beside its ink."""
        output, tiles = DetectorOutput(*(part[: self.scenes] for part in seen)), []
        for picture, found, ink in zip(batch.pictures, find(output, self.least), output.ink, strict=False):
            digits = "".join(map(str, found.probabilities.argmax(dim=1).tolist()))
            scores, boxes = (value.float().cpu().numpy() for value in (found.score, found.boxes))
            row = Row(digits, 1.0, scores, boxes, np.zeros((len(digits), 28, 28), np.uint8))
            shown = annotated(Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()), [(row, boxes)])
            drawn = Image.fromarray((255 * ink[0].sigmoid()).byte().cpu().numpy()).convert("RGB")
            tiles.append(grid([shown, drawn], columns=2, gap=0))
        return grid(tiles, columns=3)


class RowFigures(FirstBatch):
    """Draws rows of the validation split, with what they say and what was read."""

    tag = "rows/val"

    def __init__(self, rows: PositiveInt = 36) -> None:
        """Chooses the rows.

        Args:
            rows: How many, of the first batch.
        """
        check_arguments(locals())
        super().__init__()
        self.rows = rows

    def drawn(self, seen: list[Tensor], batch: RowBatch) -> Image.Image:
        """Each row straightened, above its digits."""
        whole, some = batch.strips[0].cpu(), np.s_[: self.rows]
        places = zip(batch.starts.tolist(), batch.widths.tolist(), strict=True)
        strips = [whole[..., start : start + width] for start, width in places]
        labels = ["".join(map(str, row.tolist())) for row in batch.digits.split(batch.lengths.tolist())]
        return draw_rows(strips[some], labels[some], [best_path(row) for row in seen[some]])

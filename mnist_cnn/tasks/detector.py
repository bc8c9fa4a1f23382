"""The second task: where digits are in a picture, which ones they are, and their strokes in MNIST's pen."""

import torch
from torch import Tensor

from mnist_cnn.checkpoints import DETECTOR
from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import DetectorNet, DetectorOutput, find
from mnist_cnn.tasks.detection_losses import detection_losses
from mnist_cnn.tasks.detection_metrics import DetectionScores
from mnist_cnn.tasks.one_cycle import OneCycleTask

LEAST = 0.3
"""Score from which on a digit counts as found in the metrics."""


class DigitDetector(OneCycleTask):
    """Trains a `DetectorNet` on scenes.

    Another network must take RGB pixels 0 to 255 [B, 3, H, W], sides in multiples of 4, and return a `DetectorOutput`.
    The loss is the sum of those of `detection_losses`.
    """

    pretrained, own_network, own_scores = DETECTOR, DetectorNet, DetectionScores

    def training_step(self, batch: SceneBatch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        pictures = batch.pictures
        if pictures.is_cpu and (torch.is_autocast_enabled("cpu") or self.dtype != torch.float32):
            # Channels last, oneDNN 3.12 reads memory that nobody wrote: gradients of dilated convolutions become NaN.
            pictures = pictures.contiguous()
        return self._loss(self(pictures), batch)

    def validation_step(self, batch: SceneBatch, batch_idx: int) -> dict[str, DetectorOutput]:
        """Losses, and how many digits are found; returns what was `seen`."""
        output = self(batch.pictures)
        self._loss(output, batch)
        self.scores.update(find(output, LEAST), batch)
        return {"seen": output}

    def on_validation_epoch_end(self) -> None:
        """Logs how well digits were found."""
        self.log_dict({f"{name}/{self.stage}": value for name, value in self.scores.compute().items()}, prog_bar=True)
        self.scores.reset()

    test_step, on_test_epoch_end = validation_step, on_validation_epoch_end

    def _loss(self, output: DetectorOutput, batch: SceneBatch) -> Tensor:
        losses = detection_losses(output, batch)
        losses = {"loss": torch.stack(list(losses.values())).sum(), **losses}
        named = {f"{name}/{self.stage}": value.detach() for name, value in losses.items()}
        self.log_dict(named, batch_size=len(batch.pictures), sync_dist=not self.trainer.training)
        return losses["loss"]

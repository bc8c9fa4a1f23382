"""The third task: a row of digits read as a whole, for a second opinion on what the detector found in it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MeanMetric

from mnist_cnn.checkpoints import RECOGNIZER
from mnist_cnn.data.rows import RowBatch
from mnist_cnn.networks.recognizer import BLANK, STRIDE, RecognizerNet, best_path
from mnist_cnn.tasks.one_cycle import OneCycleTask


class RowRecognizer(OneCycleTask):
    """Trains a `RecognizerNet` on rows of scenes, by connectionist temporal classification.

    Another network must take strips side by side, RGB, uint8 [1, 3, 40, W], and return log-probabilities, float
    [1, ceil(W / 2), 11], of ten digits and a blank.
    """

    pretrained, own_network, own_scores = RECOGNIZER, RecognizerNet, MeanMetric

    def training_step(self, batch: RowBatch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        loss = self._loss(self.steps(batch), batch)
        self.log("loss/train", loss.detach(), batch_size=len(batch.starts))
        return loss

    def validation_step(self, batch: RowBatch, batch_idx: int) -> dict[str, list[Tensor]]:
        """The loss, and the share of rows in which all digits are right, as `accuracy`; returns what was `seen`."""
        steps = self.steps(batch)
        wanted = batch.digits.split(batch.lengths.tolist())
        for row, digits in zip(steps, wanted, strict=True):
            self.scores.update(best_path(row) == "".join(map(str, digits.tolist())))
        self.log(f"loss/{self.stage}", self._loss(steps, batch), batch_size=len(steps), sync_dist=True)
        self.log(f"accuracy/{self.stage}", self.scores, prog_bar=True, batch_size=len(steps))
        return {"seen": steps}

    test_step = validation_step

    def steps(self, batch: RowBatch) -> list[Tensor]:
        """Log-probabilities of the steps of each row, float32 [T, 11], on the CPU: there the loss is deterministic."""
        whole = self(batch.strips)[0].float().cpu()
        ends = batch.starts + batch.widths
        return [whole[a // STRIDE : -(-b // STRIDE)] for a, b in zip(batch.starts.tolist(), ends.tolist(), strict=True)]

    def _loss(self, steps: list[Tensor], batch: RowBatch) -> Tensor:
        lengths = torch.tensor([len(row) for row in steps])
        padded = nn.utils.rnn.pad_sequence(steps)
        wanted, counts = batch.digits.cpu(), batch.lengths.cpu()
        return F.ctc_loss(padded, wanted, lengths, counts, blank=BLANK, zero_infinity=True)

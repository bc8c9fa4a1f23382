"""The second task: where digits are in a picture, which ones they are, and their strokes in MNIST's pen."""

import lightning as L
import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, PositiveFloat
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchvision.ops import box_iou

from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import STRIDE, UNIT, DetectorNet, DetectorOutput, Found, find

SIZES = (16.0, 40.0)
"""Pixels: digits of these sizes are to be found; of a digit's size see `sizes`."""
NEAR_SIZES = (12.0, 54.0)
"""Pixels: of digits of other sizes between these nothing is asked; all others are background."""
LEAST = 0.3
"""Score from which on a digit counts as found in the metrics."""
OVERLAP = 0.5
"""Intersection over union from which on a box counts as that of a digit."""


class DigitDetector(L.LightningModule):
    """Trains a `DetectorNet` on scenes."""

    def __init__(
        self,
        network: nn.Module | None = None,
        learning_rate: PositiveFloat = 0.003,
        weight_decay: NonNegativeFloat = 0.01,
        warmup: ClosedUnitInterval = 0.05,
    ) -> None:
        """The recipe: AdamW, the learning rate raised and lowered again in one cycle.

        Args:
            network: What is trained: takes RGB pixels 0 to 255 [B, 3, H, W] and returns a `DetectorOutput`. Default:
                `DetectorNet`.
            learning_rate: The highest.
            weight_decay: Decoupled from the gradient.
            warmup: Share of all steps in which the learning rate rises.
        """
        super().__init__()
        self.save_hyperparameters(ignore=["network"])
        self.network = network or DetectorNet()
        self.counts = {"found": 0, "right": 0, "named": 0, "digits": 0}

    def forward(self, pictures: Tensor) -> DetectorOutput:
        """What the network says of pictures, RGB 0 to 255 [B, 3, H, W]."""
        output: DetectorOutput = self.network(pictures)
        return output

    def training_step(self, batch: SceneBatch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        losses = detection_losses(self(batch.pictures), batch)
        self.log_dict(
            {f"{name}/train": value.detach() for name, value in losses.items()}, batch_size=len(batch.pictures)
        )
        return torch.stack(list(losses.values())).sum()

    def validation_step(self, batch: SceneBatch, batch_idx: int) -> None:
        """Losses, and how many digits are found."""
        output = self(batch.pictures)
        losses = detection_losses(output, batch)
        total = torch.stack(list(losses.values())).sum()
        values = {"loss/val": total, **{f"{name}/val": value for name, value in losses.items()}}
        self.log_dict(values, batch_size=len(batch.pictures), sync_dist=True)
        self._count(find(output, LEAST), batch)

    def _count(self, found: list[Found], batch: SceneBatch) -> None:
        wanted, near = sized(batch.boxes, batch.labels)
        for k, digits in enumerate(found):
            here = batch.picture_of == k
            boxes = batch.boxes[here]
            overlap = box_iou(digits.boxes, boxes) if len(boxes) else torch.zeros(len(digits.boxes), 1)
            best, which = overlap.max(dim=1)
            hit = best >= OVERLAP
            positive, ignored = (
                mask[here] if len(boxes) else torch.zeros(1, dtype=torch.bool) for mask in (wanted, near)
            )
            free = hit & ignored[which] & ~positive[which]
            right = hit & positive[which]
            labels = batch.labels[here] if len(boxes) else torch.full((1,), -1)
            self.counts["found"] += int((~free).sum())
            self.counts["right"] += len(which[right].unique())
            self.counts["named"] += int((digits.probabilities.argmax(1)[right] == labels[which][right]).sum())
            self.counts["digits"] += int(positive.sum())

    def on_validation_epoch_end(self) -> None:
        """Logs precision, recall and F-score of the digits that are found, and how many of these are named rightly."""
        found, right, named, digits = self.counts.values()
        precision, recall = right / max(1, found), right / max(1, digits)
        score = 2 * precision * recall / max(1e-9, precision + recall)
        values = {"precision": precision, "recall": recall, "f_score": score, "accuracy": named / max(1, right)}
        self.log_dict({f"{name}/val": value for name, value in values.items()}, sync_dist=True)
        self.counts = dict.fromkeys(self.counts, 0)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with one cycle of the learning rate."""
        rate = self.hparams["learning_rate"]
        optimizer = torch.optim.AdamW(self.parameters(), rate, weight_decay=self.hparams["weight_decay"])
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, steps, pct_start=self.hparams["warmup"], cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


def sized(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which digits are to be found, and of which nothing else is asked either, bool [N] each.

    Args:
        boxes: Left, top, right, bottom in pixels, float [N, 4].
        labels: Int64 [N], -1 for a digit of which only a part can be seen.
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(dim=1)
    size = torch.maximum(height, 0.9 * width)
    wanted = (size >= SIZES[0]) & (size <= SIZES[1]) & (labels >= 0)
    return wanted, (size >= NEAR_SIZES[0]) & (size <= NEAR_SIZES[1])


def detection_losses(output: DetectorOutput, batch: SceneBatch) -> dict[str, Tensor]:
    """The parts of the loss, scalars: middles, digits, boxes, ink, and whose it is."""
    wanted, near = sized(batch.boxes, batch.labels)
    heat, asked, cells = _targets(batch, wanted, near, output.centre.shape[-2:])
    logits = output.centre[:, 0]
    # The focal loss of CenterNet, in logits: sure and easy cells count little, those beside a middle less.
    probability = logits.sigmoid()
    hit = F.logsigmoid(logits) * (1 - probability) ** 2
    miss = F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * asked
    count = int(wanted.sum())
    losses = {"centre": -torch.where(heat == 1, hit, miss).sum() / max(1, count)}
    picture, row, column, digit = cells
    middle = (batch.boxes[:, :2] + batch.boxes[:, 2:]) / 2
    size = (batch.boxes[:, 2:] - batch.boxes[:, :2]).clamp(min=3)
    names = output.digit[picture, :, row, column]
    losses["digit"] = F.cross_entropy(names, batch.labels[digit]) if len(digit) else names.sum()
    place = torch.stack((column, row), dim=1) + 0.5
    box = torch.cat((middle[digit] / STRIDE - place, (size[digit] / UNIT).log()), dim=1)
    losses["box"] = F.l1_loss(output.box[picture, :, row, column], box) if len(digit) else names.sum()
    return losses | _ink_losses(output, batch, wanted, middle)


def _targets(
    batch: SceneBatch, wanted: Tensor, near: Tensor, shape: torch.Size
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The map of middles; where it is asked for; and the cells near a middle, with the number of its digit."""
    device, count = batch.boxes.device, len(batch.pictures)
    rows, columns = (torch.arange(n, device=device) + 0.5 for n in shape)
    left, top, right, bottom = (batch.boxes / STRIDE).unbind(dim=1)
    inside = ((rows > top[:, None]) & (rows < bottom[:, None]))[:, :, None] & (
        (columns > left[:, None]) & (columns < right[:, None])
    )[:, None, :]
    free = near & ~wanted
    x, y = (left + right) / 2, (top + bottom) / 2
    size = torch.maximum(bottom - top, 0.9 * (right - left))
    sigma = (0.11 * size).clamp(min=0.55)
    down, across = rows[None, :, None] - y[:, None, None], columns[None, None, :] - x[:, None, None]
    peak = torch.exp(-(down**2 + across**2) / (2 * sigma**2)[:, None, None])
    column = x.floor().long().clamp(0, shape[1] - 1)
    row = y.floor().long().clamp(0, shape[0] - 1)
    peak[torch.arange(len(peak), device=device), row, column] = 1
    heat, asked = torch.zeros(count, *shape, device=device), torch.ones(count, *shape, device=device)
    for k in range(count):
        here = batch.picture_of == k
        if (mine := here & wanted).any():
            heat[k] = peak[mine].amax(dim=0)
        asked[k] = ~inside[here & free].any(dim=0)
    close = (down.abs() <= 0.9) & (across.abs() <= 0.9) & wanted[:, None, None]
    digit, row, column = close.nonzero(as_tuple=True)
    return heat, asked, (batch.picture_of[digit], row, column, digit)


def _ink_losses(output: DetectorOutput, batch: SceneBatch, wanted: Tensor, middle: Tensor) -> dict[str, Tensor]:
    """Of each pixel: whether it has a wanted digit's ink, and the way to that digit's middle."""
    number = batch.owner  # of the digit, over the whole batch
    owned = number >= 0
    valid = torch.cat((wanted, wanted.new_ones(1)))[number]  # the last one is for no digit
    ink = batch.ink.float() / 255
    entropy = F.binary_cross_entropy_with_logits(output.ink[:, 0], ink, reduction="none") * valid
    amount = (ink * valid).sum().clamp(min=1)
    picture, row, column = (owned & valid & (batch.ink > 127)).nonzero(as_tuple=True)
    at = torch.stack((column, row), dim=1) + 0.5
    way = (middle[number[picture, row, column]] - at) / UNIT
    said = output.owner[picture, :, row, column]
    owner = F.l1_loss(said, way) if len(picture) else said.sum()
    return {"ink": 0.5 * entropy.sum() / amount, "owner": 2 * owner}

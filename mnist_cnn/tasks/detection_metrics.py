"""How well digits are found, counted over all pictures and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchvision.ops import box_iou

from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import Found
from mnist_cnn.tasks.detection_losses import sized

OVERLAP = 0.5
"""Intersection over union from which on a box counts as that of a digit."""


class DetectionScores(Metric):
    """Precision, recall and F-score of the digits that are found, and the share of these that are named rightly."""

    found: Tensor
    right: Tensor
    named: Tensor
    digits: Tensor

    def __init__(self) -> None:
        """Starts at nothing."""
        super().__init__()
        for name in ("found", "right", "named", "digits"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, found: list[Found], batch: SceneBatch) -> None:
        """Adds a batch: what was found in each of its pictures."""
        wanted, near = sized(batch.boxes, batch.labels)
        for k, digits in enumerate(found):
            here = batch.picture_of == k
            if not here.any():
                self.found += len(digits.score)
                continue
            best, which = box_iou(digits.boxes, batch.boxes[here]).max(dim=1)
            positive, hit = wanted[here], best >= OVERLAP
            right = hit & positive[which]
            free = hit & near[here][which] & ~right  # nothing is asked there
            self.found += (~free).sum()
            self.right += len(which[right].unique())
            self.named += (digits.probabilities.argmax(dim=1)[right] == batch.labels[here][which][right]).sum()
            self.digits += positive.sum()

    def compute(self) -> dict[str, Tensor]:
        """Scalars by name, 0 to 1."""
        precision, recall = self.right / self.found.clamp(min=1), self.right / self.digits.clamp(min=1)
        score = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
        return {
            "precision": precision,
            "recall": recall,
            "f_score": score,
            "accuracy": self.named / self.right.clamp(min=1),
        }

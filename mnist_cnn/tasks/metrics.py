"""Metrics of a stage, exact and cheap: loss, accuracy, calibration."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from mnist_cnn.calibration import BINS
from mnist_cnn.networks import DIGITS


class Totals(Metric):
    """Mean loss and accuracy of a stage, in a third of the time of torchmetrics' own two."""

    loss: Tensor
    hits: Tensor
    digits: Tensor
    images: Tensor
    taken: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, zero in {"loss": 0.0, "hits": 0, "digits": 0, "images": 0}.items():
            self.add_state(name, torch.tensor(zero), dist_reduce_fx="sum")
        self.add_state("taken", torch.zeros(4), dist_reduce_fx="sum")

    def update(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Adds a batch: its mean loss, scalar; scores [B, 10]; labels [B], -1 for images that do not count."""
        self.loss.add_(loss, alpha=len(labels))
        self.hits += (scores.argmax(dim=1) == labels).sum()
        self.digits += (labels >= 0).sum()
        self.images += len(labels)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy, scalars."""
        return self.loss / self.images, self.hits / self.digits.clamp(min=1)

    def take_new(self) -> Tensor:
        """Added by this process since the last call: sums of loss, hits, digits and images, float [4]."""
        sums = torch.stack([self.loss.float(), self.hits.float(), self.digits.float(), self.images.float()])
        new, self.taken = sums - self.taken, sums
        return new


class StageMetrics:
    """Loss and accuracy; if asked for, calibration and the accuracy of each class. Exact over all images of a stage.

    Updated in place rather than by `self.log`, which would cost as much as all else that Lightning does in a step.
    No torch module, so that summaries of the model show networks alone; it follows the device of what it counts.
    """

    def __init__(self, stage: str, detailed: bool = False, classes: Sequence[str] = DIGITS) -> None:
        self.stage, self.classes = stage, classes
        count = len(classes)
        self.totals = Totals()
        self.per_class = MulticlassAccuracy(count, average="none", validate_args=False) if detailed else None
        self.calibration = MulticlassCalibrationError(count, n_bins=BINS, validate_args=False) if detailed else None
        metrics = {"totals": self.totals, "per_class": self.per_class, "calibration": self.calibration}
        self.metrics = {name: metric for name, metric in metrics.items() if metric is not None}

    def update(self, loss: Tensor, log_probs: Tensor, labels: Tensor) -> None:
        """Adds a batch: its mean loss, scalar; log-probabilities [B, 10]; labels [B]."""
        if self.totals.loss.device != loss.device:
            for metric in self.metrics.values():
                metric.to(loss.device)
        if not len(labels):  # of a process that got none of a few images; the mean loss of nothing is no number
            return
        self.totals.update(loss, log_probs, labels)
        if self.per_class:
            self.per_class.update(log_probs, labels)
        if self.calibration:
            self.calibration.update(log_probs.exp(), labels)

    def compute(self) -> dict[str, Tensor]:
        """Scalars by name, the same in every process."""
        loss, accuracy = self.totals.compute()
        values = {f"loss/{self.stage}": loss, f"accuracy/{self.stage}": accuracy}
        values[f"error/{self.stage}"] = 100 - 100 * accuracy  # in percent, on which 99.1 and 99.2% can be told apart
        if self.per_class:
            for name, accuracy in zip(self.classes, self.per_class.compute(), strict=True):
                values[f"per_class_accuracy/{name}/{self.stage}"] = accuracy
        if self.calibration:
            values[f"calibration_error/{self.stage}"] = self.calibration.compute()
        return values

    def state(self) -> dict[str, dict[str, Any]]:
        """The counts so far, by metric and name, summed over all processes; empty after `reset`."""
        states: dict[str, dict[str, Any]] = {}
        for name, metric in self.metrics.items():
            if metric.update_called:
                with metric.sync_context():
                    states[name] = {key: getattr(metric, key).detach().cpu().clone() for key in metric._defaults}
        return states

    def restore(self, states: dict[str, dict[str, Any]]) -> None:
        """Goes on counting from what `state` returned; what an earlier version counted otherwise is left out."""
        for name, metric in self.metrics.items():
            if name in states:
                for key, value in states[name].items():
                    setattr(metric, key, value.to(metric.device))
                metric._update_count = 1

    def reset(self) -> None:
        """Forgets all batches."""
        for metric in self.metrics.values():
            metric.reset()

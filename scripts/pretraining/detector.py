"""Fits to a trained detector: how its scores become probabilities, and how much its answers weigh."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou

from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.reading.detection import Detection, detect
from mnist_cnn.reading.models import probabilities
from mnist_cnn.scenes.pool import Pool
from mnist_cnn.scenes.scene import SIDE, compose

SEED = 9
"""Of scenes that no training has."""
OVERLAP, NEAR = 0.5, 0.3
"""Intersection over union from which on a box counts as that of a digit, and below which it counts as wrong."""


def fit_calibration(network: DetectorNet, pool: Pool, scenes: int) -> Tensor:
    """Fits slope and offset of the logits of middles, float [2], by logistic regression over so many scenes.

    The network is in evaluation mode, and its calibration is taken back; the pool has glyphs that it never saw.
    """
    network.calibration.copy_(torch.tensor((1.0, 0.0)))
    scores, right = [], []
    for detection, best, labels in _matched(network, pool, scenes):
        is_digit = (best >= OVERLAP) & (labels >= 0)
        use = is_digit | (best < NEAR)
        scores.append(detection.digits.scores[use])
        right.append(is_digit[use])
    logits = torch.from_numpy(np.concatenate(scores)).double().logit(1e-6)
    wanted = torch.from_numpy(np.concatenate(right)).double()
    return _fitted(lambda x: F.binary_cross_entropy_with_logits(x[0] * logits + x[1], wanted), 1.0, 0.0).float()


def fit_votes(network: DetectorNet, classifier: nn.Module, pool: Pool, scenes: int) -> tuple[Tensor, list[float]]:
    """Fits how much the log-probabilities of classifier and detector weigh, float [2].

    Returns:
        The weights; and the share of digits that the classifier, the detector and both together name rightly.
    """
    by_classifier, by_detector, wanted = [], [], []
    for detection, best, labels in _matched(network, pool, scenes):
        found = detection.digits
        use = np.flatnonzero((best >= OVERLAP) & (labels >= 0) & (found.scores > 0.5))
        images = detection.images(use, np.flatnonzero(found.scores > 0.5))
        by_classifier.append(probabilities(classifier, images))
        by_detector.append(found.probabilities[use])
        wanted.append(labels[use])
    ours, theirs = (
        torch.from_numpy(np.concatenate(part)).double().clamp(min=1e-9).log() for part in (by_classifier, by_detector)
    )
    labels_of_all = torch.from_numpy(np.concatenate(wanted))
    votes = _fitted(lambda x: F.cross_entropy(x[0] * ours + x[1] * theirs, labels_of_all), 0.5, 0.5)
    both = votes[0] * ours + votes[1] * theirs
    shares = [float((part.argmax(dim=1) == labels_of_all).double().mean()) for part in (ours, theirs, both)]
    return votes.float(), shares


def _matched(network: DetectorNet, pool: Pool, scenes: int) -> Iterator[tuple[Detection, np.ndarray, np.ndarray]]:
    """What is found in scenes; for each box the best overlap with a digit's, and that digit's label or -1."""
    for k in range(scenes):
        scene = compose(pool, np.random.default_rng((SEED, k)))
        detection = detect(network, scene.picture, SIDE)
        boxes = detection.digits.boxes
        best, labels = np.zeros(len(boxes)), np.full(len(boxes), -1)
        if len(boxes) and len(scene.boxes):
            overlaps = box_iou(torch.from_numpy(boxes), torch.from_numpy(scene.boxes))
            best, which = (value.numpy() for value in overlaps.max(dim=1))
            labels = scene.labels[which]
        yield detection, best, labels


def _fitted(loss: Callable[[Tensor], Tensor], *start: float) -> Tensor:
    """Where a loss is least."""
    fitted = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([fitted], max_iter=100)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(fitted)
        value.backward()
        return value

    optimizer.step(step)
    return fitted.detach()

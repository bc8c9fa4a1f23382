"""Fits to a trained detector: how its scores become probabilities, and how much its answers weigh."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou

from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.reading.detection import detect
from mnist_cnn.reading.models import probabilities
from mnist_cnn.scenes.pool import Pool
from mnist_cnn.scenes.scene import SIDE, compose

SEED = 9
"""Of scenes that no training has."""
OVERLAP, NEAR = 0.5, 0.3
"""Intersection over union from which on a box counts as that of a digit, and below which it counts as wrong."""


def fit_calibration(network: DetectorNet, pool: Pool, scenes: int) -> Tensor:
    """Fits slope and offset of the logits of middles, float [2], by logistic regression over scenes.

    Args:
        network: In evaluation mode; its calibration is taken back.
        pool: Glyphs that it was not trained on.
        scenes: How many scenes of them to read.
    """
    network.calibration.copy_(torch.tensor((1.0, 0.0)))
    scores, right = [], []
    for k in range(scenes):
        scene = compose(pool, np.random.default_rng((SEED, k)))
        found = detect(network, scene.picture, SIDE).digits
        best, labels = _matched(found.boxes, scene.boxes, scene.labels)
        is_digit = (best >= OVERLAP) & (labels >= 0)
        use = is_digit | (best < NEAR)
        scores.append(found.scores[use])
        right.append(is_digit[use])
    logits = torch.from_numpy(np.concatenate(scores)).double().logit(1e-6)
    wanted = torch.from_numpy(np.concatenate(right)).double()
    fitted = torch.tensor((1.0, 0.0), dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        return F.binary_cross_entropy_with_logits(fitted[0] * logits + fitted[1], wanted)

    _minimize(loss, fitted)
    return fitted.detach().float()


def fit_votes(network: DetectorNet, classifier: nn.Module, pool: Pool, scenes: int) -> tuple[Tensor, list[float]]:
    """Fits how much the log-probabilities of classifier and detector weigh, float [2].

    Returns:
        The weights; and the share of digits that the classifier, the detector and both together name rightly.
    """
    by_classifier, by_detector, wanted = [], [], []
    for k in range(scenes):
        scene = compose(pool, np.random.default_rng((SEED, k)))
        detection = detect(network, scene.picture, SIDE)
        found = detection.digits
        best, labels = _matched(found.boxes, scene.boxes, scene.labels)
        use = np.flatnonzero((best >= OVERLAP) & (labels >= 0) & (found.scores > 0.5))
        images = detection.images(use, np.flatnonzero(found.scores > 0.5))
        by_classifier.append(probabilities(classifier, images))
        by_detector.append(found.probabilities[use])
        wanted.append(labels[use])
    ours, theirs = (
        torch.from_numpy(np.concatenate(part)).double().clamp(min=1e-9).log() for part in (by_classifier, by_detector)
    )
    labels_of_all = torch.from_numpy(np.concatenate(wanted))
    fitted = torch.tensor((0.5, 0.5), dtype=torch.float64, requires_grad=True)
    _minimize(lambda: F.cross_entropy(fitted[0] * ours + fitted[1] * theirs, labels_of_all), fitted)
    both = fitted[0] * ours + fitted[1] * theirs
    shares = [float((part.argmax(dim=1) == labels_of_all).double().mean()) for part in (ours, theirs, both)]
    return fitted.detach().float(), shares


def _matched(found: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each box that was found the best overlap with a digit's, and that digit's label; -1 where there is none."""
    if not len(boxes) or not len(found):
        return np.zeros(len(found)), np.full(len(found), -1)
    best, which = (value.numpy() for value in box_iou(torch.from_numpy(found), torch.from_numpy(boxes)).max(dim=1))
    return best, labels[which]


def _minimize(loss: Callable[[], Tensor], fitted: Tensor) -> None:
    optimizer = torch.optim.LBFGS([fitted], max_iter=100)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(step)

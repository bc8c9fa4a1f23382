"""The loss of the classifier, and the probabilities that its network is trained to answer."""

import torch
import torch.nn.functional as F
from torch import Tensor


def target_probabilities(label_smoothing: float, classes: int = 10) -> Tensor:
    """The probabilities that a network shall answer for each label.

    Args:
        label_smoothing: The share of the label's probability that is spread over all classes.
        classes: How many there are, C.

    Returns:
        Float [C + 1, C]; the last row, which the index -1 means, is for images that show no digit.
    """
    flat = torch.full((classes, classes), 1 / classes)
    return torch.cat([torch.eye(classes).lerp(flat, label_smoothing), flat[:1]])


def training_loss(scores: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy between the target probabilities and those of a network.

    Args:
        scores: Logits or log-probabilities, float [B, C]; or [K, B, C], of K parts that are each trained.
        labels: Int64 [B], -1 for images that show no digit; or probabilities, float [B, C], of augmentation that mixes
            images.
        targets: As `target_probabilities` gives them.

    Returns:
        The loss, a scalar; the answers that the training metrics are made of, [B, C]; the labels, int64 [B].
    """
    if labels.ndim == 1:
        wanted = targets[labels]
    else:
        wanted, labels = labels @ targets[:-1], labels.argmax(dim=1)
    if scores.ndim == 2:
        return F.cross_entropy(scores, wanted), scores, labels
    loss = F.cross_entropy(scores.flatten(0, 1), wanted.repeat(len(scores), 1))
    return loss, scores.log_softmax(dim=-1).logsumexp(dim=0), labels

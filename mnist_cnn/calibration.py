"""Whether a network's confidence can be believed: temperature scaling, and the reliability curve."""

from dataclasses import dataclass

from torch import Tensor

BINS = 15
"""Of confidence, equally wide from 0 to 1, as in https://arxiv.org/abs/1706.04599."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Finds the temperature with the smallest negative log-likelihood (https://arxiv.org/abs/1706.04599).

    It is over 1 where the network was too sure of itself; 0.05 where every answer is right, so that none is low
    enough; and 20 where the answers are worse than chance.

    Args:
        logits: Logits or log-probabilities, at temperature 1, of images that the network was not trained on and that
            it is not tested on; floating point [N, C].
        labels: int64 [N].

    Raises:
        ValueError: There are no images, or logits that are not finite.
    """
    scores = logits.detach().double().cpu()
    if not len(scores) or not scores.isfinite().all():
        raise ValueError("a temperature is fitted to the finite logits of at least one image")
    true = scores.gather(1, labels.cpu().unsqueeze(1)).squeeze(1)
    low, high = 1 / 20, 1 / 0.05
    for _ in range(50):  # convex in 1 / temperature, so that its slope has one zero
        inverse = (low * high) ** 0.5
        expected = ((inverse * scores).softmax(dim=1) * scores).sum(dim=1)
        if (expected - true).mean() < 0:
            low = inverse
        else:
            high = inverse
    return 1 / (low * high) ** 0.5


@dataclass(frozen=True)
class Reliability:
    """Answers sorted into bins by their confidence; each tensor is float [BINS], 0 where a bin is empty."""

    share: Tensor
    """Of all answers."""
    confidence: Tensor
    """Its mean."""
    accuracy: Tensor

    @classmethod
    def of(cls, confidence: Tensor, right: Tensor) -> "Reliability":
        """Counts answers: the probability of each, 0 to 1, float [N], and whether it was right, bool [N].

        Of a single one both may be scalars, as metrics give them.
        """
        sure, right = confidence.detach().float().cpu().flatten(), right.flatten()
        bins = (sure * BINS).long().clamp(0, BINS - 1)
        count = bins.bincount(minlength=BINS)
        sums = (bins.bincount(values.float().cpu(), minlength=BINS) for values in (sure, right))
        return cls(count / max(1, len(sure)), *(total / count.clamp(min=1) for total in sums))

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of confidence and accuracy, 0 to 1."""
        return float(((self.accuracy - self.confidence).abs() * self.share).sum())

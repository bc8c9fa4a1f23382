"""What a picture may show, and the choice of what it does show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_cnn.data.ink import Picture


@dataclass(frozen=True)
class Candidates:
    """What a picture may show: images of digits, and which of them stand one after the other.

    A reading is a path from cut 0 to the last cut; for a single digit all candidates lead from 0 to 1.
    """

    images: Picture
    """[K, 28, 28]; none where the picture shows no digit."""
    spans: NDArray[np.int64]
    """[K, 2]: from which cut to which a candidate reaches, left to right."""
    plausibility: NDArray[np.float32]
    """[K]: the logarithm of how much each looks like a digit's strokes, up to a constant."""

    @classmethod
    def of(cls, images: list[Picture], spans: list[tuple[int, int]], plausibility: list[float]) -> "Candidates":
        """From lists of equal length."""
        return cls(
            np.stack(images) if images else np.zeros((0, 28, 28), np.uint8),
            np.array(spans, np.int64).reshape(-1, 2),
            np.array(plausibility, np.float32),
        )


@dataclass(frozen=True)
class Reading:
    """What a picture was read as."""

    digits: str
    """Left to right; empty where no digit was found."""
    confidence: float
    """The probability that all of it is right, 0 to 1; 0 where no digit was found."""
    images: Picture
    """What the network saw of each digit, [N, 28, 28]."""


def choose(candidates: Candidates, probabilities: NDArray[Any]) -> Reading:
    """Chooses the reading that is best as handwriting and to the network.

    Args:
        candidates: Of one picture.
        probabilities: Of the ten digits for each candidate, [K, 10].

    Returns:
        The best path through the candidates.
    """
    if not len(candidates.images):
        return Reading("", 0.0, candidates.images)
    sure = np.log(np.maximum(probabilities.max(axis=1), 1e-9))
    value = candidates.plausibility + sure
    last = int(candidates.spans[:, 1].max())
    best: list[tuple[float, list[int]]] = [(0.0, []), *((-np.inf, []) for _ in range(last))]
    for cut in range(1, last + 1):
        for k in np.flatnonzero(candidates.spans[:, 1] == cut):
            total, path = best[candidates.spans[k, 0]]
            if total + value[k] > best[cut][0]:
                best[cut] = (total + float(value[k]), [*path, int(k)])
    path = best[last][1]
    digits = "".join(str(digit) for digit in probabilities[path].argmax(axis=1))
    return Reading(digits, float(np.exp(sure[path].sum())), candidates.images[path])

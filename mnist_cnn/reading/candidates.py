"""What a picture may show, and the choice of what it does show."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_cnn.reading.ink import Picture

SHARPNESS = 2.0
"""How fast a reading loses weight in the confidence with its plausibility, beside the choice of the best."""


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
    nothing: float = -np.inf
    """On the same scale: how plausible it is that none of them is a digit."""

    @classmethod
    def of(
        cls,
        images: list[Picture],
        spans: list[tuple[int, int]],
        plausibility: list[float],
        nothing: float = -np.inf,
    ) -> "Candidates":
        """From lists of equal length."""
        return cls(
            np.stack(images) if images else np.zeros((0, 28, 28), np.uint8),
            np.array(spans, np.int64).reshape(-1, 2),
            np.array(plausibility, np.float32),
            nothing,
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

    A reading weighs as much as it is plausible and as the network is sure of it. For one digit the answer is what most
    of the weight says, for a row the heaviest path. The confidence is the share of all weight that says the same
    digits, so that candidates which disagree lower it.

    Args:
        candidates: Of one picture.
        probabilities: Of the ten digits for each candidate, [K, 10].

    Returns:
        What was read, and the images of the best candidates that say so.
    """
    if not len(candidates.images):
        return Reading("", 0.0, candidates.images)
    value = candidates.plausibility + np.log(np.maximum(probabilities.max(axis=1), 1e-9))
    path = _most_agreed(value, probabilities) if candidates.spans.max() == 1 else _best_path(candidates, value)
    if not path:
        return Reading("", 0.0, candidates.images[:0])
    digits = probabilities[path].argmax(axis=1)
    confidence = _share(candidates, SHARPNESS * value, probabilities, digits)
    return Reading("".join(map(str, digits)), confidence, candidates.images[path])


def _most_agreed(value: NDArray[Any], probabilities: NDArray[Any]) -> list[int]:
    """Of candidates for one digit, the best of those that say what most of the weight says."""
    weight = np.exp(SHARPNESS * (value - value.max()))
    says = probabilities.argmax(axis=1)
    answer = max(set(says), key=lambda digit: weight @ probabilities[:, digit])
    return [int(np.where(says == answer, value, -np.inf).argmax())]


def _best_path(candidates: Candidates, value: NDArray[Any]) -> list[int]:
    """The numbers of the candidates from the first cut to the last that are worth most; none if none get there."""
    last = int(candidates.spans[:, 1].max())
    best: list[tuple[float, list[int]]] = [(0.0, []), *((-np.inf, []) for _ in range(last))]
    for cut in range(1, last + 1):
        for k in np.flatnonzero(candidates.spans[:, 1] == cut):
            total, path = best[candidates.spans[k, 0]]
            if total + value[k] > best[cut][0]:
                best[cut] = (total + float(value[k]), [*path, int(k)])
    return best[last][1]


def _share(
    candidates: Candidates, value: NDArray[Any], probabilities: NDArray[Any], digits: NDArray[np.int64]
) -> float:
    """The share of the weight of all paths, each by its probabilities, that reads as these digits."""
    last = int(candidates.spans[:, 1].max())
    everything = np.full(last + 1, -np.inf)
    everything[0] = 0.0
    alike = np.full((last + 1, len(digits) + 1), -np.inf)  # after a cut, so many of the digits read
    alike[0, 0] = 0.0
    # Digits that the network doubts are no other path: their probability counts once, as it is.
    says = np.log(np.maximum(probabilities[:, digits], 1e-9))
    for k in np.argsort(candidates.spans[:, 1], kind="stable"):
        start, end = candidates.spans[k]
        everything[end] = np.logaddexp(everything[end], everything[start] + value[k])
        alike[end, 1:] = np.logaddexp(alike[end, 1:], alike[start, :-1] + value[k] + says[k])
    share = np.exp(alike[last, -1] - np.logaddexp(everything[last], SHARPNESS * candidates.nothing))
    return min(1.0, float(share))

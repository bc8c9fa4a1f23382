"""What was seen in a picture, and what its rows say by the votes of all networks."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mnist_cnn.networks import DIGITS
from mnist_cnn.networks.recognizer import likelihood
from mnist_cnn.reading.detection import BESIDE, Digits
from mnist_cnn.reading.pictures import Opened, Picture
from mnist_cnn.reading.results import Reading, Row, joined

VOTES = (0.41, 0.67)
"""How much the logarithms of classifier's and detector's probabilities weigh, as `scripts/pretrain.py` fits it."""
CERTAIN = 0.97
"""Score from which on a digit of a row is surely one."""
DOUBTFUL = 4
"""How many digits of a row may be none, at most: the least sure ones."""
SELDOM = BESIDE / (1 - BESIDE)
"""How seldom what is found beside digits is none, by its score alone: at the lowest score both are as likely."""


@dataclass(frozen=True)
class Sighting:
    """What the detector sees in a picture: digits in rows, before a classifier names them."""

    digits: Digits
    """All of the rows, one row after the other, N of them."""
    images: Picture
    """Each in MNIST's form, uint8 [N, 28, 28]."""
    lengths: list[int]
    """Of each row."""
    sureness: list[float]
    """For each row, the probability that nothing was left out of it, 0 to 1."""
    turns: int = 0
    """By how many quarter turns to the left the picture was turned to read it."""
    again: "tuple[tuple[int, Sighting], ...]" = ()
    """Of each doubtful row, by its number: what was seen when it was looked at again."""
    steps: tuple[Tensor, ...] = ()
    """Of each row, what a recognizer says of it, as `recognize` returns it; empty without one."""

    @property
    def rows(self) -> list[Digits]:
        """The digits of each row."""
        ends = itertools.pairwise(np.cumsum([0, *self.lengths]))
        return [self.digits.take(np.arange(start, end)) for start, end in ends]

    @property
    def all_images(self) -> Picture:
        """What a classifier is to name for `reading`: `images`, then those of `again`, uint8 [M, 28, 28]."""
        return np.concatenate([self.images, *(other.images for _, other in self.again)])

    def reading(
        self, opened: Opened, probabilities: NDArray[np.floating], votes: bool, classes: Sequence[str] = DIGITS
    ) -> Reading:
        """What is written there.

        Args:
            opened: The picture.
            probabilities: What a classifier answers for each of `all_images`, float [M, C], 0 to 1.
            votes: Whether detector and recognizer have a say, too; they know the ten digits.
            classes: The names of the C classes.
        """
        sightings = [self, *(other for _, other in self.again)]
        parts = np.split(probabilities, np.cumsum([len(one.images) for one in sightings])[:-1])
        first, *rest = [
            list(one._rows(opened.factor, part, votes, classes)) for one, part in zip(sightings, parts, strict=True)
        ]
        looks = [[answers] for answers in first]
        for (k, _), rows in zip(self.again, rest, strict=True):
            looks[k].append([answer for answers in rows for answer in answers])
        upright = np.ascontiguousarray(np.rot90(opened.pixels, self.turns))
        steps = self.steps if votes and self.steps else [None] * len(looks)
        agreed = [_agreed(*both) for both in zip(looks, steps, strict=True)]
        return Reading(agreed, opened._replace(pixels=upright), self.turns)

    def _rows(
        self, factor: float, probabilities: NDArray[np.floating], votes: bool, classes: Sequence[str]
    ) -> Iterator[list[Row]]:
        """The answers for each row: all that was found, and what is left without digits that may be none."""
        if votes:
            probabilities = voted(probabilities, self.digits.probabilities)
        names = [classes[k] for k in probabilities.argmax(axis=1)]
        confidences = (probabilities.max(axis=1) * self.digits.scores).astype(np.float32)
        boxes = self.digits.boxes * np.float32(factor)
        ends = itertools.pairwise(np.cumsum([0, *self.lengths]))
        for (start, end), sure in zip(ends, self.sureness, strict=True):
            answers = []
            for out, chance in _left_out(self.digits.scores[start:end]):
                which = [k for k in range(start, end) if k - start not in out]
                whole = float(confidences[which].prod() * sure * chance)
                text = joined([names[k] for k in which])
                answers.append(Row(text, whole, confidences[which], boxes[which], self.images[which]))
            yield answers


def _left_out(scores: NDArray[np.float32]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Which digits of a row may be none, and how likely it is: first that all are digits, then that some are not."""
    doubtful = [k for k in np.argsort(scores)[:DOUBTFUL].tolist() if scores[k] < CERTAIN]
    for count in range(min(len(doubtful), len(scores) - 1) + 1):
        for out in itertools.combinations(doubtful, count):
            yield out, float((SELDOM * (1 - scores[list(out)])).prod())


def _agreed(looks: list[list[Row]], steps: Tensor | None) -> Row:
    """The likeliest of the answers that several looks at a row gave, some each or none, by its mean confidence.

    The recognizer's probability of each answer counts as the confidence of one look. Each digit gets its mean
    confidence over the looks that count as many, 0 where one names another digit.
    """
    answers = [row for rows in looks for row in rows]
    likely = {row.digits: sum(other.confidence for other in answers if other.digits == row.digits) for row in answers}
    count = len(looks)
    if steps is not None:
        likely = {digits: sure + likelihood(steps, digits) for digits, sure in likely.items()}
        count += 1
    best = max(answers, key=lambda row: (likely[row.digits], row.confidence))
    as_long = [[row for row in rows if len(row.names) == len(best.names)] for rows in looks]
    alike = [max(rows, key=lambda row: (row.digits == best.digits, row.confidence)) for rows in as_long if rows]
    sure = np.stack([row.confidences * np.equal(row.names, best.names) for row in alike])
    return replace(best, confidence=likely[best.digits] / count, confidences=sure.mean(axis=0))


def voted(classifier: NDArray[np.floating], detector: NDArray[np.floating]) -> NDArray[np.floating]:
    """The probabilities of the ten digits to both networks together, [N, 10], of those to each of them."""
    both = classifier.clip(1e-9) ** VOTES[0] * detector.clip(1e-9) ** VOTES[1]
    return np.asarray(both / both.sum(axis=1, keepdims=True))

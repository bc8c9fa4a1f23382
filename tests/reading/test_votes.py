"""What a classifier and the detector make of digits that were found."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mnist_cnn.networks.base import ScalePixels
from mnist_cnn.networks.recognizer import BLANK
from mnist_cnn.reading.detection import Digits
from mnist_cnn.reading.models import probabilities
from mnist_cnn.reading.pictures import Opened
from mnist_cnn.reading.results import Row
from mnist_cnn.reading.sighting import VOTES, Sighting


def seen(
    scores: list[float], answers: np.ndarray, lengths: list[int], sureness: list[float], turns: int = 0
) -> Sighting:
    count = len(scores)
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    images = np.stack([np.full((28, 28), k, np.uint8) for k in range(count)])
    digits = Digits(np.array(scores, np.float32), answers, boxes, np.ones(count, np.float32))
    return Sighting(digits, images, lengths, sureness, turns)


def test_of_no_images_there_are_no_probabilities_of_all_classes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 26))
    found = probabilities(nn.Sequential(ScalePixels(), network), np.zeros((0, 28, 28), np.uint8))
    assert (found.shape, found.dtype) == ((0, 26), np.float32)


def test_a_classifier_alone_decides_unless_the_detector_votes() -> None:
    classifier = np.array([[0.7, 0.2, 0.1] + [0.0] * 7, [0.1, 0.5, 0.4] + [0.0] * 7], np.float32)
    detector = np.array([[0.1, 0.9] + [0.0] * 8, [0.0, 0.5, 0.5] + [0.0] * 7], np.float32)
    found = seen([0.9, 0.8], detector, [1, 1], [1.0, 0.5])
    opened = Opened(np.full((300, 500, 3), 255, np.uint8), "", 2.0)
    alone = found.reading(opened, classifier, votes=False)
    assert alone.digits == "0\n1"
    assert alone.confidences.tolist() == pytest.approx([0.63, 0.4])
    assert [row.confidence for row in alone.rows] == pytest.approx([0.63, 0.2])
    both = found.reading(opened, classifier, votes=True)
    weights = classifier.clip(1e-9).astype(float) ** VOTES[0] * detector.clip(1e-9).astype(float) ** VOTES[1]
    shares = weights.max(axis=1) / weights.sum(axis=1)
    assert both.digits == "1\n1"
    assert both.confidences.tolist() == pytest.approx(shares * (0.9, 0.8), rel=1e-4)


def test_rows_get_their_digits_names_boxes_and_images() -> None:
    answers = np.eye(3, dtype=np.float32)[[2, 0, 1]]
    found = seen([0.5, 1.0, 0.8], np.full((3, 10), 0.1, np.float32), [2, 1], [0.9, 1.0], turns=1)
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    reading = found.reading(Opened(picture, "note", 3.0), answers, votes=False, classes=["a", "bee", "c"])
    assert [row.digits for row in reading.rows] == ["ca", "bee"]
    assert [row.confidence for row in reading.rows] == pytest.approx([0.45, 0.8])
    assert [row.boxes.tolist() for row in reading.rows] == [[[0, 3, 6, 9], [12, 15, 18, 21]], [[24, 27, 30, 33]]]
    assert [row.images[:, 0, 0].tolist() for row in reading.rows] == [[0, 1], [2]]
    assert reading.turns == 1
    assert (reading.picture == np.rot90(picture)).all()
    assert reading.opened.factor == 3.0


def test_several_looks_at_a_row_agree_on_its_likeliest_answer() -> None:
    """The confidences of each answer are added up; a look without an answer counts, too."""
    nothing = seen([0.0], np.full((1, 10), 0.1, np.float32), [], [])
    nothing = replace(nothing, digits=nothing.digits.take(np.arange(0)), images=nothing.images[:0])
    flat = np.full((2, 10), 0.1, np.float32)
    other = seen([1.0, 1.0], flat, [2], [1.0])
    found = seen([0.5, 0.9, 0.9], np.full((3, 10), 0.1, np.float32), [1, 2], [1.0, 1.0])
    answers = np.eye(10, dtype=np.float32)
    opened = Opened(np.full((300, 500, 3), 255, np.uint8), "", 2.0)
    once = found.reading(opened, answers[[4, 1, 2]], votes=False)
    assert [(row.digits, round(row.confidence, 4)) for row in once.rows] == [("4", 0.5), ("12", 0.81)]
    found = replace(found, again=((1, other), (1, nothing), (1, other)))
    unsure = 0.6 * answers[[1, 7]] + 0.4 * answers[[3, 3]]
    assert len(found.all_images) == 7
    twice = found.reading(opened, np.concatenate((answers[[4, 1, 2]], unsure, unsure)), votes=False)
    assert [row.digits for row in twice.rows] == ["4", "12"]  # 0.81 against two times 0.36
    assert [row.confidence for row in twice.rows] == pytest.approx([0.5, 0.81 / 4])
    sure = np.concatenate((answers[[4, 1, 2]], unsure, answers[[1, 7]]))
    changed = found.reading(opened, sure, votes=False)
    assert [row.digits for row in changed.rows] == ["4", "17"]
    assert changed.rows[1].confidence == pytest.approx(1.36 / 4)
    # The looks agree on the 1, with 0.9, 0.6 and 1; one of them sees a 2 in place of the 7.
    assert changed.rows[1].confidences.tolist() == pytest.approx([2.5 / 3, 1.6 / 3])
    assert twice.rows[1].confidences.tolist() == pytest.approx([2.1 / 3, 0.9 / 3])
    assert changed.rows[1].boxes.tolist() == [[0, 2, 4, 6], [8, 10, 12, 14]]


def test_a_digit_that_may_be_none_is_left_out_where_the_recognizer_does_not_read_it() -> None:
    """As the stroke of a date, which the detector half takes for a 1."""
    eye = np.eye(10, dtype=np.float32)
    opened = Opened(np.full((300, 500, 3), 255, np.uint8), "", 1.0)

    def read(score: float, *spelled: int) -> Row:
        found = seen([1.0, score, 1.0], np.full((3, 10), 0.1, np.float32), [3], [1.0])
        steps = torch.full((len(spelled), 11), -9.0)
        steps[range(len(spelled)), spelled] = -0.01
        return replace(found, steps=(steps,)).reading(opened, eye[[4, 1, 7]], votes=True).rows[0]

    assert [read(score, 4, 1, 7).digits for score in (0.3, 0.5, 1.0)] == ["417"] * 3
    assert [read(score, 4, BLANK, 7).digits for score in (0.3, 0.5, 1.0)] == ["47", "47", "417"]
    row = read(0.4, 4, BLANK, 7)
    assert row.boxes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert row.images[:, 0, 0].tolist() == [0, 2]
    assert row.confidence == pytest.approx((0.6 / 3 + math.exp(-0.03)) / 2, abs=0.01)

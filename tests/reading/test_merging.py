"""Which of the boxes that were found are digits, and what is said of each."""

import pytest
import torch

from mnist_cnn.reading.detection import _merged

Box = tuple[float, ...]
IN_A_BOX = [(10.0 + 30 * k, 20.0, 34.0 + 30 * k, 56.0) for k in range(3)]


def merged(
    *scored: tuple[float, Box], digits: list[int] | None = None, scales: list[int] | None = None
) -> tuple[list[int], torch.Tensor]:
    """The numbers of what is kept, and its answers; each box has a score, its scale, and surely its digit."""
    scores, boxes = (torch.tensor(values, dtype=torch.float32) for values in zip(*scored, strict=True))
    labels = torch.tensor(digits or [0] * len(scores))
    of_scale = torch.tensor(scales or range(len(scores)))
    answers = torch.nn.functional.pad(torch.nn.functional.one_hot(labels, 10).float(), (0, 1))
    return _merged(scores, answers, boxes, of_scale)


def kept(*scored: tuple[float, Box]) -> list[int]:
    return merged(*scored)[0]


def test_what_holds_several_sure_digits_is_none_however_sure() -> None:
    assert kept((0.97, (0, 0, 110, 70)), *((0.9, box) for box in IN_A_BOX)) == [1, 2, 3]
    rings = [(20.0, 2.0, 50.0, 32.0), (18.0, 34.0, 52.0, 68.0)]  # of an 8
    assert kept((0.97, (15, 0, 55, 70)), *((0.9, ring) for ring in rings)) == [0]


@pytest.mark.parametrize(("others", "is_kept"), [(0.8, False), (0.7, True)])
def test_how_sure_the_digits_in_a_box_must_be(others: float, is_kept: bool) -> None:
    found = kept((0.75, (0, 0, 110, 70)), *((others, box) for box in IN_A_BOX))
    assert (0 in found) == is_kept  # 2.4 and 2.1, and 1.5 more than its own is 2.25


def test_the_surest_of_digits_on_each_other_count_against_a_box_around_them() -> None:
    blurred = [(20.0, 10, 55, 60), (55.0, 10, 90, 60)]  # between two digits each
    sharp = [(5.0, 10, 35, 60), (40.0, 10, 70, 60), (75.0, 10, 105, 60)]
    found = kept((0.95, (0, 0, 110, 70)), *((0.5, box) for box in blurred), *((0.9, box) for box in sharp))
    assert 0 not in found


@pytest.mark.parametrize("moved", [2, 14])
def test_a_digit_that_is_found_twice_in_a_box_counts_once(moved: float) -> None:
    twice = [(10.0 + x, 20, 34.0 + x, 56) for x in (0, moved, 50, 50 + moved)]  # the second time, almost half of it
    assert 0 in kept((0.95, (0, 0, 110, 70)), *((0.9, box) for box in twice))


def test_thin_digits_far_apart_are_all_kept() -> None:
    thin = [(20.0 + 40 * k, 20.0, 21.5 + 40 * k, 60.0) for k in range(3)]
    assert kept((0.7, thin[0]), (0.9, thin[1]), (0.8, thin[2])) == [1, 2, 0]


@pytest.mark.parametrize(
    ("other", "is_kept"),
    [
        ((20, 0, 50, 40), True),  # a third of each, a fifth of both
        ((13, 0, 43, 40), False),  # more than half of each, but less than half of both
        ((9, 0, 39, 40), False),
        ((24, 10, 34, 20), True),  # small, and half in the other
        ((23, 10, 33, 20), False),  # small, and more than half in it
    ],
)
def test_a_neighbour_is_kept_if_it_overlaps_but_a_little(other: Box, is_kept: bool) -> None:
    assert kept((0.9, (0, 0, 30, 40)), (0.8, other)) == ([0, 1] if is_kept else [0])


ZERO, ONE, LOW = (0, 0, 40, 60), (0, 0, 10, 60), (0, 0, 10, 29)
"""The box of a slanted 0 holds that of the 1 before it."""


@pytest.mark.parametrize(
    ("inner", "score", "zero_score", "scales", "found"),
    [
        (ONE, 0.8, 0.9, [2, 1, 1], [0, 2]),  # one scale has both, though another one is surer of the 0
        (ONE, 0.8, 0.4, [2, 1, 1], [0]),  # but it must be sure of both
        (ONE, 0.4, 0.9, [2, 1, 1], [0]),
        (ONE, 0.8, 0.9, [2, 1, 3], [0]),  # on a finer scale, a stroke of the 0 looks like a 1
        (LOW, 0.8, 0.9, [2, 1, 1], [0]),  # and so does a part of it
    ],
)
def test_within_another_s_box_is_a_digit_of_its_own_if_one_scale_has_both(
    inner: Box, score: float, zero_score: float, scales: list[int], found: list[int]
) -> None:
    assert merged((0.95, ZERO), (zero_score, ZERO), (score, inner), scales=scales)[0] == found


@pytest.mark.parametrize(
    ("width", "digits", "scales", "found"),
    [
        (33, [6, 1], [1, 1], [0, 1]),
        (45, [6, 1], [1, 1], [0]),  # more than 0.45 of both together
        (33, [6, 6], [1, 1], [0]),
        (33, [6, 1], [1, 2], [0]),
    ],
)
def test_different_digits_that_one_scale_has_may_have_more_in_common(
    width: int, digits: list[int], scales: list[int], found: list[int]
) -> None:
    six, one = (0, 0, 78, 141), (0, 0, width, 138)
    assert merged((0.98, six), (0.94, one), digits=digits, scales=scales)[0] == found


def test_boxes_of_the_same_digit_answer_together_by_the_square_of_their_scores() -> None:
    whole, like, other = (0, 0, 30, 40), (0, 0, 30, 26), (0, 0, 30, 19)  # two thirds of it, and less than half
    numbers, answers = merged((0.9, whole), (0.6, like), (0.8, other), digits=[3, 5, 7])
    assert numbers == [0]
    assert answers[0, [3, 5, 7]].tolist() == pytest.approx([0.81 / 1.17, 0.36 / 1.17, 0])


@pytest.mark.parametrize(("apart", "count"), [(0, 1), (4, 1), (14, 2)])
def test_one_stroke_is_one_digit_though_its_boxes_stand_side_by_side(apart: float, count: int) -> None:
    """A box as narrow as a stroke of 1 soon misses another one; two ones of 40 pixels are further apart."""
    assert len(kept((0.9, (20, 0, 23, 40)), (0.8, (20 + apart, 2, 23 + apart, 40)))) == count

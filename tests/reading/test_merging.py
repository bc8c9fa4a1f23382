"""Which of the boxes that were found are digits."""

import pytest
import torch

from mnist_cnn.reading.detection import _merged


def test_what_holds_several_sure_digits_is_none_however_sure() -> None:
    def merged(boxes: list[tuple[float, ...]]) -> list[int]:
        scores = torch.tensor([0.97, *[0.9] * (len(boxes) - 1)])
        return _merged(scores, torch.full((len(boxes), 10), 0.1), torch.tensor(boxes))[0]

    digits = [(10.0 + 30 * k, 20.0, 34.0 + 30 * k, 56.0) for k in range(3)]
    assert merged([(0, 0, 110, 70), *digits]) == [1, 2, 3]
    rings = [(20.0, 2.0, 50.0, 32.0), (18.0, 34.0, 52.0, 68.0)]  # of an 8
    assert merged([(15, 0, 55, 70), *rings]) == [0]


def test_thin_digits_far_apart_are_all_kept() -> None:
    boxes = torch.tensor([(20.0 + 40 * k, 20.0, 21.5 + 40 * k, 60.0) for k in range(3)])
    kept, _ = _merged(torch.tensor([0.7, 0.9, 0.8]), torch.full((3, 10), 0.1), boxes)
    assert kept == [1, 2, 0]


def test_the_surest_of_digits_on_each_other_count_against_a_box_around_them() -> None:
    whole, left, middle, right = (0.0, 0, 110, 70), (5.0, 10, 35, 60), (40.0, 10, 70, 60), (75.0, 10, 105, 60)
    blurred = [(20.0, 10, 55, 60), (55.0, 10, 90, 60)]  # between two digits each
    boxes = torch.tensor([whole, *blurred, left, middle, right])
    scores = torch.tensor([0.95, 0.5, 0.5, 0.9, 0.9, 0.9])
    assert 0 not in _merged(scores, torch.full((6, 10), 0.1), boxes)[0]


@pytest.mark.parametrize(("others", "kept"), [(0.8, False), (0.7, True)])
def test_how_sure_the_digits_in_a_box_must_be(others: float, kept: bool) -> None:
    boxes = torch.tensor([(0.0, 0, 110, 70), *((10.0 + 30 * k, 20.0, 34.0 + 30 * k, 56.0) for k in range(3))])
    scores = torch.tensor([0.75, *[others] * 3])  # 2.4 and 2.1, and 1.5 more than its own is 2.25
    assert (0 in _merged(scores, torch.full((4, 10), 0.1), boxes)[0]) == kept


def test_a_digit_that_is_found_twice_in_a_box_counts_once() -> None:
    twice = [(10.0, 20, 34, 56), (12.0, 20, 36, 56), (60.0, 20, 84, 56), (62.0, 20, 86, 56)]
    boxes = torch.tensor([(0.0, 0, 110, 70), *twice])
    assert 0 in _merged(torch.tensor([0.95, 0.9, 0.9, 0.9, 0.9]), torch.full((5, 10), 0.1), boxes)[0]


def test_a_neighbour_that_overlaps_a_little_is_kept() -> None:
    boxes = torch.tensor([(0.0, 0, 30, 40), (20.0, 0, 50, 40), (9.0, 0, 39, 40)])  # a fifth, and more than a half
    assert _merged(torch.tensor([0.9, 0.8, 0.7]), torch.full((3, 10), 0.1), boxes)[0] == [0, 1]

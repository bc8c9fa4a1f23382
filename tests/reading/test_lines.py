"""Digits in rows, and the digit or the row that is meant."""

import numpy as np
import pytest
from laid import boxes, row

from mnist_cnn.reading.lines import ROW_GAP, rows_of, the_digit, the_row


@pytest.mark.parametrize("gap", [-0.2, 0.1, 1.0, 2.0, 3.0])
def test_a_row_of_any_spacing_is_one(gap: float) -> None:
    row = boxes((10, 10, 6, gap))
    shuffled = np.random.default_rng(0).permutation(6)
    (found,) = rows_of(row[shuffled], ROW_GAP)
    assert shuffled[found].tolist() == list(range(6))


def test_a_row_may_rise_and_bend() -> None:
    row = boxes((10, 200, 8, 0.4))
    across = row[:, 0] - row[0, 0]
    row[:, [1, 3]] -= (0.25 * across + 0.0006 * across**2)[:, None]
    assert rows_of(row, ROW_GAP) == [list(range(8))]


def test_rows_close_below_each_other_stay_apart() -> None:
    page = boxes((10, 10, 5, 0.3), (14, 45, 5, 0.3), (8, 80, 5, 0.3))
    assert sorted(rows_of(page, ROW_GAP)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]


def test_the_row_that_is_meant_has_the_most_and_largest_digits() -> None:
    page = np.concatenate([boxes((10, 10, 3, 0.2), height=12), boxes((10, 100, 4, 0.2), height=60)])
    assert the_row(page, np.full(7, 0.9, np.float32)) == [3, 4, 5, 6]
    assert the_row(page[:0], np.zeros(0, np.float32)) == []


def test_the_digit_that_is_meant_is_large_and_in_the_middle() -> None:
    found = np.array([(0, 0, 12, 20), (80, 70, 130, 140), (2, 170, 30, 200)], np.float32)
    assert the_digit(found, np.full(3, 0.9, np.float32), (200, 200)) == [1]
    assert the_digit(found[:0], np.zeros(0, np.float32), (200, 200)) == []


@pytest.mark.parametrize(("times", "count"), [(2.6, 1), (3.5, 1), (4, 2)])
def test_a_neighbour_may_be_three_and_a_half_times_as_high(times: float, count: int) -> None:
    pair = np.array([(0, 85, 20, 115), (30, 100 - 15 * times, 90, 100 + 15 * times)], np.float32)
    for found in (pair, pair[:, [2, 1, 0, 3]] * np.float32((-1, 1, -1, 1))):  # the small one first, and the large one
        assert len(rows_of(found, ROW_GAP)) == count


@pytest.mark.parametrize(("gap", "alone"), [(4.0, False), (5.0, True)])
def test_how_wide_a_gap_the_row_of_a_picture_may_have(gap: float, alone: bool) -> None:
    assert len(the_row(row(gap), np.ones(2, np.float32))) == 2 - alone


@pytest.mark.parametrize(
    ("gap", "drift", "count"),
    [(-0.3, 0.5, 1), (0.2, 0.7, 2), (1.0, 0.8, 1), (1.0, 0.9, 2), (3.5, 1.1, 1), (3.5, 1.3, 2)],
)
def test_how_far_a_row_may_rise_from_digit_to_digit(gap: float, drift: float, count: int) -> None:
    for sign in (1, -1):
        pair = row(gap)
        pair[1, [1, 3]] += sign * 30 * drift
        assert len(rows_of(pair, ROW_GAP)) == count


def test_of_two_digits_that_may_follow_the_nearer_one_does() -> None:
    found = np.array([(0, 30, 20, 60), (40, 36, 60, 66), (28, 16, 48, 46)], np.float32)
    assert sorted(rows_of(found, ROW_GAP)) == [[0, 2], [1]]
    found = np.array([(0, 30, 20, 60), (28, 30, 48, 60), (28, 46, 48, 76)], np.float32)
    assert sorted(rows_of(found, ROW_GAP)) == [[0, 1], [2]]


def test_a_steep_row_is_followed_along_its_slope() -> None:
    steep = row(0.1, 0.1, 0.1, 0.1)
    steep[:, [1, 3]] -= np.array((0, 14, 28, 42, 62), np.float32)[:, None]  # and bends upwards
    assert the_row(steep, np.ones(5, np.float32)) == [0, 1, 2, 3, 4]
    assert len(rows_of(steep, ROW_GAP)) == 2


def test_a_digit_far_above_or_below_belongs_to_the_row_where_it_stands_there_alone() -> None:
    low, end = row(0.2, 0.2, 0.2, 0.2), row(0.2, 0.2, 0.2, 0.2)
    low[2, [1, 3]] += 30
    end[4, [1, 3]] -= 33
    for wavering in (low, end):
        assert len(rows_of(wavering, ROW_GAP)) > 1
        assert the_row(wavering, np.ones(5, np.float32)) == [0, 1, 2, 3, 4]
    beside = np.concatenate([end, end[4:] + np.float32((3, 60, 0, 60))])  # a row below it, too
    assert the_row(beside, np.ones(6, np.float32)) == [0, 1, 2, 3]
    far = row(0.2, 0.2, 0.2, 0.2)
    far[4, [1, 3]] += 40
    assert the_row(far, np.ones(5, np.float32)) == [0, 1, 2, 3]


def test_a_stem_found_twice_does_not_break_a_row() -> None:
    found = row(0.2, 0.2, 0.2)
    stem = found[1] + np.float32((12, 2, -1, -2))  # of an open 4, taken for a 1, too
    assert rows_of(np.concatenate([found, stem[None]]), ROW_GAP) == [[0, 1, 4, 2, 3]]


def test_small_digits_stand_anywhere_within_a_row_of_large_ones() -> None:
    uneven = row(0.1, 0.1, 0.1, 0.1, 0.1)
    uneven[1, 1] += 15  # on the base line
    uneven[2, 3] -= 15  # and at the top
    assert the_row(uneven, np.ones(6, np.float32)) == [0, 1, 2, 3, 4, 5]
    assert len(rows_of(uneven, ROW_GAP)) == 2


def test_a_row_of_sure_digits_wins_over_one_of_doubtful_ones() -> None:
    page = np.concatenate([row(0.2, 0.2), row(0.2, 0.2, 0.2, top=200)])
    assert the_row(page, np.array([0.9] * 3 + [0.5] * 4, np.float32)) == [0, 1, 2]
    assert the_row(page, np.array([0.9] * 7, np.float32)) == [3, 4, 5, 6]


@pytest.mark.parametrize("shape", [(100, 400, 3), (400, 100, 3)])
def test_of_digits_of_a_size_the_middle_one_is_meant_and_of_others_the_large_one(shape: tuple[int, ...]) -> None:
    height, width = shape[:2]
    middles = [
        (width / 2, height / 2),
        (10, height / 2),
        (width - 10, height / 2),
        (width / 2, 10),
        (width / 2, height - 10),
    ]
    found = np.array([(x - 10, y - 10, x + 10, y + 10) for x, y in middles], np.float32)
    scores = np.full(5, 0.9, np.float32)
    assert the_digit(found, scores, shape) == [0]
    assert the_digit(found[::-1].copy(), scores, shape) == [4]
    assert the_digit(found, np.array([0.5, 0.9, 0.5, 0.5, 0.5], np.float32), shape) == [1]
    for large in ((0, 10, 60, 30), (10, 0, 30, 60)):  # long in one direction, and at the border
        found[3] = large
        assert the_digit(found, scores, shape) == [3]

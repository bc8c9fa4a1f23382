import numpy as np
import pytest

from mnist_cnn.reading.lines import ROW_GAP, page_rows, rows_of, the_digit, the_row


def boxes(*lines: tuple[float, float, int, float], height: float = 30) -> np.ndarray:
    """Rows of digits, each as (left, top, count, gap in heights); digits are two thirds as wide as high."""
    width = height * 2 / 3
    return np.array(
        [
            (left + k * (width + gap * height), top, left + k * (width + gap * height) + width, top + height)
            for left, top, count, gap in lines
            for k in range(count)
        ],
        np.float32,
    )


@pytest.mark.parametrize("gap", [-0.2, 0.1, 1.0, 2.0, 3.0])
def test_a_row_of_any_spacing_is_one(gap: float) -> None:
    row = boxes((10, 10, 6, gap))
    shuffled = np.random.default_rng(0).permutation(6)
    (found,) = rows_of(row[shuffled], ROW_GAP)
    assert shuffled[found].tolist() == list(range(6))
    assert [len(part) for part in page_rows(row)] == [6]


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


def test_cells_of_a_table_are_rows_of_their_own_line_by_line() -> None:
    for lefts in ((10, 150), (10, 300, 590)):
        cells = [(left, 10 + 60 * line, 2, 0.1) for left in lefts for line in range(3)]
        rows = page_rows(boxes(*cells))
        assert [row[0] for row in rows] == [2 * (line + 3 * k) for line in range(3) for k in range(len(lefts))]


def test_cells_of_one_digit_are_apart_where_other_rows_stand_close() -> None:
    page = boxes(*((10, 10 + 60 * line, 5, 0.1) for line in range(4)), *((left, 300, 1, 0.0) for left in (10, 90, 170)))
    assert [len(row) for row in page_rows(page)] == [5, 5, 5, 5, 1, 1, 1]
    spaced = boxes(*((10, 10 + 60 * line, 3, 2.0) for line in range(4)))
    assert [len(row) for row in page_rows(spaced)] == [3, 3, 3, 3]


def test_two_columns_of_text_are_read_one_after_the_other() -> None:
    left = [(10, 10 + 50 * line, 5, 0.1) for line in range(5)]
    right = [(420, 33 + 47 * line, 5, 0.1) for line in range(5)]
    rows = page_rows(boxes(*left, *right))
    assert [row[0] for row in rows] == list(range(0, 50, 5))


def test_rows_of_a_list_come_from_top_to_bottom() -> None:
    order = [2, 0, 3, 1]
    page = boxes(*((10 + 40 * line, 10 + 50 * line, 4, 0.2) for line in order))
    assert [order[row[0] // 4] for row in page_rows(page)] == [0, 1, 2, 3]
    assert page_rows(page[:0]) == []

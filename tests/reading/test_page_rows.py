"""Rows of a page: where numbers end, and in which order they are read."""

import numpy as np
import pytest
from laid import boxes, row

from mnist_cnn.reading.lines import page_rows


def page_of(parts: list[np.ndarray]) -> list[list[int]]:
    """The rows of a page of numbers, if the detector knows where each of them ends."""
    joined = np.concatenate([[0.9] * (len(part) - 1) + [0.1] for part in parts]).astype(np.float32)
    return page_rows(np.concatenate(parts), joined)


def starts(parts: list[np.ndarray]) -> list[int]:
    """The first digit of each row, in reading order."""
    return [part[0] for part in page_of(parts)]


def test_cells_of_a_table_are_rows_of_their_own_line_by_line() -> None:
    for lefts in ((10, 150), (10, 300, 590)):
        cells = [(left, 10 + 60 * line, 2, 0.1) for left in lefts for line in range(3)]
        rows = page_of([boxes(cell) for cell in cells])
        assert [row[0] for row in rows] == [2 * (line + 3 * k) for line in range(3) for k in range(len(lefts))]


def test_a_row_ends_where_its_number_does() -> None:
    joined = np.array([0.9, 0.51, 0.49, 0.9, 0.1], np.float32)
    for gap in (0.1, 0.5):
        assert page_rows(boxes((10, 10, 5, gap)), joined) == [[0, 1, 2], [3, 4]]
    assert page_rows(boxes((10, 10, 1, 0.0)), np.zeros(1, np.float32)) == [[0]]


@pytest.mark.parametrize(
    ("mean", "rows"), [(0.9, [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]), (0.2, [[k] for k in range(10)])]
)
def test_the_cells_of_a_page_are_those_of_a_puzzle_or_none(mean: float, rows: list[list[int]]) -> None:
    cells = {0: (0, 1, 2, 6), 1: (0, 1, 5), 2: (2, 3, 6)}
    grid = [
        (10 + 60 * column, 10 + 60 * row, 30 + 60 * column, 40 + 60 * row) for row in cells for column in cells[row]
    ]
    joined = np.full(10, mean, np.float32)
    joined[[2, 5, 8]] = 0.2  # before empty cells
    assert page_rows(np.array(grid, np.float32), joined) == rows
    if mean > 0.5:
        grid[3] = (10 + 60 * 5.5, 10, 30 + 60 * 5.5, 40)  # no cell of the grid is there
        assert page_rows(np.array(grid, np.float32), joined)[:2] == [[0, 1, 2], [3]]


def test_gaps_between_the_same_columns_all_divide_or_none_does() -> None:
    lines = [row(0.1, 2.0, 0.1, top=50 + 60 * k) for k in range(4)]
    unsure = np.array([0.9, 0.6, 0.9, 0.1], np.float32)
    sure = np.array([0.9, 0.2, 0.9, 0.1], np.float32)
    assert page_rows(lines[0], unsure) == [[0, 1, 2, 3]]
    assert len(page_rows(np.concatenate(lines), np.concatenate([unsure, sure, unsure, sure]))) == 8
    assert len(page_rows(np.concatenate(lines), np.concatenate([unsure, unsure, unsure, sure]))) == 4


def test_gaps_elsewhere_or_of_another_width_do_not_count() -> None:
    wide, narrow = row(0.1, 3.0, 0.1), row(*[0.5] * 4, top=130)
    joined = np.array([0.9, 0.4, 0.9, 0.1, *[0.9] * 4, 0.1], np.float32)
    assert page_rows(np.concatenate([wide, narrow]), joined) == [[0, 1], [2, 3], [4, 5, 6, 7, 8]]


def test_two_columns_of_text_are_read_one_after_the_other() -> None:
    left = [(10, 10 + 50 * line, 5, 0.1) for line in range(5)]
    right = [(420, 33 + 47 * line, 5, 0.1) for line in range(5)]
    rows = page_of([boxes(line) for line in (*left, *right)])
    assert [row[0] for row in rows] == list(range(0, 50, 5))


def test_rows_of_a_list_come_from_top_to_bottom() -> None:
    order = [2, 0, 3, 1]
    page = [boxes((10 + 40 * line, 10 + 50 * line, 4, 0.2)) for line in order]
    assert [order[row[0] // 4] for row in page_of(page)] == [0, 1, 2, 3]
    assert page_rows(page[0][:0], np.zeros(0, np.float32)) == []


@pytest.mark.parametrize(("joined", "parts"), [(0.9, 1), (0.1, 2)])
def test_two_digits_of_a_page_are_a_row_however_far_apart_if_the_number_goes_on(joined: float, parts: int) -> None:
    assert len(page_rows(row(12.0), np.array([joined, 0.1], np.float32))) == parts


def test_two_rows_come_from_top_to_bottom() -> None:
    assert starts([row(0.1, top=200), row(0.1, top=60)]) == [2, 0]


@pytest.mark.parametrize(("gutter", "order"), [(1.7, [0, 4, 8, 2, 6, 10]), (1.3, [0, 2, 4, 6, 8, 10])])
def test_columns_stand_more_than_one_and_a_half_heights_apart(gutter: float, order: list[int]) -> None:
    right = 400 + 30 * (2 * 2 / 3 + 0.1 + gutter)
    lines = [(row(0.1, top=50 + 90 * k), row(0.1, left=right, top=95 + 90 * k)) for k in range(3)]
    assert starts([part for line in lines for part in line]) == order


@pytest.mark.parametrize(("gutter", "order"), [(6.2, [0, 4, 8, 2, 6, 10]), (5.8, [0, 2, 4, 6, 8, 10])])
def test_two_columns_of_level_lines_are_a_table_unless_they_are_far_apart(gutter: float, order: list[int]) -> None:
    right = 400 + 30 * (2 * 2 / 3 + 0.1 + gutter)
    lines = [(row(0.1, top=50 + 90 * k), row(0.1, left=right, top=50 + 90 * k)) for k in range(3)]
    assert starts([part for line in lines for part in line]) == order


def test_slanting_lines_that_overlap_are_read_one_after_the_other() -> None:
    lines = [row(*[0.2] * 7, left=400 - 40 * k, top=50 + 44 * k) for k in range(3)]
    for line in lines:
        line[:, [1, 3]] += 4 * np.arange(8)[:, None]
    assert starts(lines) == [0, 8, 16]


def test_two_columns_with_one_line_in_common_are_no_table() -> None:
    right = 400 + 30 * (2 * 2 / 3 + 0.1 + 3.5)
    lines = [(row(0.1, top=50 + 90 * k), row(0.1, left=right, top=50 + 135 * k)) for k in range(3)]
    assert starts([part for line in lines for part in line]) == [0, 4, 8, 2, 6, 10]


@pytest.mark.parametrize("shift", [7, -7])
def test_cells_of_a_table_may_stand_a_little_higher_or_lower(shift: int) -> None:
    cells = [
        row(0.1, left=left, top=50 + 80 * line + shift * k)
        for line in range(3)
        for k, left in enumerate((300, 640, 980))
    ]
    assert starts(cells) == list(range(0, 18, 2))


@pytest.mark.parametrize("missing", [0, 1])
def test_a_table_may_have_empty_cells(missing: int) -> None:
    cells = [
        row(0.1, left=left, top=50 + 80 * line)
        for line in range(4)
        for k, left in enumerate((300, 450))
        if k != missing or line % 2
    ]
    assert starts(cells) == list(range(0, 12, 2))


@pytest.mark.parametrize("gap", [-0.2, 0.1, 1.0, 2.0, 3.0])
def test_a_number_of_any_spacing_is_one_row(gap: float) -> None:
    assert [len(part) for part in page_of([boxes((10, 10, 6, gap))])] == [6]

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


def page_of(parts: list[np.ndarray]) -> list[list[int]]:
    """The rows of a page of numbers, if the detector knows where each of them ends."""
    joined = np.concatenate([[0.9] * (len(part) - 1) + [0.1] for part in parts]).astype(np.float32)
    return page_rows(np.concatenate(parts), joined)


@pytest.mark.parametrize("gap", [-0.2, 0.1, 1.0, 2.0, 3.0])
def test_a_row_of_any_spacing_is_one(gap: float) -> None:
    row = boxes((10, 10, 6, gap))
    shuffled = np.random.default_rng(0).permutation(6)
    (found,) = rows_of(row[shuffled], ROW_GAP)
    assert shuffled[found].tolist() == list(range(6))
    assert [len(part) for part in page_of([row])] == [6]


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


def row(*gaps: float, left: float = 400, top: float = 50, height: float = 30) -> np.ndarray:
    """One row with these gaps between its digits, in heights."""
    lefts = left + np.cumsum([0, *(height * (2 / 3 + gap) for gap in gaps)])
    return np.array([(x, top, x + height * 2 / 3, top + height) for x in lefts], np.float32)


def starts(parts: list[np.ndarray]) -> list[int]:
    """The first digit of each row, in reading order."""
    return [part[0] for part in page_of(parts)]


@pytest.mark.parametrize(("times", "count"), [(2.6, 1), (3, 1), (3.6, 2)])
def test_neighbours_may_differ_threefold_in_height(times: float, count: int) -> None:
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

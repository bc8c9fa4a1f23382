"""What a picture was read as, put together by hand."""

import dataclasses

import numpy as np
import pytest

from mnist_cnn.callbacks.contact_sheet import HEIGHT, WIDTH, contact_sheet
from mnist_cnn.reading.pictures import Opened
from mnist_cnn.reading.results import GREEN, RED, Reading, Row, joined


def row(names: list[str], confidences: list[float], left: float = 10, height: float = 20) -> Row:
    """Digits of half that width, each 3 pixels lower than the one before, with images that are all their number."""
    boxes = [(left + 40 * k, 10 + 3 * k, left + 40 * k + height / 2, 10 + 3 * k + height) for k in range(len(names))]
    images = np.stack([np.full((28, 28), k, np.uint8) for k in range(len(names))])
    sure = np.array(confidences, np.float32)
    return Row(joined(names), float(sure.prod()), sure, np.array(boxes, np.float32), images)


def reading(*rows: Row, size: tuple[int, int] = (120, 200), factor: float = 1.0) -> Reading:
    return Reading(list(rows), Opened(np.full((*size, 3), 255, np.uint8), "", factor))


@pytest.mark.parametrize("names", [["7"], ["1", "2"], ["alef"], ["alef", "b"], ["a", "b", "c"], ["ten", "ten"]])
def test_names_are_joined_and_come_apart_again(names: list[str]) -> None:
    line = row(names, [0.9] * len(names))
    assert line.digits == (" " if max(map(len, names)) > 1 else "").join(names)
    assert line.names == names


def test_a_row_has_a_box_around_all_of_its_digits() -> None:
    assert row(["1", "2", "3"], [0.9] * 3).box == (10, 10, 100, 36)
    backwards = row(["1", "2", "3"], [0.9] * 3)
    assert dataclasses.replace(backwards, boxes=backwards.boxes[::-1]).box == (10, 10, 100, 36)


def test_a_reading_puts_its_rows_together() -> None:
    first, second = row(["1", "2"], [0.9, 0.8]), row(["3"], [0.5], left=70)
    whole = reading(first, second)
    assert (whole.digits, whole.turns) == ("12\n3", 0)
    assert whole.confidence == pytest.approx(0.36)
    assert whole.confidences.tolist() == pytest.approx([0.9, 0.8, 0.5])
    assert whole.boxes[:, 0].tolist() == [10, 50, 70]
    assert whole.images[:, 0, 0].tolist() == [0, 1, 0]
    assert repr(whole) == "Reading('12\\n3', confidence=0.360, picture=200x120)"
    assert "images" not in repr(first)
    for frozen, name in ((first, "digits"), (whole, "rows")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, None)


def test_where_nothing_was_read_there_is_nothing_of_the_right_shape() -> None:
    nothing = reading()
    assert (nothing.digits, nothing.confidence) == ("", 0.0)
    shapes = (nothing.confidences.shape, nothing.boxes.shape, nothing.images.shape)
    assert shapes == ((0,), (0, 4), (0, 28, 28))
    assert (np.asarray(nothing.draw()) == 255).all()


def coloured(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of a colour, [N, 2]."""
    return np.argwhere((drawn == colour).all(axis=2))


def test_boxes_are_drawn_where_the_digits_are_and_doubt_is_red() -> None:
    drawn = np.asarray(reading(row(["1", "2"], [0.8, 0.79], height=24), factor=2.0).draw())
    sure, unsure = coloured(drawn, GREEN), coloured(drawn, RED)
    assert (sure.min(axis=0).tolist(), sure[:, 0].max()) == ([5, 5], 17)
    assert (unsure.min(axis=0).tolist(), unsure[:, 0].max()) == ([6, 25], 18)
    assert (drawn[5, 5:12] == GREEN).all()  # one pixel thick
    assert not (drawn[14:17, 6:8] == GREEN).all()
    assert (np.asarray(reading(row(["1"], [0.9])).draw()) == GREEN).all(axis=2).any()


@pytest.mark.parametrize(("size", "thick"), [((100, 300), 1), ((800, 700), 2), ((900, 1600), 4)])
def test_lines_are_as_thick_as_the_picture_is_large(size: tuple[int, int], thick: int) -> None:
    drawn = np.asarray(reading(row(["1"], [0.9], height=80), size=size).draw())
    column = (drawn[:, 45] == GREEN).all(axis=1)
    assert column[10 : 10 + thick].all()
    assert not column[60 : 91 - thick].any()
    assert column[91 - thick : 91].all()


@pytest.mark.parametrize(("height", "text"), [(10, 10), (60, 24), (90, 36), (400, 40)])
def test_answers_are_as_large_as_the_digits_within_limits(height: int, text: int) -> None:
    """The text stands at the upper left corner in its box; of a 1 the ink is about 0.7 of the font's size high."""
    line = row(["1"], [0.9], left=50, height=height)
    drawn = np.asarray(reading(line, size=(430, 300)).draw())
    plain = np.asarray(reading(dataclasses.replace(line, digits=" "), size=(430, 300)).draw())
    rows, columns = (drawn != plain).any(axis=2).nonzero()
    assert np.ptp(rows) + 1 == pytest.approx(0.7 * text, rel=0.15, abs=1.2)
    assert 50 <= columns.min() <= 50 + 0.4 * text
    assert 10 <= rows.min() <= 10 + 0.5 * text


def test_readings_are_found_in_lists_by_themselves() -> None:
    first, second = reading(row(["1", "2"], [0.9, 0.8])), reading(row(["1", "2"], [0.9, 0.8]))
    assert [second, first].index(first) == 1
    assert first.rows[0] in first.rows


def test_contact_sheets_go_on_over_pages() -> None:
    row = Row(
        "7",
        0.4,
        np.array([0.4], np.float32),
        np.array([[20, 30, 60, 100]], np.float32),
        np.full((1, 28, 28), 255, np.uint8),
    )
    reading = Reading([row], Opened(np.full((150, 90, 3), 200, np.uint8), "", 1.0))
    cells = [(f"{'long' * 30}{i}.png", reading) for i in range(19)]
    pages = list(contact_sheet(cells))
    assert [page.size for page in pages] == [(3 * WIDTH, 6 * HEIGHT), (WIDTH, HEIGHT)]
    pixels = np.asarray(pages[1])
    assert (pixels == 255).all(axis=2).sum() > 100 * 100  # what the network saw
    assert ((pixels[..., 0] > 150) & (pixels[..., 1] < 80)).any()  # an unsure answer in red

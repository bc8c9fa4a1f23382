"""Rows of digits: every digit is among what was cut out, and a perfect judge chooses the right cuts."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import enlarged, finished, on_paper
from test_handwriting import likeness

from mnist_cnn.data import files
from mnist_cnn.reading.candidates import choose
from mnist_cnn.reading.rows import find_row

LABELS = [3, 1, 4, 7, 2, 0]


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> np.ndarray:
    images, labels = files.load("MNIST", mnist_dir, train=True)
    return np.stack([images[np.flatnonzero(labels.numpy() == label)[2], 0].numpy() for label in range(10)])


def row(digits: np.ndarray, gap: int) -> np.ndarray:
    """A row of LABELS on paper, `gap` pixels between two digits; below 0 they overlap."""
    ink = np.zeros((110, 900), np.float32)
    x = 20
    for label in LABELS:
        digit = enlarged(digits[label], 80)
        columns = np.flatnonzero(digit.max(axis=0) > 0.5)
        digit = digit[:, columns[0] : columns[-1] + 1]
        y = 10 + (80 - digit.shape[0]) // 2
        area = ink[max(0, y) :, x : x + digit.shape[1]][: digit.shape[0]]
        np.maximum(area, digit[: area.shape[0]], out=area)
        x += digit.shape[1] + gap
    return on_paper(ink, (260, 960), (70, 30))


def cells(digits: np.ndarray) -> np.ndarray:
    """The ink of LABELS, each in the middle of a cell of 92 pixels."""
    ink = np.zeros((80, 92 * len(LABELS)), np.float32)
    for k, label in enumerate(LABELS):
        digit = enlarged(digits[label], 64)
        digit = digit[:, digit.max(axis=0) > 0.5]
        y, x = 4, 92 * k + (82 - digit.shape[1]) // 2
        ink[y : y + digit.shape[0], x : x + digit.shape[1]] = digit
    return ink


def read(picture: np.ndarray, digits: np.ndarray) -> str:
    """Reads with a judge that compares with the digits themselves."""
    candidates = find_row(picture)
    alike = np.array([[max(0.0, likeness(image, digits[label])) for label in range(10)] for image in candidates.images])
    return choose(candidates, alike.reshape(-1, 10) ** 40).digits


@pytest.mark.parametrize("gap", [25, 8, -4])
def test_digits_apart_and_touching(gap: int, digits: np.ndarray) -> None:
    assert read(finished(row(digits, gap)), digits) == "".join(map(str, LABELS))


def test_a_slanted_line_is_straightened(digits: np.ndarray) -> None:
    page = row(digits, 20)
    turn = cv2.getRotationMatrix2D((480, 130), 9, 0.9)
    page = cv2.warpAffine(page, turn, (960, 300), borderMode=cv2.BORDER_REPLICATE)
    assert read(finished(page), digits) == "".join(map(str, LABELS))


def boxes(page: np.ndarray) -> None:
    for left in range(45, 620, 92):
        cv2.rectangle(page, (left, 60), (left + 82, 168), (90, 90, 90), 2)


def divided_box(page: np.ndarray) -> None:
    cv2.rectangle(page, (42, 58), (596, 168), (90, 90, 90), 2)
    for x in range(134, 590, 92):
        cv2.line(page, (x, 58), (x, 168), (90, 90, 90), 2)


def comb(page: np.ndarray) -> None:
    cv2.line(page, (42, 172), (596, 172), (90, 90, 90), 2)
    for x in range(42, 600, 92):
        cv2.line(page, (x, 150), (x, 172), (90, 90, 90), 2)


def ruling(page: np.ndarray) -> None:
    for y in range(22, 260, 46):
        page[y : y + 3] = (120, 130, 160)
    cv2.line(page, (30, 0), (26, 259), (190, 90, 90), 3)


def squares(page: np.ndarray) -> None:
    ruling(page)
    for x in range(15, 960, 46):
        page[:, x : x + 2] = (140, 150, 180)


@pytest.mark.parametrize("turned", [0, 4])
@pytest.mark.parametrize("lines", [boxes, divided_box, comb, ruling, squares])
def test_printed_lines_are_no_digits(lines: Callable[[np.ndarray], None], turned: int, digits: np.ndarray) -> None:
    page = on_paper(cells(digits), (260, 960), (74, 45), pen=(90, 90, 100))
    lines(page)
    turn = cv2.getRotationMatrix2D((480, 130), turned, 0.9 if turned else 1)
    page = cv2.warpAffine(page, turn, (960, 260), borderMode=cv2.BORDER_REPLICATE)
    assert read(finished(page), digits) == "".join(map(str, LABELS))


def test_light_on_dark_and_on_a_line(digits: np.ndarray) -> None:
    page = row(digits, 20)
    page[172:174] = 90
    assert read(finished(255 - page), digits) == "".join(map(str, LABELS))


def test_candidates_lead_from_the_first_cut_to_the_last(digits: np.ndarray) -> None:
    candidates = find_row(finished(row(digits, 5)))
    assert (candidates.spans[:, 0] < candidates.spans[:, 1]).all()
    assert candidates.spans[:, 0].min() == 0
    assert set(candidates.spans[:, 0]) - {0} <= set(candidates.spans[:, 1])


def test_no_row_on_a_blank_page() -> None:
    assert len(find_row(np.full((200, 600, 3), 200, np.uint8)).images) == 0

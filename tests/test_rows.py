"""Rows of digits: every digit is among what was cut out, and a perfect judge chooses the right cuts."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import enlarged, finished, on_paper
from test_handwriting import likeness

from mnist_cnn.data import files
from mnist_cnn.data.candidates import choose
from mnist_cnn.data.rows import find_row

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

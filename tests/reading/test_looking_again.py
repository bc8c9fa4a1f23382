"""Doubtful rows are looked at again."""

from typing import Any

import numpy as np
import pytest
from detected import Detected, Opinion, digit, looked, text

from mnist_cnn.reading import looking


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces the detector by what is found at each look, one after the other; gives what was asked of it."""

    def replace(*found: Detected) -> list[tuple[np.ndarray, int, int]]:
        asked: list[tuple[np.ndarray, int, int]] = []

        def detect(network: None, picture: np.ndarray, side: int, finer: int, enough: Any = None) -> Detected:
            asked.append((picture, side, finer))
            return found[len(asked) - 1]

        monkeypatch.setattr(looking, "detect", detect)
        return asked

    return replace


def test_a_doubtful_row_is_looked_at_again_alone_wider_and_narrower(looks: Any) -> None:
    doubtful = [digit(k, 0.7, k) for k in range(4)]  # from 100 to 210, and from 100 to 130
    # Seen are 36 pixels to the sides of the row, 21 above and below it, 28/30 as high and 1.35 or 0.75 times as wide.
    across, down, origin = 1.35 * 28 / 30, 28 / 30, (64, 79)
    box = tuple((a - b) * c for a, b, c in zip((131, 100, 149, 130), origin * 2, (across, down) * 2, strict=True))
    turned = Detected()
    asked = looks(Detected(*doubtful), turned, Detected((0.95, 7, box)), Detected())
    found = looked("row", Opinion("0123", 1.0))
    assert [(picture.shape, finer) for picture, _, finer in asked[2:]] == [((67, 229, 3), 1), ((67, 127, 3), 1)]
    assert [(k, text(other)) for k, other in found.again] == [(0, "7"), (0, "")]
    np.testing.assert_allclose(found.again[0][1].digits.boxes, [(131, 100, 149, 130)], atol=0.5)
    assert len(found.all_images) == 5
    sure = [digit(k, 0.99, k) for k in range(2)]
    looks(Detected(*sure, sure=0.99))
    assert looked("row", Opinion("01", 1.0)).again == ()


def test_what_is_looked_at_again_is_the_row_alone(looks: Any) -> None:
    """Other digits that are seen beside, above or below it have been read, or are not meant."""
    row, turned = [digit(k, 0.7) for k in range(3)], Detected()  # from 45 to 146 and 26 to 54
    there = [(45, 26, 70, 54), (15, 26, 27, 54), (160, 26, 180, 54), (60, -6, 80, 20), (60, 58, 80, 86)]
    looks(Detected(*row), turned, Detected(*((0.9, k, box) for k, box in enumerate(there, 1))), Detected())
    assert [text(other) for _, other in looked("row", Opinion("333", 1.0)).again] == ["1", ""]
    two = Detected((0.9, 4, (30, 26, 44, 54)), (0.8, 5, (34, 26, 48, 54)))
    looks(Detected(digit(0, 0.3, 1)), *[turned] * 3, two, two)
    assert [text(other) for _, other in looked("digit", Opinion("1", 1.0)).again] == ["4", "4"]


def test_rows_are_looked_at_once_where_that_is_enough(looks: Any) -> None:
    looks(Detected(*(digit(k) for k in range(3))), Detected())
    once = looked()
    assert (text(once), once.again) == ("333", ())

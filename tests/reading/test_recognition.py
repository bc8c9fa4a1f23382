"""A row is straightened, and read as a whole."""

import cv2
import numpy as np
import pytest
import torch
from detected import PICTURE, Detected, Opinion, digit, looked, text

from mnist_cnn.networks.recognizer import BLANK, DIGIT, HEIGHT, STRIDE, RecognizerNet, best_path, likelihood
from mnist_cnn.reading import looking
from mnist_cnn.reading.models import pretrained_recognizer
from mnist_cnn.reading.pictures import Opened
from mnist_cnn.reading.recognition import LONGEST, MARGIN, Strip, recognize


def boxes_along(y: np.ndarray, size: float = 40) -> np.ndarray:
    """Squares of a size whose middles have these heights, one after the other."""
    x = 60 + 50 * np.arange(len(y))
    return np.stack((x - size / 2, y - size / 2, x + size / 2, y + size / 2), axis=1).astype(np.float32)


@pytest.mark.parametrize("y", [[100.0], [80, 120], [60, 90, 120], [60, 40, 30, 30, 40, 60]])
def test_a_row_is_straightened_and_brought_to_one_height(y: list[float]) -> None:
    boxes = boxes_along(np.array(y))
    page = np.full((200, 400, 3), 255, np.uint8)
    for left, top, right, bottom in boxes.astype(int).tolist():
        cv2.rectangle(page, (left, top), (right - 1, bottom - 1), (0, 0, 0), -1)
    strip = Strip(boxes)
    pixels = strip.cut(page)
    assert pixels.shape == (HEIGHT, strip.width, 3)
    assert strip.width == pytest.approx((np.ptp(boxes[:, 0::2]) + 2 * MARGIN * 40) * DIGIT / 40, abs=1)
    x, down = strip.place((boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2)
    np.testing.assert_allclose(down, HEIGHT / 2, atol=1.5)
    ink = (pixels[..., 0] < 128).astype(np.uint8)
    count, _, stats, centroids = cv2.connectedComponentsWithStats(ink)
    assert count == len(y) + 1
    np.testing.assert_allclose(sorted(centroids[1:, 0]), x - 0.5, atol=1.0)
    assert np.abs(stats[1:, cv2.CC_STAT_WIDTH] - DIGIT).max() <= 2


def test_beyond_the_picture_its_border_goes_on() -> None:
    page = np.full((20, 30, 3), (10, 200, 30), np.uint8)
    assert (Strip(np.array([[-5.0, -5, 12, 24]])).cut(page) == page[0, 0]).all()


def test_no_row_is_too_long() -> None:
    specks = np.array([[5.0, 10, 6, 11.4], [1890, 10, 1891, 11.4]])
    strip = Strip(specks)
    assert strip.cut(np.zeros((40, 1900, 3), np.uint8)).shape == (HEIGHT, strip.width, 3)
    assert strip.width <= LONGEST + 1


def test_probabilities_of_rows_add_up_over_all_ways_to_spell_them() -> None:
    steps = torch.full((3, 11), 1e-6)
    steps[0, 7], steps[1, BLANK], steps[1, 7], steps[2, 7], steps[2, BLANK] = 1, 0.6, 0.4, 0.5, 0.5
    steps = steps.log()
    assert best_path(steps) in ("7", "77")
    assert likelihood(steps, "77") == pytest.approx(0.3, abs=1e-3)  # 7, nothing, 7
    assert likelihood(steps, "7") == pytest.approx(0.7, abs=1e-3)
    assert likelihood(steps, "3") == pytest.approx(0, abs=1e-3)
    assert likelihood(steps, "7777") == 0  # too long


def test_the_network_gives_a_step_for_every_second_column() -> None:
    network = RecognizerNet((4, 8, 8, 8)).eval()
    strips = torch.randint(0, 256, (2, 3, HEIGHT, 61), dtype=torch.uint8)
    steps = network(strips)
    assert steps.shape == (2, 31, BLANK + 1)
    assert torch.allclose(steps.exp().sum(dim=2), torch.ones(2, 31), atol=1e-5)


def test_each_row_is_read_alone_though_all_are_handed_over_together() -> None:
    page = np.random.default_rng(0).integers(0, 256, (200, 400, 3)).astype(np.uint8)
    rows = [boxes_along(np.full(count, y), 30) for count, y in ((3, 40.0), (1, 100.0), (5, 150.0))]
    network = pretrained_recognizer()
    together = recognize(network, page, rows)
    for row, steps in zip(rows, together, strict=True):
        (alone,) = recognize(network, page, [row])
        assert len(alone) == -(-Strip(row).width // STRIDE)
        assert torch.allclose(alone, steps, atol=1e-4)
    assert recognize(network, page, []) == ()


def test_the_recognizer_has_a_vote_and_its_doubts_make_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    row = [digit(k, 0.999, k) for k in range(4)]
    monkeypatch.setattr(looking, "detect", lambda *_: Detected(*row, sure=0.999))
    opened = Opened(PICTURE, "", 1.0)

    def read(opinion: Opinion, votes: bool = True) -> tuple[str, float, int]:
        seen = looked("row", opinion)
        assert text(seen) == "0123"
        sightings = [seen, *(other for _, other in seen.again)]
        reading = seen.reading(opened, np.concatenate([one.digits.probabilities for one in sightings]), votes)
        return reading.digits, reading.confidence, len(seen.again)

    alone = 0.999**8
    both = (alone + 0.9**4) / 2
    assert read(Opinion("0123", 0.9)) == ("0123", pytest.approx(both, abs=0.01), 0)
    digits, confidence, again = read(Opinion("01923", 0.999))
    assert (digits, again) == ("0123", len(looking.WIDTHS))
    assert confidence < alone / 2
    assert read(Opinion("01923", 0.999), votes=False)[1] > confidence


def test_the_bundled_recognizer_reads_plain_rows() -> None:
    page = np.full((120, 420, 3), 255, np.uint8)
    boxes = []
    for k, name in enumerate("1740"):
        left = 40 + 90 * k
        cv2.putText(page, name, (left, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.6, (40, 30, 20), 5, cv2.LINE_AA)
        boxes.append([left, 32, left + 45, 92])
    (steps,) = recognize(pretrained_recognizer(), page, [np.array(boxes, np.float32)])
    assert best_path(steps) == "1740"

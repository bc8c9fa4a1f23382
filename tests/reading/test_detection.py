"""The detector that comes with the package, on small pictures drawn from MNIST's training digits."""

import itertools

import cv2
import numpy as np
import pytest
from drawn import Mnist, enlarged, finished, on_paper

from mnist_cnn.networks.detector import continued
from mnist_cnn.reading.looking import SCORE, look
from mnist_cnn.reading.models import pretrained_detector
from mnist_cnn.reading.results import LAYOUTS
from mnist_cnn.reading.sighting import Sighting


def digit(mnist: Mnist, label: int, height: int) -> np.ndarray:
    images, labels = mnist
    return enlarged(images[(labels == label).nonzero()[3].item(), 0].numpy(), height)


def row_of(mnist: Mnist, text: str, height: int, gap: int) -> np.ndarray:
    """Ink of a row of digits."""
    parts = [digit(mnist, int(label), height) for label in text]
    parts = [np.pad(part, ((0, max(0, height + 8 - part.shape[0])), (0, gap)))[: height + 8] for part in parts]
    return np.concatenate(parts, axis=1)


def said(sighting: Sighting) -> list[str]:
    """The rows as the detector alone names them."""
    names = "".join(map(str, sighting.digits.probabilities.argmax(axis=1)))
    ends = np.cumsum([0, *sighting.lengths])
    return [names[start:stop] for start, stop in itertools.pairwise(ends)]


@pytest.mark.parametrize("height", [18, 40, 100, 280])
def test_a_digit_of_any_size_and_where_it_is(mnist: Mnist, height: int) -> None:
    ink = digit(mnist, 3, height)
    place = (60, 90)
    page = finished(on_paper(ink, (height + 150, height + 170), place))
    for picture in (page, 255 - page):
        sighting = look(pretrained_detector(), picture, "digit")
        assert said(sighting) == ["3"]
        wanted = np.array((place[1], place[0], place[1] + ink.shape[1], place[0] + ink.shape[0]))
        assert np.abs(sighting.digits.boxes[0] - wanted).max() < 0.2 * height + 2
        assert sighting.images.shape == (1, 28, 28)
        assert sighting.images.max() == 255


@pytest.mark.parametrize("gap", [6, 60])
def test_a_row_is_read_from_left_to_right(mnist: Mnist, gap: int) -> None:
    ink = row_of(mnist, "20613", 44, gap)
    page = finished(on_paper(ink, (130, ink.shape[1] + 80), (40, 40)))
    sighting = look(pretrained_detector(), page, "row")
    assert said(sighting) == ["20613"]
    assert (np.diff(sighting.digits.boxes[:, 0]) > 0).all()


def test_many_small_digits_in_a_wide_picture_are_found(mnist: Mnist) -> None:
    ink = row_of(mnist, "3061203612036", 24, 60)
    page = finished(on_paper(ink, (300, ink.shape[1] + 300), (140, 150)))
    assert said(look(pretrained_detector(), page, "row")) == ["3061203612036"]


def test_a_page_has_all_its_rows(mnist: Mnist) -> None:
    page = on_paper(row_of(mnist, "3061", 40, 12), (360, 360), (40, 40))
    for top, text in ((140, "2036"), (240, "6120")):
        page += on_paper(row_of(mnist, text, 40, 12), (360, 360), (top, 60)) - on_paper(np.zeros((1, 1)), (360, 360))
    sighting = look(pretrained_detector(), finished(page), "page")
    assert said(sighting) == ["3061", "2036", "6120"]
    assert len(sighting.sureness) == 3


def test_a_straight_stroke_and_a_ring_are_ten_not_one_upside_down() -> None:
    page = np.full((512, 1800, 3), 255, np.uint8)  # as the page to draw on sends them
    cv2.line(page, (255, 100), (255, 410), (0, 0, 0), 30, cv2.LINE_AA)
    cv2.ellipse(page, (716, 256), (102, 154), 0, 0, 360, (0, 0, 0), 30, cv2.LINE_AA)
    sighting = look(pretrained_detector(), page, "row")
    assert (said(sighting), sighting.turns) == (["10"], 0)


@pytest.mark.parametrize(("turns", "written"), [(1, "2354637"), (2, "7234"), (3, "2354637")])
def test_a_row_on_its_side_or_upside_down_is_turned(mnist: Mnist, turns: int, written: str) -> None:
    ink = row_of(mnist, written, 44, 10)
    page = finished(on_paper(ink, (130, ink.shape[1] + 80), (40, 40)))
    sighting = look(pretrained_detector(), np.ascontiguousarray(np.rot90(page, -turns)), "row")
    assert (said(sighting), sighting.turns) == ([written], turns)


@pytest.mark.parametrize("size", [(3, 8), (20, 20), (9, 400)])
def test_pictures_of_few_pixels_are_looked_at(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for layout in LAYOUTS:
        sighting = look(pretrained_detector(), pixels, layout)
        assert len(sighting.images) == sum(sighting.lengths)


@pytest.mark.parametrize("layout", ["digit", "row", "page"])
def test_nothing_is_found_in_nothing(layout: str) -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(60, 220, 240)[None, :, None] + rng.normal(0, 2, (200, 240, 1))
    ruled = np.full((200, 240, 3), 235.0)
    ruled[::25] = (150, 170, 210)
    for picture in (np.full((200, 240, 3), 240.0), np.repeat(ramp, 3, axis=2), ruled):
        sighting = look(pretrained_detector(), finished(picture), layout)  # type: ignore[arg-type]
        assert (sighting.digits.scores < SCORE).all()


def test_what_was_nearly_a_digit_lowers_the_confidence(mnist: Mnist) -> None:
    ink = row_of(mnist, "206", 44, 16)
    page = on_paper(ink, (130, ink.shape[1] + 180), (40, 40))
    faint = 0.08 * (
        on_paper(digit(mnist, 3, 44), page.shape[:2], (40, ink.shape[1] + 44))
        - on_paper(np.zeros((1, 1)), page.shape[:2])
    )
    alone = look(pretrained_detector(), finished(page), "row")
    beside = look(pretrained_detector(), finished(page + faint), "row")
    assert said(alone) == ["206"]
    assert len(beside.lengths) == 1
    assert len(beside.digits) == 4 or beside.sureness[0] < alone.sureness[0]


def test_touching_digits_get_their_own_ink(mnist: Mnist) -> None:
    left, right = (digit(mnist, label, 60) for label in (3, 6))
    apart = row_of(mnist, "36", 60, 30)
    ink = np.zeros((80, 160), np.float32)
    ink[: left.shape[0], : left.shape[1]] = left
    part = ink[: right.shape[0], left.shape[1] - 6 : left.shape[1] - 6 + right.shape[1]]
    np.maximum(part, right, out=part)
    images = [
        look(pretrained_detector(), finished(on_paper(cover, (160, 260), (40, 40))), "row").images
        for cover in (apart, ink)
    ]
    assert len(images[0]) == len(images[1]) == 2
    for one, other in zip(*images, strict=True):
        blurred = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1).ravel() for image in (one, other)]
        assert np.corrcoef(*blurred)[0, 1] > 0.85


def test_pictures_go_on_beyond_their_border_as_their_paper_does() -> None:
    y, x = np.mgrid[:60, :90]
    paper = np.repeat((120 + x - 0.5 * y)[..., None], 3, axis=2)
    inked = paper.astype(np.uint8)
    inked[20:40, :25] = inked[:9, 60:80] = 15  # strokes that reach the border
    whole = continued(inked, 10, 12, 14, 16)
    assert whole.shape == (82, 120, 3)
    assert np.array_equal(whole[10:70, 14:104], inked)
    y, x = np.mgrid[-10:72, -14:106]
    beyond = np.repeat((120 + x - 0.5 * y)[..., None], 3, axis=2)
    beyond[10:70, 14:104] = inked
    assert np.abs(whole.astype(int) - beyond).max() <= 4

"""Finding the digit in a picture, on scenes drawn here from MNIST's training digits."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import enlarged, finished, on_paper

from mnist_cnn.data import files
from mnist_cnn.reading.candidates import Candidates, choose
from mnist_cnn.reading.handwriting import find_digit
from mnist_cnn.reading.ink import without_lines, without_rim
from mnist_cnn.reading.mnist_form import mnist_form, stroke_width, to_mnist

HEIGHT = 150


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> np.ndarray:
    """One training image of each digit, uint8 [10, 28, 28], by label."""
    images, labels = files.load("MNIST", mnist_dir, train=True)
    # Plain ones: no open loops, no detached strokes.
    return np.stack([images[np.flatnonzero(labels.numpy() == label)[2], 0].numpy() for label in range(10)])


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two 28x28 images, blurred so that half a pixel does not matter; the best of shifts by 1."""
    blurred = [cv2.GaussianBlur(np.pad(image, 2).astype(np.float32), (0, 0), 1.2) for image in (one, other)]
    shifts = [np.roll(blurred[1], (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(blurred[0].ravel(), shift.ravel())[0, 1]) for shift in shifts)


def plain(digits: np.ndarray, label: int, thin: float = 0.0) -> np.ndarray:
    return on_paper(enlarged(digits[label], HEIGHT, thin))


def shaded(page: np.ndarray) -> np.ndarray:
    light = np.linspace(1, 0.45, page.shape[1], dtype=np.float32)[None, :, None]
    return page * light * np.linspace(1, 0.7, page.shape[0], dtype=np.float32)[:, None, None]


def hard_shadow(page: np.ndarray) -> np.ndarray:
    shadow = np.ones(page.shape[:2], np.float32)
    cv2.fillPoly(shadow, [np.array([[0, 0], [170, 0], [90, 300], [0, 300]])], 0.5)
    return page * shadow[..., None]


def ruled(page: np.ndarray) -> np.ndarray:
    for y in range(20, page.shape[0], 45):
        page[y : y + 2] = (130, 150, 190)
    return page


def squared(page: np.ndarray) -> np.ndarray:
    for x in range(15, page.shape[1], 40):
        page[:, x : x + 1] = (150, 160, 190)
    for y in range(25, page.shape[0], 40):
        page[y : y + 1] = (150, 160, 190)
    return page


def boxed(page: np.ndarray) -> np.ndarray:
    cv2.rectangle(page, (35, 30), (225, 260), (60, 60, 60), 2)
    return page


def circled(page: np.ndarray) -> np.ndarray:
    cv2.ellipse(page, (130, 150), (112, 130), 0, 10, 365, (45, 45, 60), 6)
    return page


def underlined(page: np.ndarray) -> np.ndarray:
    cv2.line(page, (60, 285), (215, 280), (45, 45, 60), 6)
    return page


def holes_and_specks(page: np.ndarray) -> np.ndarray:
    for y in range(30, 300, 50):
        cv2.circle(page, (10, y), 7, (40, 40, 40), -1)
    for x, y in ((255, 20), (250, 290), (120, 3), (200, 280)):
        cv2.circle(page, (x, y), 2, (50, 50, 50), -1)
    return page


def cut_off_neighbour(page: np.ndarray) -> np.ndarray:
    cv2.ellipse(page, (258, 150), (25, 60), 0, 0, 360, (45, 45, 60), 7)
    return page


def blurred(page: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(page, (0, 0), 3)


def tight(page: np.ndarray) -> np.ndarray:
    ink = page.min(axis=2) < 130
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def pencil(page: np.ndarray) -> np.ndarray:
    return 0.25 * page + 0.75 * np.array((225, 222, 214), np.float32)


def chalk(page: np.ndarray) -> np.ndarray:
    return 255 - page


DIFFICULTIES: list[Callable[[np.ndarray], np.ndarray]] = [
    shaded,
    hard_shadow,
    ruled,
    squared,
    boxed,
    circled,
    underlined,
    holes_and_specks,
    cut_off_neighbour,
    blurred,
    tight,
    pencil,
    chalk,
]


@pytest.mark.parametrize("difficulty", DIFFICULTIES, ids=lambda function: function.__name__)
def test_the_digit_is_found_whatever_surrounds_it(
    difficulty: Callable[[np.ndarray], np.ndarray], digits: np.ndarray
) -> None:
    for label in (2, 3, 6, 7):
        found = find_digit(finished(difficulty(plain(digits, label)))).images
        assert len(found)
        assert likeness(found[0], digits[label]) > 0.8, label


def three(pen: int) -> np.ndarray:
    """A 3 of 600 pixels, by a pen of some width in pixels."""
    page = np.zeros((660, 480), np.float32)
    cv2.ellipse(page, (220, 180), (140, 130), 0, -150, 90, 1.0, pen, cv2.LINE_AA)
    cv2.ellipse(page, (220, 460), (170, 150), 0, -90, 150, 1.0, pen, cv2.LINE_AA)
    return page


def test_hair_thin_strokes_get_the_width_of_mnist() -> None:
    seen = [find_digit(finished(shaded(on_paper(three(pen), (900, 800), (120, 150))))).images[0] for pen in (4, 60)]
    assert likeness(*seen) > 0.9
    for image in seen:
        assert 1.5 < stroke_width(np.kron(image / 255.0, np.ones((8, 8), np.float32))) / 8 < 4


def test_coloured_ink_of_the_papers_own_brightness(digits: np.ndarray) -> None:
    paper, pen = (200, 130, 90), (60, 190, 110)  # both of luminance 146
    page = on_paper(enlarged(digits[3], HEIGHT), paper=paper, pen=pen)
    assert likeness(find_digit(finished(page)).images[0], digits[3]) > 0.85


def test_a_detached_bar_belongs_to_its_five() -> None:
    page = np.full((240, 200), 0.0, np.float32)
    cv2.ellipse(page, (95, 150), (42, 40), 0, -100, 130, 1.0, 9)
    cv2.line(page, (85, 70), (80, 108), 1.0, 9)
    cv2.line(page, (104, 54), (150, 50), 1.0, 9)
    found = find_digit(finished(on_paper(page, (300, 260), (20, 20)))).images[0]
    rows = np.flatnonzero(found.max(axis=1) > 100)
    assert found[rows[0] : rows[0] + 3, 16:].max() > 200  # the bar, above and to the right


def test_mnist_form_passes_bit_for_bit_in_both_polarities(mnist_dir: Path) -> None:
    images, _ = files.load("MNIST", mnist_dir, train=True)
    for image in images[:2000, 0].numpy():
        for pixels in (image, 255 - image):
            form = mnist_form(np.repeat(pixels[..., None], 3, axis=2))
            assert form is not None
            assert np.array_equal(form, image)


def test_no_photo_or_free_drawing_has_mnist_form(digits: np.ndarray) -> None:
    for label, difficulty in enumerate(DIFFICULTIES[:10]):
        photo = cv2.resize(finished(difficulty(plain(digits, label % 10))), (28, 28), interpolation=cv2.INTER_AREA)
        assert mnist_form(photo) is None
    drawn = np.full((28, 28, 3), 255, np.uint8)
    cv2.line(drawn, (6, 3), (6, 24), (0, 0, 0), 2)
    assert mnist_form(drawn) is None
    assert mnist_form(np.zeros((28, 28, 3), np.uint8)) is None
    assert mnist_form(np.zeros((56, 56, 3), np.uint8)) is None


def test_what_is_found_has_mnist_form(digits: np.ndarray) -> None:
    for label in range(10):
        found = find_digit(finished(plain(digits, label))).images[0]
        rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        weight = found.astype(float)
        middle = [(weight.sum(1 - axis) * np.arange(28)).sum() / weight.sum() for axis in (0, 1)]
        assert np.allclose(middle, 14, atol=0.75)
        assert found.max() == 255
        assert 0.2 < (found > 250).sum() / (found > 0).sum() < 0.75


@pytest.mark.parametrize("size", [(16, 16), (24, 20), (40, 30)])
def test_tiny_pictures(size: tuple[int, int], digits: np.ndarray) -> None:
    picture = cv2.resize(finished(plain(digits, 7)), size[::-1], interpolation=cv2.INTER_AREA)
    assert likeness(find_digit(picture).images[0], digits[7]) > 0.7


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_page_has_no_digit(level: int) -> None:
    page = np.full((400, 300, 3), level, np.uint8)
    assert len(find_digit(page).images) == 0
    noisy = finished(page + np.random.default_rng(0).normal(0, 3, page.shape).astype(np.float32))
    assert len(find_digit(noisy).images) == 0


@pytest.mark.parametrize("shape", [(3, 500, 3), (500, 3, 3), (8, 8, 3)])
def test_odd_shapes_are_no_error(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert find_digit(noise).images.shape[1:] == (28, 28)


def test_lines_go_and_the_strokes_that_cross_them_stay() -> None:
    mask = np.zeros((200, 200), np.uint8)
    for y in (40, 100, 160):
        mask[y : y + 2] = 1
    alone = mask.copy()
    cv2.line(mask, (100, 60), (100, 140), 1, 7)
    bare = without_lines(mask)
    assert bare is not None
    assert bare[60:140, 98:102].all()
    assert bare[alone == 1].sum() < 40
    assert without_lines(np.zeros((200, 200), np.uint8)) is None


@pytest.mark.parametrize("sides", [("top",), ("bottom", "left", "right")])
def test_a_scanners_dark_rim_is_no_digit(sides: tuple[str, ...]) -> None:
    page = np.full((300, 240, 3), 245, np.uint8)
    cv2.putText(page, "4", (90, 200), cv2.FONT_HERSHEY_SIMPLEX, 4, (40, 40, 40), 6, cv2.LINE_AA)
    clean = find_digit(page).images[0]
    slices = {"top": np.s_[:9], "bottom": np.s_[-9:], "left": np.s_[:, :9], "right": np.s_[:, -9:]}
    for side in sides:
        page[slices[side]] = 25
    assert np.corrcoef(find_digit(page).images[0].ravel(), clean.ravel())[0, 1] > 0.95


def test_a_bar_that_a_stroke_hangs_on_is_no_rim() -> None:
    seven = np.zeros((60, 50), np.uint8)
    seven[:8] = 1
    cv2.line(seven, (45, 4), (15, 59), 1, 8)
    assert np.array_equal(without_rim(seven), seven)
    seven[9:] = 0
    assert not without_rim(seven).any()


def test_no_ink_is_no_digit() -> None:
    assert to_mnist(np.zeros((30, 30), np.float32)) is None
    assert len(choose(Candidates.of([], [], []), np.zeros((0, 10))).digits) == 0


def probabilities(*said: tuple[int, float]) -> np.ndarray:
    """Of each candidate: which digit the network sees, and how surely."""
    result = np.array([np.full(10, (1 - sure) / 9) for _, sure in said])
    for row, (digit, sure) in zip(result, said, strict=True):
        row[digit] = sure
    return result


def test_the_best_path_is_chosen() -> None:
    images = [np.zeros((28, 28), np.uint8)] * 3
    candidates = Candidates.of(images, [(0, 1), (1, 2), (0, 2)], [0.0, 0.0, 0.0])
    reading = choose(candidates, probabilities((4, 0.9), (2, 0.8), (7, 0.5)))
    assert reading.digits == "42"
    assert reading.confidence == pytest.approx(0.72 * 0.72**2 / (0.72**2 + 0.5**2))
    assert len(reading.images) == 2
    assert choose(candidates, probabilities((4, 0.9), (2, 0.8), (7, 0.95))).digits == "7"


def test_for_one_digit_candidates_that_agree_outweigh_a_better_one() -> None:
    images = [np.full((28, 28), number, np.uint8) for number in range(3)]
    candidates = Candidates.of(images, [(0, 1)] * 3, [0.1, -0.1, 0.0])
    reading = choose(candidates, probabilities((1, 0.99), (2, 0.99), (2, 0.99)))
    assert reading.digits == "2"
    assert reading.images.max() == 2
    assert 0.5 < reading.confidence < 0.7


def test_candidates_that_disagree_lower_the_confidence() -> None:
    images = [np.zeros((28, 28), np.uint8)] * 2
    candidates = Candidates.of(images, [(0, 1), (0, 1)], [0.0, -0.5])
    agree = choose(candidates, probabilities((4, 0.99), (4, 0.9)))
    disagree = choose(candidates, probabilities((4, 0.99), (7, 0.9)))
    assert agree.digits == disagree.digits == "4"
    assert disagree.confidence < 0.8 < 0.9 < agree.confidence < 0.99
    implausible = Candidates.of(images, [(0, 1), (0, 1)], [0.0, -5.0])
    assert choose(implausible, probabilities((4, 0.99), (7, 0.9))).confidence > 0.95


def test_what_is_hardly_a_digit_gets_little_confidence() -> None:
    images = [np.zeros((28, 28), np.uint8)]
    sure = probabilities((4, 0.99))
    assert choose(Candidates.of(images, [(0, 1)], [-3.0], nothing=-1.0), sure).confidence < 0.15
    assert choose(Candidates.of(images, [(0, 1)], [3.0], nothing=-1.0), sure).confidence > 0.95

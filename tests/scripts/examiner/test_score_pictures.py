"""`scripts/score_pictures.py` and the pictures that it makes: what is in them, and what makes them hard."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import score_pictures
from examiner import compose, strokes
from examiner.difficulties import ALL, LAYOUTS, NOTHING
from examiner.looks import Look
from examiner.mnist_digits import Digits
from examiner.paper import reflectance
from examiner.scenes import Scene, render
from examiner.shapes import LONG, LOOPED, OPEN, PLAIN, ROUND
from examiner.strokes import Glyph
from examiner.tracing import LOOPS
from PIL import Image, ImageOps

from mnist_cnn.data.files import UNCONFIRMED_TEST_LABELS


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> Digits:
    return Digits(mnist_dir)


def opened(name: str, digits: Digits, index: int = 0, seed: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(compose.picture(name, seed, index, digits)[0]))


def covered(rng: np.random.Generator, glyph: Glyph, size: tuple[int, int], place: np.ndarray, pen: float) -> np.ndarray:
    page = np.zeros(size, np.float32)
    part, coverage = strokes.stroke(rng, glyph, size, place, pen)
    page[part] = coverage
    return page


@pytest.mark.parametrize("name", ["photo, everything", "one-bit scan", "row, held by a hand", "page, postcard"])
def test_a_seed_gives_the_same_picture_and_the_same_truth(name: str, digits: Digits) -> None:
    first, again, other = (compose.picture(name, seed, 3, digits) for seed in (0, 0, 1))
    assert first == again
    assert first[0] != other[0]


def test_each_digit_occurs_equally_often_and_each_pair_once() -> None:
    def texts(name: str, count: int) -> list[str]:
        return [compose.text(name, 5, index, *compose.start(name, 5, index)) for index in range(count)]

    assert Counter(texts("clean scan", 20)) == dict.fromkeys("0123456789", 2)
    assert len(set(texts("row, touching pairs", 100))) == 100
    assert all(3 <= len(text) <= 10 for text in texts("row, spaced", 20))
    assert {*"".join(texts("row, strokes and rings", 20))} == {*"01"}
    assert all(any(digit in "23457" for digit in text) for text in texts("row, upside down", 20))


def test_every_picture_has_a_file_of_its_own() -> None:
    assert len({picture.file for picture in score_pictures.plan(ALL, 2, 5)}) == 2 * len(ALL)
    assert len(ALL) == sum(map(len, LAYOUTS.values()))


def test_a_hand_can_write_every_digit() -> None:
    for shapes in (LONG, LOOPED, OPEN, PLAIN, ROUND):
        assert {name[0] for name in shapes} == set("0123456789")


@pytest.mark.parametrize("name", [name for layout in ("row", "page", "nothing") for name in LAYOUTS[layout]])
def test_each_difficulty_draws_what_its_truth_says(name: str, digits: Digits) -> None:
    content, rows = compose.picture(name, 2, 0, digits)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert grey(image).std() > 1
    if name in NOTHING:
        assert rows == []
        return
    assert all(row.digits.isdigit() for row in rows)
    assert len(rows) == 1 or name.startswith("page")
    for left, top, right, bottom in (row.box for row in rows if row.box):
        assert 0 <= left < right <= image.width
        assert 0 <= top < bottom <= image.height


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """Bool [H, W] as uint8 [28, 28]: the longer side 20 pixels, the centre of mass in the middle."""
    ys, xs = np.nonzero(ink)
    scale = 20 / (1 + max(np.ptp(xs), np.ptp(ys)))
    shift = [13.5 - scale * xs.mean(), 13.5 - scale * ys.mean()]
    soft = cv2.GaussianBlur(ink.astype(np.float32) * 255, (0, 0), 0.4 / scale)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(soft, matrix, (28, 28)).astype(np.uint8)


def test_the_digit_in_the_picture_is_the_one_in_the_labels(digits: Digits) -> None:
    right = 0
    for index in range(10):
        rng, look = compose.start("drawn, black on white", 0, index)
        glyphs = [digits.draw(rng, index)]
        content, _ = render(rng, replace(look, size=(300, 300), pen=0.13), glyphs)
        right += digits.is_typical(as_mnist(grey(Image.open(io.BytesIO(content))) < 128), index)
    assert right >= 8  # no pen is quite MNIST's


@pytest.mark.parametrize("pen", [0.03, 0.12])
def test_a_redrawn_digit_keeps_its_loops(pen: float, digits: Digits) -> None:
    place = np.array([[140, 0, 100], [0, 140, 100]])
    for label in range(10):
        glyph = digits.draw(np.random.default_rng(label), label)
        width = strokes.readable_pen(glyph, pen)
        drawn = covered(np.random.default_rng(0), glyph, (200, 200), place, width)
        assert strokes.loops(drawn > 0.5, 20) in LOOPS[label]
        middle_line = covered(np.random.default_rng(0), glyph, (200, 200), place, 0.01) > 0.3
        assert drawn[middle_line].mean() > 0.9
        assert 0.5 * width * 140 < 2 * drawn.sum() / middle_line.sum() < 4 * width * 140


def test_digits_that_nobody_confirmed_are_not_drawn(digits: Digits) -> None:
    assert (digits.labels[list(UNCONFIRMED_TEST_LABELS)] == -1).all()
    assert (digits.labels >= 0).sum() == 10_000 - len(UNCONFIRMED_TEST_LABELS)


def border(page: np.ndarray) -> np.ndarray:
    return np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]])


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L")).astype(float)


FILES: dict[str, Callable[[Image.Image], bool]] = {
    "one-bit scan": lambda image: (image.format, image.mode) == ("PNG", "1"),
    "16-bit PNG": lambda image: (image.format, image.mode) == ("PNG", "I;16") and np.asarray(image).max() > 40_000,
    "palette PNG": lambda image: (image.format, image.mode) == ("PNG", "P"),
    "transparent PNG": lambda image: image.mode == "RGBA" and np.asarray(image)[0, 0, 3] == 0,
    "28x28 pixels": lambda image: image.size == (28, 28),
    "16x16 pixels": lambda image: image.size == (16, 16),
    "12 megapixels": lambda image: image.width * image.height > 11.9e6,
    "hair-thin pen, large": lambda image: image.width * image.height > 2.9e6,
    "EXIF orientation": lambda image: image.getexif()[0x0112] in (3, 6, 8),
    "strong JPEG": lambda image: np.median(image.quantization[0]) > 100,  # type: ignore[attr-defined]
    "drawn, white on black": lambda image: border(grey(image)).max() == 0 and grey(image).max() == 255,
    "chalk on a board": lambda image: np.median(grey(image)) < 100 < np.percentile(grey(image), 99.5),
    "tight crop": lambda image: min(image.size) < 720,
    "noise in the dark": lambda image: np.percentile(grey(image), 99) < 170,
    "hard shadow": lambda image: np.percentile(grey(image), 10) < 0.85 * np.percentile(grey(image), 95),
    "vignette": lambda image: np.median(border(grey(image))) < 0.9 * np.percentile(grey(image), 90),
}


@pytest.mark.parametrize("name", FILES)
def test_a_difficulty_does_what_it_says(name: str, digits: Digits) -> None:
    assert FILES[name](opened(name, digits))


def test_an_oriented_file_shows_the_digit_upright_to_who_obeys_the_tag(digits: Digits) -> None:
    glyphs = [digits.draw(np.random.default_rng(0), 7)]
    shown = []
    for tag in (1, 3, 6, 8):
        look = Look(size=(200, 150), kind="png", orientation=tag)
        image = Image.open(io.BytesIO(render(np.random.default_rng(1), look, glyphs)[0]))
        assert image.size == ((150, 200) if tag in (6, 8) else (200, 150))
        shown.append(np.asarray(ImageOps.exif_transpose(image)))
    assert all(np.array_equal(shown[0], other) for other in shown[1:])


@pytest.mark.parametrize(
    "name",
    ["perspective", "row, everything", "row, small sheet on a desk", "row, long tails", "page, on a desk", "page, sum"],
)
def test_the_boxes_hold_all_ink_of_the_digits(name: str, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = []
    monkeypatch.setattr(compose, "render", lambda *args: scenes.append(Scene(*args)))
    compose.picture(name, 1, 0, digits)
    scene = scenes[0]
    scene.writing.marks[:] = [mark for mark in scene.writing.marks if mark.row is not None]
    scene.viewed(reflectance(scene))
    ink = cv2.warpPerspective(scene.ink, scene.matrix, scene.size[::-1]) > 0.5
    assert ink.any()
    assert not border(ink).any()
    for row in scene.rows((1.0, 1.0), scene.size):
        left, top, right, bottom = (int(side) for side in row.box)
        inside = ink[top : bottom + 1, left : right + 1]
        assert inside[:9].any()  # and no larger
        assert inside[:, :9].any()
        ink[top - 1 : bottom + 2, left - 1 : right + 2] = False
    assert not ink.any()


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_the_box_turns_with_the_picture(turned: int, digits: Digits) -> None:
    look = Look(size=(200, 150), kind="png", turned=turned, offset=(0.1, -0.1), tight=0.1, texture=0)
    content, rows = render(np.random.default_rng(1), look, [digits.draw(np.random.default_rng(0), 7)])
    ys, xs = np.nonzero(grey(Image.open(io.BytesIO(content))) < 128)
    assert rows[0].box == pytest.approx((xs.min(), ys.min(), xs.max(), ys.max()), abs=3)


def test_rows_stand_in_order_and_touch_where_they_should(digits: Digits) -> None:
    pieces = {}
    for name in ("row, spaced", "row, touching"):
        rng, look = compose.start(name, 0, 0)
        scene = Scene(rng, look, [digits.draw(rng, label) for label in (3, 0, 2, 6, 0, 8)])
        x = [mark.place[0, 2] for mark in scene.writing.marks]
        assert x == sorted(x)
        reflectance(scene)
        pieces[name] = cv2.connectedComponents((scene.ink > 0.4).astype(np.uint8))[0] - 1
    assert pieces["row, spaced"] == 6
    assert pieces["row, touching"] < 6


def test_pictures_without_a_digit_show_what_their_names_say(digits: Digits) -> None:
    names = ("blank page", "page with a shadow", "letter", "scribble", "desk top", "cloth or wall")
    pages = {name: grey(opened(name, digits)) for name in names}
    plain = np.std(pages["blank page"])
    assert plain < 20
    assert all(np.std(pages[name]) > plain for name in ("page with a shadow", "letter", "scribble"))
    assert max(np.median(pages[name]) for name in ("desk top", "cloth or wall")) < np.median(pages["blank page"])

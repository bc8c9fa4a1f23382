"""`scripts/score_pictures.py` and what it is made of: redrawn digits, pictures of them, and the figures."""

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import score_pictures
from examiner import difficulties, pens
from examiner.looks import Look
from examiner.scenes import Scene
from PIL import Image, ImageOps
from score_pictures import Picture

from mnist_cnn.data.files import UNCONFIRMED_TEST_LABELS


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> pens.Digits:
    return pens.Digits(mnist_dir)


def opened(name: str, digits: pens.Digits, index: int = 0, seed: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(score_pictures.picture(name, seed, index, digits)))


@pytest.mark.parametrize("name", ["photo, everything", "one-bit scan", "chalk on a board", "word"])
def test_a_seed_gives_the_same_bytes(name: str, digits: pens.Digits) -> None:
    first, again, other = (score_pictures.picture(name, seed, 3, digits) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_the_plan_knows_what_will_be_in_each_picture() -> None:
    pictures = score_pictures.plan(difficulties.ALL, 20, 5)
    assert pictures == score_pictures.plan(difficulties.ALL, 20, 5)
    assert len({picture.file for picture in pictures}) == 20 * len(difficulties.ALL)
    for name, difficulty in difficulties.ALL.items():
        texts = [picture.digits for picture in pictures if picture.difficulty == name]
        if difficulty.content != "digits":
            assert set(texts) == {""}
        elif difficulty.kind == "row":
            assert all(3 <= len(text) <= 10 for text in texts)
        else:
            assert Counter(texts) == dict.fromkeys("0123456789", 2)


def test_a_slug_is_that_of_one_difficulty() -> None:
    assert len({score_pictures.slug(name) for name in difficulties.ALL}) == len(difficulties.ALL)


def as_mnist(ink: np.ndarray) -> np.ndarray:
    """Bool [H, W] as uint8 [28, 28]: the longer side 20 pixels, the centre of mass in the middle."""
    ys, xs = np.nonzero(ink)
    scale = 20 / (1 + max(np.ptp(xs), np.ptp(ys)))
    shift = [13.5 - scale * xs.mean(), 13.5 - scale * ys.mean()]
    soft = cv2.GaussianBlur(ink.astype(np.float32) * 255, (0, 0), 0.4 / scale)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(soft, matrix, (28, 28)).astype(np.uint8)


def test_the_digit_in_the_picture_is_the_one_in_the_labels(digits: pens.Digits) -> None:
    right = 0
    for index in range(10):
        rng, look, text = score_pictures.compose("drawn, black on white", 0, index)
        glyphs = [digits.draw(rng, int(text))]
        content = score_pictures.render(rng, replace(look, size=(300, 300), pen=0.13), glyphs)
        right += digits.is_typical(as_mnist(grey(Image.open(io.BytesIO(content))) < 128), index)
    assert right >= 8  # no pen is quite MNIST's


@pytest.mark.parametrize("pen", [0.03, 0.12])
def test_a_redrawn_digit_keeps_its_loops(pen: float, digits: pens.Digits) -> None:
    place = np.array([[140, 0, 100], [0, 140, 100]])
    for label in range(10):
        glyph = digits.draw(np.random.default_rng(label), label)
        width = pens.readable_pen(glyph, pen)
        drawn = pens.stroke(np.random.default_rng(0), glyph, (200, 200), place, width)
        assert pens.loops(drawn > 0.5, 20) in pens.LOOPS[label]
        middle_line = pens.stroke(np.random.default_rng(0), glyph, (200, 200), place, 0.01) > 0.3
        assert drawn[middle_line].mean() > 0.9
        assert 0.5 * width * 140 < 2 * drawn.sum() / middle_line.sum() < 4 * width * 140


def test_digits_that_nobody_confirmed_are_not_drawn(digits: pens.Digits) -> None:
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
def test_a_difficulty_does_what_it_says(name: str, digits: pens.Digits) -> None:
    assert FILES[name](opened(name, digits))


def test_an_oriented_file_shows_the_digit_upright_to_who_obeys_the_tag(digits: pens.Digits) -> None:
    glyphs = [digits.draw(np.random.default_rng(0), 7)]
    shown = []
    for tag in (1, 3, 6, 8):
        look = Look(size=(200, 150), kind="png", orientation=tag)
        image = Image.open(io.BytesIO(score_pictures.render(np.random.default_rng(1), look, glyphs)))
        assert image.size == ((150, 200) if tag in (6, 8) else (200, 150))
        shown.append(np.asarray(ImageOps.exif_transpose(image)))
    assert all(np.array_equal(shown[0], other) for other in shown[1:])


@pytest.mark.parametrize(
    "name", ["off-centre", "tiny in a large picture", "perspective", "row, slanted line", "row, everything"]
)
def test_nothing_of_the_writing_is_cut_off(name: str, digits: pens.Digits) -> None:
    for index in range(2):
        rng, look, text = score_pictures.compose(name, 1, index)
        scene = Scene(rng, look, [digits.draw(rng, int(label)) for label in text], [])
        scene.viewed(scene.sheet())
        assert border(scene.ink).max() == 0
        assert scene.ink.max() > 0.9


def test_rows_stand_in_order_and_touch_where_they_should(digits: pens.Digits) -> None:
    pieces = {}
    for name in ("row, spaced", "row, touching"):
        rng, look, _ = score_pictures.compose(name, 0, 0)
        scene = Scene(rng, look, [digits.draw(rng, label) for label in (3, 0, 2, 6, 0, 8)], [])
        x = [place[0, 2] for place in scene.places]
        assert x == sorted(x)
        scene.sheet()
        pieces[name] = cv2.connectedComponents((scene.ink > 0.4).astype(np.uint8))[0] - 1
    assert pieces["row, spaced"] == 6
    assert pieces["row, touching"] < 6


def test_pictures_without_a_digit_show_what_their_names_say(digits: pens.Digits) -> None:
    pages = {name: grey(opened(name, digits)) for name in difficulties.NOTHING}
    plain = np.std(pages["blank page"])
    assert plain < 20
    assert all(np.std(pages[name]) > plain for name in ("page with a shadow", "letter", "scribble"))
    assert max(np.median(pages[name]) for name in ("desk top", "cloth or wall")) < np.median(pages["blank page"])


def predictions(path: Path, rows: list[tuple[str, str, object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "digits", "confidence"), *rows])
    return path


def test_figures_of_answers_made_by_hand(tmp_path: Path) -> None:
    name = "clean scan"
    pictures = [Picture(f"digit/clean-scan/{i}.png", str(i), name) for i in range(4)]
    pictures += [Picture(f"row/row-spaced/{i}.jpg", "123", "row, spaced") for i in range(2)]
    pictures += [Picture(f"nothing/blank-page/{i}.jpg", "", "blank page") for i in range(2)]
    answers = [
        ("digit/clean-scan/0.png", "0", 0.9),
        ("/elsewhere/digit/clean-scan/1.png", "1", 0.7),
        ("clean-scan/2.png", "7", 0.4),
        ("row/row-spaced/0.jpg", "123", 0.8),
        ("row/row-spaced/1.jpg", "12", 0.6),
        ("nothing/blank-page/1.jpg", "1", 0.6),
    ]
    table = score_pictures.report(score_pictures.answered(pictures, predictions(tmp_path / "a.csv", answers)))
    lines = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in table.splitlines()}
    assert lines[name] == ["4", "2", "50.0%", "15.0% to 85.0%", "0.800", "0.400", "1"]
    assert lines["**all of kind scan**"] == lines["**all pictures of one digit**"] == lines[name]
    assert lines["**all rows, read without a mistake**"] == ["2", "1", "50.0%", "9.5% to 90.5%", "0.800", "0.600", "0"]
    assert lines["blank page"] == ["2", "1", "0.300", "50%", "0%"]
    assert "**all of kind photo**" not in lines


def test_answers_that_cannot_be_scored_are_refused(tmp_path: Path) -> None:
    pictures = [Picture("digit/clean-scan/0.png", "0", "clean scan")]
    twice = predictions(tmp_path / "a.csv", [("clean-scan/0.png", "0", 1), ("digit/clean-scan/0.png", "1", 1)])
    with pytest.raises(score_pictures.DataError, match="two answers"):
        score_pictures.answered(pictures, twice)
    (tmp_path / "b.csv").write_text("file,answer\na.png,1\n")
    with pytest.raises(score_pictures.DataError, match="no columns"):
        score_pictures.answered(pictures, tmp_path / "b.csv")


def test_the_command_writes_once_and_scores(
    tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def predict(args: list[str]) -> None:
        options = dict(arg[2:].split("=", 1) for arg in args[1:])
        asked.append((options["data.layout"], options["ckpt_path"]))
        files = sorted(Path(options["data.pictures"]).rglob("*.*"))
        predictions(Path(options["predictions.output"]), [(str(file), "1", 0.75) for file in files])

    monkeypatch.setattr(score_pictures, "mnist_cnn", predict)
    options = ["--count=2", "--seed=1", f"--data-dir={mnist_dir}", "--workers=1", f"--output={tmp_path / 'out'}"]
    options += ["--only", "palette", "row, scanned", "blank"]
    score_pictures.main(options)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    assert len(written) == 6 + 1
    with (tmp_path / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["digits"] for row in rows][:2] == ["1", "2"]
    assert all((tmp_path / "out" / row["file"]).exists() for row in rows)
    capsys.readouterr()

    score_pictures.main([*options, "--ckpt_path=best"])
    assert asked == [("digit", "best"), ("row", "best"), ("digit", "best")]
    assert written.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}.items()
    assert "| palette PNG | 2 | 1 | 50.0% | 9.5% to 90.5% | 0.750 | 0.750 | 0 |" in capsys.readouterr().out


def test_what_a_user_can_mend_is_one_line(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    output = f"--output={tmp_path}"
    assert "holds other files" in fails(score_pictures.main, [output, "--only", "palette"])
    assert "fits no difficulty" in fails(score_pictures.main, [output, "--only", "nonsense"])
    assert "at least 1" in fails(score_pictures.main, [output, "--count=0"])

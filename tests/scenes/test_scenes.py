import math

import cv2
import numpy as np
import pytest
import torch
from drawn import Mnist

from mnist_cnn.data.scenes import collate
from mnist_cnn.scenes import arrangement, glyphs, letters, marks, surface, templates, words
from mnist_cnn.scenes.pool import Pool
from mnist_cnn.scenes.scene import SIDE, compose
from mnist_cnn.scenes.sheet import Sheet


@pytest.fixture(scope="module")
def pool(mnist: Mnist) -> Pool:
    images, labels = mnist
    return Pool(list(glyphs.write_all(images[:500, 0].numpy(), labels[:500].numpy(), 300)))


def test_glyphs_are_cut_out_and_of_all_kinds(pool: Pool) -> None:
    assert {glyph.label for glyph in pool.digits} == set(range(10))
    assert len(pool.signs) > 20
    for glyph in pool.digits + pool.signs:
        assert max(glyph.pixels.shape[:2]) == glyphs.TALL
        assert glyph.pixels[..., 1].max() > 100
    pens = [glyph.pen for glyph in pool.digits]
    assert pens == sorted(pens)
    assert pens[0] < 0.04 < 0.14 < pens[-1]


def test_hands_take_glyphs_of_like_pens_and_none_too_often(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    taken = [id(pool.hand(rng).take(rng)) for _ in range(3000)]
    assert max(taken.count(one) for one in set(taken)) < 60  # of the finest and of the broadest pen, too
    for _ in range(50):
        hand = pool.hand(rng)
        if hand.spread < 1:
            pens = [hand.take(rng).pen for _ in range(20)]
            assert max(pens) < max(2.5 * min(pens), min(pens) + 0.03)


@pytest.mark.parametrize("full", [False, True])
def test_words_are_written_where_it_is_free(full: bool) -> None:
    amount = 0.0
    for seed in range(30):
        ink = np.zeros((SIDE, SIDE), np.float32)
        ink[80:110] = 1
        words.write_words(ink, 20, np.random.default_rng(seed), full=full)
        assert (ink[80:110] == 1).all()
        assert 0 <= ink.min() <= ink.max() <= 1
        amount += float(np.delete(ink, np.s_[80:110], axis=0).mean())
    assert amount > (0.6 if full else 0.1)


def test_signs_of_arithmetic_stand_in_the_middle_of_a_row() -> None:
    rng = np.random.default_rng(0)
    for size in (12.0, 40.0):
        for _ in range(40):
            ink = np.zeros((80, 80), np.float32)
            width = marks.draw_operator(ink, 20, 20, size, 0.08, rng)
            rows, columns = np.nonzero(ink > 0.5)
            assert 0.2 * size <= width <= 0.7 * size
            assert 20 - 0.2 * size < columns.min() <= columns.max() < 20 + width + 0.2 * size
            assert 20 < rows.min() <= rows.max() < 20 + 1.3 * size


@pytest.mark.parametrize("letter", letters.CAPITALS)
def test_capitals_stand_on_the_line_and_are_two_small_letters_high(letter: letters.Letter) -> None:
    points = np.concatenate([np.array(stroke) for stroke in letter])
    assert points[:, 1].min() == -2
    assert 0 <= points[:, 1].max() <= 0.2
    assert 0.5 <= np.ptp(points[:, 0]) < 1.4
    assert points[:, 0].min() >= 0


def test_words_are_of_capitals_alone_or_begin_with_one_or_have_none() -> None:
    rng = np.random.default_rng(0)
    scripts = [script for script in (words.Script(20, rng) for _ in range(60)) if script.by_hand]
    assert {script.block for script in scripts} == {False, True}
    for script in scripts:
        tall = [
            sum(stroke[:, 1].min() < -1.6 for stroke in words._by_hand(script, rng)) for _ in range(10)
        ]  # capitals have one such stroke or more each
        assert min(tall) >= 2 if script.block else max(tall) <= 9


def test_holes_of_a_binder_hide_no_digit() -> None:
    sheet = Sheet(SIDE)
    sheet.ink[20:60, 0:30] = 1
    for seed in range(40):
        page = np.full((SIDE, SIDE, 3), 200.0, np.float32)
        surface._holes(page, sheet, 30, np.random.default_rng(seed))
        assert (page[sheet.ink > 0] == 200).mean() > 0.97
        assert (page != 200).any() or seed


def test_ones_can_be_asked_for(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    labels = [pool.hand(rng).take_label(1, rng).label for _ in range(200)]
    assert labels.count(1) > 150


def test_strokes_alone_are_numbers_too_and_some_numbers_are_short(pool: Pool) -> None:
    numbers = []
    for seed in range(300):
        rng, sheet = np.random.default_rng(seed), Sheet(SIDE)
        arrangement._row(sheet, pool.hand(rng), 24, rng)
        numbers.append([digit.label for digit in sheet.digits])
    assert sum(len(labels) > 1 and labels.count(1) >= 0.7 * len(labels) for labels in numbers) > 3
    assert sum(0 < len(labels) < 3 for labels in numbers) > 40


@pytest.mark.parametrize("label", range(10))
def test_shapes_by_strokes_have_ink_whatever_chance_says(label: int) -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        assert all(np.isfinite(stroke).all() and len(stroke) > 1 for stroke in templates.strokes_of(label, rng))
        glyph = glyphs.write_shape(label, rng)
        assert glyph is not None
        assert glyph.label == label


def test_digits_with_hardly_any_ink_are_written_or_left_out() -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    images[1, 14, 14] = 255  # a speck
    images[2, 4:24:6, 14] = 255  # a stem with gaps, on whose lines there is no ink
    images[3, 5:7, 5:24], images[3, 20:24, 12:15] = 255, 255
    for seed in range(200):
        for label in (1, 7):
            for digit in images:
                glyph = glyphs.write_digit(digit, label, np.random.default_rng(seed))
                assert glyph is None or glyph.pixels.any()


def test_the_same_chance_gives_the_same_scene(pool: Pool) -> None:
    one, same, other = (compose(pool, np.random.default_rng(seed)) for seed in (4, 4, 5))
    for a, b in zip(one, same, strict=True):
        assert (a == b).all()
    assert not np.array_equal(one.picture, other.picture)


def test_the_truth_of_scenes(pool: Pool) -> None:
    whole = 0
    for seed in range(120):
        scene = compose(pool, np.random.default_rng(seed))
        assert scene.picture.shape == (SIDE, SIDE, 3)
        assert scene.picture.dtype == scene.ink.dtype == np.uint8
        assert scene.boxes.shape == (len(scene.labels), 4)
        assert scene.owner.max(initial=-1) < len(scene.labels)
        rows, columns = np.nonzero(scene.owner >= 0)
        left, top, right, bottom = scene.boxes[scene.owner[rows, columns]].T
        assert ((columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)).all()
        whole += int((scene.labels >= 0).sum())
    assert whole > 400


def test_batches_number_their_digits_through(pool: Pool) -> None:
    scenes = [compose(pool, np.random.default_rng(seed)) for seed in range(6)]
    batch = collate(scenes)
    assert batch.pictures.shape == (6, 3, SIDE, SIDE)
    assert batch.pictures.is_contiguous(memory_format=torch.channels_last)
    assert len(batch.labels) == len(batch.boxes) == len(batch.picture_of) == sum(len(s.labels) for s in scenes)
    for k, scene in enumerate(scenes):
        owned = batch.owner[k][batch.owner[k] >= 0]
        assert (batch.picture_of[owned] == k).all()
        assert torch.equal(batch.labels[batch.picture_of == k], torch.from_numpy(scene.labels))


def block(label: int, width: int = 20, height: int = 40) -> glyphs.Glyph:
    """All ink."""
    return glyphs.Glyph(np.full((height, width, 2), 255, np.uint8), label, 0.1)


def test_how_far_a_glyph_can_go_until_its_ink_meets_what_is_written() -> None:
    sheet = Sheet(100)
    sheet.put(block(1), 10, 20, 40)
    assert sheet.room(block(2), 35, 30, 40) == 5
    assert sheet.room(block(2), 28, 30, 40) == -2
    assert sheet.room(block(2), 45, 30, 40) == 10  # at most half of its width
    assert sheet.room(block(2), 35, 70, 20) == 5  # nothing beside it: half of its width
    assert sheet.room(block(2), 200, 30, 40) == sheet.room(block(2), 30, -90, 40) == 0  # beyond the sheet


def test_a_turned_sheet_has_no_digits() -> None:
    sheet = Sheet(100)
    sheet.put(block(1), 10, 20, 40)
    before = sheet.written.copy()
    sheet.turn(2)
    np.testing.assert_array_equal(sheet.written, before[::-1, ::-1])
    assert not sheet.digits
    assert not sheet.ink.any()
    assert (sheet.owner == -1).all()


@pytest.mark.parametrize("angle", [-0.3, 0.2])
def test_a_tilted_sheet_has_its_digits_in_new_boxes(angle: float) -> None:
    sheet = Sheet(SIDE)
    sheet.put(block(3), 60, 70, 40)
    sheet.put(block(4), 76, 75, 40)  # a part of it is hidden by the first one
    sheet.put(block(7), -10, 20, 40)  # and this one is cut off
    before = [
        (digit.left + digit.width / 2 - SIDE / 2, digit.top + digit.height / 2 - SIDE / 2) for digit in sheet.digits
    ]
    sheet.tilt(angle)
    for number, (digit, (x, y)) in enumerate(zip(sheet.digits, before, strict=True)):
        middle = (digit.left + digit.width / 2 - SIDE / 2, digit.top + digit.height / 2 - SIDE / 2)
        turned = (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
        assert middle == pytest.approx(turned, abs=1.01)
        rows, columns = np.nonzero((sheet.owner == number) & (sheet.ink > 0.5))
        if number == 0:
            box = (digit.left, digit.top, digit.left + digit.width, digit.top + digit.height)
            assert box == pytest.approx((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=2)
        assert digit.height < 40 + 20 * abs(math.sin(angle)) + 2
        assert 20 < digit.width < 20 + 40 * abs(math.sin(angle)) + 2


def test_strokes_of_dates_are_higher_than_digits() -> None:
    for seed in range(60):
        written = np.zeros((200, 200), np.float32)
        width = marks.draw_divider(written, 60, 80, 40, 0.1, np.random.default_rng(seed))
        rows, columns = np.nonzero(written > 0.5)
        assert np.ptp(rows) > 1.1 * 40
        assert columns.min() >= 55
        assert columns.max() <= 60 + width + 2


def test_a_colon_is_two_points_within_the_height_of_the_digits() -> None:
    for seed in range(60):
        written = np.zeros((200, 200), np.float32)
        width = marks.draw_colon(written, 60, 80, 40, 0.1, np.random.default_rng(seed))
        assert cv2.connectedComponents((written > 0.5).astype(np.uint8))[0] == 3  # with the paper
        rows, columns = np.nonzero(written > 0.5)
        assert 76 <= rows.min() < 100 < rows.max() <= 126
        assert np.ptp(columns) < 1.5 * width


def test_rows_upside_down_are_none_but_only_those_that_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[tuple[int, int]] = []
    monkeypatch.setattr(
        Sheet, "turn", lambda sheet, turns: turned.append((turns, sum(d.label in (3, 4, 7) for d in sheet.digits)))
    )
    monkeypatch.setattr(arrangement, "KINDS", ((1.0, 1.0, arrangement._row, math.inf),))
    for seed in range(400):
        for label in (8, 7):
            arrangement.arrange(SIDE, Pool([block(label), block(-1)]), np.random.default_rng(seed))
    assert {turns for turns, _ in turned} == {1, 2, 3}
    assert min(count for _, count in turned) > 1
    assert 10 < len(turned) < 80


def test_a_number_goes_on_until_its_last_digit_and_no_further_than_is_seen(pool: Pool) -> None:
    digits = pool.digits[:4]
    sheet = Sheet(SIDE)
    sheet.put(digits[0], 0, 90, 30)
    for k, glyph in enumerate(digits[1:]):
        sheet.put(glyph, 40 + 40 * k, 20, 30)
    sheet.join(1)
    assert [digit.joined for digit in sheet.digits] == [-1, 1, 1, 0]
    known = [compose(pool, np.random.default_rng(k)) for k in range(60)]
    for scene in known:
        goes_on = np.flatnonzero(scene.joined == 1)
        assert (goes_on + 1 < len(scene.labels)).all()
        assert (scene.joined[scene.labels < 0] == -1).all()
    assert {-1, 0, 1} <= set(np.concatenate([scene.joined for scene in known]).tolist())

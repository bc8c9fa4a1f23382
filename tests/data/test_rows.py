"""Rows for the recognizer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_cnn.data import rows
from mnist_cnn.data.rows import RowBatch, RowDataModule, Rows, SampleRow, collate, rows_in
from mnist_cnn.networks.recognizer import DIGIT, GAP, GREY, HEIGHT, STRIDE
from mnist_cnn.scenes.scene import Scene


def scene(labels: list[int], left: float = 40) -> Scene:
    """Black boxes of 20 by 30 pixels on white, 30 apart, in one row."""
    picture = np.full((120, 300, 3), 255, np.uint8)
    boxes = np.array([(left + 30 * k, 40, left + 30 * k + 20, 70) for k in range(len(labels))], np.float32).reshape(
        -1, 4
    )
    for x, top, right, bottom in boxes.astype(int).tolist():
        picture[top:bottom, max(0, x) : right] = 0
    flat = np.zeros((120, 300))
    return Scene(
        picture, np.array(labels), np.ones(len(labels), int), boxes, flat.astype(np.uint8), flat.astype(np.int16)
    )


def test_a_row_has_all_of_its_digits_also_those_that_were_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    for missed, seeds in ((0.0, 5), (0.3, 30)):
        monkeypatch.setattr(rows, "MISSED", missed)
        for seed in range(seeds):
            found = list(rows_in(scene([3, 1, 4, 1, 5]), np.random.default_rng(seed)))
            for strip, digits in found:
                assert strip.shape[0] == HEIGHT
                ends = np.flatnonzero(np.diff(np.pad(strip[HEIGHT // 2, :, 0] < 128, 1).astype(int)))
                assert (ends[1::2] - ends[::2] > 12).sum() == len(digits)  # as many boxes as digits, parts aside
                assert "".join(map(str, digits)) in "31415"
            assert missed or [digits.tolist() for _, digits in found] == [[3, 1, 4, 1, 5]]


def test_rows_that_nobody_could_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MISSED", 0.0)
    rng = np.random.default_rng(0)
    assert list(rows_in(scene([3, -1, 4]), rng)) == []  # cut off
    assert list(rows_in(scene([]), rng)) == []
    assert list(rows_in(scene([1] * 9)._replace(boxes=scene([1] * 9).boxes / 4), rng)) == []  # of 7 pixels
    assert len(list(rows_in(scene([1, 2]), rng))) == 1


def test_a_batch_has_its_rows_collate() -> None:
    def row(width: int, value: int, *digits: int) -> SampleRow:
        return np.full((HEIGHT, width, 3), value, np.uint8), np.array(digits, np.int64)

    batch = collate([[row(31, 7, 1, 2), row(40, 8)], [], [row(22, 9, 5)]])
    assert batch.digits.tolist() == [1, 2, 5]
    assert batch.lengths.tolist() == [2, 0, 1]
    assert batch.widths.tolist() == [31, 40, 22]
    assert (batch.starts % STRIDE == 0).all()
    assert batch.strips.shape[:3] == (1, 3, HEIGHT)
    columns = batch.strips[0, 0, 0]
    for start, width, value in zip(batch.starts.tolist(), batch.widths.tolist(), (7, 8, 9), strict=True):
        assert (columns[start : start + width] == value).all()
        assert (columns[start - GAP : start] == GREY).all()
        assert (columns[start + width : start + width + GAP] == GREY).all()
    nothing = collate([[], []])
    assert (nothing.lengths.tolist(), len(nothing.digits)) == ([0], 0)


def test_rows_of_a_scene_are_always_the_same(mnist_dir: Path) -> None:
    data = RowDataModule(str(mnist_dir), scenes=4, val_scenes=2, glyphs=400, batch_size=4, num_workers=0)
    data.prepare_data()
    data.setup("fit")
    made = Rows(data.pools["train"], 1)
    first, again = made[3], made[3]
    assert len(first) == len(again)
    assert len(first) % 2 == 0  # each in two forms
    for (strip, digits), (same, as_before) in zip(first, again, strict=True):
        assert (strip == same).all()
        assert (digits == as_before).all()
    heights = {strip.shape[0] for k in range(8) for strip, _ in made[k]}
    assert heights == {HEIGHT}
    assert DIGIT < HEIGHT
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, RowBatch)
    assert torch.equal(batch.strips, next(iter(data.train_dataloader())).strips)

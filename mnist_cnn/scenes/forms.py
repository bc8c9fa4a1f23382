"""Numbers in their places: the cells of a form, a table or a puzzle, and lists of words and numbers."""

import cv2
import numpy as np

from mnist_cnn.scenes.pool import Hand, Rng
from mnist_cnn.scenes.sheet import Sheet
from mnist_cnn.scenes.words import Script, typeset


def cells(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """A form, a table or a puzzle: most cells with a digit or a short number; those of a puzzle are one row's."""
    across, down = size * rng.uniform(1.1, 4.0 if rng.random() < 0.5 else 2.2), size * rng.uniform(1.15, 2.0)
    comb = rng.random() < 0.2
    is_table = not comb and across > rng.uniform(1.2, 1.5) * down
    thick, full = max(1, round(size * rng.uniform(0.01, 0.07))), rng.uniform(0.4, 1.0)
    gap = rng.uniform(0, 0.3) * size if rng.random() < 0.3 else 0.0
    is_drawn, even = not is_table or rng.random() < 0.75, rng.random() < 0.4
    most = max(1, int(across / (0.75 * size))) if is_table and rng.random() < 0.7 else 1
    one_row, side = rng.random() < 0.3, sheet.side
    rows = [rng.uniform(0, side - down)] if one_row else list(np.arange(rng.uniform(-down, down), side, down + gap))
    columns = np.arange(rng.uniform(-across, across), side, across + gap)
    for y in rows:
        first = len(sheet.digits)
        for x in columns:
            if is_drawn:
                _cell(sheet, (round(x), round(y)), (round(x + across), round(y + down)), thick, comb)
            if rng.random() > full:
                continue
            height = size * rng.uniform(0.85, 1.1)
            count = most if even else int(rng.integers(1, most + 1))
            glyphs = [hand.take(rng, rng.random() < 0.05) for _ in range(count)]
            wide = sum(glyph.pixels.shape[1] / glyph.pixels.shape[0] * height for glyph in glyphs)
            at_x = x + (across - wide) * rng.uniform(0.1, 0.9) + rng.normal(0, 0.05) * size
            at_y, start = y + (down - height) / 2 + rng.normal(0, 0.08) * size, len(sheet.digits)
            for glyph in glyphs:
                at_x += sheet.put(glyph, at_x, at_y, height) + rng.uniform(-0.03, 0.08) * size
            if is_table:
                sheet.join(start)
        if not is_table:
            sheet.join(first)


def _cell(sheet: Sheet, low: tuple[int, int], high: tuple[int, int], thick: int, comb: bool) -> None:
    """A printed box, or the lower part of one."""
    if not comb:
        cv2.rectangle(sheet.printed, low, high, 1.0, thick, cv2.LINE_AA)
        return
    for at in (low[0], high[0]):
        cv2.line(sheet.printed, (at, round(high[1] - 0.4 * (high[1] - low[1]))), (at, high[1]), 1.0, thick, cv2.LINE_AA)
    cv2.line(sheet.printed, (low[0], high[1]), high, 1.0, thick, cv2.LINE_AA)


def note(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Lines of words and numbers by one hand: a list, a memo, an address."""
    script = Script(size * rng.uniform(0.8, 1.2), rng, hand.width if rng.random() < 0.7 else None)
    y, step, left = rng.uniform(0.3, 1.5) * size, size * rng.uniform(1.3, 2.2), rng.uniform(-size, 0.2 * sheet.side)
    while y < sheet.side + size:
        x = left + abs(rng.normal(0, 0.2)) * size
        for _ in range(int(rng.integers(1, 4))):
            x = _entry(sheet, hand, script, x, y, size, 0.4, rng) + size * rng.uniform(0.3, 1.2)
        y += step * rng.uniform(0.95, 1.05)


def form(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Printed labels, each with a field for a number or a word; some fields stay empty."""
    script, high = Script(size * rng.uniform(0.8, 1.1), rng, hand.width), size * rng.uniform(1.2, 2.0)
    small, y, step = size * rng.uniform(0.3, 0.8), rng.uniform(-0.5, 1.0) * size, high * rng.uniform(1.05, 1.5)
    left, field = rng.uniform(-2, 1) * size, rng.uniform(0.1, 0.6) * sheet.side
    thick, boxed = max(1, round(size * rng.uniform(0.01, 0.07))), rng.random() < 0.6
    while y < sheet.side:
        base = y + high - rng.uniform(0.1, 0.35) * size
        x = max(field, typeset(sheet.printed, left, base, small, rng)) + rng.uniform(0.1, 0.5) * size
        corner = (round(x), round(y + high))
        if boxed:
            cv2.rectangle(sheet.printed, (corner[0], round(y)), (sheet.side + 9, corner[1]), 1.0, thick, cv2.LINE_AA)
        else:
            cv2.line(sheet.printed, corner, (sheet.side, corner[1]), 1.0, thick, cv2.LINE_AA)
        x += size * rng.uniform(0.05, 1.0)
        if rng.random() < 0.85:
            _entry(sheet, hand, script, x, base, size, 0.65, rng)
        y += step


def _entry(
    sheet: Sheet, hand: Hand, script: Script, x: float, y: float, size: float, numbers: float, rng: Rng
) -> float:
    """A word or, so often, a number on the line y; returns where it ends."""
    return number(sheet, hand, x, y, size, rng) if rng.random() < numbers else script.write(sheet.written, x, y, rng)


def number(sheet: Sheet, hand: Hand, x: float, y: float, size: float, rng: Rng) -> float:
    """A number on the line y; returns where it ends."""
    first = len(sheet.digits)
    for _ in range(int(rng.integers(1, 7))):
        x += sheet.put(hand.take(rng), x, y - size + rng.normal(0, 0.04) * size, size * rng.uniform(0.9, 1.1))
        x += size * rng.uniform(-0.03, 0.25)
    sheet.join(first)
    return x

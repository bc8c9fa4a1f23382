"""Where signs stand on a sheet: alone, in rows, in lines and columns, in the cells of a form, among words."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from mnist_cnn.scenes.doodles import draw_doodles
from mnist_cnn.scenes.pool import Hand, Pool, Rng
from mnist_cnn.scenes.sheet import Sheet
from mnist_cnn.scenes.words import Script, print_words, typeset, write_words

UPRIGHT = (3, 4, 7)
"""Digits that are none upside down or on their side: where two of them are, what is beside them is none, either."""


def arrange(side: int, pool: Pool, rng: Rng) -> Sheet:
    """Fills a sheet of so many pixels squared."""
    sheet, hand = Sheet(side), pool.hand(rng)
    size = float(np.exp(rng.uniform(np.log(12), np.log(62))))
    if rng.random() < 0.4:
        size = float(rng.uniform(16, 40))
    put, most = KINDS[rng.choice(len(KINDS), p=[share for share, *_ in KINDS])][1:]
    put(sheet, hand, min(size, most * side), rng)
    if put is not _doodles and rng.random() < 0.06:
        _doodles(sheet, hand, size, rng)
    if rng.random() < 0.1:
        print_words(sheet.printed, size * rng.uniform(0.3, 1.0), rng)
    if rng.random() < 0.15:
        write_words(sheet.written, size * rng.uniform(0.5, 1.2), rng)
    if rng.random() < 0.06:
        _strike(sheet, size, rng)
    if put in (_row, _lines) and rng.random() < 0.12 and sum(digit.label in UPRIGHT for digit in sheet.digits) > 1:
        sheet.turn(int(rng.choice(3, p=(0.2, 0.6, 0.2))) + 1)
    return sheet


def _row(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """One row."""
    _line(sheet, hand, size, rng.uniform(-0.2, 0.9) * (sheet.side - size), rng)


def _words(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Words, and numbers among them."""
    if rng.random() < 0.35:
        _text(sheet, hand, size, rng)
        return
    for _ in range(int(rng.integers(0, 3))):
        _line(sheet, hand, size, rng.uniform(0, sheet.side), rng, rng.uniform(0, 0.7 * sheet.side))
    write_words(sheet.written, size * rng.uniform(0.5, 1.2), rng, full=True)


def _doodles(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Small drawings."""
    draw_doodles(sheet.written, size, rng)


def _alone(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """One digit or sign, and now and then another digit that may reach beyond the sheet."""
    side = sheet.side
    is_sign = rng.random() < 0.15
    sheet.put(hand.take(rng, is_sign), rng.uniform(0, side - size * 0.6), rng.uniform(0, side - size), size)
    if rng.random() < 0.2:
        sheet.put(hand.take(rng), rng.uniform(-size, side), rng.uniform(-size, side), size * rng.uniform(0.7, 1.3))


def _line(
    sheet: Sheet, hand: Hand, size: float, top: float, rng: Rng, start: float | None = None, slope: float | None = None
) -> None:
    """A row of digits, from overlapping to three digits' widths apart, rising, bent, with signs between them."""
    side = sheet.side
    gaps = (rng.uniform(-0.14, 0.04), rng.uniform(0.04, 0.45), rng.uniform(0.45, 2.2))
    spacing, wander = rng.choice(3, p=[0.38, 0.41, 0.21]), rng.uniform(0, 0.1)
    gap, is_tight = gaps[spacing], spacing == 0 and rng.random() < 0.5  # from ink to ink, not from box to box
    bow, squeeze = rng.normal(0, 0.1) if slope is None else 0.0, np.exp(rng.normal(0, 0.2))
    slope = rng.normal(0, 0.1) if slope is None else slope
    signs = rng.uniform(0, 0.3) if rng.random() < 0.3 else 0.0
    x = rng.uniform(-size, side * 0.4) if start is None else start
    end = side if rng.random() < 0.6 else rng.uniform(side * 0.4, side)
    joined, last = rng.random() < 0.08, None  # the pen stays on the paper from digit to digit
    uneven = rng.random() < 0.12  # some write small zeros beside tall sevens
    while x < end:
        height = size * rng.uniform(1 - 2 * wander, 1 + 2 * wander) * (rng.uniform(0.4, 1.1) if uneven else 1)
        away = (x - side / 2) / side
        y = top + (slope * away + bow * away * away) * side + (size - height) / 2 + rng.normal(0, wander / 2) * size
        if rng.random() < signs:
            small = rng.random() < 0.4
            x += (
                _dot(sheet, x, y + size * rng.choice((0.5, 0.9)), size, rng)
                if small
                else sheet.put(hand.take(rng, True), x, y, height * rng.uniform(0.5, 1))
            )
        else:
            if joined and last is not None:
                knee = (round(x + 0.2 * size), round(y + height * rng.uniform(0.05, 0.5)))
                cv2.line(sheet.written, last, knee, 1.0, max(1, round(0.05 * size)), cv2.LINE_AA)
            glyph = hand.take(rng)
            if is_tight and last is not None:
                x += gap * size / 2 - sheet.room(glyph, x, y, height, squeeze)
            x += sheet.put(glyph, x, y, height, squeeze)
            last = (round(x - 0.25 * size), round(y + height * rng.uniform(0.75, 0.97)))
        x += size * (gap + rng.normal(0, wander / 2))
        if rng.random() < 0.06:
            x += size * rng.uniform(0.5, 2)


def _dot(sheet: Sheet, x: float, y: float, size: float, rng: Rng) -> int:
    """A point, a comma or a dash."""
    long, thick = size * rng.uniform(0.02, 0.35), max(1, round(size * rng.uniform(0.04, 0.12)))
    fall = rng.uniform(0, 0.2) * size if long < 0.1 * size else rng.normal(0, 0.03) * size
    cv2.line(sheet.written, (round(x), round(y)), (round(x + long), round(y + fall)), 1.0, thick, cv2.LINE_AA)
    return round(long) + 2


def _lines(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Rows under each other, in one or two columns."""
    step, y, slope = size * rng.uniform(1.1, 1.9), rng.uniform(-1.0, 0.4) * size, rng.normal(0, 0.03)
    start = None if rng.random() < 0.5 else rng.uniform(0, sheet.side * 0.3)
    while y < sheet.side:
        _line(sheet, hand, size, y, rng, start, slope)
        y += step


def _cells(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """A form, a table or a puzzle: printed cells, most of them with a digit or a short number."""
    across, down = size * rng.uniform(1.1, 4.0 if rng.random() < 0.3 else 2.2), size * rng.uniform(1.15, 2.0)
    left, top = rng.uniform(-across, across), rng.uniform(-down, down)
    thick, full = max(1, round(size * rng.uniform(0.01, 0.07))), rng.uniform(0.4, 1.0)
    comb, gap = rng.random() < 0.25, rng.uniform(0, 0.3) * size if rng.random() < 0.3 else 0.0
    one_row, side = rng.random() < 0.3, sheet.side
    rows = [rng.uniform(0, side - down)] if one_row else list(np.arange(top, side, down + gap))
    for y in rows:
        for x in np.arange(left, side, across + gap):
            a, b = (round(x), round(y)), (round(x + across), round(y + down))
            if comb:
                for at in (a[0], b[0]):
                    cv2.line(sheet.printed, (at, round(b[1] - 0.4 * down)), (at, b[1]), 1.0, thick, cv2.LINE_AA)
                cv2.line(sheet.printed, (a[0], b[1]), b, 1.0, thick, cv2.LINE_AA)
            else:
                cv2.rectangle(sheet.printed, a, b, 1.0, thick, cv2.LINE_AA)
            if rng.random() > full:
                continue
            height = size * rng.uniform(0.85, 1.1)
            most = max(1, int(across / (0.75 * size))) if rng.random() < 0.5 else 1
            glyphs = [hand.take(rng, rng.random() < 0.05) for _ in range(int(rng.integers(1, most + 1)))]
            wide = sum(glyph.pixels.shape[1] / glyph.pixels.shape[0] * height for glyph in glyphs)
            at_x = x + (across - wide) * rng.uniform(0.1, 0.9) + rng.normal(0, 0.05) * size
            at_y = y + (down - height) / 2 + rng.normal(0, 0.08) * size
            for glyph in glyphs:
                at_x += sheet.put(glyph, at_x, at_y, height) + rng.uniform(-0.03, 0.08) * size


def _text(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Written words, alone or with a number after them."""
    y = rng.uniform(-0.5, 1.0) * size
    while y < sheet.side:
        x = rng.uniform(-size, sheet.side * 0.3)
        numbers = rng.random() < 0.3
        while x < sheet.side:
            for _ in range(int(rng.integers(1, 7))):
                height = size * rng.choice((0.6, 0.7, 1.0)) * rng.uniform(0.9, 1.1)
                x += sheet.put(hand.take(rng, True), x, y + size - height, height) + size * rng.uniform(-0.05, 0.2)
            x += size * rng.uniform(0.3, 1)
            if numbers:
                for _ in range(int(rng.integers(1, 5))):
                    x += sheet.put(hand.take(rng), x, y, size * rng.uniform(0.9, 1.1)) + size * rng.uniform(0, 0.2)
                x += size * rng.uniform(0.3, 1)
        y += size * rng.uniform(1.2, 2.5)


def _note(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Lines of words and numbers by one hand: a list, a memo, an address."""
    script = Script(size * rng.uniform(0.8, 1.2), rng, hand.width if rng.random() < 0.7 else None)
    y, step, left = rng.uniform(0.3, 1.5) * size, size * rng.uniform(1.3, 2.2), rng.uniform(-size, 0.2 * sheet.side)
    while y < sheet.side + size:
        x = left + abs(rng.normal(0, 0.2)) * size
        for _ in range(int(rng.integers(1, 4))):
            x = (_number if rng.random() < 0.4 else _word)(sheet, hand, script, x, y, size, rng)
            x += size * rng.uniform(0.3, 1.2)
        y += step * rng.uniform(0.95, 1.05)


def _form(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
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
            (_number if rng.random() < 0.65 else _word)(sheet, hand, script, x, base, size, rng)
        y += step


def _word(sheet: Sheet, hand: Hand, script: Script, x: float, y: float, size: float, rng: Rng) -> float:
    """A word on the line y; returns where it ends."""
    return script.write(sheet.written, x, y, rng)


def _number(sheet: Sheet, hand: Hand, script: Script, x: float, y: float, size: float, rng: Rng) -> float:
    """A number on the line y; returns where it ends."""
    for _ in range(int(rng.integers(1, 7))):
        x += sheet.put(hand.take(rng), x, y - size + rng.normal(0, 0.04) * size, size * rng.uniform(0.9, 1.1))
        x += size * rng.uniform(-0.03, 0.25)
    return x


def _strike(sheet: Sheet, size: float, rng: Rng) -> None:
    """A pen's line over the sheet: under a row, round a digit, at its margin."""
    thick = max(1, round(size * rng.uniform(0.02, 0.1)))
    if rng.random() < 0.4 and sheet.digits:
        digit = sheet.digits[int(rng.integers(len(sheet.digits)))]
        middle = (round(digit.left + digit.width / 2), round(digit.top + digit.height / 2))
        radius = round(max(digit.width, digit.height) * rng.uniform(0.75, 1.2))
        radii = (radius, max(1, round(radius * rng.uniform(0.75, 1))))
        cv2.ellipse(sheet.written, middle, radii, rng.uniform(0, 180), 0, 360, 1.0, thick, cv2.LINE_AA)
        return
    bottoms = [digit.top + digit.height for digit in sheet.digits] or [sheet.side // 2]
    y = max(bottoms) + size * rng.uniform(0.08, 0.4)
    start = (round(rng.uniform(-0.2, 0.4) * sheet.side), round(y))
    stop = (round(rng.uniform(0.6, 1.2) * sheet.side), round(y + rng.normal(0, 0.05) * size))
    cv2.line(sheet.written, start, stop, 1.0, thick, cv2.LINE_AA)


KINDS: tuple[tuple[float, Callable[[Sheet, Hand, float, Rng], None], float], ...] = (
    (0.16, _alone, math.inf),
    (0.27, _row, math.inf),
    (0.14, _lines, math.inf),
    (0.09, _cells, 1 / 3),
    (0.13, _words, math.inf),
    (0.09, _doodles, math.inf),
    (0.06, _note, 1 / 4),
    (0.06, _form, 1 / 4),
)
"""Kinds of scenes: how often each is drawn, what draws it, and the largest size of its digits in sides of a sheet."""

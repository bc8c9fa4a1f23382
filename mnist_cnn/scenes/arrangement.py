"""Where signs stand on a sheet: alone, in rows, in lines and columns, in the cells of a form, among words."""

import math
from collections.abc import Callable

import cv2
import numpy as np

from mnist_cnn.scenes.doodles import draw_doodles
from mnist_cnn.scenes.forms import cells, form, note, number
from mnist_cnn.scenes.marks import draw_colon, draw_divider, draw_dot, draw_operator
from mnist_cnn.scenes.pool import Hand, Pool, Rng
from mnist_cnn.scenes.sheet import Sheet
from mnist_cnn.scenes.words import print_words, write_words

UPRIGHT = (3, 4, 7)
"""Digits that are none upside down or on their side: where two of them are, what is beside them is none, either."""


def arrange(side: int, pool: Pool, rng: Rng, of_rows: bool = False) -> Sheet:
    """Fills a sheet of so many pixels squared.

    Args:
        side: How many.
        pool: What to write.
        rng: Of all chance.
        of_rows: Whether most sheets are to have rows of digits.
    """
    sheet, hand = Sheet(side), pool.hand(rng)
    size = float(np.exp(rng.uniform(np.log(12), np.log(62))))
    if rng.random() < 0.4:
        size = float(rng.uniform(16, 40))
    shares = [for_rows if of_rows else usual for usual, for_rows, *_ in KINDS]
    put, most = KINDS[rng.choice(len(KINDS), p=shares)][2:]
    put(sheet, hand, min(size, most * side), rng)
    if put is not draw_doodles and rng.random() < 0.06:
        draw_doodles(sheet, hand, size, rng)
    if rng.random() < 0.1:
        print_words(sheet.printed, size * rng.uniform(0.3, 1.0), rng)
    if rng.random() < 0.15:
        write_words(sheet.written, size * rng.uniform(0.5, 1.2), rng)
    if rng.random() < 0.06:
        _strike(sheet, size, rng)
    if put in (_row, _lines) and rng.random() < 0.12 and sum(digit.label in UPRIGHT for digit in sheet.digits) > 1:
        sheet.turn(int(rng.choice(3, p=(0.2, 0.6, 0.2))) + 1)
    if rng.random() < 0.35:
        sheet.tilt(float(np.clip(rng.normal(0, 0.15), -0.35, 0.35)))
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


def _alone(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """One digit or sign, and now and then another digit that may reach beyond the sheet."""
    side = sheet.side
    glyph = hand.take_label(1, rng) if rng.random() < 0.1 else hand.take(rng, rng.random() < 0.15)
    sheet.put(glyph, rng.uniform(0, side - size * 0.6), rng.uniform(0, side - size), size)
    if rng.random() < 0.2:
        sheet.put(hand.take(rng), rng.uniform(-size, side), rng.uniform(-size, side), size * rng.uniform(0.7, 1.3))


class _Style:
    """How somebody writes a row."""

    def __init__(self, rng: Rng) -> None:
        """Chooses all of it."""
        gaps = (rng.uniform(-0.14, 0.04), rng.uniform(0.04, 0.45), rng.uniform(0.45, 2.2))
        spacing = rng.choice(3, p=(0.44, 0.36, 0.2))
        self.gap, self.is_tight = gaps[spacing], spacing == 0 and rng.random() < 0.65
        """Between digits, in heights: from box to box, in tight rows from ink to ink."""
        self.wander = rng.uniform(0, 0.1)
        """How far off heights, gaps and the base line are."""
        self.squeeze = np.exp(rng.normal(0, 0.4 if rng.random() < 0.2 else 0.2))
        """How wide digits are: some hands are very narrow or very wide."""
        self.is_divided = rng.random() < 0.25
        """Whether signs are those of dates and times."""
        self.signs = rng.uniform(0.15, 0.4) if self.is_divided else rng.uniform(0, 0.3) if rng.random() < 0.3 else 0.0
        """How often a sign stands in place of a digit."""
        self.is_joined = rng.random() < 0.08
        """Whether the pen stays on the paper from digit to digit."""
        self.level = rng.choice((0.5, rng.uniform(0.4, 1.1)))
        """Where in the row a small digit stands: 0 is the top, 1 the base line."""
        sizes, heights, zero = (
            rng.choice(4, p=(0.63, 0.1, 0.12, 0.15)),
            rng.uniform(0.35, 1.1, 10),
            rng.uniform(0.27, 0.6),
        )
        kinds = (
            lambda _: 1.0,
            heights.__getitem__,
            lambda _: rng.uniform(0.35, 1.1),
            lambda digit: 1.0 if digit else zero,
        )
        self.share: Callable[[int], float] = kinds[sizes]
        """How high each digit is, of the row's height: all alike, some smaller, any by chance, or 0 small."""
        # A thin one is lost most easily beside another digit; and strokes alone are a number, too: 1, 11.
        ones = rng.choice((0.35, 0.0)) if self.is_tight else rng.choice((0.8, 0.0), p=(0.08, 0.92))
        self.favourite, self.often = (0, 0.35) if sizes == 3 else (1, float(ones))
        """A digit that comes more often than others, and how often."""


def _line(
    sheet: Sheet, hand: Hand, size: float, top: float, rng: Rng, start: float | None = None, slope: float | None = None
) -> None:
    """A row of digits, from overlapping to three digits' widths apart, rising, bent, with signs between them."""
    side, style = sheet.side, _Style(rng)
    bow = rng.normal(0, 0.1) if slope is None else 0.0
    slope = rng.normal(0, 0.1) if slope is None else slope
    x = rng.uniform(-size, side * 0.4) if start is None else start
    ends = (side, rng.uniform(side * 0.4, side), max(0.0, x) + rng.uniform(0.3, 3) * size)  # the last: a short number
    if rng.random() < 0.15:  # a line of a sum
        x += draw_operator(sheet.written, x, top, size, hand.width, rng) + size * rng.uniform(0.05, 1.0)
    end = ends[rng.choice(3, p=(0.55, 0.3, 0.15))]
    link, before, last = 1, len(sheet.digits), None
    while x < end:
        away = (x - side / 2) / side
        y = top + (slope * away + bow * away * away) * side + rng.normal(0, style.wander / 2) * size
        if rng.random() < style.signs:
            width, goes_on = _sign(sheet, hand, x, y, size, rng, style.is_divided)
            x, link = x + width, link if goes_on else -1
        else:
            glyph = hand.take_label(style.favourite, rng) if rng.random() < style.often else hand.take(rng)
            height = size * style.share(glyph.label) * rng.uniform(1 - 2 * style.wander, 1 + 2 * style.wander)
            y += (size - height) * style.level
            if style.is_joined and last is not None:
                knee = (round(x + 0.2 * size), round(y + height * rng.uniform(0.05, 0.5)))
                cv2.line(sheet.written, last, knee, 1.0, max(1, round(0.05 * size)), cv2.LINE_AA)
            if style.is_tight and last is not None:
                x += style.gap * size / 2 - sheet.room(glyph, x, y, height, style.squeeze)
            if last is not None:
                sheet.digits[-1].joined = link
            x += sheet.put(glyph, x, y, height, style.squeeze)
            link = 1
            last = (round(x - 0.25 * size), round(y + height * rng.uniform(0.75, 0.97)))
        x += size * (style.gap + rng.normal(0, style.wander / 2))
        if rng.random() < 0.06:
            more = rng.uniform(0.5, 2)
            x += size * more
            link = _goes_on(style.gap, style.gap + more)
    if end < side and len(sheet.digits) > before:
        sheet.digits[-1].joined = 0


def _goes_on(usual: float, gap: float) -> int:
    """Whether a number goes on after a gap beside its usual ones, in heights: 1, 0, or -1 where people would differ."""
    if gap > max(1.3, 2.2 * usual + 0.6):
        return 0
    return 1 if gap < max(0.8, 1.7 * usual + 0.2) else -1


def _sign(sheet: Sheet, hand: Hand, x: float, y: float, size: float, rng: Rng, is_divider: bool) -> tuple[int, bool]:
    """A sign between digits: its width, and whether the number may go on after it."""
    if is_divider:
        draw = draw_colon if rng.random() < 0.25 else draw_divider
        return draw(sheet.written, x, y, size, hand.width, rng), True
    kind = rng.choice(3, p=(0.35, 0.45, 0.2))
    if kind == 0:
        return draw_dot(sheet.written, x, y + size * rng.choice((0.5, 0.9)), size, rng), True
    if kind == 1:
        return sheet.put(hand.take(rng, True), x, y, size * rng.uniform(0.5, 1)), False
    return draw_operator(sheet.written, x, y, size, hand.width, rng), False


def _lines(sheet: Sheet, hand: Hand, size: float, rng: Rng) -> None:
    """Rows under each other, in one or two columns."""
    step, y, slope = size * rng.uniform(1.1, 1.9), rng.uniform(-1.0, 0.4) * size, rng.normal(0, 0.03)
    start = None if rng.random() < 0.5 else rng.uniform(0, sheet.side * 0.3)
    while y < sheet.side:
        _line(sheet, hand, size, y, rng, start, slope)
        y += step


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
                x = number(sheet, hand, x, y + size, size, rng) + size * rng.uniform(0.3, 1)
        y += size * rng.uniform(1.2, 2.5)


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


KINDS: tuple[tuple[float, float, Callable[[Sheet, Hand, float, Rng], None], float], ...] = (
    (0.12, 0.03, _alone, math.inf),
    (0.26, 0.45, _row, math.inf),
    (0.14, 0.20, _lines, math.inf),
    (0.12, 0.10, cells, 1 / 3),
    (0.12, 0.05, _words, math.inf),
    (0.09, 0.01, draw_doodles, math.inf),
    (0.09, 0.09, note, 1 / 4),
    (0.06, 0.07, form, 1 / 4),
)
"""Kinds of scenes: how often each is drawn, for the detector and where most are to have rows; what draws it; and the
largest size of its digits in sides of a sheet."""

"""Kinds of pages: lists, sums, tables, grids, forms, postcards, notes, and some without a digit.

A row is digits on one line with gaps alike. Cells of a table that are clearly apart are rows of their own, line by
line; of two columns of text the left one comes first, whole; a line of a sudoku is one row, without its empty cells.
"""

import numpy as np

from examiner.others import doodle, word
from examiner.page import WORDS, Page
from examiner.printing import text_width
from examiner.strokes import Glyph


def numbers(page: Page) -> None:
    """A list of numbers, one under the other."""
    x = page.left + page.rng.uniform(0.0, 0.3) * page.width
    count = page.lines()
    right = page.rng.random() < 0.3
    for i in range(count - int(page.rng.integers(0, 2))):
        start = x + page.rng.normal(0, 0.1) * page.unit + (0.5 * page.width if right else 0)
        page.digits(page.number(2, 7), start, page.line(i), right=right)


def one_number(page: Page) -> None:
    """A single row somewhere on the sheet."""
    base = page.height * page.rng.uniform(0.25, 0.8)
    page.digits(page.number(2, 5), page.left + page.rng.uniform(0, 0.25) * page.width, base)


def columns(page: Page) -> None:
    """Two columns of numbers, the left one first; their lines do not stand beside each other."""
    page.ruled = False
    if page.rng.random() < 0.5:
        page.rule((0.5 * page.width, page.top), (0.5 * page.width, page.height - page.top))
    for column, down in ((0.0, 0.0), (0.52, page.rng.uniform(0.35, 0.6))):
        for i in range(page.lines() - 1 - int(page.rng.integers(0, 2))):
            x = page.left + (column + page.rng.uniform(0, 0.03)) * page.width
            page.digits(page.number(2, 4), x, page.line(i) + down * page.pitch)


def close_lines(page: Page) -> None:
    """Lines so close that tails reach into the next one."""
    page.unit = page.writing.unit = 0.8 * page.pitch
    for i in range(page.lines()):
        page.digits(page.number(4, 7), page.left, page.line(i))


def addition(page: Page) -> None:
    """Columns of a sum: numbers that end below each other, a line, the result."""
    count = int(0.8 * page.height / page.pitch) - 1
    numbers = [int(page.number(2, 5)) for _ in range(count)]
    right = page.left + page.rng.uniform(0.45, 0.75) * page.width
    for i, number in enumerate(numbers):
        page.digits(str(number), right, page.top + (i + 0.7) * page.pitch, right=True)
    base = page.top + (count - 0.3) * page.pitch
    page.text(page.draw("+"), right - 5.6 * page.unit, base, 0.9)
    wobble = page.rng.normal(0, 0.04 * page.unit, 2)
    line = np.array([[right - 5.8 * page.unit, base + 0.2 * page.pitch + wobble[0]], [right, base + 0.2 * page.pitch]])
    page.put(Glyph("", [line / page.width]), page.width, 0, 0)
    page.digits(str(sum(numbers)), right, base + 1.1 * page.pitch, right=True)


def sudoku(page: Page) -> None:
    """A grid of nine by nine, some of its cells filled."""
    side = 0.88 * min(page.width, page.height)
    cell = side / 9
    left, top = (page.width - side) / 2, (page.height - side) / 2
    page.unit = page.writing.unit = cell * page.rng.uniform(0.55, 0.7)
    for i in range(10):
        thicker = 2.2 if i % 3 == 0 else 1.0
        page.rule((left, top + i * cell), (left + side, top + i * cell), thicker)
        page.rule((left + i * cell, top), (left + i * cell, top + side), thicker)
    share = page.rng.uniform(0.3, 0.9)
    for line in range(9):
        row = page.rows
        for column in np.flatnonzero(page.rng.random(9) < share):
            glyph = page.draw(str(int(page.rng.integers(1, 10))))
            low, high = glyph.bounds
            scale = page.unit / max(high[1] - low[1], 1.2 * (high[0] - low[0]))
            x, y = (np.array([column, line]) + 0.5 + page.rng.normal(0, 0.05, 2)) * cell + np.array([left, top])
            page.put(glyph, scale, x, y, row)
            page.rows = row + 1


def form(page: Page) -> None:
    """Printed labels, each with a line, a frame or a comb to write on."""
    count = int(0.8 * page.height / page.pitch)
    small = 0.36 * page.pitch
    page.label("Application form", page.left, 0.4 * page.top, 0.8 * page.top)
    names = page.some(WORDS, count)
    start = page.left + 1.05 * max(text_width(name, small) for name in names)
    kind = page.rng.choice(["line", "frame", "comb"])
    for i, name in enumerate(names):
        base = page.top + (i + 1.0) * page.pitch
        page.label(name, page.left, base - 0.7 * small, small)
        floor, end = base + 0.14 * page.pitch, page.width - page.left
        if kind == "line":
            page.rule((start, floor), (end, floor))
        elif kind == "frame":
            page.box(start, floor - 0.9 * page.pitch, end, floor)
        if kind == "comb":
            _comb(page, start, base)
        elif page.rng.random() < 0.25:
            page.text(word(page.rng), start + 0.3 * page.unit, base, 0.85)
        elif page.rng.random() < 0.9:
            page.digits(page.number(1, 6), start + page.rng.uniform(0.2, 1) * page.unit, base)


def _comb(page: Page, left: float, base: float) -> None:
    """A row of joined boxes, a digit in each from the left, the rest empty."""
    side = 1.15 * page.unit
    cells = int(min(8, (page.width - page.left - left) / side))
    page.box(left, base - 0.92 * page.pitch, left + cells * side, base + 0.05 * page.pitch)
    for i in range(1, cells):
        page.rule((left + i * side, base - 0.92 * page.pitch), (left + i * side, base + 0.05 * page.pitch))
    for i, digit in enumerate(page.number(2, cells)):
        glyph = page.draw(digit)
        low, high = glyph.bounds
        scale = 0.9 * page.unit / max(high[1] - low[1], 1.15 * (high[0] - low[0]))
        middle = np.array([left + (i + 0.5) * side, base - 0.43 * page.pitch]) + page.rng.normal(0, 0.04, 2) * side
        page.put(glyph, scale, middle[0], middle[1], page.rows)
    page.rows += 1


def table(page: Page) -> None:
    """A ruled table with printed heads; each cell is a row."""
    across = int(page.rng.integers(2, 5)) if page.width > 900 else int(page.rng.integers(2, 4))
    down = page.lines()
    cell = (page.width - 2 * page.left) / across
    small = min(0.36 * page.pitch, 0.13 * cell)
    for column, name in enumerate(page.some(WORDS[7:], across)):
        page.label(name, page.left + (column + 0.08) * cell, page.top + 0.35 * page.pitch, small)
    for i in range(down + 1):
        y = page.top + i * page.pitch
        page.rule((page.left, y), (page.width - page.left, y), 2.0 if i == 1 else 1.0)
    for i in range(across + 1):
        x = page.left + i * cell
        page.rule((x, page.top), (x, page.top + down * page.pitch))
    most = max(1, int(0.75 * cell / page.unit))
    for i in range(1, down):
        for column in range(across):
            if page.rng.random() < 0.85:
                x = page.left + (column + page.rng.uniform(0.08, 0.16)) * cell
                page.digits(page.number(1, min(4, most)), x, page.line(i))


def empty(page: Page) -> None:
    """A form or a table that nobody filled in."""
    page.draw = lambda text: Glyph("", [np.eye(2, dtype=np.float32)])
    (form, table, sudoku)[int(page.rng.integers(3))](page)
    page.writing.marks.clear()


def postcard(page: Page) -> None:
    """The right half is an address with a house number and a postcode; the left half is a message, without digits."""
    middle = 0.5 * page.width
    page.rule((middle, page.top), (middle, page.height - page.top))
    page.box(page.width - 0.16 * page.width, 0.06 * page.height, 0.95 * page.width, 0.3 * page.height)
    page.text(doodle(page.rng), 0.86 * page.width, 0.26 * page.height, 0.16 * page.height / page.unit)
    for i in range(4):
        x = page.left * 0.6
        while x < 0.33 * page.width:
            x = page.text(word(page.rng), x, (0.3 + 0.15 * i) * page.height, 0.55) + 0.5 * page.unit
    page.unit = page.writing.unit = 0.085 * page.height
    start = middle + 0.05 * page.width
    for i in range(4):
        base = (0.47 + 0.14 * i) * page.height
        page.rule((start, base + 0.2 * page.unit), (page.width - 0.6 * page.left, base + 0.2 * page.unit))
        if i == 2:
            x = page.digits(page.number(5, 5), start, base)
            page.text(_short(page), x + 0.5 * page.unit, base, 0.85)
        else:
            x = page.text(_short(page), start, base, 0.9)
            if i == 1:
                page.digits(page.number(1, 3), x + 0.6 * page.unit, base)


def _short(page: Page) -> Glyph:
    """A word that leaves room for a number beside it."""
    while True:
        glyph = word(page.rng)
        low, high = glyph.bounds
        top, foot = glyph.top_and_base
        if (high[0] - low[0]) / (foot - top) < 3.2:
            return glyph


def note(page: Page) -> None:
    """Words with a number after each, as on a shopping list or a memo."""
    for i in range(page.lines()):
        base = page.line(i)
        if page.rng.random() < 0.2:
            page.text(word(page.rng), page.left, base)
            continue
        x = page.text(_short(page), page.left, base, 0.9) if page.rng.random() < 0.7 else page.left
        page.digits(page.number(1, 4), x + page.unit, base)


def printed(page: Page) -> None:
    """Printed text without a digit."""
    small = 0.4 * page.pitch
    for i in range(int(0.86 * page.height / (0.7 * page.pitch))):
        x, y = page.left, page.top + 0.7 * i * page.pitch
        while x < page.width - page.left - text_width("Telephone", small):
            x = page.label(str(page.rng.choice(WORDS)).lower(), x, y, small) + 0.4 * small


def letters(page: Page) -> None:
    """Lines of words."""
    for i in range(page.lines()):
        x = page.left
        while x < page.width - page.left - 4 * page.unit:
            x = page.text(word(page.rng), x, page.line(i)) + 0.6 * page.unit

"""Pages with words on them: postcards, notes, letters, printed text."""

from examiner.others import doodle, word
from examiner.page import WORDS, Page
from examiner.printing import text_width
from examiner.strokes import Glyph


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

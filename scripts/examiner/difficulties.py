"""Every difficulty: what makes digits hard to read in a row or on a page, and what holds no digit at all."""

from dataclasses import replace
from typing import Any

from examiner import others, pages
from examiner.kinds import Difficulty, Make, any_of, between, drawn, either_way, like, then
from examiner.looks import Look
from examiner.mixed import PALE, either, everything, lined, on_desk, photo_or_scan, two_inks
from examiner.shapes import LONG, LOOPED, OPEN, ROUND, STRAIGHT
from examiner.single import DIGITS
from examiner.strokes import Rng
from examiner.styles import chalk, drawing, pencil, photo, ruled, scan

STRIP: dict[str, Any] = {
    "size": lambda rng: (1200, int(rng.integers(300, 500))),
    "digit": between(0.3, 0.5),
    "offset": lambda rng: (0.0, rng.uniform(-0.06, 0.06)),
    "gap": (0.1, 0.45),
    "angle": between(-2, 2),
    "slant": between(-0.05, 0.2),
}
"""A wide picture with a line of digits; `in_a_row` shrinks what would not fit."""


def row(rng: Rng, make: Make, **changes: Any) -> Look:
    """A line of digits over a wide picture; `in_a_row` shrinks what would not fit."""
    look = make(rng, size=(1200, 420), digit=rng.uniform(0.28, 0.42), offset=(0.0, rng.uniform(-0.1, 0.1)))
    look = replace(look, angle=rng.uniform(-2, 2), slant=rng.uniform(-0.05, 0.2), roll=look.roll / 2)
    return replace(look, **changes)


def line(rng: Rng, **changes: Any) -> Look:
    """A line of digits, photographed or scanned."""
    look = (photo if rng.random() < 0.7 else scan)(rng)
    return replace(look, **{**drawn(rng, STRIP), **changes})


def by_mouse(rng: Rng) -> Look:
    """A level line of upright digits on an empty page."""
    return drawing(rng, **{**drawn(rng, STRIP), "angle": 0.0, "slant": rng.uniform(-0.05, 0.05)})


def page(rng: Rng, make: Make, **changes: Any) -> Look:
    """A sheet that is written on from top to bottom."""
    size = any_of((840, 1120), (900, 1200), (1120, 840))(rng)
    look = replace(make(rng), size=size, offset=(0.0, 0.0), angle=0.0)
    look = replace(look, pen=min(0.1, max(look.pen or 0.1, 0.055)), defocus=0.01, tight=None)
    if make is not scan:
        look = replace(look, tilt=rng.uniform(0, 0.025), roll=rng.uniform(-2.5, 2.5))
    return replace(look, **changes)


def on_lines(rng: Rng) -> Look:
    """A page of ruled or squared paper."""
    look = page(rng, photo)
    if rng.random() < 0.4:
        return replace(look, printed="squared", print_pitch=rng.uniform(0.5, 1.0), print_strength=rng.uniform(0.3, 0.7))
    return replace(look, extra={"ruled": True, "form": rng.uniform(0.4, 0.8), "form ink": (150, 170, 205)})


def form(rng: Rng) -> Look:
    """A page with something printed on it."""
    colour = any_of((60, 60, 66), (120, 140, 175), (190, 110, 100), (110, 150, 120))(rng)
    make = scan if rng.random() < 0.5 else photo
    return page(rng, make, extra={"form": rng.uniform(0.6, 0.95), "form ink": colour})


TILES = any_of((120, 100, 90), (200, 200, 205), (90, 120, 140), (170, 150, 120))
tiles = like(
    photo,
    printed=lambda rng: "squared" if rng.random() < 0.6 else "ruled",
    print_pitch=between(0.15, 0.6),
    paper=TILES,
    print_colour=TILES,
    texture=0.08,
    print_strength=0.9,
)
"""Dark lines or squares, as of a wall or a floor."""

ROWS = {
    "row, spaced": Difficulty(like(row, photo), (3, 10)),
    "row, scanned": Difficulty(like(row, scan, gap=(0.1, 0.3)), (3, 10)),
    "row, touching": Difficulty(like(row, scan, gap=(-0.02, 0.03)), (3, 10)),
    "row, slanted line": Difficulty(like(row, photo, size=(1200, 680), digit=0.2, angle=either_way(4, 12)), (3, 10)),
    "row, ruled paper": Difficulty(then(like(row, ruled), angle=between(-1, 1)), (3, 10)),
    "row, everything": Difficulty(like(row, everything, gap=(0.1, 0.4)), (3, 10)),
    "row, widely spaced": Difficulty(like(line, gap=(0.7, 1.8), pen=0.07), (3, 6)),
    "row, rising or falling": Difficulty(then(line, size=(1200, 620), digit=0.26, rise=either_way(0.1, 0.3)), (3, 9)),
    "row, curved line": Difficulty(then(line, size=(1200, 560), digit=0.26, curve=between(0.2, 0.5)), (5, 9)),
    "row, pale at one end": Difficulty(then(line, **PALE), (3, 9)),
    "row, crop without margin": Difficulty(then(line, tight=between(0, 0.03)), (2, 8)),
    "row, loops and stems at the border": Difficulty(
        then(like(line, pen=between(0.06, 0.09)), tight=between(-0.04, -0.015)), (2, 8), shapes=LOOPED
    ),
    "row, thin open shapes": Difficulty(like(line, pen=between(0.02, 0.035), gap=(0.2, 0.45)), (3, 8), shapes=OPEN),
    "row, looped and barred shapes": Difficulty(line, (3, 8), shapes=LOOPED),
    "row, long tails": Difficulty(like(line, under=0.25, gap=(0.2, 0.35)), (3, 8), shapes=LONG),
    "row, usual shapes by hand": Difficulty(line, (3, 9), shapes=ROUND),
    "row, touching pairs": Difficulty(
        like(line, size=(700, 450), gap=(-0.03, 0.0), pen=between(0.05, 0.09), slant=0.0), (2, 2), pairs=True
    ),
    "row, touching, photo": Difficulty(like(line, gap=(-0.02, 0.03), pen=between(0.04, 0.075)), (3, 8)),
    "row, written quickly": Difficulty(like(line, joined=True, gap=(0.15, 0.35), slant=0.15), (4, 9), shapes=ROUND),
    "row, phone number": Difficulty(like(line, gap=(0.1, 0.25)), (6, 10), shapes=ROUND, signs="-."),
    "row, date": Difficulty(like(line, gap=(0.12, 0.3)), (6, 8), signs="/"),
    "row, small sheet on a desk": Difficulty(like(on_desk, digit=between(0.12, 0.2), gap=(0.15, 0.4)), (3, 8)),
    "row, held by a hand": Difficulty(like(on_desk, digit=between(0.12, 0.2), gap=(0.15, 0.4), fingers=True), (3, 8)),
    "row, several inks": Difficulty(then(two_inks, **STRIP), (3, 8)),
    "row, on its side": Difficulty(then(line, turned=any_of(1, 3)), (4, 8)),
    "row, upside down": Difficulty(like(line, turned=2), (4, 8)),
    "row, tall narrow hand": Difficulty(then(line, pen=0.045, wide=between(0.4, 0.55)), (3, 9)),
    "row, very wide hand": Difficulty(then(line, pen=0.06, wide=between(1.6, 2.0)), (3, 7)),
    "row, hair-thin pen": Difficulty(like(line, pen=between(0.014, 0.022), blotch=0.0), (3, 8)),
    "row, blotted pen": Difficulty(
        like(line, pen=between(0.1, 0.14), rough=0.12, blotch=0.35, gap=(0.15, 0.4)), (3, 8)
    ),
    "row, drawn on a screen": Difficulty(like(drawing, **STRIP), (2, 8)),
    "row, drawn with a mouse": Difficulty(by_mouse, (1, 6), shapes=STRAIGHT, steady=True),
    "row, strokes and rings": Difficulty(by_mouse, (1, 4), shapes=STRAIGHT, digits="01", steady=True),
}
"""Pictures of a line of digits each."""

PAGES = {
    "page, list of numbers": Difficulty(like(page, photo), (5, 12), page=pages.numbers),
    "page, list, scanned": Difficulty(like(page, scan), (8, 16), page=pages.numbers, kind="scan"),
    "page, list, ruled or squared": Difficulty(on_lines, (6, 12), page=pages.numbers),
    "page, two columns": Difficulty(like(page, photo), (6, 12), page=pages.columns),
    "page, lines close to each other": Difficulty(like(page, photo), (6, 10), page=pages.close_lines, shapes=LONG),
    "page, sum": Difficulty(like(page, photo), (5, 8), page=pages.addition),
    "page, sudoku": Difficulty(like(page, photo, extra={"form": 0.8}), (9, 9), page=pages.sudoku),
    "page, form": Difficulty(form, (7, 12), page=pages.form, kind="scan"),
    "page, table": Difficulty(form, (6, 12), page=pages.table),
    "page, postcard": Difficulty(
        then(form, size=(1200, 800), tilt=between(0, 0.02), paper=(240, 234, 220)), (7, 7), page=pages.postcard
    ),
    "page, note with words": Difficulty(on_lines, (6, 10), page=pages.note),
    "page, one number": Difficulty(like(page, photo), (3, 3), page=pages.one_number),
    "page, on a desk": Difficulty(then(like(page, photo), sheet=between(0.6, 0.75)), (4, 6), page=pages.numbers),
    "page, pencil": Difficulty(like(page, pencil), (6, 10), page=pages.numbers),
    "page, on a board": Difficulty(like(page, chalk), (4, 7), page=pages.numbers),
    "page, hand of looped shapes": Difficulty(like(page, photo), (6, 10), page=pages.numbers, shapes=LOOPED),
    "page, everything": Difficulty(like(page, everything), (5, 9), page=pages.numbers),
    "page, EXIF orientation": Difficulty(then(like(page, photo), orientation=any_of(3, 6, 8)), (5, 9), page=pages.note),
}
"""Pictures of several rows of digits, in reading order."""

NOTHING = {
    "blank page": Difficulty(photo, (0, 0)),
    "ruled or squared page": Difficulty(lined, (0, 0)),
    "page with a shadow": Difficulty(like(photo, shadow=0.6, unevenness=1.0), (0, 0)),
    "desk top": Difficulty(like(photo, desk=1.2, noise=0.03), (0, 0)),
    "cloth or wall": Difficulty(like(chalk, unevenness=0.8, shadow=0.3), (0, 0)),
    "letter": Difficulty(photo_or_scan, mark=others.letter),
    "word": Difficulty(like(photo, digit=0.18), (3, 5), others.letter),
    "scribble": Difficulty(photo_or_scan, mark=others.scribble),
    "tiles or stripes": Difficulty(tiles, (0, 0)),
    "empty sheet on a desk": Difficulty(like(on_desk, fingers=lambda rng: bool(rng.random() < 0.5)), (0, 0)),
    "doodle": Difficulty(either, mark=others.doodle),
    "doodles": Difficulty(line, (2, 4), others.doodle),
    "face": Difficulty(either, mark=others.face),
    "sign": Difficulty(either, mark=others.sign),
    "signature": Difficulty(either, mark=others.signature),
    "one word": Difficulty(like(line, digit=between(1.2, 2.2), pen=between(0.015, 0.025)), mark=others.word),
    "lines of words": Difficulty(on_lines, (4, 9), page=pages.letters),
    "printed text": Difficulty(form, (6, 14), page=pages.printed),
    "empty form, table or grid": Difficulty(form, (6, 12), page=pages.empty),
}
"""Pictures without any digit."""

LAYOUTS = {"digit": DIGITS, "row": ROWS, "page": PAGES, "nothing": NOTHING}
"""The folders of pictures, by the layout that they are read in; what holds nothing is read as if it held a digit."""

ALL = DIGITS | ROWS | PAGES | NOTHING

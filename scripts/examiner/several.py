"""What makes several digits hard to read, in a row or on a page, and what holds no digit at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from examiner.kinds import Difficulty
from examiner.looks import Colour, Look
from examiner.mixed import either, everything, on_desk, pale, two_inks
from examiner.shapes import LONG, LOOPED, OPEN, ROUND, STRAIGHT
from examiner.strokes import Rng
from examiner.styles import chalk, drawing, pencil, photo, ruled, scan, squared


def _row(make: Callable[..., Look], **changes: Any) -> Callable[[Rng], Look]:
    """A line of digits over a wide picture; `Scene` shrinks what would not fit."""

    def look(rng: Rng) -> Look:
        drawn = make(rng, size=(1200, 420), digit=rng.uniform(0.28, 0.42), offset=(0.0, rng.uniform(-0.1, 0.1)))
        drawn = replace(drawn, angle=rng.uniform(-2, 2), slant=rng.uniform(-0.05, 0.2), roll=drawn.roll / 2)
        return replace(drawn, **changes)

    return look


def _slanted(rng: Rng) -> Look:
    angle = rng.choice([-1, 1]) * rng.uniform(4, 12)
    return replace(_row(photo)(rng), size=(1200, 680), digit=0.2, angle=angle)


def _line(**changes: Any) -> Callable[[Rng], Look]:
    """A line of digits, photographed or scanned."""

    def look(rng: Rng) -> Look:
        return replace((photo if rng.random() < 0.7 else scan)(rng), **{**_strip(rng), **changes})

    return look


def _strip(rng: Rng) -> dict[str, Any]:
    """A wide picture with a line of digits; `in_a_row` shrinks what would not fit."""
    return {
        "size": (1200, int(rng.integers(300, 500))),
        "digit": rng.uniform(0.3, 0.5),
        "offset": (0.0, rng.uniform(-0.06, 0.06)),
        "gap": (0.1, 0.45),
        "angle": rng.uniform(-2, 2),
        "slant": rng.uniform(-0.05, 0.2),
    }


def _by_mouse(rng: Rng) -> Look:
    """A level line of upright digits on an empty page."""
    return drawing(rng, **{**_strip(rng), "angle": 0.0, "slant": rng.uniform(-0.05, 0.05)})


def _either_way(rng: Rng, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(low, high))


def _page(make: Callable[..., Look], **changes: Any) -> Callable[[Rng], Look]:
    """A sheet that is written on from top to bottom."""

    def look(rng: Rng) -> Look:
        size = [(840, 1120), (900, 1200), (1120, 840)][int(rng.integers(3))]
        drawn = replace(make(rng), size=size, offset=(0.0, 0.0), angle=0.0)
        drawn = replace(drawn, pen=min(0.1, max(drawn.pen or 0.1, 0.055)), defocus=0.01, tight=None)
        if make is not scan:
            drawn = replace(drawn, tilt=rng.uniform(0, 0.025), roll=rng.uniform(-2.5, 2.5))
        return replace(drawn, **changes)

    return look


def _on_lines(rng: Rng) -> Look:
    look = _page(photo)(rng)
    if rng.random() < 0.4:
        return replace(look, printed="squared", print_pitch=rng.uniform(0.5, 1.0), print_strength=rng.uniform(0.3, 0.7))
    return replace(look, extra={"ruled": True, "form": rng.uniform(0.4, 0.8), "form ink": (150, 170, 205)})


def _form(rng: Rng) -> Look:
    colour = ((60, 60, 66), (120, 140, 175), (190, 110, 100), (110, 150, 120))[int(rng.integers(4))]
    return _page(scan if rng.random() < 0.5 else photo, extra={"form": rng.uniform(0.6, 0.95), "form ink": colour})(rng)


def _postcard(rng: Rng) -> Look:
    return replace(_form(rng), size=(1200, 800), tilt=rng.uniform(0, 0.02), paper=(240, 234, 220))


def _tiles(rng: Rng) -> Look:
    colours: tuple[Colour, ...] = ((120, 100, 90), (200, 200, 205), (90, 120, 140), (170, 150, 120))
    return photo(
        rng,
        printed="squared" if rng.random() < 0.6 else "ruled",
        print_pitch=rng.uniform(0.15, 0.6),
        paper=colours[int(rng.integers(4))],
        print_colour=colours[int(rng.integers(4))],
        texture=0.08,
        print_strength=0.9,
    )


ROWS = {
    "row, spaced": Difficulty("row", _row(photo), (3, 10)),
    "row, scanned": Difficulty("row", _row(scan, gap=(0.1, 0.3)), (3, 10)),
    "row, touching": Difficulty("row", _row(scan, gap=(-0.02, 0.03)), (3, 10)),
    "row, slanted line": Difficulty("row", _slanted, (3, 10)),
    "row, ruled paper": Difficulty("row", lambda rng: replace(_row(ruled)(rng), angle=rng.uniform(-1, 1)), (3, 10)),
    "row, everything": Difficulty("row", _row(everything, gap=(0.1, 0.4)), (3, 10)),
    "row, widely spaced": Difficulty("row", _line(gap=(0.7, 1.8), pen=0.07), (3, 6)),
    "row, rising or falling": Difficulty(
        "row", lambda rng: replace(_line(size=(1200, 620), digit=0.26)(rng), rise=_either_way(rng, 0.1, 0.3)), (3, 9)
    ),
    "row, curved line": Difficulty(
        "row", lambda rng: replace(_line(size=(1200, 560), digit=0.26)(rng), curve=rng.uniform(0.2, 0.5)), (5, 9)
    ),
    "row, pale at one end": Difficulty("row", lambda rng: replace(_line()(rng), **pale(rng)), (3, 9)),
    "row, crop without margin": Difficulty(
        "row", lambda rng: replace(_line()(rng), tight=rng.uniform(0, 0.03)), (2, 8)
    ),
    "row, loops and stems at the border": Difficulty(
        "row",
        lambda rng: replace(_line(pen=rng.uniform(0.06, 0.09))(rng), tight=rng.uniform(-0.04, -0.015)),
        (2, 8),
        shapes=LOOPED,
    ),
    "row, thin open shapes": Difficulty(
        "row", lambda rng: _line(pen=rng.uniform(0.02, 0.035), gap=(0.2, 0.45))(rng), (3, 8), shapes=OPEN
    ),
    "row, looped and barred shapes": Difficulty("row", _line(), (3, 8), shapes=LOOPED),
    "row, long tails": Difficulty("row", _line(under=0.25, gap=(0.2, 0.35)), (3, 8), shapes=LONG),
    "row, usual shapes by hand": Difficulty("row", _line(), (3, 9), shapes=ROUND),
    "row, touching pairs": Difficulty(
        "row",
        lambda rng: replace(_line(size=(700, 450), gap=(-0.03, 0.0), pen=rng.uniform(0.05, 0.09))(rng), slant=0.0),
        (2, 2),
        pairs=True,
    ),
    "row, touching, photo": Difficulty(
        "row", lambda rng: _line(gap=(-0.02, 0.03), pen=rng.uniform(0.04, 0.075))(rng), (3, 8)
    ),
    "row, written quickly": Difficulty("row", _line(joined=True, gap=(0.15, 0.35), slant=0.15), (4, 9), shapes=ROUND),
    "row, phone number": Difficulty("row", _line(gap=(0.1, 0.25)), (6, 10), shapes=ROUND, signs="-."),
    "row, small sheet on a desk": Difficulty(
        "row", lambda rng: on_desk(rng, digit=rng.uniform(0.12, 0.2), gap=(0.15, 0.4)), (3, 8)
    ),
    "row, held by a hand": Difficulty(
        "row", lambda rng: on_desk(rng, digit=rng.uniform(0.12, 0.2), gap=(0.15, 0.4), fingers=True), (3, 8)
    ),
    "row, several inks": Difficulty("row", lambda rng: replace(two_inks(rng), **_strip(rng)), (3, 8)),
    "row, on its side": Difficulty("row", lambda rng: replace(_line()(rng), turned=int(rng.choice([1, 3]))), (4, 8)),
    "row, upside down": Difficulty("row", _line(turned=2), (4, 8)),
    "row, tall narrow hand": Difficulty(
        "row", lambda rng: replace(_line(pen=0.045)(rng), wide=rng.uniform(0.4, 0.55)), (3, 9)
    ),
    "row, very wide hand": Difficulty(
        "row", lambda rng: replace(_line(pen=0.06)(rng), wide=rng.uniform(1.6, 2.0)), (3, 7)
    ),
    "row, hair-thin pen": Difficulty("row", lambda rng: _line(pen=rng.uniform(0.014, 0.022), blotch=0.0)(rng), (3, 8)),
    "row, blotted pen": Difficulty(
        "row", lambda rng: _line(pen=rng.uniform(0.1, 0.14), rough=0.12, blotch=0.35, gap=(0.15, 0.4))(rng), (3, 8)
    ),
    "row, drawn on a screen": Difficulty("row", lambda rng: drawing(rng, **_strip(rng)), (2, 8)),
    "row, drawn with a mouse": Difficulty("row", _by_mouse, (1, 6), shapes=STRAIGHT, steady=True),
    "row, strokes and rings": Difficulty("row", _by_mouse, (1, 4), shapes=STRAIGHT, digits="01", steady=True),
}
"""Pictures of a line of digits each."""

PAGES = {
    "page, list of numbers": Difficulty("photo", _page(photo), (5, 12), "numbers"),
    "page, list, scanned": Difficulty("scan", _page(scan), (8, 16), "numbers"),
    "page, list, ruled or squared": Difficulty("photo", _on_lines, (6, 12), "numbers"),
    "page, two columns": Difficulty("photo", _page(photo), (6, 12), "columns"),
    "page, lines close to each other": Difficulty("photo", _page(photo), (6, 10), "close_lines", LONG),
    "page, sum": Difficulty("photo", _page(photo), (5, 8), "addition"),
    "page, sudoku": Difficulty("photo", _page(photo, **{"extra": {"form": 0.8}}), (9, 9), "sudoku"),
    "page, form": Difficulty("scan", _form, (7, 12), "form"),
    "page, table": Difficulty("photo", _form, (6, 12), "table"),
    "page, postcard": Difficulty("photo", _postcard, (7, 7), "postcard"),
    "page, note with words": Difficulty("photo", _on_lines, (6, 10), "note"),
    "page, one number": Difficulty("photo", _page(photo), (3, 3), "one_number"),
    "page, on a desk": Difficulty(
        "photo", lambda rng: replace(_page(photo)(rng), sheet=rng.uniform(0.6, 0.75)), (4, 6), "numbers"
    ),
    "page, pencil": Difficulty("photo", _page(pencil), (6, 10), "numbers"),
    "page, on a board": Difficulty("photo", _page(chalk), (4, 7), "numbers"),
    "page, hand of looped shapes": Difficulty("photo", _page(photo), (6, 10), "numbers", LOOPED),
    "page, everything": Difficulty("photo", _page(everything), (5, 9), "numbers"),
    "page, EXIF orientation": Difficulty(
        "photo", lambda rng: replace(_page(photo)(rng), orientation=int(rng.choice([3, 6, 8]))), (5, 9), "note"
    ),
}
"""Pictures of several rows of digits, in reading order."""


NOTHING = {
    "blank page": Difficulty("nothing", photo, (0, 0), "blank"),
    "ruled or squared page": Difficulty(
        "nothing", lambda rng: (ruled if rng.random() < 0.5 else squared)(rng), (0, 0), "blank"
    ),
    "page with a shadow": Difficulty("nothing", lambda rng: photo(rng, shadow=0.6, unevenness=1.0), (0, 0), "blank"),
    "desk top": Difficulty("nothing", lambda rng: photo(rng, desk=1.2, noise=0.03), (0, 0), "blank"),
    "cloth or wall": Difficulty("nothing", lambda rng: chalk(rng, unevenness=0.8, shadow=0.3), (0, 0), "blank"),
    "letter": Difficulty("nothing", lambda rng: (photo if rng.random() < 0.5 else scan)(rng), (1, 1), "letter"),
    "word": Difficulty("nothing", lambda rng: photo(rng, digit=0.18), (3, 5), "letter"),
    "scribble": Difficulty("nothing", lambda rng: (photo if rng.random() < 0.5 else scan)(rng), (1, 1), "scribble"),
    "tiles or stripes": Difficulty("nothing", _tiles, (0, 0), "blank"),
    "empty sheet on a desk": Difficulty(
        "nothing", lambda rng: on_desk(rng, fingers=bool(rng.random() < 0.5)), (0, 0), "blank"
    ),
    "doodle": Difficulty("nothing", lambda rng: either(rng), (1, 1), "doodle"),
    "doodles": Difficulty("nothing", _line(), (2, 4), "doodle"),
    "face": Difficulty("nothing", lambda rng: either(rng), (1, 1), "face"),
    "sign": Difficulty("nothing", lambda rng: either(rng), (1, 1), "sign"),
    "signature": Difficulty("nothing", lambda rng: either(rng), (1, 1), "signature"),
    "one word": Difficulty(
        "nothing", lambda rng: _line(digit=rng.uniform(1.2, 2.2), pen=rng.uniform(0.015, 0.025))(rng), (1, 1), "word"
    ),
    "lines of words": Difficulty("nothing", _on_lines, (4, 9), "letters"),
    "printed text": Difficulty("nothing", _form, (6, 14), "printed"),
    "empty form, table or grid": Difficulty("nothing", _form, (6, 12), "empty"),
}
"""Pictures without any digit."""

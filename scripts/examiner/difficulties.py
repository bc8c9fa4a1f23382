"""What makes handwriting hard to read in a picture, one look after the other, and several at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from examiner.looks import BLACK, Colour, Look, Rng

BLUE: Colour = (38, 62, 160)
RED: Colour = (196, 42, 48)
GREEN: Colour = (30, 120, 66)
INKS = (BLACK, BLUE, (22, 32, 92), (58, 56, 60))

INK_ON_PAPER: tuple[tuple[Colour, Colour], ...] = (
    ((205, 50, 60), (150, 190, 205)),
    ((196, 60, 50), (128, 176, 128)),
    ((44, 70, 180), (240, 178, 190)),
    ((24, 120, 70), (245, 222, 120)),
    ((120, 50, 150), (246, 226, 130)),
    ((220, 100, 30), (168, 205, 232)),
    ((60, 60, 170), (165, 205, 150)),
    ((190, 40, 120), (190, 208, 150)),
)


@dataclass(frozen=True)
class Difficulty:
    """One row of the table.

    Attributes:
        kind: photo, scan or drawing; what is summed up together.
        look: Draws a look by chance.
        count: How many digits a picture holds, from and to.
        content: digits, or what is there instead: blank, letters or scribble.
    """

    kind: str
    look: Callable[[Rng], Look]
    count: tuple[int, int] = (1, 1)
    content: str = "digits"


def _photo(rng: Rng, **changes: Any) -> Look:
    """An ordinary photo by a phone, from above, in decent light."""
    sides = [(900, 1200), (1200, 900), (768, 1024), (800, 800)]
    look = Look(
        size=sides[int(rng.integers(4))],
        digit=rng.uniform(0.35, 0.65),
        offset=(rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)),
        angle=rng.uniform(-6, 6),
        pen=rng.uniform(0.04, 0.09),
        ink=INKS[int(rng.integers(4))],
        blotch=0.1,
        exposure=rng.uniform(0.6, 0.95),
        tint=(255, rng.uniform(246, 254), rng.uniform(225, 252)),
        unevenness=rng.uniform(0.05, 0.25),
        defocus=0.003,
        noise=rng.uniform(0.008, 0.02),
        quality=int(rng.integers(75, 95)),
    )
    return replace(look, **changes)


def _scan(rng: Rng, **changes: Any) -> Look:
    """A sheet on a scanner: even light, sharp."""
    look = Look(
        size=(600, 600) if rng.random() < 0.5 else (480, 640),
        digit=rng.uniform(0.4, 0.7),
        offset=(rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06)),
        angle=rng.uniform(-4, 4),
        pen=rng.uniform(0.04, 0.1),
        ink=INKS[int(rng.integers(4))],
        paper=(250, 250, 248),
        texture=0.008,
        blotch=0.12,
        defocus=0.003,
        mode="L" if rng.random() < 0.5 else "RGB",
        kind="png" if rng.random() < 0.5 else "jpg",
    )
    return replace(look, **changes)


def _drawing(rng: Rng, **changes: Any) -> Look:
    """Drawn with mouse or finger in a program: flat colours."""
    side = int(rng.integers(180, 500))
    look = Look(
        size=(side, side),
        digit=rng.uniform(0.5, 0.8),
        offset=(rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06)),
        pen=rng.uniform(0.05, 0.13),
        ink=(0, 0, 0),
        opacity=1.0,
        paper=(255, 255, 255),
        texture=0.0,
        kind="png",
    )
    return replace(look, **changes)


def _fine_pen(rng: Rng) -> Look:
    width = int(rng.integers(1500, 2200))
    digit = rng.uniform(0.3, 0.6)
    return _photo(
        rng,
        size=(width, width * 4 // 3),
        digit=digit,
        pen=rng.uniform(3.0, 7.0) / (digit * width),
        unevenness=rng.uniform(0.2, 0.6),
        defocus=0.0,
    )


def _coloured(rng: Rng) -> Look:
    ink, paper = INK_ON_PAPER[int(rng.integers(len(INK_ON_PAPER)))]
    return _photo(rng, ink=ink, paper=paper, texture=0.02)


def _ruled(rng: Rng, **changes: Any) -> Look:
    look = _photo(
        rng,
        printed="ruled",
        print_pitch=rng.uniform(0.55, 1.5),
        print_strength=rng.uniform(0.4, 0.95),
        digit=rng.uniform(0.3, 0.5),
        extra={"margin": rng.random() < 0.4},
    )
    return replace(look, **changes)


def _squared(rng: Rng, **changes: Any) -> Look:
    colour = ((150, 175, 205), (165, 165, 170), (150, 190, 160))[int(rng.integers(3))]
    look = _photo(
        rng,
        printed="squared",
        print_pitch=rng.uniform(0.25, 0.9),
        print_strength=rng.uniform(0.35, 0.9),
        print_colour=colour,
    )
    return replace(look, **changes)


def _boxed(rng: Rng) -> Look:
    by_hand = rng.random() < 0.4
    make = _photo if rng.random() < 0.6 else _scan
    return make(
        rng,
        printed="box" if by_hand or rng.random() < 0.5 else "boxes",
        print_pitch=rng.uniform(1.3, 1.7),
        print_strength=rng.uniform(0.7, 0.95),
        print_colour=(70, 70, 78) if rng.random() < 0.6 else (190, 90, 80),
        digit=rng.uniform(0.35, 0.5),
        angle=rng.uniform(-4, 4),
        offset=(0.0, 0.0),
        extra={"by hand": by_hand},
    )


def _pencil(rng: Rng) -> Look:
    shade = rng.uniform(95, 150)
    return _photo(rng, ink=(shade, shade, shade + 4), opacity=0.75, grain=rng.uniform(0.4, 0.8), pen=0.05, texture=0.02)


def _whiteboard(rng: Rng) -> Look:
    return _photo(
        rng,
        paper=(226, 230, 232),
        texture=0.003,
        ink=((40, 42, 50), (30, 60, 170), (190, 40, 50), (20, 120, 70))[int(rng.integers(4))],
        opacity=rng.uniform(0.6, 0.85),
        blotch=0.2,
        pen=rng.uniform(0.05, 0.09),
        unevenness=rng.uniform(0.3, 0.8),
        exposure=rng.uniform(0.4, 0.65),
        glare=rng.uniform(0.4, 1.0),
        specks=int(rng.integers(0, 6)),
    )


def _chalk(rng: Rng, **changes: Any) -> Look:
    look = _photo(
        rng,
        paper=((44, 50, 47), (36, 38, 40), (38, 62, 50))[int(rng.integers(3))],
        texture=0.16,
        ink=(232, 232, 224) if rng.random() < 0.8 else (240, 220, 130),
        grain=rng.uniform(0.5, 0.85),
        rough=0.04,
        pen=rng.uniform(0.06, 0.1),
        unevenness=0.2,
        exposure=rng.uniform(0.8, 1.0),
    )
    return replace(look, **changes)


def _small(side: int) -> Callable[[Rng], Look]:
    def look(rng: Rng) -> Look:
        make = (_drawing, _scan, _photo)[int(rng.integers(3))]
        return make(
            rng,
            size=(20 * side, 20 * side),
            digit=rng.uniform(0.65, 0.8),
            angle=rng.uniform(-5, 5),
            offset=(0.0, 0.0),
            pen=rng.uniform(0.1, 0.13),
            stored=(side, side),
            kind="png",
            mode="L" if rng.random() < 0.5 else "RGB",
            invert=bool(rng.random() < 0.4),
        )

    return look


def _marker(rng: Rng) -> Look:
    make = _photo if rng.random() < 0.5 else _scan
    return make(
        rng, pen=rng.uniform(0.12, 0.18), blotch=rng.uniform(0.2, 0.4), rough=0.1, opacity=rng.uniform(0.6, 0.9)
    )


def _off_centre(rng: Rng) -> Look:
    return _photo(
        rng,
        digit=rng.uniform(0.18, 0.3),
        offset=(rng.choice([-1, 1]) * rng.uniform(0.15, 0.3), rng.choice([-1, 1]) * rng.uniform(0.15, 0.3)),
    )


def _everything(rng: Rng, **changes: Any) -> Look:
    """Several difficulties at once, each mild enough that a person still reads it at a glance."""
    look = (_photo, _ruled, _squared, _photo)[int(rng.integers(4))](rng)
    ink = (*INKS, RED, GREEN)[int(rng.integers(6))]
    papers: tuple[Colour, ...] = ((238, 237, 232), (246, 238, 214), (226, 226, 222), (240, 226, 190))
    look = replace(
        look,
        ink=ink,
        paper=papers[int(rng.integers(4))],
        digit=rng.uniform(0.25, 0.5),
        pen=rng.uniform(0.025, 0.11),
        opacity=rng.uniform(0.45, 0.95),
        blotch=rng.uniform(0, 0.25),
        texture=rng.uniform(0.01, 0.025),
        angle=rng.uniform(-10, 10),
        roll=rng.uniform(-4, 4),
        tilt=rng.uniform(0, 0.04),
        unevenness=rng.uniform(0.2, 0.9),
        exposure=rng.uniform(0.45, 0.95),
        vignette=rng.uniform(0, 0.4),
        noise=rng.uniform(0.015, 0.035),
        quality=int(rng.integers(45, 90)),
    )
    extras: list[dict[str, Any]] = [
        {"shadow": rng.uniform(0.25, 0.55), "penumbra": rng.uniform(0.002, 0.03)},
        {"specks": 8, "neighbours": 2},
        {"through": rng.uniform(0.05, 0.12)},
        {"holes": True, "crease": 0.06},
        {"motion": rng.uniform(0.01, 0.03)} if (look.pen or 0) > 0.05 else {"defocus": 0.006},
        {"orientation": int(rng.choice([3, 6, 8]))},
    ]
    chosen = rng.choice(len(extras), 3, replace=False)
    for i in chosen:
        look = replace(look, **extras[i])
    return replace(look, **changes)


def _row(make: Callable[..., Look], **changes: Any) -> Callable[[Rng], Look]:
    """A line of digits over a wide picture; `Scene` shrinks what would not fit."""

    def look(rng: Rng) -> Look:
        drawn = make(rng, size=(1600, 560), digit=rng.uniform(0.28, 0.42), offset=(0.0, rng.uniform(-0.1, 0.1)))
        drawn = replace(drawn, angle=rng.uniform(-2, 2), slant=rng.uniform(-0.05, 0.2), roll=drawn.roll / 2)
        return replace(drawn, **changes)

    return look


def _slanted(rng: Rng) -> Look:
    angle = rng.choice([-1, 1]) * rng.uniform(4, 12)
    return replace(_row(_photo)(rng), size=(1600, 900), digit=0.2, angle=angle)


DIGITS = {
    "clean scan": Difficulty("scan", _scan),
    "one-bit scan": Difficulty("scan", lambda rng: _scan(rng, mode="1", kind="png", specks=6, texture=0.02)),
    "16-bit PNG": Difficulty("scan", lambda rng: _scan(rng, mode="I;16", kind="png")),
    "MNIST's own shape, scanned": Difficulty("scan", lambda rng: _scan(rng, pen=None)),
    "plain photo": Difficulty("photo", _photo),
    "uneven light": Difficulty("photo", lambda rng: _photo(rng, unevenness=rng.uniform(0.8, 1.6))),
    "hair-thin pen, large": Difficulty("photo", _fine_pen),
    "faint pencil": Difficulty("photo", _pencil),
    "blue or red ink": Difficulty("photo", lambda rng: _photo(rng, ink=BLUE if rng.random() < 0.5 else RED)),
    "colour on colour": Difficulty("photo", _coloured),
    "ruled paper": Difficulty("photo", _ruled),
    "squared paper": Difficulty("photo", _squared),
    "box around it": Difficulty("photo", _boxed),
    "hard shadow": Difficulty("photo", lambda rng: _photo(rng, shadow=rng.uniform(0.4, 0.7), penumbra=0.003)),
    "soft shadow": Difficulty("photo", lambda rng: _photo(rng, shadow=rng.uniform(0.45, 0.75), penumbra=0.05)),
    "vignette": Difficulty("photo", lambda rng: _photo(rng, vignette=rng.uniform(0.6, 0.9))),
    "out of focus": Difficulty(
        "photo", lambda rng: _photo(rng, defocus=rng.uniform(0.025, 0.05), pen=rng.uniform(0.05, 0.1))
    ),
    "motion blur": Difficulty(
        "photo", lambda rng: _photo(rng, motion=rng.uniform(0.04, 0.1), pen=rng.uniform(0.05, 0.1))
    ),
    "noise in the dark": Difficulty("photo", lambda rng: _photo(rng, exposure=rng.uniform(0.12, 0.3), noise=0.05)),
    "specks and cut-off neighbours": Difficulty(
        "photo", lambda rng: _photo(rng, specks=12, neighbours=4, digit=rng.uniform(0.35, 0.5))
    ),
    "spiral holes": Difficulty("photo", lambda rng: (_ruled if rng.random() < 0.5 else _squared)(rng, holes=True)),
    "print-through": Difficulty("photo", lambda rng: _photo(rng, through=rng.uniform(0.1, 0.22))),
    "creased": Difficulty("photo", lambda rng: _photo(rng, crease=rng.uniform(0.08, 0.2))),
    "desk beside the sheet": Difficulty(
        "photo", lambda rng: _photo(rng, desk=rng.uniform(0.06, 0.16), digit=rng.uniform(0.3, 0.45))
    ),
    "tight crop": Difficulty("photo", lambda rng: _photo(rng, tight=rng.choice([0.0, 0.01, 0.03]))),
    "tiny in a large picture": Difficulty(
        "photo", lambda rng: _photo(rng, size=(1200, 1600), digit=rng.uniform(0.04, 0.09), pen=rng.uniform(0.07, 0.1))
    ),
    "off-centre": Difficulty("photo", _off_centre),
    "rotated up to 15 degrees": Difficulty(
        "photo", lambda rng: _photo(rng, angle=rng.choice([-1, 1]) * rng.uniform(7, 15))
    ),
    "perspective": Difficulty("photo", lambda rng: _squared(rng, tilt=rng.uniform(0.05, 0.12))),
    "blotchy marker": Difficulty("photo", _marker),
    "whiteboard with glare": Difficulty("photo", _whiteboard),
    "chalk on a board": Difficulty("photo", _chalk),
    "strong JPEG": Difficulty(
        "photo", lambda rng: _photo(rng, size=(400, 400), digit=0.55, quality=int(rng.integers(6, 16)))
    ),
    "12 megapixels": Difficulty("photo", lambda rng: _photo(rng, size=(1000, 1333), scale=3.0, noise=0.02)),
    "EXIF orientation": Difficulty("photo", lambda rng: _photo(rng, orientation=int(rng.choice([3, 6, 8])))),
    "photo, everything": Difficulty("photo", _everything),
    "drawn, black on white": Difficulty("drawing", _drawing),
    "drawn, white on black": Difficulty("drawing", lambda rng: _drawing(rng, ink=(255, 255, 255), paper=(0, 0, 0))),
    "transparent PNG": Difficulty(
        "drawing", lambda rng: _drawing(rng, mode="RGBA", extra={"clear": int(rng.choice([0, 0, 255]))})
    ),
    "palette PNG": Difficulty(
        "drawing", lambda rng: _drawing(rng, mode="P", ink=RED if rng.random() < 0.5 else BLUE, paper=(250, 246, 220))
    ),
    "28x28 pixels": Difficulty("drawing", _small(28)),
    "16x16 pixels": Difficulty("drawing", _small(16)),
}
"""Pictures of one digit each."""

ROWS = {
    "row, spaced": Difficulty("row", _row(_photo), (3, 10)),
    "row, scanned": Difficulty("row", _row(_scan, gap=(0.1, 0.3)), (3, 10)),
    "row, touching": Difficulty("row", _row(_scan, gap=(-0.02, 0.03)), (3, 10)),
    "row, slanted line": Difficulty("row", _slanted, (3, 10)),
    "row, ruled paper": Difficulty("row", lambda rng: replace(_row(_ruled)(rng), angle=rng.uniform(-1, 1)), (3, 10)),
    "row, everything": Difficulty("row", _row(_everything, gap=(0.1, 0.4)), (3, 10)),
}
"""Pictures of a line of digits each."""

NOTHING = {
    "blank page": Difficulty("nothing", _photo, (0, 0), "blank"),
    "ruled or squared page": Difficulty(
        "nothing", lambda rng: (_ruled if rng.random() < 0.5 else _squared)(rng), (0, 0), "blank"
    ),
    "page with a shadow": Difficulty("nothing", lambda rng: _photo(rng, shadow=0.6, unevenness=1.0), (0, 0), "blank"),
    "desk top": Difficulty("nothing", lambda rng: _photo(rng, desk=1.2, noise=0.03), (0, 0), "blank"),
    "cloth or wall": Difficulty("nothing", lambda rng: _chalk(rng, unevenness=0.8, shadow=0.3), (0, 0), "blank"),
    "letter": Difficulty("nothing", lambda rng: (_photo if rng.random() < 0.5 else _scan)(rng), (1, 1), "letters"),
    "word": Difficulty("nothing", lambda rng: _photo(rng, digit=0.18), (3, 5), "letters"),
    "scribble": Difficulty("nothing", lambda rng: (_photo if rng.random() < 0.5 else _scan)(rng), (1, 1), "scribble"),
}
"""Pictures without any digit."""

ALL = {**DIGITS, **ROWS, **NOTHING}

"""Looks by chance: photos, scans and drawings, on all kinds of paper, by all kinds of pens."""

from dataclasses import replace
from typing import Any

from examiner.looks import BLACK, Colour, Look
from examiner.strokes import Rng

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


def photo(rng: Rng, **changes: Any) -> Look:
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


def scan(rng: Rng, **changes: Any) -> Look:
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


def drawing(rng: Rng, **changes: Any) -> Look:
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


def fine_pen(rng: Rng) -> Look:
    """A pen so fine that it is a few pixels wide in a large photo."""
    width = int(rng.integers(1500, 2200))
    digit = rng.uniform(0.3, 0.6)
    return photo(
        rng,
        size=(width, width * 4 // 3),
        digit=digit,
        pen=rng.uniform(3.0, 7.0) / (digit * width),
        unevenness=rng.uniform(0.2, 0.6),
        defocus=0.0,
    )


def coloured(rng: Rng) -> Look:
    """Coloured ink on coloured paper."""
    ink, paper = INK_ON_PAPER[int(rng.integers(len(INK_ON_PAPER)))]
    return photo(rng, ink=ink, paper=paper, texture=0.02)


def ruled(rng: Rng, **changes: Any) -> Look:
    """Ruled paper."""
    look = photo(
        rng,
        printed="ruled",
        print_pitch=rng.uniform(0.55, 1.5),
        print_strength=rng.uniform(0.4, 0.95),
        digit=rng.uniform(0.3, 0.5),
        extra={"margin": rng.random() < 0.4},
    )
    return replace(look, **changes)


def squared(rng: Rng, **changes: Any) -> Look:
    """Squared paper."""
    colour = ((150, 175, 205), (165, 165, 170), (150, 190, 160))[int(rng.integers(3))]
    look = photo(
        rng,
        printed="squared",
        print_pitch=rng.uniform(0.25, 0.9),
        print_strength=rng.uniform(0.35, 0.9),
        print_colour=colour,
    )
    return replace(look, **changes)


def boxed(rng: Rng) -> Look:
    """A box around the digit, printed or by hand."""
    by_hand = rng.random() < 0.4
    make = photo if rng.random() < 0.6 else scan
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


def pencil(rng: Rng) -> Look:
    """Pencil."""
    shade = rng.uniform(95, 150)
    return photo(rng, ink=(shade, shade, shade + 4), opacity=0.75, grain=rng.uniform(0.4, 0.8), pen=0.05, texture=0.02)


def whiteboard(rng: Rng) -> Look:
    """A marker on a whiteboard, with reflections."""
    return photo(
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


def chalk(rng: Rng, **changes: Any) -> Look:
    """Chalk on a blackboard."""
    look = photo(
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


def marker(rng: Rng) -> Look:
    """A broad marker."""
    make = photo if rng.random() < 0.5 else scan
    return make(
        rng, pen=rng.uniform(0.12, 0.18), blotch=rng.uniform(0.2, 0.4), rough=0.1, opacity=rng.uniform(0.6, 0.9)
    )

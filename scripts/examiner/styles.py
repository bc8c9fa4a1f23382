"""Looks by chance: photos, scans and drawings, on all kinds of paper, by all kinds of pens."""

from typing import Any

from examiner.kinds import any_of, between, like
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


def plain(rng: Rng, **changes: Any) -> Look:
    """What is left as it is."""
    return Look(**changes)


photo = like(
    plain,
    size=any_of((900, 1200), (1200, 900), (768, 1024), (800, 800)),
    digit=between(0.35, 0.65),
    offset=lambda rng: (rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)),
    angle=between(-6, 6),
    pen=between(0.04, 0.09),
    ink=any_of(*INKS),
    blotch=0.1,
    exposure=between(0.6, 0.95),
    tint=lambda rng: (255, rng.uniform(246, 254), rng.uniform(225, 252)),
    unevenness=between(0.05, 0.25),
    defocus=0.003,
    noise=between(0.008, 0.02),
    quality=lambda rng: int(rng.integers(75, 95)),
)
"""An ordinary photo by a phone, from above, in decent light."""

scan = like(
    plain,
    size=lambda rng: (600, 600) if rng.random() < 0.5 else (480, 640),
    digit=between(0.4, 0.7),
    offset=lambda rng: (rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06)),
    angle=between(-4, 4),
    pen=between(0.04, 0.1),
    ink=any_of(*INKS),
    paper=(250, 250, 248),
    texture=0.008,
    blotch=0.12,
    defocus=0.003,
    mode=lambda rng: "L" if rng.random() < 0.5 else "RGB",
    kind=lambda rng: "png" if rng.random() < 0.5 else "jpg",
)
"""A sheet on a scanner: even light, sharp."""

drawing = like(
    plain,
    size=lambda rng: (int(rng.integers(180, 500)),) * 2,
    digit=between(0.5, 0.8),
    offset=lambda rng: (rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06)),
    pen=between(0.05, 0.13),
    ink=(0, 0, 0),
    opacity=1.0,
    paper=(255, 255, 255),
    texture=0.0,
    kind="png",
)
"""Drawn with mouse or finger in a program: flat colours."""


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
    ink, paper = any_of(*INK_ON_PAPER)(rng)
    return photo(rng, ink=ink, paper=paper, texture=0.02)


ruled = like(
    photo,
    printed="ruled",
    print_pitch=between(0.55, 1.5),
    print_strength=between(0.4, 0.95),
    digit=between(0.3, 0.5),
    extra=lambda rng: {"margin": rng.random() < 0.4},
)
"""Ruled paper."""

squared = like(
    photo,
    print_colour=any_of((150, 175, 205), (165, 165, 170), (150, 190, 160)),
    printed="squared",
    print_pitch=between(0.25, 0.9),
    print_strength=between(0.35, 0.9),
)
"""Squared paper."""


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


whiteboard = like(
    photo,
    paper=(226, 230, 232),
    texture=0.003,
    ink=any_of((40, 42, 50), (30, 60, 170), (190, 40, 50), (20, 120, 70)),
    opacity=between(0.6, 0.85),
    blotch=0.2,
    pen=between(0.05, 0.09),
    unevenness=between(0.3, 0.8),
    exposure=between(0.4, 0.65),
    glare=between(0.4, 1.0),
    specks=lambda rng: int(rng.integers(0, 6)),
)
"""A marker on a whiteboard, with reflections."""

chalk = like(
    photo,
    paper=any_of((44, 50, 47), (36, 38, 40), (38, 62, 50)),
    texture=0.16,
    ink=lambda rng: (232, 232, 224) if rng.random() < 0.8 else (240, 220, 130),
    grain=between(0.5, 0.85),
    rough=0.04,
    pen=between(0.06, 0.1),
    unevenness=0.2,
    exposure=between(0.8, 1.0),
)
"""Chalk on a blackboard."""


def marker(rng: Rng) -> Look:
    """A broad marker."""
    make = photo if rng.random() < 0.5 else scan
    return make(
        rng, pen=rng.uniform(0.12, 0.18), blotch=rng.uniform(0.2, 0.4), rough=0.1, opacity=rng.uniform(0.6, 0.9)
    )

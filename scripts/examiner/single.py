"""What makes one digit hard to read."""

from examiner.kinds import Difficulty, any_of, between, either_way, like
from examiner.mixed import PALE, either, everything, lined, on_desk, small, two_inks
from examiner.shapes import ROUND, SHAPES
from examiner.styles import (
    BLUE,
    RED,
    boxed,
    chalk,
    coloured,
    drawing,
    fine_pen,
    marker,
    pencil,
    photo,
    ruled,
    scan,
    squared,
    whiteboard,
)

AWAY = either_way(0.15, 0.3)

DIGITS = {
    "clean scan": Difficulty("scan", scan),
    "one-bit scan": Difficulty("scan", like(scan, mode="1", kind="png", specks=6, texture=0.02)),
    "16-bit PNG": Difficulty("scan", like(scan, mode="I;16", kind="png")),
    "MNIST's own shape, scanned": Difficulty("scan", like(scan, pen=None)),
    "plain photo": Difficulty("photo", photo),
    "uneven light": Difficulty("photo", like(photo, unevenness=between(0.8, 1.6))),
    "hair-thin pen, large": Difficulty("photo", fine_pen),
    "faint pencil": Difficulty("photo", pencil),
    "blue or red ink": Difficulty("photo", like(photo, ink=lambda rng: BLUE if rng.random() < 0.5 else RED)),
    "colour on colour": Difficulty("photo", coloured),
    "ruled paper": Difficulty("photo", ruled),
    "squared paper": Difficulty("photo", squared),
    "box around it": Difficulty("photo", boxed),
    "hard shadow": Difficulty("photo", like(photo, shadow=between(0.4, 0.7), penumbra=0.003)),
    "soft shadow": Difficulty("photo", like(photo, shadow=between(0.45, 0.75), penumbra=0.05)),
    "vignette": Difficulty("photo", like(photo, vignette=between(0.6, 0.9))),
    "out of focus": Difficulty("photo", like(photo, defocus=between(0.025, 0.05), pen=between(0.05, 0.1))),
    "motion blur": Difficulty("photo", like(photo, motion=between(0.04, 0.1), pen=between(0.05, 0.1))),
    "noise in the dark": Difficulty("photo", like(photo, exposure=between(0.12, 0.3), noise=0.05)),
    "specks and cut-off neighbours": Difficulty(
        "photo", like(photo, specks=12, neighbours=4, digit=between(0.35, 0.5))
    ),
    "spiral holes": Difficulty("photo", like(lined, holes=True)),
    "print-through": Difficulty("photo", like(photo, through=between(0.1, 0.22))),
    "creased": Difficulty("photo", like(photo, crease=between(0.08, 0.2))),
    "desk beside the sheet": Difficulty("photo", like(photo, desk=between(0.06, 0.16), digit=between(0.3, 0.45))),
    "tight crop": Difficulty("photo", like(photo, tight=any_of(0.0, 0.01, 0.03))),
    "tiny in a large picture": Difficulty(
        "photo", like(photo, size=(1200, 1600), digit=between(0.04, 0.09), pen=between(0.07, 0.1))
    ),
    "off-centre": Difficulty("photo", like(photo, digit=between(0.18, 0.3), offset=lambda rng: (AWAY(rng), AWAY(rng)))),
    "rotated up to 15 degrees": Difficulty("photo", like(photo, angle=either_way(7, 15))),
    "perspective": Difficulty("photo", like(squared, tilt=between(0.05, 0.12))),
    "blotchy marker": Difficulty("photo", marker),
    "whiteboard with glare": Difficulty("photo", whiteboard),
    "chalk on a board": Difficulty("photo", chalk),
    "strong JPEG": Difficulty(
        "photo", like(photo, size=(400, 400), digit=0.55, quality=lambda rng: int(rng.integers(6, 16)))
    ),
    "12 megapixels": Difficulty("photo", like(photo, size=(1000, 1333), scale=3.0, noise=0.02)),
    "EXIF orientation": Difficulty("photo", like(photo, orientation=any_of(3, 6, 8))),
    "photo, everything": Difficulty("photo", everything),
    "drawn, black on white": Difficulty("drawing", drawing),
    "drawn, white on black": Difficulty("drawing", like(drawing, ink=(255, 255, 255), paper=(0, 0, 0))),
    "transparent PNG": Difficulty(
        "drawing", like(drawing, mode="RGBA", extra=lambda rng: {"clear": int(rng.choice([0, 0, 255]))})
    ),
    "palette PNG": Difficulty(
        "drawing", like(drawing, mode="P", ink=lambda rng: RED if rng.random() < 0.5 else BLUE, paper=(250, 246, 220))
    ),
    "28x28 pixels": Difficulty("drawing", like(small, side=28)),
    "16x16 pixels": Difficulty("drawing", like(small, side=16)),
    "fills the picture": Difficulty("photo", like(either, tight=between(0, 0.03), pen=between(0.1, 0.18))),
    "cut by the border": Difficulty("photo", like(either, tight=between(-0.04, -0.015), pen=between(0.07, 0.1))),
    "hair-thin pen, small": Difficulty("scan", like(either, pen=between(0.012, 0.022), blotch=0.0)),
    "blotted pen": Difficulty("photo", like(either, pen=between(0.09, 0.14), rough=between(0.08, 0.15), blotch=0.35)),
    "several inks in one digit": Difficulty("photo", two_inks),
    "pale at one end, a digit": Difficulty("photo", like(either, **PALE)),
    "small sheet on a desk": Difficulty("photo", like(on_desk, digit=between(0.3, 0.5))),
    "held by a hand": Difficulty("photo", like(on_desk, digit=between(0.3, 0.5), fingers=True)),
    "tall narrow digit": Difficulty("photo", like(either, wide=between(0.4, 0.55), pen=between(0.035, 0.05))),
    "very wide digit": Difficulty("photo", like(either, wide=between(1.6, 2.0), digit=0.35)),
    **{
        name: Difficulty("shape", like(either, pen=between(0.035, 0.1)), shapes=(name,))
        for name in SHAPES
        if " " in name and "long base" not in name and "long top" not in name
    },
    "usual shapes by hand": Difficulty("shape", like(either, pen=between(0.035, 0.1)), shapes=ROUND),
}
"""Pictures of one digit each."""

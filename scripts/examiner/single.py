"""What makes one digit hard to read."""

from examiner.kinds import Difficulty
from examiner.mixed import either, everything, on_desk, pale, small, two_inks
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
    off_centre,
    pencil,
    photo,
    ruled,
    scan,
    squared,
    whiteboard,
)

DIGITS = {
    "clean scan": Difficulty("scan", scan),
    "one-bit scan": Difficulty("scan", lambda rng: scan(rng, mode="1", kind="png", specks=6, texture=0.02)),
    "16-bit PNG": Difficulty("scan", lambda rng: scan(rng, mode="I;16", kind="png")),
    "MNIST's own shape, scanned": Difficulty("scan", lambda rng: scan(rng, pen=None)),
    "plain photo": Difficulty("photo", photo),
    "uneven light": Difficulty("photo", lambda rng: photo(rng, unevenness=rng.uniform(0.8, 1.6))),
    "hair-thin pen, large": Difficulty("photo", fine_pen),
    "faint pencil": Difficulty("photo", pencil),
    "blue or red ink": Difficulty("photo", lambda rng: photo(rng, ink=BLUE if rng.random() < 0.5 else RED)),
    "colour on colour": Difficulty("photo", coloured),
    "ruled paper": Difficulty("photo", ruled),
    "squared paper": Difficulty("photo", squared),
    "box around it": Difficulty("photo", boxed),
    "hard shadow": Difficulty("photo", lambda rng: photo(rng, shadow=rng.uniform(0.4, 0.7), penumbra=0.003)),
    "soft shadow": Difficulty("photo", lambda rng: photo(rng, shadow=rng.uniform(0.45, 0.75), penumbra=0.05)),
    "vignette": Difficulty("photo", lambda rng: photo(rng, vignette=rng.uniform(0.6, 0.9))),
    "out of focus": Difficulty(
        "photo", lambda rng: photo(rng, defocus=rng.uniform(0.025, 0.05), pen=rng.uniform(0.05, 0.1))
    ),
    "motion blur": Difficulty(
        "photo", lambda rng: photo(rng, motion=rng.uniform(0.04, 0.1), pen=rng.uniform(0.05, 0.1))
    ),
    "noise in the dark": Difficulty("photo", lambda rng: photo(rng, exposure=rng.uniform(0.12, 0.3), noise=0.05)),
    "specks and cut-off neighbours": Difficulty(
        "photo", lambda rng: photo(rng, specks=12, neighbours=4, digit=rng.uniform(0.35, 0.5))
    ),
    "spiral holes": Difficulty("photo", lambda rng: (ruled if rng.random() < 0.5 else squared)(rng, holes=True)),
    "print-through": Difficulty("photo", lambda rng: photo(rng, through=rng.uniform(0.1, 0.22))),
    "creased": Difficulty("photo", lambda rng: photo(rng, crease=rng.uniform(0.08, 0.2))),
    "desk beside the sheet": Difficulty(
        "photo", lambda rng: photo(rng, desk=rng.uniform(0.06, 0.16), digit=rng.uniform(0.3, 0.45))
    ),
    "tight crop": Difficulty("photo", lambda rng: photo(rng, tight=rng.choice([0.0, 0.01, 0.03]))),
    "tiny in a large picture": Difficulty(
        "photo", lambda rng: photo(rng, size=(1200, 1600), digit=rng.uniform(0.04, 0.09), pen=rng.uniform(0.07, 0.1))
    ),
    "off-centre": Difficulty("photo", off_centre),
    "rotated up to 15 degrees": Difficulty(
        "photo", lambda rng: photo(rng, angle=rng.choice([-1, 1]) * rng.uniform(7, 15))
    ),
    "perspective": Difficulty("photo", lambda rng: squared(rng, tilt=rng.uniform(0.05, 0.12))),
    "blotchy marker": Difficulty("photo", marker),
    "whiteboard with glare": Difficulty("photo", whiteboard),
    "chalk on a board": Difficulty("photo", chalk),
    "strong JPEG": Difficulty(
        "photo", lambda rng: photo(rng, size=(400, 400), digit=0.55, quality=int(rng.integers(6, 16)))
    ),
    "12 megapixels": Difficulty("photo", lambda rng: photo(rng, size=(1000, 1333), scale=3.0, noise=0.02)),
    "EXIF orientation": Difficulty("photo", lambda rng: photo(rng, orientation=int(rng.choice([3, 6, 8])))),
    "photo, everything": Difficulty("photo", everything),
    "drawn, black on white": Difficulty("drawing", drawing),
    "drawn, white on black": Difficulty("drawing", lambda rng: drawing(rng, ink=(255, 255, 255), paper=(0, 0, 0))),
    "transparent PNG": Difficulty(
        "drawing", lambda rng: drawing(rng, mode="RGBA", extra={"clear": int(rng.choice([0, 0, 255]))})
    ),
    "palette PNG": Difficulty(
        "drawing", lambda rng: drawing(rng, mode="P", ink=RED if rng.random() < 0.5 else BLUE, paper=(250, 246, 220))
    ),
    "28x28 pixels": Difficulty("drawing", small(28)),
    "16x16 pixels": Difficulty("drawing", small(16)),
    "fills the picture": Difficulty(
        "photo", lambda rng: either(rng, tight=rng.uniform(0, 0.03), pen=rng.uniform(0.1, 0.18))
    ),
    "cut by the border": Difficulty(
        "photo", lambda rng: either(rng, tight=rng.uniform(-0.04, -0.015), pen=rng.uniform(0.07, 0.1))
    ),
    "hair-thin pen, small": Difficulty("scan", lambda rng: either(rng, pen=rng.uniform(0.012, 0.022), blotch=0.0)),
    "blotted pen": Difficulty(
        "photo", lambda rng: either(rng, pen=rng.uniform(0.09, 0.14), rough=rng.uniform(0.08, 0.15), blotch=0.35)
    ),
    "several inks in one digit": Difficulty("photo", two_inks),
    "pale at one end, a digit": Difficulty("photo", lambda rng: either(rng, **pale(rng))),
    "small sheet on a desk": Difficulty("photo", lambda rng: on_desk(rng, digit=rng.uniform(0.3, 0.5))),
    "held by a hand": Difficulty("photo", lambda rng: on_desk(rng, digit=rng.uniform(0.3, 0.5), fingers=True)),
    "tall narrow digit": Difficulty(
        "photo", lambda rng: either(rng, wide=rng.uniform(0.4, 0.55), pen=rng.uniform(0.035, 0.05))
    ),
    "very wide digit": Difficulty("photo", lambda rng: either(rng, wide=rng.uniform(1.6, 2.0), digit=0.35)),
    **{
        name: Difficulty("shape", lambda rng: either(rng, pen=rng.uniform(0.035, 0.1)), shapes=(name,))
        for name in SHAPES
        if " " in name and "long base" not in name and "long top" not in name
    },
    "usual shapes by hand": Difficulty("shape", lambda rng: either(rng, pen=rng.uniform(0.035, 0.1)), shapes=ROUND),
}
"""Pictures of one digit each."""

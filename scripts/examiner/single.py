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
    "clean scan": Difficulty(scan, kind="scan"),
    "one-bit scan": Difficulty(like(scan, mode="1", kind="png", specks=6, texture=0.02), kind="scan"),
    "16-bit PNG": Difficulty(like(scan, mode="I;16", kind="png"), kind="scan"),
    "MNIST's own shape, scanned": Difficulty(like(scan, pen=None), kind="scan"),
    "plain photo": Difficulty(photo),
    "uneven light": Difficulty(like(photo, unevenness=between(0.8, 1.6))),
    "hair-thin pen, large": Difficulty(fine_pen),
    "faint pencil": Difficulty(pencil),
    "blue or red ink": Difficulty(like(photo, ink=lambda rng: BLUE if rng.random() < 0.5 else RED)),
    "colour on colour": Difficulty(coloured),
    "ruled paper": Difficulty(ruled),
    "squared paper": Difficulty(squared),
    "box around it": Difficulty(boxed),
    "hard shadow": Difficulty(like(photo, shadow=between(0.4, 0.7), penumbra=0.003)),
    "soft shadow": Difficulty(like(photo, shadow=between(0.45, 0.75), penumbra=0.05)),
    "vignette": Difficulty(like(photo, vignette=between(0.6, 0.9))),
    "out of focus": Difficulty(like(photo, defocus=between(0.025, 0.05), pen=between(0.05, 0.1))),
    "motion blur": Difficulty(like(photo, motion=between(0.04, 0.1), pen=between(0.05, 0.1))),
    "noise in the dark": Difficulty(like(photo, exposure=between(0.12, 0.3), noise=0.05)),
    "specks and cut-off neighbours": Difficulty(like(photo, specks=12, neighbours=4, digit=between(0.35, 0.5))),
    "spiral holes": Difficulty(like(lined, holes=True)),
    "print-through": Difficulty(like(photo, through=between(0.1, 0.22))),
    "creased": Difficulty(like(photo, crease=between(0.08, 0.2))),
    "desk beside the sheet": Difficulty(like(photo, desk=between(0.06, 0.16), digit=between(0.3, 0.45))),
    "tight crop": Difficulty(like(photo, tight=any_of(0.0, 0.01, 0.03))),
    "tiny in a large picture": Difficulty(
        like(photo, size=(1200, 1600), digit=between(0.04, 0.09), pen=between(0.07, 0.1))
    ),
    "off-centre": Difficulty(like(photo, digit=between(0.18, 0.3), offset=lambda rng: (AWAY(rng), AWAY(rng)))),
    "rotated up to 15 degrees": Difficulty(like(photo, angle=either_way(7, 15))),
    "perspective": Difficulty(like(squared, tilt=between(0.05, 0.12))),
    "blotchy marker": Difficulty(marker),
    "whiteboard with glare": Difficulty(whiteboard),
    "chalk on a board": Difficulty(chalk),
    "strong JPEG": Difficulty(like(photo, size=(400, 400), digit=0.55, quality=lambda rng: int(rng.integers(6, 16)))),
    "12 megapixels": Difficulty(like(photo, size=(1000, 1333), scale=3.0, noise=0.02)),
    "EXIF orientation": Difficulty(like(photo, orientation=any_of(3, 6, 8))),
    "photo, everything": Difficulty(everything),
    "drawn, black on white": Difficulty(drawing, kind="drawing"),
    "drawn, white on black": Difficulty(like(drawing, ink=(255, 255, 255), paper=(0, 0, 0)), kind="drawing"),
    "transparent PNG": Difficulty(
        like(drawing, mode="RGBA", extra=lambda rng: {"clear": int(rng.choice([0, 0, 255]))}), kind="drawing"
    ),
    "palette PNG": Difficulty(
        like(drawing, mode="P", ink=lambda rng: RED if rng.random() < 0.5 else BLUE, paper=(250, 246, 220)),
        kind="drawing",
    ),
    "28x28 pixels": Difficulty(like(small, side=28), kind="drawing"),
    "16x16 pixels": Difficulty(like(small, side=16), kind="drawing"),
    "fills the picture": Difficulty(like(either, tight=between(0, 0.03), pen=between(0.1, 0.18))),
    "cut by the border": Difficulty(like(either, tight=between(-0.04, -0.015), pen=between(0.07, 0.1))),
    "hair-thin pen, small": Difficulty(like(either, pen=between(0.012, 0.022), blotch=0.0), kind="scan"),
    "blotted pen": Difficulty(like(either, pen=between(0.09, 0.14), rough=between(0.08, 0.15), blotch=0.35)),
    "several inks in one digit": Difficulty(two_inks),
    "pale at one end, a digit": Difficulty(like(either, **PALE)),
    "small sheet on a desk": Difficulty(like(on_desk, digit=between(0.3, 0.5))),
    "held by a hand": Difficulty(like(on_desk, digit=between(0.3, 0.5), fingers=True)),
    "tall narrow digit": Difficulty(like(either, wide=between(0.4, 0.55), pen=between(0.035, 0.05))),
    "very wide digit": Difficulty(like(either, wide=between(1.6, 2.0), digit=0.35)),
    **{
        name: Difficulty(like(either, pen=between(0.035, 0.1)), shapes=(name,), kind="shape")
        for name in SHAPES
        if " " in name and "long base" not in name and "long top" not in name
    },
    "usual shapes by hand": Difficulty(like(either, pen=between(0.035, 0.1)), shapes=ROUND, kind="shape"),
}
"""Pictures of one digit each."""

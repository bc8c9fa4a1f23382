"""How a picture looks, in numbers: what `scenes.py` renders, and the two things that all of its parts need.

Colours are sRGB from 0 to 255 where a person chooses them and linear light from 0 to 1 where they are computed with,
since light adds up and ink absorbs in linear light only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from examiner.strokes import Array, Rng

Colour = tuple[float, float, float]

WHITE: Colour = (238, 237, 232)
BLACK: Colour = (34, 34, 38)


@dataclass
class Look:
    """How a picture looks. Lengths are shares of the picture's shorter side unless said otherwise."""

    size: tuple[int, int] = (640, 640)
    """Width and height in pixels, as rendered."""

    # What is written, and where.
    digit: float = 0.5
    """The longer side of a digit."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Of the writing's middle from the picture's."""
    angle: float = 0.0
    """Degrees, of the writing on the paper."""
    slant: float = 0.0
    """Shear of each digit: the tangent of its angle."""
    gap: tuple[float, float] = (0.25, 0.5)
    """Between the digits of a row, in heights of a digit; below 0 they touch."""
    wide: float = 1.0
    """How much wider each digit is than it was."""
    under: float = 0.0
    """How far a digit of a row moves over the tail of the one before it, in heights of a digit."""
    rise: float = 0.0
    """Of a row whose digits stay upright: the tangent of its angle."""
    curve: float = 0.0
    """How far a row's base line swings up and down, in heights of a digit."""
    joined: bool = False
    """Whether the pen is hardly lifted between the digits of a row."""
    tight: float | None = None
    """Cut out around the writing, with a margin of this share of a digit; may be 0 or, cutting ink off, less."""

    # Pen and ink.
    pen: float | None = 0.06
    """Width of the pen as a share of the digit; None keeps MNIST's own shape."""
    ink: Colour = BLACK
    opacity: float = 0.95
    blotch: float = 0.0
    """How uneven the ink lies."""
    rough: float = 0.0
    """How ragged its edge is, as a share of the pen."""
    inks: Colour | None = None
    """A second ink within the same digit."""
    fade: float = 0.0
    """How much paler the ink is at one end of the writing than at the other, 0 to 1."""
    grain: float = 0.0
    """How much of the paper's tooth stays bare, as with pencil, crayon and chalk."""

    # Paper.
    paper: Colour = WHITE
    texture: float = 0.012
    printed: str = ""
    """ruled, squared, box or boxes."""
    print_colour: Colour = (150, 175, 205)
    print_pitch: float = 1.3
    """Distance of the printed lines in digits."""
    print_strength: float = 0.6
    holes: bool = False
    through: float = 0.0
    """How strongly the other side of the sheet shines through."""
    specks: int = 0
    neighbours: int = 0
    """Other writing that the picture's border cuts off."""
    desk: float = 0.0
    """The share of the picture beyond the sheet's edge."""
    sheet: float = 1.0
    """The sheet's sides as shares of the picture's; the rest is the desk that it lies on."""
    fingers: bool = False
    """Whether a hand holds the sheet that lies on a desk."""
    crease: float = 0.0

    # Light.
    unevenness: float = 0.0
    """How much the light varies over the picture: 1 is a factor of about e."""
    tint: Colour = (255, 255, 255)
    exposure: float = 1.0
    shadow: float = 0.0
    """How much light a shadow takes, 0 to 1."""
    penumbra: float = 0.004
    vignette: float = 0.0
    glare: float = 0.0

    # Camera.
    tilt: float = 0.0
    """How far the sheet's corners are from where they belong."""
    roll: float = 0.0
    """Degrees, of the whole sheet."""
    defocus: float = 0.0
    """Radius of the blur as a share of the digit."""
    motion: float = 0.0
    """Length of the blur as a share of the digit."""
    noise: float = 0.0
    """Of the sensor, before it makes colours of it; 0 is no camera at all."""

    # File.
    scale: float = 1.0
    """The camera has so many times more pixels, each way, than the rendered picture."""
    stored: tuple[int, int] | None = None
    """Width and height that the picture is reduced to in the end."""
    kind: str = "jpg"
    mode: str = "RGB"
    """RGB, L, P, RGBA, I;16 or 1, as Pillow names them."""
    quality: int = 90
    orientation: int = 1
    """The EXIF tag; pixels are stored so that a viewer that obeys it shows the picture upright."""
    turned: int = 0
    """Quarter turns to the left that nothing in the file tells."""
    invert: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """Of one kind of look: margin, of ruled paper; "by hand", a box; clear, the colour beneath transparency."""


def linear(colour: Sequence[float]) -> Array:
    """SRGB, 0 to 255, as linear light, float32."""
    return np.asarray((np.asarray(colour, np.float32) / 255) ** np.float32(2.2), np.float32)


def blend(page: Array, cover: Array, colour: Array) -> None:
    """Lays a colour, or a whole picture, on a page, in place, as far as it covers it: float32 [H, W], 0 to 1."""
    page += cover[..., None] * (colour - page)


def clouds(rng: Rng, size: tuple[int, ...], grain: float) -> Array:
    """Random field, float32 [H, W], mean about 0 and deviation about 1, with features of so many pixels."""
    small = tuple(max(2, math.ceil(side / max(grain, 1)) + 3) for side in size)
    field: Array = rng.standard_normal(small, np.float32)
    if grain <= 1:
        return field[: size[0], : size[1]]
    start = rng.uniform(0, 1, 2) * grain
    matrix = np.array([[1 / grain, 0, start[1] / grain], [0, 1 / grain, start[0] / grain]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    field = cv2.warpAffine(field, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(field / 0.75, np.float32)

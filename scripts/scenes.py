"""Pictures of what somebody wrote: pen on paper, in some light, before a camera or scanner, stored as a file.

A `Look` says everything about a picture but what is written in it; `render` makes the picture. Colours are sRGB from
0 to 255 where a person chooses them and linear light from 0 to 1 where they are computed with, since light adds up and
ink absorbs in linear light only.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from pens import Array, Glyph, readable_pen, stroke
from PIL import Image

cv2.setNumThreads(1)  # the processes of `score_pictures.py` share the cores

Colour = tuple[float, float, float]
Rng = np.random.Generator

WHITE: Colour = (238, 237, 232)
BLACK: Colour = (34, 34, 38)

GAMMA = np.round(255 * np.linspace(0, 1, 65536) ** (1 / 2.2)).astype(np.uint8)
"""Linear light, 0 to 65535, as sRGB."""


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
    tight: float | None = None
    """Cut out around the writing, with a margin of this share of its longer side; may be 0."""

    # Pen and ink.
    pen: float | None = 0.06
    """Width of the pen as a share of the digit; None keeps MNIST's own shape."""
    ink: Colour = BLACK
    opacity: float = 0.95
    blotch: float = 0.0
    """How uneven the ink lies."""
    rough: float = 0.0
    """How ragged its edge is, as a share of the pen."""
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
    invert: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    """Of one kind of look: margin, of ruled paper; "by hand", a box; clear, the colour beneath transparency."""


def linear(colour: Sequence[float]) -> Array:
    """SRGB, 0 to 255, as linear light, float32."""
    return np.asarray((np.asarray(colour, np.float32) / 255) ** np.float32(2.2), np.float32)


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


def render(rng: Rng, look: Look, glyphs: Sequence[Glyph], others: Sequence[Glyph] = ()) -> bytes:
    """The bytes of a picture file.

    Args:
        rng: Everything that chance decides.
        look: How it looks.
        glyphs: What is written, from left to right; may be empty.
        others: What stands at the border and on the other side, cut off or faint; needed by those looks only.
    """
    scene = Scene(rng, look, glyphs, others)
    picture = np.ascontiguousarray(scene.sheet())
    picture = scene.lit(scene.viewed(picture))
    picture = scene.cropped(picture)
    picture = blurred(rng, picture, look.defocus * scene.unit, look.motion * scene.unit)
    if look.scale != 1:
        picture = cv2.resize(picture, None, fx=look.scale, fy=look.scale, interpolation=cv2.INTER_CUBIC)
    pixels = exposed(rng, picture, look.noise)
    if look.stored:
        pixels = cv2.resize(pixels, look.stored, interpolation=cv2.INTER_AREA)
    return encode(rng, look, pixels, scene)


class Scene:
    """A sheet of paper with something on it; the parts of `render` that need to know where things are."""

    def __init__(self, rng: Rng, look: Look, glyphs: Sequence[Glyph], others: Sequence[Glyph]) -> None:
        """Decides where everything goes."""
        self.rng, self.look, self.glyphs, self.others = rng, look, glyphs, others
        self.short = min(look.size)
        self.unit = look.digit * self.short
        self.size = (look.size[1], look.size[0])
        self.ink: Array = np.zeros(self.size, np.float32)
        self.corners, self.seen = self._seen()
        self.places = self._layout()
        self.baseline = self.size[0] / 2 + look.offset[1] * self.short + self.unit / 2

    def _layout(self) -> list[Array]:
        """The place of each glyph on the sheet: its coordinates to pixels, [2, 3]."""
        look = self.look
        matrices, starts, ends = self._row()
        if not ends:
            return []
        turn = math.radians(look.angle)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        points = np.concatenate(ends)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        frame = np.array(self.size[::-1])
        room = 0.94 * frame / (np.ptp(self.seen, axis=0) / frame) - 2 * np.abs(look.offset) * self.short
        fit = min(1.0, float((room / (np.ptp((points - middle) @ rotation.T, axis=0) + self.unit * 0.15)).min()))
        self.unit *= fit
        centre = frame / 2 + np.array(look.offset) * self.short
        return [
            np.concatenate([fit * rotation @ matrix, (fit * rotation @ (start - middle) + centre)[:, None]], axis=1)
            for matrix, start in zip(matrices, starts, strict=True)
        ]

    def _row(self) -> tuple[list[Array], list[Array], list[Array]]:
        """The glyphs side by side on a line: each one's matrix, its place, and its points there."""
        look, rng = self.look, self.rng
        row = len(self.glyphs) > 1
        matrices: list[Array] = []
        starts: list[Array] = []
        ends: list[Array] = []
        for glyph in self.glyphs:
            size = self.unit * (min(1 / glyph.extent[1], 1.15) * rng.uniform(0.92, 1.06) if row else 1.0)
            matrix = size * np.array([[1, -look.slant], [0, 1]])
            points = np.concatenate([line @ matrix.T for line in glyph.lines])
            start = np.array([0.0, rng.normal(0, 0.03) * self.unit - points[:, 1].max()])
            if ends:
                meet = _meeting(ends[-1], points + start, self.unit) if look.gap[0] < 0 else None
                beside = ends[-1][:, 0].max() - points[:, 0].min()
                start[0] = beside if meet is None else max(meet, beside - 0.12 * self.unit)
                start[0] += (look.pen or 0.12) * size + rng.uniform(*look.gap) * self.unit
            matrices.append(matrix)
            starts.append(start)
            ends.append(points + start)
        return matrices, starts, ends

    def sheet(self) -> Array:
        """The sheet from above in even light: its reflectance, float32 [H, W, 3]."""
        look, rng = self.look, self.rng
        page = np.empty((*self.size, 3), np.float32)
        page[:] = linear(look.paper)
        if look.texture:
            page *= (1 + look.texture * self._fibres())[..., None]
        if look.through and self.others:
            self._print_through(page)
        if look.printed:
            self._print(page)
        if look.crease:
            self._crease(page)
        for glyph, place in zip(self.glyphs, self.places, strict=True):
            pen = None if look.pen is None else readable_pen(glyph, look.pen)
            self.ink = np.maximum(self.ink, stroke(rng, glyph, self.size, place, pen))
        for _ in range(look.neighbours):
            self._neighbour(page)
        if self.glyphs:
            self._lay(page, self.ink, look.ink, look.opacity)
        self._specks(page)
        if look.holes:
            self._punch(page)
        if look.desk:
            self._put_on_desk(page)
        return page

    def _blank(self) -> Array:
        return np.zeros(self.size, np.float32)

    def _fibres(self) -> Array:
        rng = self.rng
        grain = 0.5 * clouds(rng, self.size, 1) + 0.6 * clouds(rng, self.size, 2.5) + 0.5 * clouds(rng, self.size, 30)
        marks, count = self._blank(), max(1, self.size[0] * self.size[1] // 2500)
        start = rng.uniform(0, 1, (count, 1, 2)) * self.size[::-1]
        turn = rng.uniform(0, 2 * math.pi, (count, 1)) + rng.normal(0, 0.4, (count, 1)) * np.arange(4)
        steps = rng.uniform(4, 14, (count, 1, 1)) * np.stack([np.cos(turn), np.sin(turn)], axis=2)
        points = np.round((start + np.cumsum(steps, axis=1)) * 8).astype(np.int32)
        for part, strength in enumerate((-1.5, -0.7, 0.7, 1.5)):
            cv2.polylines(marks, list(points[part::4]), False, strength, 1, shift=3)
        return np.asarray(grain + cv2.GaussianBlur(marks, (0, 0), 0.7), np.float32)

    def _lay(self, page: Array, coverage: Array, colour: Colour, opacity: float) -> None:
        """Ink, where it lies, in place."""
        look, rng = self.look, self.rng
        pen = (look.pen or 0.12) * self.unit
        x, y, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
        margin = math.ceil(4 * look.rough * pen) + 3
        part = (slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin))
        page, coverage = page[part], coverage[part]
        size = coverage.shape
        if look.rough:
            ragged = cv2.GaussianBlur(coverage, (0, 0), max(0.5, look.rough * pen))
            ragged = ragged + 0.13 * clouds(rng, size, max(1.5, 2.5 * look.rough * pen)) * (ragged > 0.02)
            coverage = np.clip((ragged - 0.35) * 3, 0, 1)
        if look.grain:
            tooth = 0.6 * clouds(rng, size, 1.6) + 0.6 * clouds(rng, size, 3.5)
            coverage = coverage * np.clip(1.15 - look.grain * (0.5 + 0.6 * tooth), 0.12, 1)
        coverage = cv2.GaussianBlur(coverage, (0, 0), 0.6)[..., None]
        density = np.full(size, opacity, np.float32)
        if look.blotch:
            uneven = 0.7 * clouds(rng, size, max(3, 1.5 * pen)) + 0.5 * clouds(rng, size, max(2, 0.4 * pen))
            density = np.clip(density * (1 - look.blotch * uneven), 0.4 * opacity, 1)
        target = linear(colour)
        if sum(colour) < sum(look.paper) and opacity < 1:  # dye absorbs: twice the ink squares what it lets through
            target = page * (np.maximum(target, 0.004) / np.maximum(page, 0.004)) ** density[..., None]
        else:
            coverage = coverage * density[..., None]
        page += coverage * (target - page)

    def _print_through(self, page: Array) -> None:
        """What is written on the other side: mirrored, soft and faint."""
        rng, shade = self.rng, self._blank()
        pitch = 0.55 * self.unit
        rows = np.arange(rng.uniform(0, pitch), self.size[0] + pitch, pitch * 1.5)
        for y in rows:
            for x in np.arange(rng.uniform(0, pitch), self.size[1] + pitch, pitch * 0.8):
                if rng.random() < 0.75:
                    glyph = self.others[int(rng.integers(len(self.others)))]
                    place = np.array([[-0.9 * pitch, 0, x], [0, 0.9 * pitch, y]])
                    shade = np.maximum(shade, stroke(rng, glyph, self.size, place, 0.1))
        shade = cv2.GaussianBlur(shade, (0, 0), 0.02 * self.unit)
        page *= (1 - self.look.through * shade)[..., None]

    def _print(self, page: Array) -> None:
        """Ruling, squares, or boxes around the writing."""
        look, rng = self.look, self.rng
        lines = self._blank()
        pitch = look.print_pitch * self.unit
        thick = max(1.0, rng.uniform(0.0018, 0.004) * self.short)

        def line(start: Sequence[float], end: Sequence[float]) -> None:
            points = [(round(x * 8), round(y * 8)) for x, y in (start, end)]
            cv2.line(lines, points[0], points[1], 1.0, max(1, round(thick)), cv2.LINE_AA, 3)

        height, width = self.size
        if look.printed in ("ruled", "squared"):
            first = (self.baseline + rng.uniform(0, 0.06) * self.unit) % pitch
            if look.printed == "squared":
                first = rng.uniform(0, pitch)
                for x in np.arange(rng.uniform(0, pitch), width, pitch):
                    line((x, -5), (x, height + 5))
            for y in np.arange(first, height, pitch):
                line((-5, y), (width + 5, y))
            if look.printed == "ruled" and look.extra.get("margin"):
                x = rng.uniform(0.03, 0.12) * width
                red = self._blank()
                cv2.line(red, (round(x), 0), (round(x), height), 1.0, max(1, round(thick)), cv2.LINE_AA)
                page += 0.6 * red[..., None] * (linear((220, 110, 110)) - page)
        else:
            self._boxes(line)
        page += look.print_strength * lines[..., None] * (linear(look.print_colour) - page)

    def _boxes(self, line: Callable[[Sequence[float], Sequence[float]], None]) -> None:
        """A box around the digit, or a line of four with the others empty."""
        middle = self.places[0][:, 2] if self.places else np.array(self.size[::-1]) / 2
        half = self.look.print_pitch * self.unit / 2
        wobble = self.rng.normal(0, 0.02 * self.unit, (4, 2)) if self.look.extra.get("by hand") else np.zeros((4, 2))
        count = 1 if self.look.printed == "box" else 4
        for i in range(count):
            shift = np.array([2 * half * (i - count // 2) if count > 1 else 0, 0])
            corners = middle + shift + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) + wobble
            for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                line(tuple(start), tuple(end))

    def _crease(self, page: Array) -> None:
        """A fold across the sheet: one side brighter, the other darker, a worn line between."""
        turn = self.rng.uniform(0, math.pi)
        ys, xs = np.mgrid[: self.size[0], : self.size[1]].astype(np.float32)
        offset = self.rng.uniform(-0.25, 0.25) * self.short
        distance = (xs - self.size[1] / 2) * math.cos(turn) + (ys - self.size[0] / 2) * math.sin(turn) - offset
        reach = 0.06 * self.short
        page *= (1 + self.look.crease * np.sign(distance) * np.exp(-np.abs(distance) / reach))[..., None]
        page *= (1 - 1.5 * self.look.crease * np.exp(-((distance / (0.002 * self.short)) ** 2)))[..., None]

    def _neighbour(self, page: Array) -> None:
        """A part of some other writing that the border of the picture cuts off."""
        rng, look = self.rng, self.look
        glyph = self.others[int(rng.integers(len(self.others)))] if self.others else None
        if glyph is None:
            return
        side = int(rng.integers(4))
        along = rng.uniform(0.1, 0.9)
        size = self.unit * rng.uniform(0.7, 1.0)
        low, high = glyph.bounds
        inside = rng.uniform(0.1, 0.3) * (high - low)
        x, y = along * self.size[1], along * self.size[0]
        if side == 0:
            x = size * (inside[0] - high[0])
        elif side == 1:
            x = self.size[1] + size * (-inside[0] - low[0])
        elif side == 2:
            y = size * (inside[1] - high[1])
        else:
            y = self.size[0] + size * (-inside[1] - low[1])
        place = np.array([[size, 0, x], [0, size, y]])
        coverage = stroke(rng, glyph, self.size, place, look.pen)
        reach = max(3, round(0.1 * self.unit))
        if self.ink[cv2.dilate(coverage, np.ones((reach, reach), np.uint8)) > 0].any():
            return  # it must not run into what is to be read
        self._lay(page, coverage, look.ink, look.opacity)

    def _specks(self, page: Array) -> None:
        """Dust, crumbs and dots of ink; away from the writing, or a person would read them as part of it."""
        rng = self.rng
        for _ in range(self.look.specks):
            x, y = (int(rng.integers(side)) for side in self.size[::-1])
            radius = rng.uniform(0.002, 0.007) * self.short
            reach = int(4 * radius) + 2
            if self.ink[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].any():
                continue
            spot: Array = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
            axes = (round(radius * 8), round(radius * rng.uniform(4, 8)))
            cv2.ellipse(spot, (reach * 8, reach * 8), axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA, 3)
            top, left = max(0, y - reach), max(0, x - reach)
            part = page[top : y + reach + 1, left : x + reach + 1]
            spot = spot[top - y + reach :, left - x + reach :][: part.shape[0], : part.shape[1], None]
            part += rng.uniform(0.4, 0.95) * spot * (linear((60, 55, 50)) - part)

    def _punch(self, page: Array) -> None:
        """The holes of a spiral or a binder along one side, with the dark behind and the edge's shadow."""
        rng, (height, width) = self.rng, self.size
        top = rng.random() < 0.5
        radius = rng.uniform(0.014, 0.03) * self.short
        inset = radius * rng.uniform(1.6, 2.6)
        hole = self._blank()
        for at in np.arange(rng.uniform(0, 3) * radius, width if top else height, radius * rng.uniform(4, 5.5)):
            centre = (at, inset) if top else (inset, at)
            cv2.circle(hole, tuple(round(v * 8) for v in centre), round(radius * 8), 1.0, -1, cv2.LINE_AA, 3)
        rim = cv2.GaussianBlur(np.roll(hole, (2, 2), (0, 1)), (0, 0), 0.3 * radius)
        page *= (1 - 0.15 * rim)[..., None]
        page += hole[..., None] * (linear((58, 50, 46)) * rng.uniform(0.6, 1.6) - page)

    def _put_on_desk(self, page: Array) -> None:
        """What lies beyond one edge of the sheet."""
        rng, (height, width) = self.rng, self.size
        side, tilt = int(rng.integers(4)), rng.normal(0, 0.03)
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        across, along, length = (xs, ys, width) if side < 2 else (ys, xs, height)
        if side % 2:
            across = length - 1 - across
        distance = across - self.look.desk * length - tilt * (along - along.mean())
        shadow = np.exp(-np.clip(-distance, 0, None) / (0.01 * self.short))
        wood = linear([(150, 105, 66), (92, 70, 52), (66, 68, 72), (196, 176, 148)][int(rng.integers(4))])
        grain = clouds(rng, (max(4, height // 8), width), 6)
        grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        desk = wood * (1 + 0.1 * grain + 0.04 * clouds(rng, self.size, 1))[..., None] * (1 - 0.6 * shadow)[..., None]
        beyond = np.clip(0.5 - distance, 0, 1)[..., None]
        page += beyond * (desk - page)

    def _seen(self) -> tuple[Array, Array]:
        """The corners of the sheet, and where the camera sees them, [4, 2]: around the picture."""
        look, rng, (height, width) = self.look, self.rng, self.size
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        if not look.tilt and not look.roll:
            return corners, corners
        turn = math.radians(look.roll)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], np.float32)
        middle = corners.mean(axis=0)
        seen = (corners - middle) @ rotation.T + middle + rng.uniform(-1, 1, (4, 2)) * look.tilt * self.short
        seen = seen.astype(np.float32)
        while any(cv2.pointPolygonTest(seen, tuple(corner.tolist()), False) < 0 for corner in corners):
            seen = (seen - middle) * np.float32(1.02) + middle
        return corners, seen

    def viewed(self, page: Array) -> Array:
        """The sheet as a camera sees it that is not quite above it."""
        if not self.look.tilt and not self.look.roll:
            return page
        matrix = cv2.getPerspectiveTransform(self.corners, self.seen)
        self.ink = cv2.warpPerspective(self.ink, matrix, self.size[::-1])
        return np.asarray(cv2.warpPerspective(page, matrix, self.size[::-1], borderMode=cv2.BORDER_REPLICATE))

    def lit(self, page: Array) -> Array:
        """The light that comes from the sheet, float32 [H, W, 3]; takes the place of the sheet."""
        look, rng, size = self.look, self.rng, self.size
        light = np.ones(size, np.float32)
        ys = np.linspace(-0.5, 0.5, size[0], dtype=np.float32)[:, None]
        xs = np.linspace(-0.5, 0.5, size[1], dtype=np.float32)
        if look.unevenness:
            turn = rng.uniform(0, 2 * math.pi)
            slope = xs * math.cos(turn) + ys * math.sin(turn)
            bumps = clouds(rng, size, max(size) * rng.uniform(0.3, 0.8))
            light *= np.exp(look.unevenness * (0.8 * slope + 0.12 * bumps))
            light /= float(light.max()) ** 0.7  # the camera's meter keeps most of it below white
        if look.vignette:
            light *= 1 - look.vignette * np.clip((xs**2 + ys**2) / 0.5, 0, 1) ** np.float32(1.3)
        picture = page  # in place from here: the pictures are large
        picture *= light[..., None]
        picture *= look.exposure * linear(look.tint)
        if look.shadow:  # less blue is missing in it: the sky still shines
            picture *= 1 - look.shadow * self._shadow()[..., None] * np.array([1.0, 0.98, 0.93], np.float32)
        if look.glare:
            picture += look.exposure * self._glare()[..., None]
        return picture

    def _shadow(self) -> Array:
        """The shadow of a hand, a head or a phone that reaches in from one side, across the writing."""
        rng, (height, width) = self.rng, self.size
        turn = rng.uniform(0, 2 * math.pi)
        count = int(rng.integers(3, 7))
        edge = np.linspace(-1.2, 1.2, 16 * count)
        depth: Array = rng.uniform(-0.25, 0.25) + 0.18 * rng.standard_normal((count, 1))
        depth = cv2.resize(depth, (1, 16 * count), interpolation=cv2.INTER_CUBIC)[:, 0]
        points = np.concatenate([np.stack([depth, edge], axis=1), [(2, 1.2), (2, -1.2)]])
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        points = points @ rotation.T * max(width, height) * 0.7 + np.array([width, height]) / 2
        mask = self._blank()
        cv2.fillPoly(mask, [np.round(points * 8).astype(np.int32)], 1.0, cv2.LINE_AA, 3)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.6, self.look.penumbra * self.short)))

    def _glare(self) -> Array:
        """The reflection of a lamp or a window on something glossy, beside the writing rather than over it."""
        rng, (height, width) = self.rng, self.size
        bright = self._blank()
        for _ in range(int(rng.integers(1, 3))):
            away = rng.uniform(0, 2 * math.pi)
            radius = rng.uniform(0.05, 0.14) * self.short
            far = 0.5 * self.unit + radius * 1.6
            x, y = width / 2 + far * math.cos(away), height / 2 + far * math.sin(away)
            axes = (round(radius), round(radius * rng.uniform(0.4, 1)))
            cv2.ellipse(bright, (round(x), round(y)), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        bright = cv2.GaussianBlur(bright, (0, 0), 0.02 * self.short) + cv2.GaussianBlur(
            bright, (0, 0), 0.1 * self.short
        )
        return np.asarray(self.look.glare * bright)

    def cropped(self, picture: Array) -> Array:
        """The part around the writing, for a tight crop."""
        if self.look.tight is None or not self.glyphs:
            return picture
        ys, xs = np.nonzero(self.ink > 0.3)
        margin = round(self.look.tight * max(np.ptp(xs), np.ptp(ys)))
        rows = slice(max(0, ys.min() - margin), ys.max() + 1 + margin)
        columns = slice(max(0, xs.min() - margin), xs.max() + 1 + margin)
        self.ink = self.ink[rows, columns]
        return np.ascontiguousarray(picture[rows, columns])


def _meeting(before: Array, points: Array, height: float) -> float | None:
    """How far to the right a digit's points are moved to meet those of the digit before; None where they cannot."""
    bands = np.linspace(-1.3, 0.3, 33) * height
    left, right = np.digitize(before[:, 1], bands), np.digitize(points[:, 1], bands)
    shifts = [
        float(before[np.abs(left - band) <= 1, 0].max() - points[right == band, 0].min())
        for band in np.unique(right)
        if (np.abs(left - band) <= 1).any()
    ]
    return max(shifts, default=None)


def blurred(rng: Rng, picture: Array, radius: float, length: float) -> Array:
    """Out of focus by a radius and moved by a length, both in pixels."""
    if radius >= 0.3:
        side = 2 * math.ceil(radius) + 1
        grid = np.hypot(*(np.mgrid[:side, :side] - side // 2))
        disk = np.clip(radius + 0.5 - grid, 0, 1)
        picture = cv2.filter2D(picture, -1, disk / disk.sum(), borderType=cv2.BORDER_REPLICATE)
    if length >= 1:
        side = 2 * math.ceil(length / 2) + 3
        kernel: Array = np.zeros((side, side), np.float32)
        turn = rng.uniform(0, math.pi)
        reach = np.array([math.cos(turn), math.sin(turn)]) * length / 2
        ends = [tuple(np.round((side // 2 + sign * reach) * 16).astype(int).tolist()) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return picture


def exposed(rng: Rng, picture: Array, noise: float) -> Array:
    """Linear light as sRGB pixels, uint8 [H, W, 3]; with noise, as a sensor behind a Bayer mosaic takes it."""
    if noise:
        raw = np.empty(picture.shape[:2], np.float32)
        for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
            raw[row::2, column::2] = picture[row::2, column::2, channel]
        np.clip(raw, 0, 1, out=raw)
        raw += noise * np.sqrt(raw + 0.01) * rng.standard_normal(raw.shape, np.float32)
        raw = np.round(np.clip(raw, 0, 1) * 65535).astype(np.uint16)
        picture = cv2.cvtColor(raw, cv2.COLOR_BayerRGGB2RGB).astype(np.float32) / 65535
        soft = cv2.GaussianBlur(picture, (0, 0), 0.8)  # every phone smooths, then sharpens
        picture = soft + 0.8 * (soft - cv2.GaussianBlur(soft, (0, 0), 1.6))
    return np.asarray(GAMMA[np.round(np.clip(picture, 0, 1) * (len(GAMMA) - 1)).astype(np.uint16)])


def encode(rng: Rng, look: Look, pixels: Array, scene: Scene) -> bytes:
    """A file of the look's kind and mode."""
    image = Image.fromarray(255 - pixels if look.invert else pixels)
    if look.mode == "I;16":
        grey = np.asarray(image.convert("L"), np.float32) * 257 + rng.normal(0, 40, pixels.shape[:2])
        image = Image.fromarray(np.clip(grey, 0, 65535).astype(np.uint16))
    elif look.mode == "RGBA":
        alpha = cv2.resize(scene.ink, image.size, interpolation=cv2.INTER_AREA) * look.opacity
        flat = np.broadcast_to(np.array(look.ink, np.uint8), (*alpha.shape, 3))
        clear = np.where(alpha[..., None] > 0, flat, np.uint8(look.extra.get("clear", 0)))
        image = Image.fromarray(np.dstack([clear, np.round(255 * alpha).astype(np.uint8)]))
    elif look.mode == "P":
        image = image.quantize(16)
    elif look.mode == "1":
        image = image.convert("L").point(lambda v: 255 if v > 140 else 0).convert("1")
    elif look.mode == "L":
        image = image.convert("L")
    exif = Image.Exif()
    if look.orientation != 1:
        turned = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        image = image.transpose(turned[look.orientation])
        exif[0x0112] = look.orientation
    file = io.BytesIO()
    if look.kind == "jpg":
        image.save(file, "JPEG", quality=look.quality, exif=exif)
    else:
        image.save(file, "PNG", compress_level=3, exif=exif)
    return file.getvalue()

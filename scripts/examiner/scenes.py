"""Pictures of what somebody wrote: pen on paper, in some light, before a camera or scanner, stored as a file.

A `Look` says everything about a picture but what is written in it; `render` makes the picture.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from examiner.camera import blurred, exposed, lit, seen_corners
from examiner.looks import Look, blend
from examiner.paper import desk_top, hold, reflectance
from examiner.scoring import Row
from examiner.strokes import Array, Glyph, Rng
from examiner.writing import Sheet, Writing, in_a_row

cv2.setNumThreads(1)  # the processes of `score_pictures.py` share the cores


def render(
    rng: Rng, look: Look, written: Sequence[Glyph] | Writing, others: Sequence[Glyph] = ()
) -> tuple[bytes, list[Row]]:
    """The bytes of a picture file, and the rows of digits in it.

    What is written is glyphs from left to right, in one row around the middle, or a whole page. The others stand at the
    border and on the other side of the sheet, cut off or faint; only looks that have these need them.
    """
    scene = Scene(rng, look, written, others)
    picture = np.ascontiguousarray(reflectance(scene))
    picture = lit(rng, look, scene.viewed(picture), scene.unit)
    picture = scene.cropped(picture)
    before = picture.shape[:2]
    picture = blurred(rng, picture, look.defocus * scene.unit, look.motion * scene.unit)
    if look.scale != 1:
        picture = cv2.resize(picture, None, fx=look.scale, fy=look.scale, interpolation=cv2.INTER_CUBIC)
    pixels = exposed(rng, picture, look.noise)
    if look.stored:
        pixels = cv2.resize(pixels, look.stored, interpolation=cv2.INTER_AREA)
    rows = scene.rows((pixels.shape[1] / before[1], pixels.shape[0] / before[0]), pixels.shape[:2])
    if look.turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, look.turned))
    return encode(rng, look, pixels, scene), rows


class Scene(Sheet):
    """A sheet of paper before a camera."""

    def __init__(self, rng: Rng, look: Look, written: Sequence[Glyph] | Writing, others: Sequence[Glyph] = ()) -> None:
        """Decides where everything goes."""
        self.corners, self.seen = seen_corners(rng, look)
        writing = written if isinstance(written, Writing) else in_a_row(rng, look, written, self.seen)
        super().__init__(rng, look, writing, others)
        self.matrix: Array = np.eye(3)

    def viewed(self, page: Array) -> Array:
        """The sheet as a camera sees it that is not quite above it."""
        look = self.look
        if look.sheet < 1:
            return self._on_a_desk(page)
        if not look.tilt and not look.roll:
            return page
        self.matrix = cv2.getPerspectiveTransform(self.corners, self.seen)
        return np.asarray(cv2.warpPerspective(page, self.matrix, self.size[::-1], borderMode=cv2.BORDER_REPLICATE))

    def _on_a_desk(self, page: Array) -> Array:
        """The sheet smaller, on a desk, perhaps held by a hand."""
        look, rng, frame = self.look, self.rng, np.array(self.look.size)
        middle = frame / 2
        seen = (self.seen - middle) * look.sheet + middle + rng.uniform(-0.4, 0.4, 2) * (1 - look.sheet) * frame
        self.seen = seen.astype(np.float32)
        self.matrix = cv2.getPerspectiveTransform(self.corners, self.seen)
        self.unit *= look.sheet
        desk = desk_top(rng, self.size)
        ground = np.zeros(self.size, np.float32)
        cv2.fillConvexPoly(ground, np.round(self.seen * 8).astype(np.int32), 1.0, cv2.LINE_AA, 3)
        shadow = cv2.GaussianBlur(ground, (0, 0), 0.012 * self.short)
        desk *= (1 - 0.6 * np.roll(shadow, (4, 3), (0, 1)))[..., None]
        page = cv2.GaussianBlur(page, (0, 0), 0.35 / look.sheet)  # or the reduction would alias
        page = cv2.warpPerspective(page, self.matrix, self.size[::-1], borderMode=cv2.BORDER_REPLICATE)
        blend(desk, ground, page)
        if look.fingers:
            hold(rng, desk, self.seen)
        return np.asarray(desk, np.float32)

    def cropped(self, picture: Array) -> Array:
        """The part around the writing, for a tight crop."""
        if self.look.tight is None or not self.writing.marks:
            return picture
        boxes = np.array([self.box(mark, self.matrix) for mark in self.writing.marks])
        margin = self.look.tight * self.unit
        left, top = np.maximum(0, np.floor(boxes[:, :2].min(axis=0) - margin)).astype(int)
        right, bottom = np.ceil(boxes[:, 2:].max(axis=0) + margin).astype(int)
        self.matrix = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ self.matrix
        return np.ascontiguousarray(picture[top:bottom, left:right])

    def rows(self, scale: tuple[float, float], size: tuple[int, int]) -> list[Row]:
        """The rows of digits, in the pixels of the picture as stored: so many times larger, of a height and width."""
        matrix = np.diag([*scale, 1.0]) @ self.matrix
        rows = []
        for number in sorted({mark.row for mark in self.writing.marks if mark.row is not None}):
            digits = [mark for mark in self.writing.marks if mark.row == number]
            boxes = np.array([self.box(mark, matrix) for mark in digits])
            corners = np.concatenate([np.floor(boxes[:, :2].min(axis=0)), np.ceil(boxes[:, 2:].max(axis=0))])
            corners = turned(np.clip(corners, 0, [*size[::-1]] * 2), self.look.turned, size)
            left, top, right, bottom = (int(side) for side in corners)
            rows.append(Row("".join(mark.glyph.text for mark in digits), 1.0, (left, top, right, bottom)))
        return rows


def turned(box: Array, quarters: int, size: tuple[int, int]) -> Array:
    """A box in a picture of a height and width that is then turned to the left."""
    for quarter in range(quarters % 4):
        width = size[1] if quarter % 2 == 0 else size[0]
        box = np.array([box[1], width - box[2], box[3], width - box[0]])
    return box


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
    form = {"jpg": "JPEG", "png": "PNG"}[look.kind]
    image.save(file, form, quality=look.quality, compress_level=3, exif=exif)
    return file.getvalue()

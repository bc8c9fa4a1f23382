"""Pictures of what somebody wrote: pen on paper, in some light, before a camera or scanner, stored as a file.

A `Look` says everything about a picture but what is written in it; `render` makes the picture.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from examiner.lens import blurred, exposed, seen_corners
from examiner.light import lit
from examiner.looks import Look, Rng
from examiner.paper import Sheet
from examiner.pens import Array, Glyph

cv2.setNumThreads(1)  # the processes of `score_pictures.py` share the cores


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
    picture = lit(rng, look, scene.viewed(picture), scene.unit)
    picture = scene.cropped(picture)
    picture = blurred(rng, picture, look.defocus * scene.unit, look.motion * scene.unit)
    if look.scale != 1:
        picture = cv2.resize(picture, None, fx=look.scale, fy=look.scale, interpolation=cv2.INTER_CUBIC)
    pixels = exposed(rng, picture, look.noise)
    if look.stored:
        pixels = cv2.resize(pixels, look.stored, interpolation=cv2.INTER_AREA)
    return encode(rng, look, pixels, scene)


class Scene(Sheet):
    """A sheet of paper before a camera."""

    def __init__(self, rng: Rng, look: Look, glyphs: Sequence[Glyph], others: Sequence[Glyph]) -> None:
        """Decides where everything goes."""
        self.corners, seen = seen_corners(rng, look)
        super().__init__(rng, look, glyphs, others, seen)

    def viewed(self, page: Array) -> Array:
        """The sheet as a camera sees it that is not quite above it."""
        if not self.look.tilt and not self.look.roll:
            return page
        matrix = cv2.getPerspectiveTransform(self.corners, self.seen)
        self.ink = cv2.warpPerspective(self.ink, matrix, self.size[::-1])
        return np.asarray(cv2.warpPerspective(page, matrix, self.size[::-1], borderMode=cv2.BORDER_REPLICATE))

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

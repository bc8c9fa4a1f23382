"""Picture files: read safely whatever their format, and turned upright."""

import contextlib
import os
import warnings
from functools import cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_cnn.reading.folders import OF_PHONES, shown

Picture = NDArray[np.uint8]
"""RGB [H, W, 3]."""

MOST_PIXELS = 120_000_000
"""Pictures with more pixels are refused: a small file can claim to hold gigabytes."""

READ_SIDE = 1600
"""Long side to which large pictures are reduced, as early as their format allows."""


class PictureError(RuntimeError):
    """A picture that cannot be read; the message is one line that names it."""


class Opened(NamedTuple):
    """A picture, read."""

    pixels: Picture
    """RGB, uint8 [H, W, 3], upright as its EXIF data say, of at most `READ_SIDE` pixels a side."""
    remark: str
    """A note for the user; mostly empty."""
    factor: float
    """How many pixels of the file are one of these, at least 1."""


def read_picture(path: str | Path | BinaryIO) -> Opened:
    """Reads a picture file.

    Any format and mode of Pillow: transparency is shown over the background that its ink stands out from, 16-bit
    pictures are stretched over their range, of an animation the first frame is taken. Turned as its EXIF data say.
    Large pictures are reduced to a long side of 1600 pixels.

    Args:
        path: The file, or its content as a file that is open for reading bytes and can seek.

    Raises:
        PictureError: It is no picture, damaged, too large or of no size. The message begins with the name of the
            file, if it has one.
    """
    file = Path(path) if isinstance(path, str | Path) else path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks about odd metadata and large sizes
            return _read(file)
    except Image.DecompressionBombError:
        reason = f"more than {MOST_PIXELS // 10**6} million pixels"
    except UnidentifiedImageError:
        reason = "an empty file" if _is_empty(file) else "not an image, or of an unknown format"
        if isinstance(file, Path) and file.suffix.lower() in OF_PHONES:
            reason += ": for this one add a decoder, pip install pillow-heif"
    except FileNotFoundError:
        reason = "no such file"
    except OSError as error:
        reason = error.strerror or f"damaged ({_short(error)})"
    except MemoryError:
        reason = "too large for this machine's memory"
    except PictureError as error:
        reason = str(error)
    except Exception as error:  # whatever a damaged file provokes in a decoder
        reason = f"damaged ({_short(error)})"
    raise PictureError(f"{shown(path)}: {reason}" if isinstance(file, Path) else reason)


def _is_empty(file: Path | BinaryIO) -> bool:
    return not (file.stat().st_size if isinstance(file, Path) else file.seek(0, os.SEEK_END))


def _read(file: Path | BinaryIO) -> Opened:
    if isinstance(file, Path) and file.is_dir():
        raise PictureError("a folder")
    if isinstance(file, Path) and not file.is_file() and file.exists():  # a pipe would wait for ever
        raise PictureError("not a regular file")
    # Pillow before 11 would resolve the links of a Path.
    with Image.open(str(file) if isinstance(file, Path) else file, formats=_formats()) as image:
        if image.width * image.height > MOST_PIXELS:
            raise Image.DecompressionBombError
        if min(image.size) < 3 or max(image.size) < 8:
            raise PictureError(f"only {image.width}x{image.height} pixels, too few for a digit")
        remark = "animation: its first frame" if getattr(image, "n_frames", 1) > 1 and image.format != "MPO" else ""
        long = max(image.size)
        share = READ_SIDE / long
        if share < 1:  # JPEG decodes at 1/2, 1/4 or 1/8 of its size
            image.draft(image.mode, (int(image.width * share), int(image.height * share)))
        pixels = _converted(image)
        return Opened(pixels, remark, long / max(pixels.shape))


@cache
def _formats() -> list[str]:
    """All formats but EPS, a program that Pillow would hand to Ghostscript; those of phones with the extra `heif`."""
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return [name for name in Image.ID if name != "EPS"]


def from_image(image: Image.Image) -> Opened:
    """A Pillow image as `read_picture` would have read it.

    Raises:
        PictureError: It has no pixels, a mode that Pillow cannot convert, or its file is damaged.
    """
    if not image.width or not image.height:
        raise PictureError("the image has no pixels")
    try:
        pixels = _converted(image)
        return Opened(pixels, "", max(image.size) / max(pixels.shape))
    except Exception as error:  # whatever a mode or a damaged file provokes
        raise PictureError(f"the image cannot be read ({_short(error)})") from error


def _converted(image: Image.Image) -> Picture:
    if image.mode[0] in "IF":
        image = _stretched(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode != "L":
        image = image.convert("RGB")
    if (factor := max(image.size) // READ_SIDE) > 1:
        exif = image.getexif()
        image = image.reduce(factor)
        image.info["exif"] = exif.tobytes()
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGBA":
        image = _opaque(image)
    if max(image.size) > READ_SIDE:
        image.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.BOX)
    return np.array(image.convert("RGB"))


def _stretched(image: Image.Image) -> Image.Image:
    """16- or 32-bit and float pictures in 8 bits, over the range of the values in them."""
    if (factor := max(image.size) // READ_SIDE) > 1:  # eight bytes a pixel of the whole would be much
        info, image = image.info, image.convert("I" if image.mode[0] == "I" else "F").reduce(factor)
        image.info = info
    with np.errstate(invalid="ignore"):  # numbers that are none
        values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, posinf=0, neginf=0).clip(-1e9, 1e9)
    low, high = np.percentile(values, [0.05, 99.95])
    if high <= low:
        low, high = values.min(), values.max()
    scaled = (values - low) * (255 / max(high - low, 1e-12))
    stretched = Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
    stretched.info = {key: value for key, value in image.info.items() if key == "exif"}
    return stretched


def _opaque(image: Image.Image) -> Image.Image:
    """Lays a picture with transparency over white, or over black where its ink is bright."""
    pixels = np.asarray(image)
    alpha = pixels[..., 3:].astype(np.float32) / 255
    if alpha.min() == 1:
        return image.convert("RGB")
    brightness = pixels[..., :3].mean(axis=2, keepdims=True)
    ink = float((brightness * alpha).sum() / max(1e-6, float(alpha.sum())))
    # Mostly opaque: the picture has a background of its own, and only its edges are clear.
    bright = ink > 127 if alpha.mean() < 0.6 else ink < 127
    ground = 0.0 if bright else 255.0
    return Image.fromarray((pixels[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8))


def _short(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:80]

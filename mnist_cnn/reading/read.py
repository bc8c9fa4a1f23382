"""Digits from pictures in one call."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from mnist_cnn.checkpoints import find_checkpoint
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading.models import (
    load_classifier,
    pretrained_classifier,
    pretrained_detector,
    pretrained_recognizer,
    probabilities,
)
from mnist_cnn.reading.pictures import Opened, from_image, read_picture
from mnist_cnn.reading.results import LAYOUTS, Layout, Reading
from mnist_cnn.reading.symbol import look_for

Source = str | Path | bytes | Image.Image | NDArray[Any] | Tensor
"""Pictures in any form that `read_digits` takes."""


@overload
def read_digits(  # type: ignore[overload-overlap]  # a string is a sequence, too
    picture: Source, layout: Layout = ..., *, model: nn.Module | None = ..., checkpoint: str | Path | None = ...
) -> Reading: ...
@overload
def read_digits(
    picture: Sequence[Source],
    layout: Layout = ...,
    *,
    model: nn.Module | None = ...,
    checkpoint: str | Path | None = ...,
) -> list[Reading]: ...
def read_digits(
    picture: Source | Sequence[Source],
    layout: Layout = "digit",
    *,
    model: nn.Module | None = None,
    checkpoint: str | Path | None = None,
) -> Reading | list[Reading]:
    """Reads the handwritten digit, the row of digits or all rows of digits in a picture.

    Args:
        picture: A file, its bytes, a Pillow image, or pixels: an array, grey [H, W] or [H, W, C], or a tensor, [H, W]
            or [C, H, W], with one channel, RGB or RGBA, uint8 or floating point from 0 to 1. A list of these is read
            in one go.
        layout: `digit` for the one digit that is meant, `row` for the one row, `page` for all rows.
        model: A trained `DigitClassifier`, or any network that returns logits or log-probabilities. For many
            pictures load it once and hand it over here.
        checkpoint: Instead of a model: the checkpoint to load, a file or `best`, `last` or `pretrained`. Default: the
            network that comes with the package, which is loaded once.

    Returns:
        What was read, with boxes, confidences and the images that the network saw; of a list one for each picture.
        The networks that come with the package vote together, another classifier decides alone.

    Raises:
        PictureError: The picture cannot be read.
        CheckpointError: The checkpoint cannot be found or read.
        ValueError: An unknown layout; a model that is none, or beside a checkpoint; or pixels of another shape, dtype
            or scale.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}: give one of {', '.join(map(repr, LAYOUTS))}")
    if model is not None and checkpoint is not None:
        raise ValueError("give a model or a checkpoint, not both: one network decides which digits these are")
    if model is not None and not isinstance(model, nn.Module):
        raise ValueError(f"model is {model!r}: give a network; a file or a name is a checkpoint=")
    several = isinstance(picture, list | tuple)
    opened = [_opened(one) for one in (picture if several else [picture])]  # type: ignore[union-attr]
    votes = model is None and checkpoint in (None, "pretrained")
    classifier = _classifier(model, checkpoint)
    classes = getattr(classifier, "classes", DIGITS)
    seen = [look_for(classes, pretrained_detector(), one.pixels, layout, pretrained_recognizer()) for one in opened]
    ends = np.cumsum([len(sighting.all_images) for sighting in seen])[:-1]
    images = np.concatenate([sighting.all_images for sighting in seen] or [np.zeros((0, 28, 28), np.uint8)])
    parts = np.split(probabilities(classifier, images), ends)
    readings = [
        sighting.reading(one, part, votes, classes) for sighting, one, part in zip(seen, opened, parts, strict=False)
    ]
    return readings if several else readings[0]


def _classifier(model: nn.Module | None, checkpoint: str | Path | None) -> nn.Module:
    if model is not None:
        return model
    if checkpoint in (None, "pretrained"):
        return pretrained_classifier()
    return load_classifier(find_checkpoint(str(checkpoint), Path("lightning_logs")))


def _opened(picture: Any) -> Opened:
    """Whatever was handed over, as a picture."""
    if isinstance(picture, bytes):
        return read_picture(io.BytesIO(picture))
    if isinstance(picture, str | Path):
        return read_picture(picture)
    if isinstance(picture, Image.Image):
        return from_image(picture)
    if isinstance(picture, Tensor):
        picture = (picture.permute(1, 2, 0) if picture.ndim == 3 else picture).detach().cpu()
        picture = (picture.float() if picture.is_floating_point() else picture).numpy()  # NumPy has no bfloat16
    if not isinstance(picture, np.ndarray):
        raise ValueError(f"a {type(picture).__name__} is no picture: give a file, bytes, a Pillow image or pixels")
    shape = list(picture.shape)
    if picture.ndim == 3 and shape[2] == 1:
        picture = picture[..., 0]
    is_float = picture.dtype.kind == "f"
    if (
        picture.ndim not in (2, 3)
        or picture.shape[2:] not in ((), (3,), (4,))
        or not (is_float or picture.dtype == np.uint8)
    ):
        raise ValueError(
            f"pixels are {picture.dtype} {shape}: give uint8, or floating point from 0 to 1, of one, three or four "
            f"channels, as an array [H, W] or [H, W, C] or a tensor [H, W] or [C, H, W]"
        )
    if is_float:
        if not (np.isfinite(picture).all() and picture.min(initial=0) >= 0 and picture.max(initial=0) <= 1):
            raise ValueError("pixels in floating point must be from 0 to 1: divide them by 255, or give uint8")
        picture = np.rint(picture * 255).astype(np.uint8)
    return from_image(Image.fromarray(picture))

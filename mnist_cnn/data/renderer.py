"""Training digits as what people hand in: written anew, on paper, in some light, by some camera, and read back.

The counterpart of `handwriting`: a network that is to read what `handwriting` makes of photos is trained on what it
makes of these pictures. Nothing here is shared with the examiner, `scripts/score_pictures.py`.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.reading.handwriting import Group, draw
from mnist_cnn.reading.ink import (
    BACKGROUND_KERNELS,
    Components,
    Ink,
    Mask,
    Picture,
    channels,
    ink_map,
    noise_level,
    without_lines,
)
from mnist_cnn.reading.mnist_form import stroke_width, to_mnist
from mnist_cnn.scenes.photograph import photograph
from mnist_cnn.scenes.writing import write, write_no_digit

ALIKE = 0.7
"""Least correlation of what was read with what was written; below it too much is lost or added."""
SCRAWLS = 5
"""One in so many pictures shows no digit."""

Rng = np.random.Generator


def render_all(
    digits: Picture, labels: NDArray[np.int64], sources: NDArray[np.int64]
) -> Iterator[tuple[Picture | None, int]]:
    """Renders digits, and now and then something that is none, in all processor cores.

    Args:
        digits: Uint8 [N, 28, 28], white on black.
        labels: Int64 [N].
        sources: Int64 [K], which digits are rendered, in this order; the same one again gives another picture.

    Yields:
        What `render` returns and its label, -1 for no digit; in order, the k-th depends on k and its digits alone.
    """

    def job(k: int) -> tuple[Picture | None, int]:
        here, other = sources[k], digits[sources[k - 1]]
        label, is_digit = int(labels[here]), k % SCRAWLS < SCRAWLS - 1
        return render(digits[here], label, np.random.default_rng(k), other, is_digit), label if is_digit else -1

    with ThreadPoolExecutor(os.cpu_count()) as threads:  # OpenCV and NumPy release the interpreter while they work
        for start in range(0, len(sources), 256):
            yield from threads.map(job, range(start, min(start + 256, len(sources))))


def render(digit: Picture, label: int, rng: Rng, other: Picture, is_digit: bool = True) -> Picture | None:
    """Writes a digit anew, photographs it, and reads it back.

    Args:
        digit: Uint8 [28, 28], white on black.
        label: Which digit it is.
        rng: Where all chance comes from.
        other: Another digit, which may stand beside it or shine through.
        is_digit: Whether to write the digit, or a scrawl made from it.

    Returns:
        The digit as `find_digit` would see it, uint8 [28, 28]; None where too little of it can be seen.
    """
    strokes = write(digit, rng, label) if is_digit else write_no_digit((digit, other), label, rng)
    wanted = to_mnist(strokes)
    picture, place = photograph(strokes, rng, other)
    found = _seen(picture, place, rng)
    return found if wanted is not None and found is not None and _correlation(found, wanted) > ALIKE else None


def _seen(picture: Picture, place: Ink, rng: Rng) -> Picture | None:
    """What `find_digit` makes of a digit, with its search for the place left out, which takes ten times as long."""
    strokes = (place > 0.5).astype(np.uint8)
    if not strokes.any() or strokes.all():
        return None
    found = channels(picture)
    number = int(rng.integers(len(found))) if rng.random() < 0.3 else 0
    channel = cv2.GaussianBlur(found[number], (0, 0), 0.7)
    size = max(np.ptp(np.nonzero(strokes), axis=1)) + 1
    reach = int(size * rng.uniform(0.03, 0.15)) * 2 + 3
    zone: Mask = cv2.dilate(strokes, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    light = bool(channel[strokes > 0].mean() > channel[zone > strokes].mean())
    wide = 1.8 * stroke_width(place) / max(place.shape)
    kernels = [kernel for kernel in BACKGROUND_KERNELS if kernel > wide] or [BACKGROUND_KERNELS[-1]]
    kernel = kernels[int(rng.integers(len(kernels)))]
    ink = ink_map(channel, light, kernel * max(place.shape))
    strength = float(np.percentile(ink[strokes > 0], 70))
    mask: Mask = (ink > max(strength * rng.uniform(0.3, 0.7), 4 * noise_level(ink))).astype(np.uint8)
    bare = without_lines(mask) if rng.random() < 0.8 and Components(mask, ink).may_be_lines() else None
    mask = (mask if bare is None else bare) * zone
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    return draw(picture, Group(mask, (left, top, left + width, top + height), number, light, kernel, strength))


def _correlation(one: Picture, other: Picture) -> float:
    a, b = (cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0).ravel() for image in (one, other))
    return float(np.corrcoef(a, b)[0, 1])

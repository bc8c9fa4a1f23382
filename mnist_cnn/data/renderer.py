"""Training digits as what people hand in: written anew, on paper, in some light, by some camera, and read back.

The counterpart of `handwriting`: a network that is to read what `handwriting` makes of photos is trained on what it
makes of these pictures. Nothing here is shared with the examiner, `scripts/score_pictures.py`.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.data.handwriting import Group, draw
from mnist_cnn.data.ink import (
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
from mnist_cnn.data.mnist_form import stroke_width, to_mnist
from mnist_cnn.data.scrawls import scrawl

SIDE = 160
"""Long side of the square on which a digit is written anew, in pixels."""
ALIKE = 0.7
"""Least correlation of what was read with what was written; below it too much is lost or added."""
SCRAWLS = 9
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
    strokes = write(digit, rng, label) if is_digit else _scrawled((digit, other), label, rng)
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
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return draw(picture, Group(mask, box, number, light, kernel, strength))


def _correlation(one: Picture, other: Picture) -> float:
    a, b = (cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0).ravel() for image in (one, other))
    return float(np.corrcoef(a, b)[0, 1])


def write(digit: Picture, rng: Rng, label: int = -1) -> Ink:
    """A digit with another pen and hand.

    Strokes keep MNIST's width, or get an even one between a hair's and a marker's; then the digit is turned,
    slanted, stretched and bent. Where the label is known, some ones get the upstroke and the foot, and some sevens
    the bar, that much of the world writes and that MNIST hardly has.

    Returns:
        Float [SIDE + 48, SIDE + 48], ink 1.
    """
    field = cv2.resize(digit.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), rng.uniform(2.5, 4.5))
    mask = np.pad((field > rng.uniform(0.3, 0.5)).astype(np.uint8), 24)
    if label == 1 and rng.random() < 0.35:
        _add_upstroke(mask, rng)
    if label == 7 and rng.random() < 0.3:
        _add_bar(mask, rng)
    if rng.random() < 0.65:
        mask = _redrawn(mask, SIDE * np.exp(rng.uniform(np.log(0.012), np.log(0.14))))
    return _bent(mask, rng)


def _scrawled(digits: tuple[Picture, Picture], label: int, rng: Rng) -> Ink:
    return _bent(np.pad(scrawl(SIDE, digits, label, rng), 24), rng)


def _add_upstroke(mask: Picture, rng: Rng) -> None:
    """Gives a one its upstroke, and perhaps a foot."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return
    height = int(np.ptp(rows)) + 1
    width = _pen_width(mask)
    top, bottom = ((int(np.flatnonzero(mask[row]).mean()), int(row)) for row in (rows[0], rows[-1]))
    angle, length = rng.uniform(0.45, 1.1), rng.uniform(0.2, 0.5) * height  # from the vertical, in radians
    end = (round(top[0] - np.sin(angle) * length), round(top[1] + width / 2 + np.cos(angle) * length))
    cv2.line(mask, (top[0], top[1] + width // 2), end, 1, width)
    if rng.random() < 0.35:
        left, right = rng.uniform(0.1, 0.3, 2) * height
        at = bottom[1] - width // 2
        cv2.line(mask, (round(bottom[0] - left), at), (round(bottom[0] + right), at), 1, width)


def _add_bar(mask: Picture, rng: Rng) -> None:
    """Crosses the stem of a seven."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return
    row = int(rows[0] + rng.uniform(0.42, 0.62) * np.ptp(rows))
    middle = int(np.flatnonzero(mask[row]).max()) - _pen_width(mask) // 2
    left, right = rng.uniform(0.12, 0.3, 2) * np.ptp(rows)
    tilt = rng.normal(0, 0.15)
    start, stop = ((round(middle + x), round(row - tilt * x)) for x in (-left, right))
    cv2.line(mask, start, stop, 1, _pen_width(mask))


def _pen_width(mask: Picture) -> int:
    return max(3, round(stroke_width(mask.astype(np.float32))))


def _redrawn(mask: Picture, width: float) -> Picture:
    """The middle of each stroke, drawn with an even width in pixels."""
    depth = cv2.GaussianBlur(cv2.distanceTransform(mask, cv2.DIST_L2, 5), (0, 0), 2.0)
    ridge = (cv2.Laplacian(depth, cv2.CV_32F) < -0.12) & (depth > 1)
    outside = cv2.distanceTransform(1 - ridge.astype(np.uint8), cv2.DIST_L2, 5)
    return (outside <= max(0.3, width / 2 - 1)).astype(np.uint8)


def _bent(mask: Mask, rng: Rng) -> Ink:
    ink = mask.astype(np.float32)
    side = ink.shape[0]
    angle, slant = np.deg2rad(rng.normal(0, 7)), rng.normal(0, 0.12)
    across, down = np.exp(rng.normal(0, 0.12, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.array([[across, slant], [0, down]])
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    amount = rng.uniform(0, 0.03) * side
    waves = [_smooth(rng, ink.shape, 5) * amount for _ in range(2)]
    at_x = turn[0, 0] * x + turn[0, 1] * y + side / 2 + waves[0]
    at_y = turn[1, 0] * x + turn[1, 1] * y + side / 2 + waves[1]
    return cv2.remap(ink, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR)


def _smooth(rng: Rng, shape: tuple[int, ...], cells: int) -> Ink:
    """Random waves of mean 0 and standard deviation about 1, `cells` of them from side to side."""
    field = rng.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def photograph(strokes: Ink, rng: Rng, other: Picture) -> tuple[Picture, Ink]:
    """A digit on paper, or drawn on a screen.

    Args:
        strokes: What `write` returns.
        rng: Where all chance comes from.
        other: Another digit of MNIST, for a neighbour or one that shines through.

    Returns:
        The picture, RGB, uint8 [H, W, 3]; and where the digit is in it, float [H, W], ink 1.
    """
    size = float(np.exp(rng.uniform(np.log(36), np.log(170))))  # of the digit
    ink, place = _placed(strokes, size, rng)
    if rng.random() < 0.12:
        return _on_screen(ink, rng), ink
    paper = np.clip(rng.normal(205, 30), 110, 250) * (1 + rng.normal(0, 0.04, 3))
    pen = _pen(rng, paper)
    density = np.clip(1 + 0.25 * rng.random() * _smooth(rng, ink.shape, int(rng.integers(5, 40))), 0.3, 1.0)
    cover = ink * density
    page = np.broadcast_to(paper.astype(np.float32), (*ink.shape, 3)).copy()
    page *= (1 + 0.02 * rng.random() * rng.standard_normal(ink.shape).astype(np.float32))[..., None]
    if rng.random() < 0.4:
        _rule(page, size, rng)
    if rng.random() < 0.25:
        _blend(page, _neighbour(other, ink.shape, place, size, rng), pen)
    if rng.random() < 0.08:
        through = cv2.GaussianBlur(_placed(write(other, rng), size, rng, ink.shape)[0][:, ::-1], (0, 0), 2)
        _blend(page, through * rng.uniform(0.05, 0.15), pen)
    _blend(page, cover, pen)
    if rng.random() < 0.3:
        _specks(page, pen, rng)
    page *= _light(ink.shape, rng)[..., None]
    return _camera(page, size, rng), ink


def _placed(
    strokes: Ink, size: float, rng: Rng, shape: tuple[int, ...] | None = None
) -> tuple[Ink, tuple[int, int, int, int]]:
    """The digit at its size somewhere on an empty page, and its box there: left, top, right, bottom."""
    rows, columns = np.flatnonzero(strokes.max(axis=1) > 0.3), np.flatnonzero(strokes.max(axis=0) > 0.3)
    if not len(rows):
        return np.zeros((64, 64) if shape is None else shape, np.float32), (0, 0, 1, 1)
    digit = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = size / max(digit.shape)
    small = (max(2, round(digit.shape[1] * scale)), max(2, round(digit.shape[0] * scale)))
    digit = cv2.resize(digit, small, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if shape is None:
        if rng.random() < 0.15:  # cut close to the digit
            room = rng.integers(0, max(2, int(0.08 * size)), 4)
        else:
            room = (rng.gamma(2.0, 0.3, 4) * size).astype(int) + 2
        left, top, right, bottom = (int(r) for r in room)
        ink = np.pad(digit, ((top, bottom), (left, right)))
        most = 280
        if max(ink.shape) > most:
            ink = ink[: max(most, top + small[1]), : max(most, left + small[0])]
    else:
        ink = np.zeros(shape, np.float32)
        top, left = (int(rng.integers(0, max(1, whole - part))) for whole, part in zip(shape, digit.shape, strict=True))
        part = digit[: shape[0] - top, : shape[1] - left]
        ink[top : top + part.shape[0], left : left + part.shape[1]] = part
    return ink, (left, top, left + small[0], top + small[1])


def _on_screen(ink: Ink, rng: Rng) -> Picture:
    """Even colours: a drawing, or a scan that was reduced to black and white."""
    ends = (
        [np.full(3, 255.0), np.zeros(3)] if rng.random() < 0.6 else [rng.uniform(170, 255, 3), rng.uniform(0, 110, 3)]
    )
    ground, pen = ends if rng.random() < 0.6 else ends[::-1]
    cover = (ink > 0.5).astype(np.float32) if rng.random() < 0.3 else ink
    return (ground + cover[..., None] * (pen - ground)).clip(0, 255).astype(np.uint8)


def _pen(rng: Rng, paper: NDArray[Any]) -> NDArray[Any]:
    """The colour of the ink: black, blue, red, pencil; or white chalk on what then is a dark board."""
    inks = ((25, 25, 30), (35, 55, 150), (180, 40, 45), (30, 110, 60), (70, 70, 75))
    pen = np.array(inks[rng.choice(len(inks), p=[0.4, 0.3, 0.1, 0.05, 0.15])], np.float64) + rng.normal(0, 12, 3)
    if rng.random() < 0.12:
        paper *= rng.uniform(0.12, 0.4)
        pen = rng.uniform(190, 250, 3)
    faint = rng.uniform(0.12, 0.5) if rng.random() < 0.25 else rng.uniform(0.6, 1.0)
    return paper + faint * (pen - paper)


def _blend(page: Ink, cover: Ink, colour: NDArray[Any]) -> None:
    page += cover[..., None] * (colour.astype(np.float32) - page)


def _rule(page: Ink, size: float, rng: Rng) -> None:
    """Ruled or squared paper, slightly turned."""
    height, width = page.shape[:2]
    lines = np.zeros((height, width), np.uint8)
    step = size * rng.uniform(0.25, 1.4)
    tilt = rng.normal(0, 0.02)
    thick = max(1, round(size * rng.uniform(0.004, 0.02)))
    for across in (True, False)[: 1 + int(rng.random() < 0.45)]:
        length, most = (height, width) if across else (width, height)
        for at in np.arange(rng.uniform(-step, step), length + step, step):
            ends = [(0, round(at)), (most, round(at + tilt * most))]
            start, stop = (end if across else end[::-1] for end in ends)
            cv2.line(lines, start, stop, 255, thick, cv2.LINE_AA)
    colour = (
        page[0, 0] * rng.uniform(0.35, 0.92) * np.array(((0.75, 0.88, 1.0), (1, 1, 1), (1.0, 0.8, 0.8))[rng.choice(3)])
    )
    _blend(page, lines.astype(np.float32) / 255, colour)


def _neighbour(other: Picture, shape: tuple[int, ...], place: tuple[int, int, int, int], size: float, rng: Rng) -> Ink:
    """Another digit beside this one, cut off by the border."""
    ink, _ = _placed(write(other, rng), size * rng.uniform(0.8, 1.1), rng, shape)
    rows = np.flatnonzero(ink.max(axis=0) > 0.3)
    result = np.zeros(shape, np.float32)
    if not len(rows):
        return result
    gap = int(size * rng.uniform(0.15, 0.5))
    shift = place[2] + gap - rows[0] if rng.random() < 0.5 else place[0] - gap - rows[-1]
    move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
    return cv2.warpAffine(ink, move, (shape[1], shape[0]))


def _specks(page: Ink, pen: NDArray[Any], rng: Rng) -> None:
    height, width = page.shape[:2]
    for _ in range(int(rng.integers(1, 12))):
        radius = max(1, round(rng.exponential(0.006) * max(height, width)))
        colour = tuple(float(c) for c in pen + rng.uniform(0, 0.5) * (page[0, 0] - pen))
        cv2.circle(page, (int(rng.integers(width)), int(rng.integers(height))), radius, colour, -1, cv2.LINE_AA)


def _light(shape: tuple[int, ...], rng: Rng) -> Ink:
    """Brightness of the light, 0 to about 1.2: uneven, with a vignette, and with the edge of a shadow."""
    height, width = shape[:2]
    light: Ink = np.exp(rng.uniform(0, 0.2) * _smooth(rng, shape, 3))
    if rng.random() < 0.3:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        light *= 1 - rng.uniform(0, 0.4) * (x * x + y * y) / 2
    if rng.random() < 0.3:
        corners = rng.uniform(-0.4, 1.4, (4, 2)) * (width, height)
        shadow: Ink = np.zeros(shape[:2], np.float32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(corners.astype(np.int32)), 1.0, cv2.LINE_AA)
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(height, width) * np.exp(rng.uniform(np.log(0.003), np.log(0.08))))
        light *= 1 - rng.uniform(0.15, 0.6) * shadow
    return (light * rng.uniform(0.6, 1.1)).astype(np.float32)


def _camera(page: Ink, size: float, rng: Rng) -> Picture:
    """Blur, noise and compression."""
    if rng.random() < 0.7:
        sharp = rng.random() < 0.6
        page = cv2.GaussianBlur(
            page, (0, 0), 0.3 + size * (rng.uniform(0, 0.01) if sharp else rng.uniform(0.01, 0.035))
        )
    if rng.random() < 0.1:
        reach = max(2, int(size * rng.uniform(0.02, 0.08)))
        smear = np.zeros((2 * reach + 1,) * 2, np.float32)
        angle = rng.uniform(0, np.pi)
        along = np.round(np.outer([np.cos(angle), np.sin(angle)], np.linspace(-reach, reach, 4 * reach) / 2)).astype(
            int
        )
        smear[along[1] + reach, along[0] + reach] = 1
        page = cv2.filter2D(page, -1, smear / smear.sum())
    noise = rng.standard_normal(page.shape[:2]).astype(np.float32)[..., None] * rng.exponential(3.0)
    picture = (page + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    return picture

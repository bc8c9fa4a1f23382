"""Strokes on paper, in some light, before some camera, or on a screen: the second half of `renderer`."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.reading.ink import Ink, Picture
from mnist_cnn.reading.mnist_form import cut_out
from mnist_cnn.scenes.writing import smooth, write

LARGEST = 280
"""Long side of a picture in pixels, unless the digit ends beyond."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom exclusive."""
Rng = np.random.Generator


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
    density = np.clip(1 + 0.25 * rng.random() * smooth(rng, ink.shape, int(rng.integers(5, 40))), 0.3, 1.0)
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


def _placed(strokes: Ink, size: float, rng: Rng, shape: tuple[int, ...] | None = None) -> tuple[Ink, Box]:
    """The digit at its size somewhere on an empty page, and its box there."""
    digit = cut_out(strokes)
    if digit is None:
        return np.zeros((64, 64) if shape is None else shape, np.float32), (0, 0, 1, 1)
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
        ink = ink[: max(LARGEST, top + small[1]), : max(LARGEST, left + small[0])]
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


def _neighbour(other: Picture, shape: tuple[int, ...], place: Box, size: float, rng: Rng) -> Ink:
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
    light: Ink = np.exp(rng.uniform(0, 0.2) * smooth(rng, shape, 3))
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

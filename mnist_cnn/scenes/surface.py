"""The picture of a sheet: paper, board or screen, pens, printed lines, light, desk, camera."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.scenes.glyphs import smooth
from mnist_cnn.scenes.sheet import Sheet

Rng = np.random.Generator
Ink = NDArray[Any]
Colour = NDArray[np.float64]
Picture = NDArray[Any]

PENS = ((25, 25, 30), (35, 55, 150), (180, 40, 45), (30, 110, 60), (70, 70, 75))
"""Black, blue, red and green ink, pencil; RGB."""
TINTS = ((0.75, 0.88, 1.0), (1.0, 1.0, 1.0), (1.0, 0.8, 0.8), (0.8, 1.0, 0.85))
"""Of ruling: blue, grey, red, green."""


def pictured(sheet: Sheet, size: float, rng: Rng) -> Picture:
    """A sheet as a photo, a scan or a drawing shows it, RGB, uint8 [side, side, 3].

    Args:
        sheet: What is on it.
        size: Height of its digits in pixels, by which pens, ruling and blur are measured.
        rng: Where all chance comes from.
    """
    if rng.random() < 0.15:
        return _on_screen(sheet, rng)
    shape = sheet.written.shape
    paper = np.clip(rng.normal(205, 30), 110, 252) * (1 + rng.normal(0, 0.05, 3))
    rough = rng.random() < 0.7  # others are taken with care, on plain paper
    pen = _pen(rng, paper)
    page = np.broadcast_to(paper.astype(np.float32), (*shape, 3)).copy()
    page *= (1 + 0.025 * rng.random() * rng.standard_normal(shape).astype(np.float32))[..., None]
    if rough and rng.random() < 0.15:  # a ground with a texture: wood, cloth, a wall
        page *= (1 + rng.uniform(0.02, 0.12) * smooth(rng, shape, int(rng.integers(20, 90))))[..., None]
    if rng.random() < 0.45:
        _rule(page, sheet.angle, size, rng)
    printed = page[0, 0] * rng.uniform(0.1, 0.9) * np.array(TINTS[int(rng.integers(len(TINTS)))])
    _blend(page, sheet.printed * rng.uniform(0.4, 1.0), printed)
    if rng.random() < 0.06:  # the other side of the sheet shines through
        _blend(page, cv2.GaussianBlur(sheet.written[::-1, ::-1], (0, 0), 1.5) * rng.uniform(0.05, 0.2), pen)
    cover = sheet.written * _density(shape, rng)
    _blend(page, cover, pen)
    if rough and rng.random() < 0.15:  # a second ink, which may change within a digit
        where = (smooth(rng, shape, int(rng.integers(2, 9))) > rng.normal(0, 0.5)).astype(np.float32)
        _blend(page, cover * cv2.GaussianBlur(where, (0, 0), 1.0), _pen(rng, paper.copy()))
    if rough and rng.random() < 0.4:
        _specks(page, pen, size, rng)
    if rough and rng.random() < 0.12:
        _holes(page, sheet, size, rng)
    if rough and rng.random() < 0.2:
        _desk(page, sheet, rng)
    page *= _light(shape, rng)[..., None] if rough else rng.uniform(0.8, 1.15)
    return _camera(page, size, rng)


def _density(shape: tuple[int, ...], rng: Rng) -> Ink:
    """How much of the ink is there: streaks, and rows that are pale at one end."""
    density = 1 + 0.3 * rng.random() * smooth(rng, shape, int(rng.integers(5, 40)))
    if rng.random() < 0.12:
        ends = rng.permutation((rng.uniform(0.2, 0.6), 1.0))
        density = density * np.linspace(ends[0], ends[1], shape[1])
    return np.clip(density, 0.15, 1.0).astype(np.float32)


def _on_screen(sheet: Sheet, rng: Rng) -> Picture:
    """Even colours: a drawing, or a scan that was reduced to black and white."""
    ends = [np.full(3, 255.0), np.zeros(3)]
    if rng.random() < 0.4:
        ends = [rng.uniform(170, 255, 3), rng.uniform(0, 110, 3)]
    ground, pen = ends if rng.random() < 0.55 else ends[::-1]
    cover = (sheet.written > rng.uniform(0.3, 0.6)).astype(np.float32) if rng.random() < 0.3 else sheet.written
    page: Ink = np.broadcast_to(ground.astype(np.float32), (*cover.shape, 3)).copy()
    _blend(page, sheet.printed, ground + rng.uniform(0.2, 1.0) * (pen - ground))
    _blend(page, cover, pen)
    if rng.random() < 0.2:
        page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.3, 1.2))
    return _compressed(page.clip(0, 255).astype(np.uint8), 0.3, rng)


def _pen(rng: Rng, paper: Colour) -> Colour:
    """The colour of the ink: black, blue, red, pencil; or white chalk on what then is a dark board."""
    pen = np.array(PENS[rng.choice(len(PENS), p=[0.4, 0.3, 0.1, 0.05, 0.15])], np.float64) + rng.normal(0, 12, 3)
    if rng.random() < 0.12:
        paper *= rng.uniform(0.12, 0.4)
        pen = rng.uniform(190, 250, 3) * (1 + rng.normal(0, 0.1, 3))
    faint = rng.uniform(0.25, 0.55) if rng.random() < 0.2 else rng.uniform(0.6, 1.0)
    return paper + faint * (pen - paper)


def _blend(page: Ink, cover: Ink, colour: NDArray[np.floating]) -> None:
    page += cover[..., None] * (colour.astype(np.float32) - page)


def _rule(page: Ink, angle: float, size: float, rng: Rng) -> None:
    """Ruled or squared paper, slightly turned, with a margin line now and then."""
    side = len(page)
    lines = np.zeros((side, side), np.float32)
    step, tilt = max(3.0, size * rng.uniform(0.25, 1.8)), math.tan(angle) + rng.normal(0, 0.03)
    thick = max(1, round(size * rng.uniform(0.004, 0.05)))
    for across in (True, False)[: 1 + int(rng.random() < 0.45)]:
        for at in np.arange(rng.uniform(-step, step) - 0.5 * side, 1.5 * side, step):
            ends = [(0, round(at)), (side, round(at + (tilt if across else -tilt) * side))]
            start, stop = (end if across else end[::-1] for end in ends)
            cv2.line(lines, start, stop, 1.0, thick, cv2.LINE_AA)
    tint = np.array(TINTS[int(rng.integers(len(TINTS)))])
    _blend(page, lines * rng.uniform(0.25, 1.0), page[0, 0] * rng.uniform(0.3, 0.92) * tint)
    if rng.random() < 0.1:
        lines[:] = 0
        x = int(rng.integers(side))
        cv2.line(lines, (x, 0), (round(x + tilt * side), side), 1.0, thick, cv2.LINE_AA)
        _blend(page, lines, page[0, 0] * np.array((1.0, 0.5, 0.5)))


def _specks(page: Ink, pen: Colour, size: float, rng: Rng) -> None:
    side = len(page)
    for _ in range(int(rng.integers(1, 14))):
        radius = max(1, round(rng.exponential(0.03) * size))
        colour = tuple(float(c) for c in pen + rng.uniform(0, 0.5) * (page[0, 0] - pen))
        cv2.circle(page, tuple(int(v) for v in rng.integers(side, size=2)), radius, colour, -1, cv2.LINE_AA)


def _holes(page: Ink, sheet: Sheet, size: float, rng: Rng) -> None:
    """Holes of a binder along one side of the sheet, but for where a digit is: something dark or bright shows."""
    side, radius = len(page), max(2, round(size * rng.uniform(0.15, 0.6)))
    along, across = np.arange(rng.uniform(0, 2) * size, side, rng.uniform(2.5, 8) * size), rng.uniform(0, 0.12) * side
    across = across if rng.random() < 0.5 else side - across
    colour = tuple(float(c) for c in rng.uniform(0, 255) * (1 + rng.normal(0, 0.1, 3)))
    is_column = rng.random() < 0.6
    for at in along:
        x, y = (round(across), round(at)) if is_column else (round(at), round(across))
        here = sheet.ink[max(0, y - radius) : max(0, y + radius), max(0, x - radius) : max(0, x + radius)]
        if not here.any():
            cv2.circle(page, (x, y), radius, colour, -1, cv2.LINE_AA)


def _desk(page: Ink, sheet: Sheet, rng: Rng) -> None:
    """The sheet ends, and a desk, a hand or another sheet begins, where nothing is written."""
    side = len(page)
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.5) * side
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    beyond = (np.cos(angle) * x + np.sin(angle) * y > far).astype(np.float32)
    if rng.random() < 0.4:
        other = angle + rng.choice((-1, 1)) * rng.uniform(1.2, 1.9)
        beyond = np.maximum(beyond, np.cos(other) * x + np.sin(other) * y > far).astype(np.float32)
    if (beyond * (sheet.written + sheet.ink) > 0.3).any():
        return
    texture = 1 + rng.exponential(0.05) * smooth(rng, page.shape[:2], int(rng.integers(3, 60)))
    colour = rng.uniform(10, 250) * (1 + rng.normal(0, 0.15, 3))
    beyond = cv2.GaussianBlur(beyond, (0, 0), rng.uniform(0.3, 1.5))[..., None]
    page += beyond * (texture[..., None] * colour.astype(np.float32) - page)


def _light(shape: tuple[int, ...], rng: Rng) -> Ink:
    """Brightness of the light, 0 to about 1.2: uneven, with a vignette, and with the edge of a shadow."""
    height, width = shape
    light: Ink = np.exp(rng.uniform(0, 0.2) * smooth(rng, shape, 3))
    if rng.random() < 0.2:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        light = light * (1 - rng.uniform(0, 0.4) * (x * x + y * y) / 2)
    if rng.random() < 0.45:
        corners = rng.uniform(-0.4, 1.4, (int(rng.integers(3, 6)), 2)) * (width, height)
        shadow: Ink = np.zeros(shape, np.float32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(corners.astype(np.int32)), 1.0, cv2.LINE_AA)
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(shape) * np.exp(rng.uniform(np.log(0.003), np.log(0.08))))
        light = light * (1 - rng.uniform(0.15, 0.7) * shadow)
    return (light * rng.uniform(0.5, 1.15)).astype(np.float32)


def _camera(page: Ink, size: float, rng: Rng) -> Picture:
    """Blur, motion, noise and compression."""
    if rng.random() < 0.6:
        soft = rng.uniform(0, 0.012) if rng.random() < 0.6 else rng.uniform(0.012, 0.04)
        page = cv2.GaussianBlur(page, (0, 0), 0.2 + size * soft)
    if rng.random() < 0.08:
        reach = max(1, int(size * rng.uniform(0.02, 0.08)))
        smear = np.zeros((2 * reach + 1,) * 2, np.float32)
        angle = rng.uniform(0, np.pi)
        ends = np.outer([np.cos(angle), np.sin(angle)], np.linspace(-reach, reach, 4 * reach) / 2)
        along = np.round(ends).astype(int)
        smear[along[1] + reach, along[0] + reach] = 1
        page = cv2.filter2D(page, -1, smear / smear.sum())
    noise = rng.standard_normal(page.shape[:2]).astype(np.float32)[..., None] * rng.exponential(3.0)
    return _compressed((page + noise).clip(0, 255).astype(np.uint8), 0.5, rng)


def _compressed(picture: Picture, share: float, rng: Rng) -> Picture:
    """So many of all pictures went through JPEG."""
    if rng.random() >= share:
        return picture
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
    decoded: Any = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
    return decoded

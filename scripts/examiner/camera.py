"""What a camera sees of a sheet of paper: from where, in which light, through its lens, with its sensor."""

import math

import cv2
import numpy as np

from examiner.looks import Look, clouds, linear
from examiner.strokes import Array, Rng, rotation

GAMMA = np.round(255 * np.linspace(0, 1, 65536) ** (1 / 2.2)).astype(np.uint8)
"""Linear light, 0 to 65535, as sRGB."""


def seen_corners(rng: Rng, look: Look) -> tuple[Array, Array]:
    """The corners of the sheet, and where the camera sees them, [4, 2]: around the picture."""
    width, height = look.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    if not look.tilt and not look.roll:
        return corners, corners
    middle = corners.mean(axis=0)
    rolled = (corners - middle) @ rotation(math.radians(look.roll)).astype(np.float32).T + middle
    seen = (rolled + rng.uniform(-1, 1, (4, 2)) * look.tilt * min(look.size)).astype(np.float32)
    while any(cv2.pointPolygonTest(seen, tuple(corner.tolist()), False) < 0 for corner in corners):
        seen = (seen - middle) * np.float32(1.02) + middle
    return corners, seen


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


def lit(rng: Rng, look: Look, page: Array, unit: float) -> Array:
    """The light that comes from a sheet, float32 [H, W, 3], in place of its reflectance; a digit has `unit` pixels."""
    size = (look.size[1], look.size[0])
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
    page *= light[..., None]
    page *= look.exposure * linear(look.tint)
    if look.shadow:  # less blue is missing in it: the sky still shines
        page *= 1 - look.shadow * _shadow(rng, look)[..., None] * np.array([1.0, 0.98, 0.93], np.float32)
    if look.glare:
        page += look.exposure * _glare(rng, look, unit)[..., None]
    return page


def _shadow(rng: Rng, look: Look) -> Array:
    """The shadow of a hand, a head or a phone that reaches in from one side, across the writing."""
    width, height = look.size
    turn = rng.uniform(0, 2 * math.pi)
    count = int(rng.integers(3, 7))
    edge = np.linspace(-1.2, 1.2, 16 * count)
    depth: Array = rng.uniform(-0.25, 0.25) + 0.18 * rng.standard_normal((count, 1))
    depth = cv2.resize(depth, (1, 16 * count), interpolation=cv2.INTER_CUBIC)[:, 0]
    points = np.concatenate([np.stack([depth, edge], axis=1), [(2, 1.2), (2, -1.2)]])
    points = points @ rotation(turn).T * max(width, height) * 0.7 + np.array([width, height]) / 2
    mask: Array = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [np.round(points * 8).astype(np.int32)], 1.0, cv2.LINE_AA, 3)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.6, look.penumbra * min(look.size))))


def _glare(rng: Rng, look: Look, unit: float) -> Array:
    """The reflection of a lamp or a window on something glossy, beside the writing rather than over it."""
    (width, height), short = look.size, min(look.size)
    bright: Array = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        away = rng.uniform(0, 2 * math.pi)
        radius = rng.uniform(0.05, 0.14) * short
        far = 0.5 * unit + radius * 1.6
        x, y = width / 2 + far * math.cos(away), height / 2 + far * math.sin(away)
        axes = (round(radius), round(radius * rng.uniform(0.4, 1)))
        cv2.ellipse(bright, (round(x), round(y)), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
    bright = cv2.GaussianBlur(bright, (0, 0), 0.02 * short) + cv2.GaussianBlur(bright, (0, 0), 0.1 * short)
    return np.asarray(look.glare * bright)

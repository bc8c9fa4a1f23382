"""The light on a sheet of paper: uneven, coloured, with shadows and reflections."""

import math

import cv2
import numpy as np

from examiner.looks import Look, Rng, clouds, linear
from examiner.strokes import Array


def lit(rng: Rng, look: Look, page: Array, unit: float) -> Array:
    """The light that comes from a sheet, float32 [H, W, 3]; takes the place of the sheet.

    Args:
        rng: Everything that chance decides.
        look: How it looks.
        page: Reflectance, float32 [H, W, 3].
        unit: The longer side of a digit in pixels.
    """
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
    picture = page  # in place from here: the pictures are large
    picture *= light[..., None]
    picture *= look.exposure * linear(look.tint)
    if look.shadow:  # less blue is missing in it: the sky still shines
        picture *= 1 - look.shadow * _shadow(rng, look)[..., None] * np.array([1.0, 0.98, 0.93], np.float32)
    if look.glare:
        picture += look.exposure * _glare(rng, look, unit)[..., None]
    return picture


def _shadow(rng: Rng, look: Look) -> Array:
    """The shadow of a hand, a head or a phone that reaches in from one side, across the writing."""
    width, height = look.size
    turn = rng.uniform(0, 2 * math.pi)
    count = int(rng.integers(3, 7))
    edge = np.linspace(-1.2, 1.2, 16 * count)
    depth: Array = rng.uniform(-0.25, 0.25) + 0.18 * rng.standard_normal((count, 1))
    depth = cv2.resize(depth, (1, 16 * count), interpolation=cv2.INTER_CUBIC)[:, 0]
    points = np.concatenate([np.stack([depth, edge], axis=1), [(2, 1.2), (2, -1.2)]])
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points = points @ rotation.T * max(width, height) * 0.7 + np.array([width, height]) / 2
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

"""A camera: where it stands, its lens and its sensor."""

import math

import cv2
import numpy as np

from examiner.looks import Look, Rng
from examiner.strokes import Array

GAMMA = np.round(255 * np.linspace(0, 1, 65536) ** (1 / 2.2)).astype(np.uint8)
"""Linear light, 0 to 65535, as sRGB."""


def seen_corners(rng: Rng, look: Look) -> tuple[Array, Array]:
    """The corners of the sheet, and where the camera sees them, [4, 2]: around the picture."""
    width, height = look.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    if not look.tilt and not look.roll:
        return corners, corners
    turn = math.radians(look.roll)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], np.float32)
    middle = corners.mean(axis=0)
    seen = (corners - middle) @ rotation.T + middle + rng.uniform(-1, 1, (4, 2)) * look.tilt * min(look.size)
    seen = seen.astype(np.float32)
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

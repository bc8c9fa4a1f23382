"""A sheet of paper from above in even light: what is printed on it, written on it, lies on it and around it."""

import math

import cv2
import numpy as np

from examiner.around import fold, punch, put_on_desk, speckle
from examiner.looks import clouds, linear
from examiner.printing import print_on
from examiner.strokes import Array, stroke, upright
from examiner.writing import Sheet


def reflectance(sheet: Sheet) -> Array:
    """The sheet from above in even light: its reflectance, float32 [H, W, 3]."""
    look, rng = sheet.look, sheet.rng
    page = np.empty((*sheet.size, 3), np.float32)
    page[:] = linear(look.paper)
    if look.texture:
        page *= (1 + look.texture * _fibres(sheet))[..., None]
    if look.through and sheet.others:
        _print_through(sheet, page)
    print_on(sheet, page)
    if look.crease:
        fold(sheet, page)
    for mark in sheet.writing.marks:
        part, coverage = stroke(rng, mark.glyph, sheet.size, mark.place, sheet.pen(mark))
        sheet.ink[part] = np.maximum(sheet.ink[part], coverage)
    for _ in range(look.neighbours):
        _neighbour(sheet, page)
    if sheet.writing.marks:
        _lay(sheet, page, sheet.ink)
    speckle(sheet, page)
    if look.holes:
        punch(sheet, page)
    if look.desk:
        put_on_desk(sheet, page)
    return page


def _fibres(sheet: Sheet) -> Array:
    rng = sheet.rng
    grain = 0.5 * clouds(rng, sheet.size, 1) + 0.6 * clouds(rng, sheet.size, 2.5) + 0.5 * clouds(rng, sheet.size, 30)
    marks, count = np.zeros(sheet.size, np.float32), max(1, sheet.size[0] * sheet.size[1] // 2500)
    start = rng.uniform(0, 1, (count, 1, 2)) * sheet.size[::-1]
    turn = rng.uniform(0, 2 * math.pi, (count, 1)) + rng.normal(0, 0.4, (count, 1)) * np.arange(4)
    steps = rng.uniform(4, 14, (count, 1, 1)) * np.stack([np.cos(turn), np.sin(turn)], axis=2)
    points = np.round((start + np.cumsum(steps, axis=1)) * 8).astype(np.int32)
    for part, strength in enumerate((-1.5, -0.7, 0.7, 1.5)):
        cv2.polylines(marks, list(points[part::4]), False, strength, 1, shift=3)
    return np.asarray(grain + cv2.GaussianBlur(marks, (0, 0), 0.7), np.float32)


def _lay(sheet: Sheet, page: Array, coverage: Array) -> None:
    """Ink, where it lies, in place."""
    look, rng = sheet.look, sheet.rng
    pen = (look.pen or 0.12) * sheet.unit
    x, y, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    margin = math.ceil(4 * look.rough * pen) + 3
    part = (slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin))
    page, coverage = page[part], coverage[part]
    size = coverage.shape
    if look.rough:
        ragged = cv2.GaussianBlur(coverage, (0, 0), max(0.5, look.rough * pen))
        ragged = ragged + 0.13 * clouds(rng, size, max(1.5, 2.5 * look.rough * pen)) * (ragged > 0.02)
        coverage = np.clip((ragged - 0.35) * 3, 0, 1)
    if look.grain:
        tooth = 0.6 * clouds(rng, size, 1.6) + 0.6 * clouds(rng, size, 3.5)
        coverage = coverage * np.clip(1.15 - look.grain * (0.5 + 0.6 * tooth), 0.12, 1)
    coverage = cv2.GaussianBlur(coverage, (0, 0), 0.6)[..., None]
    density = np.full(size, look.opacity, np.float32)
    if look.blotch:
        uneven = 0.7 * clouds(rng, size, max(3, 1.5 * pen)) + 0.5 * clouds(rng, size, max(2, 0.4 * pen))
        density = np.clip(density * (1 - look.blotch * uneven), 0.4 * look.opacity, 1)
    if look.fade:
        ramp = np.linspace(0, 1, size[1], dtype=np.float32)
        density *= 1 - look.fade * (ramp if look.extra.get("fade right") else ramp[::-1])
    target = linear(look.ink)
    if look.inks:
        share = np.clip(0.5 + 3 * clouds(rng, size, 0.6 * sheet.unit), 0, 1)[..., None]
        target = target + share * (linear(look.inks) - target)
    if sum(look.ink) < sum(look.paper) and look.opacity < 1:  # dye absorbs: twice the ink squares what it lets through
        target = page * (np.maximum(target, 0.004) / np.maximum(page, 0.004)) ** density[..., None]
    else:
        coverage = coverage * density[..., None]
    page += coverage * (target - page)


def _print_through(sheet: Sheet, page: Array) -> None:
    """What is written on the other side: mirrored, soft and faint."""
    rng = sheet.rng
    shade: Array = np.zeros(sheet.size, np.float32)
    pitch = 0.55 * sheet.unit
    for y in np.arange(rng.uniform(0, pitch), sheet.size[0] + pitch, pitch * 1.5):
        for x in np.arange(rng.uniform(0, pitch), sheet.size[1] + pitch, pitch * 0.8):
            if rng.random() < 0.75:
                glyph = sheet.others[int(rng.integers(len(sheet.others)))]
                place = np.array([[-0.9 * pitch, 0, x], [0, 0.9 * pitch, y]])
                part, coverage = stroke(rng, glyph, sheet.size, place, 0.1)
                shade[part] = np.maximum(shade[part], coverage)
    shade = cv2.GaussianBlur(shade, (0, 0), 0.02 * sheet.unit)
    page *= (1 - sheet.look.through * shade)[..., None]


def _neighbour(sheet: Sheet, page: Array) -> None:
    """A part of some other writing that the border of the picture cuts off."""
    rng, look = sheet.rng, sheet.look
    if not sheet.others:
        return
    glyph = sheet.others[int(rng.integers(len(sheet.others)))]
    axis, is_far = divmod(int(rng.integers(4)), 2)
    along = rng.uniform(0.1, 0.9)
    size = sheet.unit * rng.uniform(0.7, 1.0)
    low, high = glyph.bounds
    cut = rng.uniform(0.1, 0.3) * (high - low)[axis]
    at = [along * sheet.size[1], along * sheet.size[0]]
    at[axis] = sheet.size[1 - axis] + size * (-cut - low[axis]) if is_far else size * (cut - high[axis])
    coverage: Array = np.zeros(sheet.size, np.float32)
    part, inside = stroke(rng, glyph, sheet.size, upright(size, *at), look.pen)
    coverage[part] = inside
    reach = max(3, round(0.1 * sheet.unit))
    if not sheet.ink[cv2.dilate(coverage, np.ones((reach, reach), np.uint8)) > 0].any():
        _lay(sheet, page, coverage)  # else it would run into what is to be read

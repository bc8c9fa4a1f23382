"""A sheet of paper from above in even light: what is printed on it, written on it, lies on it and around it."""

import math

import cv2
import numpy as np

from examiner.looks import blend, clouds, linear
from examiner.printing import print_on
from examiner.strokes import Array, Rng, stroke, upright
from examiner.writing import Sheet

WOODS = ((150, 105, 66), (92, 70, 52), (66, 68, 72), (196, 176, 148), (120, 124, 128), (70, 90, 84))
SKINS = ((224, 172, 142), (198, 134, 100), (141, 85, 60), (92, 58, 44), (238, 196, 170))


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


def fold(sheet: Sheet, page: Array) -> None:
    """A fold across the sheet: one side brighter, the other darker, a worn line between."""
    turn = sheet.rng.uniform(0, math.pi)
    ys, xs = np.mgrid[: sheet.size[0], : sheet.size[1]].astype(np.float32)
    offset = sheet.rng.uniform(-0.25, 0.25) * sheet.short
    distance = (xs - sheet.size[1] / 2) * math.cos(turn) + (ys - sheet.size[0] / 2) * math.sin(turn) - offset
    reach = 0.06 * sheet.short
    page *= (1 + sheet.look.crease * np.sign(distance) * np.exp(-np.abs(distance) / reach))[..., None]
    page *= (1 - 1.5 * sheet.look.crease * np.exp(-((distance / (0.002 * sheet.short)) ** 2)))[..., None]


def speckle(sheet: Sheet, page: Array) -> None:
    """Dust, crumbs and dots of ink; away from the writing, or a person would read them as part of it."""
    rng = sheet.rng
    for _ in range(sheet.look.specks):
        x, y = (int(rng.integers(side)) for side in sheet.size[::-1])
        radius = rng.uniform(0.002, 0.007) * sheet.short
        reach = int(4 * radius) + 2
        if sheet.ink[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].any():
            continue
        spot: Array = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        axes = (round(radius * 8), round(radius * rng.uniform(4, 8)))
        cv2.ellipse(spot, (reach * 8, reach * 8), axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA, 3)
        top, left = max(0, y - reach), max(0, x - reach)
        part = page[top : y + reach + 1, left : x + reach + 1]
        spot = spot[top - y + reach :, left - x + reach :][: part.shape[0], : part.shape[1], None]
        part += rng.uniform(0.4, 0.95) * spot * (linear((60, 55, 50)) - part)


def punch(sheet: Sheet, page: Array) -> None:
    """The holes of a spiral or a binder along one side, with the dark behind and the edge's shadow."""
    rng, (height, width) = sheet.rng, sheet.size
    top = rng.random() < 0.5
    radius = rng.uniform(0.014, 0.03) * sheet.short
    inset = radius * rng.uniform(1.6, 2.6)
    hole = np.zeros(sheet.size, np.float32)
    for at in np.arange(rng.uniform(0, 3) * radius, width if top else height, radius * rng.uniform(4, 5.5)):
        centre = (at, inset) if top else (inset, at)
        cv2.circle(hole, tuple(round(v * 8) for v in centre), round(radius * 8), 1.0, -1, cv2.LINE_AA, 3)
    rim = cv2.GaussianBlur(np.roll(hole, (2, 2), (0, 1)), (0, 0), 0.3 * radius)
    page *= (1 - 0.15 * rim)[..., None]
    blend(page, hole, linear((58, 50, 46)) * rng.uniform(0.6, 1.6))


def put_on_desk(sheet: Sheet, page: Array) -> None:
    """What lies beyond one edge of the sheet."""
    rng, (height, width) = sheet.rng, sheet.size
    side, tilt = int(rng.integers(4)), rng.normal(0, 0.03)
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    across, along, length = (xs, ys, width) if side < 2 else (ys, xs, height)
    if side % 2:
        across = length - 1 - across
    distance = across - sheet.look.desk * length - tilt * (along - along.mean())
    shadow = np.exp(-np.clip(-distance, 0, None) / (0.01 * sheet.short))
    desk = desk_top(rng, sheet.size) * (1 - 0.6 * shadow)[..., None]
    blend(page, np.clip(0.5 - distance, 0, 1), desk)


def desk_top(rng: Rng, size: tuple[int, int]) -> Array:
    """A table or a desk from above, float32 [H, W, 3]."""
    wood = linear(WOODS[int(rng.integers(len(WOODS)))])
    grain = clouds(rng, (max(4, size[0] // 8), size[1]), 6)
    grain = cv2.resize(grain, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(wood * (1 + 0.1 * grain + 0.04 * clouds(rng, size, 1))[..., None])


def hold(rng: Rng, picture: Array, corners: Array) -> None:
    """A hand that holds a sheet by the finger tips, in place: the corners, [4, 2], go clockwise from the upper left."""
    size, side = picture.shape[:2], int(rng.integers(1, 4))  # not from above
    start, end = corners[side], corners[(side + 1) % 4]
    along = (end - start) / np.hypot(*(end - start))
    outward = np.array([along[1], -along[0]])
    middle, width = start + (end - start) * rng.uniform(0.3, 0.7), 0.075 * min(size)
    skin: Array = np.zeros(size, np.float32)
    nails: Array = np.zeros(size, np.float32)
    for finger in range(4):
        across = (finger - 1.5) * width * 1.12
        reach = width * (0.45 - 0.18 * abs(finger - 1.4)) + rng.normal(0, 0.08 * width)
        tip = middle + across * along - (reach - 0.5 * width) * outward
        root = middle + 0.9 * across * along + 4.5 * width * outward
        cv2.line(skin, _fixed(tip), _fixed(root), 1.0, round(width), cv2.LINE_AA, 3)
        cv2.ellipse(nails, _fixed(tip), (round(2.4 * width), round(2 * width)), 0, 0, 360, 1.0, -1, cv2.LINE_AA, 3)
    palm = middle + 5.5 * width * outward
    cv2.line(skin, _fixed(palm), _fixed(palm + 20 * width * outward), 1.0, round(4.2 * width), cv2.LINE_AA, 3)
    shadow = cv2.GaussianBlur(skin, (0, 0), 0.25 * width)
    picture *= (1 - 0.45 * shadow * (1 - skin))[..., None]
    round_ = cv2.GaussianBlur(skin, (0, 0), 0.18 * width)  # darker towards the edges
    colour = linear(SKINS[int(rng.integers(len(SKINS)))])
    shade = (0.25 + 0.75 * round_**2) * (1 + 0.03 * clouds(rng, size, 3)) + 0.12 * cv2.GaussianBlur(nails, (0, 0), 1.5)
    blend(picture, skin, colour * shade[..., None])


def _fixed(point: Array) -> tuple[int, int]:
    return round(float(point[0]) * 8), round(float(point[1]) * 8)

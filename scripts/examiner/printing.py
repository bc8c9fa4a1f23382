"""What is printed on a sheet: ruling, squares, boxes, forms and text."""

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from examiner.looks import blend, linear
from examiner.strokes import Array
from examiner.writing import Point, Sheet


def print_on(sheet: Sheet, page: Array) -> None:
    """Everything printed, in place."""
    look, rng = sheet.look, sheet.rng
    lines: Array = np.zeros(sheet.size, np.float32)
    thick = max(1.0, rng.uniform(0.0018, 0.004) * sheet.short)

    def line(start: Point, end: Point, thicker: float = 1.0) -> None:
        points = [(round(x * 8), round(y * 8)) for x, y in (start, end)]
        cv2.line(lines, points[0], points[1], 1.0, max(1, round(thick * thicker)), cv2.LINE_AA, 3)

    if look.printed:
        for start, end in _grid(sheet) if look.printed in ("ruled", "squared") else _boxes(sheet):
            line(start, end)
    if look.printed == "ruled" and look.extra.get("margin"):
        left = round(rng.uniform(0.03, 0.12) * sheet.size[1])
        red: Array = np.zeros(sheet.size, np.float32)
        cv2.line(red, (left, 0), (left, sheet.size[0]), 1.0, max(1, round(thick)), cv2.LINE_AA)
        blend(page, 0.6 * red, linear((220, 110, 110)))
    if lines.any():
        blend(page, look.print_strength * lines, linear(look.print_colour))
        lines[:] = 0
    for start, end, thicker in sheet.writing.rules:
        line(start, end, thicker)
    for text, (x, y), height in sheet.writing.labels:
        _label(lines, text, round(x), round(y), height)
    if lines.any():
        blend(page, look.extra.get("form", 0.85) * lines, linear(look.extra.get("form ink", (60, 60, 66))))


def _grid(sheet: Sheet) -> list[tuple[Point, Point]]:
    """The lines of ruled or squared paper."""
    look, rng, (height, width) = sheet.look, sheet.rng, sheet.size
    pitch = look.print_pitch * sheet.unit
    first = (sheet.writing.baseline + rng.uniform(0, 0.06) * sheet.unit) % pitch
    lines: list[tuple[Point, Point]] = []
    if look.printed == "squared":
        first = rng.uniform(0, pitch)
        lines += [((x, -5), (x, height + 5)) for x in np.arange(rng.uniform(0, pitch), width, pitch)]
    return lines + [((-5, y), (width + 5, y)) for y in np.arange(first, height, pitch)]


def _boxes(sheet: Sheet) -> list[tuple[Point, Point]]:
    """A box around the digit, or a line of four with the others empty."""
    marks, look = sheet.writing.marks, sheet.look
    middle = marks[0].place[:, 2] if marks else np.array(sheet.size[::-1]) / 2
    half = look.print_pitch * sheet.unit / 2
    wobble = sheet.rng.normal(0, 0.02 * sheet.unit, (4, 2)) if look.extra.get("by hand") else np.zeros((4, 2))
    count = 1 if look.printed == "box" else 4
    lines: list[tuple[Point, Point]] = []
    for i in range(count):
        shift = np.array([2 * half * (i - count // 2), 0])
        corners = middle + shift + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) + wobble
        points = [(float(x), float(y)) for x, y in corners]
        lines += zip(points, points[1:] + points[:1], strict=True)
    return lines


@lru_cache(maxsize=32)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def _label(lines: Array, text: str, x: int, y: int, height: float) -> None:
    """Printed text, as coverage."""
    font = _font(max(8, round(height)))
    left, _, right, bottom = (round(side) for side in font.getbbox(text))
    image = Image.new("L", (max(1, right - left), max(1, bottom)))
    ImageDraw.Draw(image).text((-left, 0), text, fill=255, font=font)
    inside = lines[max(0, y) : y + image.height, max(0, x) : x + image.width]
    part = np.asarray(image, np.float32)[max(0, -y) :, max(0, -x) :][: inside.shape[0], : inside.shape[1]] / 255
    np.maximum(inside, part, out=inside)


def text_width(text: str, height: float) -> float:
    """Of printed text, in pixels."""
    return float(_font(max(8, round(height))).getlength(text))

"""A sheet of paper from above in even light: what is printed on it, written on it, lies on it and around it."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from examiner.around import fold, punch, put_on_desk, speckle
from examiner.looks import Colour, Look, clouds, linear
from examiner.printing import print_on
from examiner.strokes import Array, Glyph, Rng, on_page, readable_pen, stroke, upright, zoom
from examiner.writing import Mark, Writing


class Sheet:
    """A sheet of paper with something on it; the parts of a picture that need to know where things are."""

    def __init__(self, rng: Rng, look: Look, writing: Writing, others: Sequence[Glyph]) -> None:
        """Takes what is written, and what stands at the border or on the other side."""
        self.rng, self.look, self.writing, self.others = rng, look, writing, others
        self.short = min(look.size)
        self.unit = writing.unit
        self.size = (look.size[1], look.size[0])
        self.ink: Array = np.zeros(self.size, np.float32)

    def sheet(self) -> Array:
        """The sheet from above in even light: its reflectance, float32 [H, W, 3]."""
        look, rng = self.look, self.rng
        page = np.empty((*self.size, 3), np.float32)
        page[:] = linear(look.paper)
        if look.texture:
            page *= (1 + look.texture * self._fibres())[..., None]
        if look.through and self.others:
            self._print_through(page)
        print_on(self, page)
        if look.crease:
            fold(self, page)
        for mark in self.writing.marks:
            part, coverage = stroke(rng, mark.glyph, self.size, mark.place, self.pen(mark))
            self.ink[part] = np.maximum(self.ink[part], coverage)
        for _ in range(look.neighbours):
            self._neighbour(page)
        if self.writing.marks:
            self._lay(page, self.ink, look.ink, look.opacity)
        speckle(self, page)
        if look.holes:
            punch(self, page)
        if look.desk:
            put_on_desk(self, page)
        return page

    def pen(self, mark: Mark) -> float | None:
        """The width of the pen in a glyph's units; None for the glyph's own shape."""
        if self.look.pen is None:
            return None
        pen = round(mark.pen * self.look.pen * self.unit / zoom(mark.place), 4)
        return readable_pen(mark.glyph, pen) if mark.glyph.text else pen

    def box(self, mark: Mark, matrix: Array) -> Array:
        """The four sides of a mark, left, top, right and bottom, after a perspective transform [3, 3]."""
        half = 0.5 * zoom(mark.place) * (self.pen(mark) or 0.15)
        points = np.concatenate([on_page(line, mark.place) for line in mark.glyph.lines])
        around = np.concatenate([points + half * np.array([x, y]) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))])
        seen = cv2.perspectiveTransform(around[None].astype(np.float64), matrix)[0]
        return np.concatenate([seen.min(axis=0), seen.max(axis=0)])

    def _fibres(self) -> Array:
        rng = self.rng
        grain = 0.5 * clouds(rng, self.size, 1) + 0.6 * clouds(rng, self.size, 2.5) + 0.5 * clouds(rng, self.size, 30)
        marks, count = np.zeros(self.size, np.float32), max(1, self.size[0] * self.size[1] // 2500)
        start = rng.uniform(0, 1, (count, 1, 2)) * self.size[::-1]
        turn = rng.uniform(0, 2 * math.pi, (count, 1)) + rng.normal(0, 0.4, (count, 1)) * np.arange(4)
        steps = rng.uniform(4, 14, (count, 1, 1)) * np.stack([np.cos(turn), np.sin(turn)], axis=2)
        points = np.round((start + np.cumsum(steps, axis=1)) * 8).astype(np.int32)
        for part, strength in enumerate((-1.5, -0.7, 0.7, 1.5)):
            cv2.polylines(marks, list(points[part::4]), False, strength, 1, shift=3)
        return np.asarray(grain + cv2.GaussianBlur(marks, (0, 0), 0.7), np.float32)

    def _lay(self, page: Array, coverage: Array, colour: Colour, opacity: float) -> None:
        """Ink, where it lies, in place."""
        look, rng = self.look, self.rng
        pen = (look.pen or 0.12) * self.unit
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
        density = np.full(size, opacity, np.float32)
        if look.blotch:
            uneven = 0.7 * clouds(rng, size, max(3, 1.5 * pen)) + 0.5 * clouds(rng, size, max(2, 0.4 * pen))
            density = np.clip(density * (1 - look.blotch * uneven), 0.4 * opacity, 1)
        if look.fade:
            ramp = np.linspace(0, 1, size[1], dtype=np.float32)
            density *= 1 - look.fade * (ramp if look.extra.get("fade right") else ramp[::-1])
        target = linear(colour)
        if look.inks:
            share = np.clip(0.5 + 3 * clouds(rng, size, 0.6 * self.unit), 0, 1)[..., None]
            target = target + share * (linear(look.inks) - target)
        if sum(colour) < sum(look.paper) and opacity < 1:  # dye absorbs: twice the ink squares what it lets through
            target = page * (np.maximum(target, 0.004) / np.maximum(page, 0.004)) ** density[..., None]
        else:
            coverage = coverage * density[..., None]
        page += coverage * (target - page)

    def _print_through(self, page: Array) -> None:
        """What is written on the other side: mirrored, soft and faint."""
        rng = self.rng
        shade: Array = np.zeros(self.size, np.float32)
        pitch = 0.55 * self.unit
        for y in np.arange(rng.uniform(0, pitch), self.size[0] + pitch, pitch * 1.5):
            for x in np.arange(rng.uniform(0, pitch), self.size[1] + pitch, pitch * 0.8):
                if rng.random() < 0.75:
                    glyph = self.others[int(rng.integers(len(self.others)))]
                    place = np.array([[-0.9 * pitch, 0, x], [0, 0.9 * pitch, y]])
                    part, coverage = stroke(rng, glyph, self.size, place, 0.1)
                    shade[part] = np.maximum(shade[part], coverage)
        shade = cv2.GaussianBlur(shade, (0, 0), 0.02 * self.unit)
        page *= (1 - self.look.through * shade)[..., None]

    def _neighbour(self, page: Array) -> None:
        """A part of some other writing that the border of the picture cuts off."""
        rng, look = self.rng, self.look
        if not self.others:
            return
        glyph = self.others[int(rng.integers(len(self.others)))]
        axis, is_far = divmod(int(rng.integers(4)), 2)
        along = rng.uniform(0.1, 0.9)
        size = self.unit * rng.uniform(0.7, 1.0)
        low, high = glyph.bounds
        cut = rng.uniform(0.1, 0.3) * (high - low)[axis]
        at = [along * self.size[1], along * self.size[0]]
        at[axis] = self.size[1 - axis] + size * (-cut - low[axis]) if is_far else size * (cut - high[axis])
        coverage: Array = np.zeros(self.size, np.float32)
        part, inside = stroke(rng, glyph, self.size, upright(size, *at), look.pen)
        coverage[part] = inside
        reach = max(3, round(0.1 * self.unit))
        if not self.ink[cv2.dilate(coverage, np.ones((reach, reach), np.uint8)) > 0].any():
            self._lay(page, coverage, look.ink, look.opacity)  # else it would run into what is to be read

"""A sheet of paper from above in even light: what is printed on it, written on it, lies on it and around it."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from examiner.looks import Colour, Look, Rng, clouds, linear
from examiner.pens import Array, Glyph, readable_pen, stroke


class Sheet:
    """A sheet of paper with something on it; the parts of a picture that need to know where things are."""

    def __init__(self, rng: Rng, look: Look, glyphs: Sequence[Glyph], others: Sequence[Glyph], seen: Array) -> None:
        """Decides where everything goes; `seen` are the sheet's corners in the picture, [4, 2]."""
        self.rng, self.look, self.glyphs, self.others = rng, look, glyphs, others
        self.short = min(look.size)
        self.unit = look.digit * self.short
        self.size = (look.size[1], look.size[0])
        self.ink: Array = np.zeros(self.size, np.float32)
        self.seen = seen
        self.places = self._layout()
        self.baseline = self.size[0] / 2 + look.offset[1] * self.short + self.unit / 2

    def _layout(self) -> list[Array]:
        """The place of each glyph on the sheet: its coordinates to pixels, [2, 3]."""
        look = self.look
        matrices, starts, ends = self._row()
        if not ends:
            return []
        turn = math.radians(look.angle)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        points = np.concatenate(ends)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        frame = np.array(self.size[::-1])
        room = 0.94 * frame / (np.ptp(self.seen, axis=0) / frame) - 2 * np.abs(look.offset) * self.short
        fit = min(1.0, float((room / (np.ptp((points - middle) @ rotation.T, axis=0) + self.unit * 0.15)).min()))
        self.unit *= fit
        centre = frame / 2 + np.array(look.offset) * self.short
        return [
            np.concatenate([fit * rotation @ matrix, (fit * rotation @ (start - middle) + centre)[:, None]], axis=1)
            for matrix, start in zip(matrices, starts, strict=True)
        ]

    def _row(self) -> tuple[list[Array], list[Array], list[Array]]:
        """The glyphs side by side on a line: each one's matrix, its place, and its points there."""
        look, rng = self.look, self.rng
        row = len(self.glyphs) > 1
        matrices: list[Array] = []
        starts: list[Array] = []
        ends: list[Array] = []
        for glyph in self.glyphs:
            size = self.unit * (min(1 / glyph.extent[1], 1.15) * rng.uniform(0.92, 1.06) if row else 1.0)
            matrix = size * np.array([[1, -look.slant], [0, 1]])
            points = np.concatenate([line @ matrix.T for line in glyph.lines])
            start = np.array([0.0, rng.normal(0, 0.03) * self.unit - points[:, 1].max()])
            if ends:
                meet = _meeting(ends[-1], points + start, self.unit) if look.gap[0] < 0 else None
                beside = ends[-1][:, 0].max() - points[:, 0].min()
                start[0] = beside if meet is None else max(meet, beside - 0.12 * self.unit)
                start[0] += (look.pen or 0.12) * size + rng.uniform(*look.gap) * self.unit
            matrices.append(matrix)
            starts.append(start)
            ends.append(points + start)
        return matrices, starts, ends

    def sheet(self) -> Array:
        """The sheet from above in even light: its reflectance, float32 [H, W, 3]."""
        look, rng = self.look, self.rng
        page = np.empty((*self.size, 3), np.float32)
        page[:] = linear(look.paper)
        if look.texture:
            page *= (1 + look.texture * self._fibres())[..., None]
        if look.through and self.others:
            self._print_through(page)
        if look.printed:
            self._print(page)
        if look.crease:
            self._crease(page)
        for glyph, place in zip(self.glyphs, self.places, strict=True):
            pen = None if look.pen is None else readable_pen(glyph, look.pen)
            self.ink = np.maximum(self.ink, stroke(rng, glyph, self.size, place, pen))
        for _ in range(look.neighbours):
            self._neighbour(page)
        if self.glyphs:
            self._lay(page, self.ink, look.ink, look.opacity)
        self._specks(page)
        if look.holes:
            self._punch(page)
        if look.desk:
            self._put_on_desk(page)
        return page

    def _blank(self) -> Array:
        return np.zeros(self.size, np.float32)

    def _fibres(self) -> Array:
        rng = self.rng
        grain = 0.5 * clouds(rng, self.size, 1) + 0.6 * clouds(rng, self.size, 2.5) + 0.5 * clouds(rng, self.size, 30)
        marks, count = self._blank(), max(1, self.size[0] * self.size[1] // 2500)
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
        target = linear(colour)
        if sum(colour) < sum(look.paper) and opacity < 1:  # dye absorbs: twice the ink squares what it lets through
            target = page * (np.maximum(target, 0.004) / np.maximum(page, 0.004)) ** density[..., None]
        else:
            coverage = coverage * density[..., None]
        page += coverage * (target - page)

    def _print_through(self, page: Array) -> None:
        """What is written on the other side: mirrored, soft and faint."""
        rng, shade = self.rng, self._blank()
        pitch = 0.55 * self.unit
        rows = np.arange(rng.uniform(0, pitch), self.size[0] + pitch, pitch * 1.5)
        for y in rows:
            for x in np.arange(rng.uniform(0, pitch), self.size[1] + pitch, pitch * 0.8):
                if rng.random() < 0.75:
                    glyph = self.others[int(rng.integers(len(self.others)))]
                    place = np.array([[-0.9 * pitch, 0, x], [0, 0.9 * pitch, y]])
                    shade = np.maximum(shade, stroke(rng, glyph, self.size, place, 0.1))
        shade = cv2.GaussianBlur(shade, (0, 0), 0.02 * self.unit)
        page *= (1 - self.look.through * shade)[..., None]

    def _print(self, page: Array) -> None:
        """Ruling, squares, or boxes around the writing."""
        look, rng = self.look, self.rng
        lines = self._blank()
        pitch = look.print_pitch * self.unit
        thick = max(1.0, rng.uniform(0.0018, 0.004) * self.short)

        def line(start: Sequence[float], end: Sequence[float]) -> None:
            points = [(round(x * 8), round(y * 8)) for x, y in (start, end)]
            cv2.line(lines, points[0], points[1], 1.0, max(1, round(thick)), cv2.LINE_AA, 3)

        height, width = self.size
        if look.printed in ("ruled", "squared"):
            first = (self.baseline + rng.uniform(0, 0.06) * self.unit) % pitch
            if look.printed == "squared":
                first = rng.uniform(0, pitch)
                for x in np.arange(rng.uniform(0, pitch), width, pitch):
                    line((x, -5), (x, height + 5))
            for y in np.arange(first, height, pitch):
                line((-5, y), (width + 5, y))
            if look.printed == "ruled" and look.extra.get("margin"):
                x = rng.uniform(0.03, 0.12) * width
                red = self._blank()
                cv2.line(red, (round(x), 0), (round(x), height), 1.0, max(1, round(thick)), cv2.LINE_AA)
                page += 0.6 * red[..., None] * (linear((220, 110, 110)) - page)
        else:
            self._boxes(line)
        page += look.print_strength * lines[..., None] * (linear(look.print_colour) - page)

    def _boxes(self, line: Callable[[Sequence[float], Sequence[float]], None]) -> None:
        """A box around the digit, or a line of four with the others empty."""
        middle = self.places[0][:, 2] if self.places else np.array(self.size[::-1]) / 2
        half = self.look.print_pitch * self.unit / 2
        wobble = self.rng.normal(0, 0.02 * self.unit, (4, 2)) if self.look.extra.get("by hand") else np.zeros((4, 2))
        count = 1 if self.look.printed == "box" else 4
        for i in range(count):
            shift = np.array([2 * half * (i - count // 2) if count > 1 else 0, 0])
            corners = middle + shift + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) + wobble
            for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                line(tuple(start), tuple(end))

    def _crease(self, page: Array) -> None:
        """A fold across the sheet: one side brighter, the other darker, a worn line between."""
        turn = self.rng.uniform(0, math.pi)
        ys, xs = np.mgrid[: self.size[0], : self.size[1]].astype(np.float32)
        offset = self.rng.uniform(-0.25, 0.25) * self.short
        distance = (xs - self.size[1] / 2) * math.cos(turn) + (ys - self.size[0] / 2) * math.sin(turn) - offset
        reach = 0.06 * self.short
        page *= (1 + self.look.crease * np.sign(distance) * np.exp(-np.abs(distance) / reach))[..., None]
        page *= (1 - 1.5 * self.look.crease * np.exp(-((distance / (0.002 * self.short)) ** 2)))[..., None]

    def _neighbour(self, page: Array) -> None:
        """A part of some other writing that the border of the picture cuts off."""
        rng, look = self.rng, self.look
        glyph = self.others[int(rng.integers(len(self.others)))] if self.others else None
        if glyph is None:
            return
        side = int(rng.integers(4))
        along = rng.uniform(0.1, 0.9)
        size = self.unit * rng.uniform(0.7, 1.0)
        low, high = glyph.bounds
        inside = rng.uniform(0.1, 0.3) * (high - low)
        x, y = along * self.size[1], along * self.size[0]
        if side == 0:
            x = size * (inside[0] - high[0])
        elif side == 1:
            x = self.size[1] + size * (-inside[0] - low[0])
        elif side == 2:
            y = size * (inside[1] - high[1])
        else:
            y = self.size[0] + size * (-inside[1] - low[1])
        place = np.array([[size, 0, x], [0, size, y]])
        coverage = stroke(rng, glyph, self.size, place, look.pen)
        reach = max(3, round(0.1 * self.unit))
        if self.ink[cv2.dilate(coverage, np.ones((reach, reach), np.uint8)) > 0].any():
            return  # it must not run into what is to be read
        self._lay(page, coverage, look.ink, look.opacity)

    def _specks(self, page: Array) -> None:
        """Dust, crumbs and dots of ink; away from the writing, or a person would read them as part of it."""
        rng = self.rng
        for _ in range(self.look.specks):
            x, y = (int(rng.integers(side)) for side in self.size[::-1])
            radius = rng.uniform(0.002, 0.007) * self.short
            reach = int(4 * radius) + 2
            if self.ink[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].any():
                continue
            spot: Array = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
            axes = (round(radius * 8), round(radius * rng.uniform(4, 8)))
            cv2.ellipse(spot, (reach * 8, reach * 8), axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA, 3)
            top, left = max(0, y - reach), max(0, x - reach)
            part = page[top : y + reach + 1, left : x + reach + 1]
            spot = spot[top - y + reach :, left - x + reach :][: part.shape[0], : part.shape[1], None]
            part += rng.uniform(0.4, 0.95) * spot * (linear((60, 55, 50)) - part)

    def _punch(self, page: Array) -> None:
        """The holes of a spiral or a binder along one side, with the dark behind and the edge's shadow."""
        rng, (height, width) = self.rng, self.size
        top = rng.random() < 0.5
        radius = rng.uniform(0.014, 0.03) * self.short
        inset = radius * rng.uniform(1.6, 2.6)
        hole = self._blank()
        for at in np.arange(rng.uniform(0, 3) * radius, width if top else height, radius * rng.uniform(4, 5.5)):
            centre = (at, inset) if top else (inset, at)
            cv2.circle(hole, tuple(round(v * 8) for v in centre), round(radius * 8), 1.0, -1, cv2.LINE_AA, 3)
        rim = cv2.GaussianBlur(np.roll(hole, (2, 2), (0, 1)), (0, 0), 0.3 * radius)
        page *= (1 - 0.15 * rim)[..., None]
        page += hole[..., None] * (linear((58, 50, 46)) * rng.uniform(0.6, 1.6) - page)

    def _put_on_desk(self, page: Array) -> None:
        """What lies beyond one edge of the sheet."""
        rng, (height, width) = self.rng, self.size
        side, tilt = int(rng.integers(4)), rng.normal(0, 0.03)
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        across, along, length = (xs, ys, width) if side < 2 else (ys, xs, height)
        if side % 2:
            across = length - 1 - across
        distance = across - self.look.desk * length - tilt * (along - along.mean())
        shadow = np.exp(-np.clip(-distance, 0, None) / (0.01 * self.short))
        wood = linear([(150, 105, 66), (92, 70, 52), (66, 68, 72), (196, 176, 148)][int(rng.integers(4))])
        grain = clouds(rng, (max(4, height // 8), width), 6)
        grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        desk = wood * (1 + 0.1 * grain + 0.04 * clouds(rng, self.size, 1))[..., None] * (1 - 0.6 * shadow)[..., None]
        beyond = np.clip(0.5 - distance, 0, 1)[..., None]
        page += beyond * (desk - page)


def _meeting(before: Array, points: Array, height: float) -> float | None:
    """How far to the right a digit's points are moved to meet those of the digit before; None where they cannot."""
    bands = np.linspace(-1.3, 0.3, 33) * height
    left, right = np.digitize(before[:, 1], bands), np.digitize(points[:, 1], bands)
    shifts = [
        float(before[np.abs(left - band) <= 1, 0].max() - points[right == band, 0].min())
        for band in np.unique(right)
        if (np.abs(left - band) <= 1).any()
    ]
    return max(shifts, default=None)

"""MNIST digits as pen strokes of any size and width, and other things that a pen leaves on paper.

A digit of 28x28 pixels becomes two things: a smooth field, whose contour is the digit with its own broad pen, and its
centreline, traced and smoothed, which any other pen can follow. Both live in one system of coordinates: the middle of
the digit is (0, 0), its longer side is 1, y points down.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import networkx as nx
import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize

from mnist_cnn.data import files

Array = npt.NDArray[Any]
Lines = list[Array]
Pixel = tuple[float, ...]

FINE = 8
"""Pixels of the smooth field for each pixel of MNIST."""

EDGE = 0.42
"""The value of the field, 0 to 1, at the border of the ink."""

LOOPS = {0: {1}, 1: {0}, 2: {0, 1}, 3: {0}, 4: {0, 1}, 5: {0}, 6: {1}, 7: {0}, 8: {2}, 9: {1}}
"""How many closed loops a digit has that anybody can read."""

ENDS = {
    0: {0, 1, 2}, 1: {2, 3}, 2: {2, 3}, 3: {2, 3, 4}, 4: {2, 3, 4},
    5: {2, 3, 4}, 6: {1, 2}, 7: {2, 4}, 8: {0, 1, 2}, 9: {1, 2},
}  # fmt: skip
"""How many loose ends it has; with more, a fine pen shows branches that a broad one hid."""


@dataclass(frozen=True)
class Glyph:
    """Something written.

    Attributes:
        text: What it says; empty for what is no digit.
        lines: The centreline of each stroke, float32 [N, 2].
        field: The smooth field, float32 [H, W], 0 to 1; None where there is only a centreline.
        to_unit: The field's coordinates to those of the lines, [2, 3].
    """

    text: str
    lines: Lines
    field: Array | None = None
    to_unit: Array | None = None

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Width and height."""
        low, high = self.bounds
        return float(high[0] - low[0]), float(high[1] - low[1])

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The upper left and the lower right corner of the centreline."""
        points = np.concatenate(self.lines)
        return points.min(axis=0), points.max(axis=0)


class Digits:
    """MNIST's digits that a person can read when any pen redraws them.

    Left out are those whose label people did not confirm, those that look like another digit to the nearest training
    digits, those with loops filled by ink or open where they belong closed, and those whose centreline misses a part
    of the shape or branches. About two thirds are left: what is measured with them is how hard the picture is, not
    how odd the digit.
    """

    def __init__(self, data_dir: Path | None = None, train: bool = False) -> None:
        """Loads MNIST.

        Args:
            data_dir: Where it lies or is put. Default: the per-user cache folder.
            train: Whether to take training digits rather than test digits.
        """
        data_dir = data_dir or files.default_data_dir()
        files.prepare("MNIST", data_dir)
        images, labels = files.load("MNIST", data_dir, train=train)
        self.images, self.labels = images[:, 0].numpy(), labels.numpy().copy()
        if not train:
            self.labels[list(files.UNCONFIRMED_TEST_LABELS)] = -1
        images, labels = files.load("MNIST", data_dir, train=True)
        self._known, self._known_labels = _reduced(images[:, 0].numpy()), labels.numpy()
        self._squares = (self._known**2).sum(axis=1)

    def draw(self, rng: np.random.Generator, label: int) -> Glyph:
        """One digit of a label by chance."""
        while True:
            image = self.images[rng.choice(np.flatnonzero(self.labels == label))]
            if self.is_typical(image, label) and (glyph := trace(image, label)):
                return glyph

    def is_typical(self, image: Array, label: int) -> bool:
        """Whether at least 4 of the 5 nearest training digits have the label of an image, uint8 [28, 28]."""
        distances = self._squares - 2 * self._known @ _reduced(image[None])[0]
        nearest = np.argpartition(distances, 5)[:5]
        return int((self._known_labels[nearest] == label).sum()) >= 4


def _reduced(images: Array) -> Array:
    """Half the resolution, as float32 [N, 196]: quarter the work, and a shift of a pixel matters less."""
    return np.asarray(images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 196) / 255)


def trace(image: Array, label: int) -> Glyph | None:
    """Vectorizes a digit, uint8 [28, 28]; None where a pen that follows its centreline would not leave that digit."""
    padded = np.pad(image.astype(np.float32) / 255, 4)
    field = cv2.resize(padded, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), 0.55 * FINE)
    shape = _without_crumbs(field > EDGE)
    pieces = cv2.connectedComponents(shape.astype(np.uint8), connectivity=8)[0] - 1
    if loops(shape, 1.5 * FINE**2) not in LOOPS[label] or pieces > (2 if label in (4, 5) else 1):
        return None
    field = field * cv2.dilate(shape.astype(np.uint8), np.ones((FINE, FINE), np.uint8))
    radius = cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, 5)
    skeleton = skeletonize(shape)
    lines, ends = centreline(skeleton, radius)
    if ends not in ENDS[label] or not _keeps(shape, lines, 2 * float(np.median(radius[skeleton]))):
        return None
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = float((high - low).max())
    centre = (low + high) / 2
    to_unit = np.array([[1 / unit, 0, -centre[0] / unit], [0, 1 / unit, -centre[1] / unit]], np.float32)
    return Glyph(str(label), [((line - centre) / unit).astype(np.float32) for line in lines], field, to_unit)


def _keeps(shape: Array, lines: Lines, width: float) -> bool:
    """Whether lines have the loops and pieces of a shape, and with its width of the pen all its parts."""
    thin = draw_lines(lines, shape.shape, np.full(1, 3.0), 2.0) > 0.5
    pieces = [cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] for mask in (shape, thin)]
    least = 1.5 * FINE**2
    if pieces[0] != pieces[1] or loops(shape, least) != loops(thin, least):
        return False
    redrawn = draw_lines(lines, shape.shape, np.full(1, width), 1.0) > 0.5
    missed = shape & ~cv2.dilate(redrawn.astype(np.uint8), np.ones((FINE, FINE), np.uint8)).astype(bool)
    return bool(missed.sum() < 0.06 * shape.sum())


def loops(shape: Array, least: float) -> int:
    """How many holes of at least so many pixels a shape, bool [H, W], has."""
    outside = np.pad(~shape, 1, constant_values=True).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    return sum(stats[i, cv2.CC_STAT_AREA] >= least for i in range(1, count)) - 1


def _without_crumbs(shape: Array) -> Array:
    count, names, stats, _ = cv2.connectedComponentsWithStats(shape.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    return np.isin(names, [i for i in range(1, count) if areas[i] > 0.04 * shape.sum()])


def centreline(skeleton: Array, radius: Array) -> tuple[Lines, int]:
    """The strokes of a skeleton, bool [H, W], as smooth lines, and how many loose ends they have.

    Short spurs are left out, and two forks close to each other become one crossing.

    Args:
        skeleton: One pixel wide.
        radius: The distance from each pixel of the shape to its border.
    """

    def reach(node: Pixel) -> float:
        return float(radius[int(node[1]), int(node[0])])

    paths = _paths(skeleton)
    for factor, is_short in ((1.4, _is_spur), (1.4, _is_bridge)):
        while True:
            degree = _degrees(paths)
            short = [
                path
                for path in paths
                if is_short(path, degree) and _length(path) < factor * max(reach(path[0]), reach(path[-1]))
            ]
            if not short:
                break
            path = min(short, key=_length)
            paths.remove(path)
            if is_short is _is_bridge:
                middle = tuple(np.mean([path[0], path[-1]], axis=0))
                paths = [_moved(other, {path[0]: middle, path[-1]: middle}) for other in paths]
            paths = _joined(paths, straight=False)
    paths = _joined(paths, straight=True)
    degree = _degrees(paths)
    lines = []
    for path in paths:
        line = _smooth(np.array(path, np.float32), 0.6 * FINE)
        for end, inner in ((0, min(8, len(line) - 1)), (-1, max(-9, -len(line)))):
            if degree[path[end]] == 1:  # thinning eats the ends of a stroke
                direction = line[end] - line[inner]
                tip = line[end] + direction / max(float(np.hypot(*direction)), 1e-6) * 0.6 * reach(path[end])
                line = np.concatenate([tip[None], line] if end == 0 else [line, tip[None]])
        lines.append(line.astype(np.float32))
    return lines, sum(count == 1 for count in degree.values())


def _paths(skeleton: Array) -> list[list[Pixel]]:
    """The pieces of a skeleton between its ends and forks, each as a chain of pixels (x, y)."""
    graph = nx.Graph()
    ys, xs = np.nonzero(skeleton)
    pixels = set(zip(xs.tolist(), ys.tolist(), strict=True))
    for x, y in sorted(pixels):
        graph.add_edges_from(((x, y), other) for other in ((x + 1, y), (x, y + 1)) if other in pixels)
        for other in ((x + 1, y + 1), (x - 1, y + 1)):
            if other in pixels and not {(x, y + 1), (other[0], y)} & pixels:  # else a step over a corner
                graph.add_edge((x, y), other)
    paths: list[list[Pixel]] = []
    seen: set[frozenset[Pixel]] = set()
    ends = sorted(node for node in graph if graph.degree[node] != 2)
    for start in [*ends, *sorted(graph)]:  # what no end leads to is a ring
        for step in sorted(graph[start]):
            if frozenset((start, step)) in seen:
                continue
            path = [start, step]
            while graph.degree[path[-1]] == 2 and path[-1] != start:
                path.append(next(node for node in sorted(graph[path[-1]]) if node != path[-2]))
            seen.update(frozenset(pair) for pair in itertools.pairwise(path))
            paths.append(path)
    return paths


def _degrees(paths: list[list[Pixel]]) -> dict[Pixel, int]:
    degree: dict[Pixel, int] = {}
    for path in paths:
        for end in (path[0], path[-1]):
            degree[end] = degree.get(end, 0) + 1
    return degree


def _length(path: list[Pixel]) -> float:
    return float(np.hypot(*np.diff(np.array(path), axis=0).T).sum())


def _is_spur(path: list[Pixel], degree: dict[Pixel, int]) -> bool:
    return sorted((min(degree[path[0]], 3), min(degree[path[-1]], 3))) == [1, 3]


def _is_bridge(path: list[Pixel], degree: dict[Pixel, int]) -> bool:
    return path[0] != path[-1] and degree[path[0]] >= 3 and degree[path[-1]] >= 3


def _moved(path: list[Pixel], moves: dict[Pixel, Pixel]) -> list[Pixel]:
    start = [moves[path[0]]] if path[0] in moves else []
    end = [moves[path[-1]]] if path[-1] in moves else []
    return start + path + end


def _joined(paths: list[list[Pixel]], straight: bool) -> list[list[Pixel]]:
    """Joins what only two pieces share; with `straight`, also the straightest two of more."""
    paths = list(paths)
    for node in sorted({end for path in paths for end in (path[0], path[-1])}):
        while True:
            outward = [path[::-1] if path[-1] == node else path for path in paths if node in (path[0], path[-1])]
            outward = [path for path in outward if path[0] != path[-1]]
            if len(outward) < 2 or (not straight and _degrees(paths)[node] != 2):
                break
            angle, first, second = min(
                (float(np.dot(_heading(a), _heading(b))), i, j)
                for i, a in enumerate(outward)
                for j, b in enumerate(outward)
                if i < j
            )
            if angle > -0.5 and _degrees(paths)[node] != 2:
                break
            old = (outward[first], outward[second])
            paths = [path for path in paths if not any(path in (piece, piece[::-1]) for piece in old)]
            paths.append(old[0][::-1] + old[1][1:])
            if paths[-1][0] == paths[-1][-1] == node:
                break
    return paths


def _heading(path: list[Pixel]) -> Array:
    points = np.array(path[: 2 * FINE], float)
    direction = points[min(len(points) - 1, FINE)] - points[0]
    return np.asarray(direction / max(np.hypot(*direction), 1e-6))


def _smooth(line: Array, sigma: float) -> Array:
    """A line with even steps of one pixel, low-pass filtered; ends stay where they are, a ring stays closed."""
    line = resample(line, 1.0)
    pad = min(len(line) - 1, math.ceil(3 * sigma))
    if np.allclose(line[0], line[-1]):
        padded = np.concatenate([line[-pad - 1 : -1], line, line[1 : pad + 1]])
    else:
        padded = np.concatenate([2 * line[0] - line[pad:0:-1], line, 2 * line[-1] - line[-2 : -pad - 2 : -1]])
    smooth = cv2.GaussianBlur(padded, (1, 2 * math.ceil(3 * sigma) + 1), sigmaX=0.01, sigmaY=sigma)
    return np.asarray(smooth[pad : pad + len(line)])


def resample(line: Array, step: float) -> Array:
    """The same line in even steps of about `step`."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, lengths[-1], max(2, math.ceil(lengths[-1] / step) + 1))
    return np.stack([np.interp(at, lengths, line[:, i]) for i in (0, 1)], axis=1).astype(np.float32)


def draw_lines(lines: Lines, size: tuple[int, ...], pressure: Array, scale: float) -> Array:
    """Coverage, float32 [H, W], 0 to 1, of lines in pixels.

    Args:
        lines: Float32 [N, 2] each.
        size: Height and width.
        pressure: The width of the pen in pixels along each line, stretched to its length.
        scale: Drawn so many times larger, then reduced: fine lines need it.
    """
    height, width = (math.ceil(side * scale) for side in size[:2])
    canvas: Array = np.zeros((height, width), np.uint8)
    for line in lines:
        points = resample(line * scale, max(0.5, 0.12 * float(pressure.min()) * scale))
        widths = np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(pressure)), pressure) * scale
        for (x, y), pen in zip(points + (scale - 1) / 2, widths, strict=True):
            cv2.circle(canvas, (round(x * 16), round(y * 16)), round(pen * 8), 255, -1, cv2.LINE_AA, 4)
    if scale != 1:
        canvas = cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return canvas.astype(np.float32) / 255


def stroke(rng: np.random.Generator, glyph: Glyph, size: tuple[int, int], place: Array, pen: float | None) -> Array:
    """Coverage, float32 [H, W], 0 to 1, of a glyph written on a page of a size.

    Args:
        rng: The pressure of the hand.
        glyph: What to write.
        size: Height and width.
        place: The glyph's coordinates to those of the page, [2, 3].
        pen: The width of the pen in the glyph's units; None keeps the digit's own shape.
    """
    scale = math.sqrt(abs(float(np.linalg.det(place[:, :2]))))
    if pen is None and glyph.field is not None and glyph.to_unit is not None:
        matrix = place @ np.concatenate([glyph.to_unit, [[0, 0, 1]]])
        zoom = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
        field = glyph.field
        if zoom < 0.5:  # or the reduction would alias
            field = cv2.GaussianBlur(field, (0, 0), 0.4 / zoom)
        field = cv2.warpAffine(field, matrix, size[::-1], flags=cv2.INTER_LINEAR)
        return np.clip((field - EDGE) * max(2.0, 2.4 * FINE * zoom) + 0.5, 0, 1)
    width = scale * (pen or 0.1)
    lines = [line @ place[:, :2].T.astype(np.float32) + place[:, 2].astype(np.float32) for line in glyph.lines]
    points = np.concatenate(lines)
    margin = 2 * width + 2
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, size[::-1]).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin), 0, size[::-1]).astype(int)
    coverage = np.zeros(size, np.float32)
    if (high > low).all():
        knots = 1 + 0.13 * rng.standard_normal(12).clip(-2, 2)
        knots[[0, -1]] *= 0.85
        pressure = width * np.interp(np.linspace(0, 11, 100), np.arange(12), knots)
        part = [line - low for line in lines]
        scale = float(np.clip(math.ceil(6 / width), 1, 4))
        coverage[low[1] : high[1], low[0] : high[0]] = draw_lines(part, (high - low)[::-1].tolist(), pressure, scale)
    return coverage


def readable_pen(glyph: Glyph, pen: float) -> float:
    """The width of the pen, or the largest below it that leaves the glyph's loops open."""
    size = 200
    place = np.array([[size / 1.6, 0, size / 2], [0, size / 1.6, size / 2]])
    wanted = loops(stroke(np.random.default_rng(0), glyph, (size, size), place, 0.02) > 0.5, 40)
    while pen > 0.03 and loops(stroke(np.random.default_rng(0), glyph, (size, size), place, pen) > 0.5, 40) != wanted:
        pen *= 0.9
    return pen


LETTERS = {
    "A": ["0,1 .5,0 1,1", ".2,.6 .8,.6"],
    "E": ["1,0 0,0 0,1 1,1", "0,.5 .8,.5"],
    "F": ["1,0 0,0 0,1", "0,.5 .8,.5"],
    "H": ["0,0 0,1", "1,0 1,1", "0,.5 1,.5"],
    "K": ["0,0 0,1", "1,0 0,.5 1,1"],
    "M": ["0,1 .1,0 .5,.7 .9,0 1,1"],
    "N": ["0,1 0,0 1,1 1,0"],
    "R": ["0,1 0,0 .7,0 1,.2 .7,.45 0,.5", ".4,.5 1,1"],
    "T": ["0,0 1,0", ".5,0 .5,1"],
    "V": ["0,0 .5,1 1,0"],
    "W": ["0,0 .25,1 .5,.3 .75,1 1,0"],
    "X": ["0,0 1,1", "1,0 0,1"],
    "Y": ["0,0 .5,.5 1,0", ".5,.5 .5,1"],
}
"""Capitals that nobody takes for a digit, as corners of their strokes."""


def letter(rng: np.random.Generator) -> Glyph:
    """A capital letter by chance, in an unsteady hand."""
    lines = []
    for corners in LETTERS[str(rng.choice(sorted(LETTERS)))]:
        points = np.array([[float(number) for number in pair.split(",")] for pair in corners.split()]) - 0.5
        points += rng.normal(0, 0.03, points.shape)
        points[:, 0] *= 0.75
        lines.append(_smooth(resample(points * 100, 1.0), 3.0) / 100)
    return Glyph("", lines)


def scribble(rng: np.random.Generator) -> Glyph:
    """A tangle of a line, as of somebody who tries a pen or crosses something out."""
    if rng.random() < 0.4:  # to and fro
        count = int(rng.integers(9, 16))
        x = np.linspace(-0.5, 0.5, count) + rng.normal(0, 0.03, count)
        y = np.where(np.arange(count) % 2, -1, 1) * rng.uniform(0.1, 0.35, count)
        points = np.stack([x, y], axis=1)
    else:
        points = rng.uniform(-0.5, 0.5, (int(rng.integers(14, 22)), 2))
    return Glyph("", [_smooth(resample(points * 100, 1.0), 6.0) / 100])

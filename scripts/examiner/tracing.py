"""The strokes in a digit of pixels: its centreline, traced and smoothed, which any pen can follow."""

import itertools
from collections import Counter

import cv2
import networkx as nx
import numpy as np
from skimage.morphology import skeletonize

from examiner.strokes import EDGE, FINE, Array, Glyph, Lines, draw_lines, loops, smooth

Pixel = tuple[float, ...]

LOOPS = {0: {1}, 1: {0}, 2: {0, 1}, 3: {0}, 4: {0, 1}, 5: {0}, 6: {1}, 7: {0}, 8: {2}, 9: {1}}
"""How many closed loops a digit has that anybody can read."""

ENDS = {
    0: {0, 1, 2}, 1: {2, 3}, 2: {2, 3}, 3: {2, 3, 4}, 4: {2, 3, 4},
    5: {2, 3, 4}, 6: {1, 2}, 7: {2, 4}, 8: {0, 1, 2}, 9: {1, 2},
}  # fmt: skip
"""How many loose ends it has; with more, a fine pen shows branches that a broad one hid."""

LEAST = 1.5 * FINE**2
"""Pixels of the field that a loop has."""


def trace(image: Array, label: int) -> Glyph | None:
    """Vectorizes a digit, uint8 [28, 28]; None where a pen that follows its centreline would not leave that digit."""
    padded = np.pad(image.astype(np.float32) / 255, 4)
    field = cv2.resize(padded, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC)
    field = cv2.GaussianBlur(field, (0, 0), 0.55 * FINE)
    shape = _without_crumbs(field > EDGE)
    if loops(shape, LEAST) not in LOOPS[label] or _pieces(shape) > (2 if label in (4, 5) else 1):
        return None
    if label == 4 and _feet(shape) > 1:  # it looks like a capital A
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


def _feet(shape: Array) -> int:
    """On how many legs a shape stands."""
    ys = np.flatnonzero(shape.any(axis=1))
    line = shape[ys[0] + round(0.88 * (ys[-1] - ys[0]))].astype(int)
    return int((np.diff(line, prepend=0) > 0).sum())


def _keeps(shape: Array, lines: Lines, width: float) -> bool:
    """Whether lines have the loops and pieces of a shape, and with its width of the pen all its parts."""
    thin = draw_lines(lines, shape.shape, np.full(1, 3.0), 2.0) > 0.5
    if _pieces(shape) != _pieces(thin) or loops(shape, LEAST) != loops(thin, LEAST):
        return False
    redrawn = draw_lines(lines, shape.shape, np.full(1, width), 1.0) > 0.5
    missed = shape & ~cv2.dilate(redrawn.astype(np.uint8), np.ones((FINE, FINE), np.uint8)).astype(bool)
    return bool(missed.sum() < 0.06 * shape.sum())


def _pieces(shape: Array) -> int:
    return cv2.connectedComponents(shape.astype(np.uint8), connectivity=8)[0] - 1


def _without_crumbs(shape: Array) -> Array:
    count, names, stats, _ = cv2.connectedComponentsWithStats(shape.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    return np.isin(names, [i for i in range(1, count) if areas[i] > 0.04 * shape.sum()])


def centreline(skeleton: Array, radius: Array) -> tuple[Lines, int]:
    """The strokes of a skeleton, bool [H, W], as smooth lines, and how many loose ends they have.

    Short spurs are left out, and two forks close to each other become one crossing: by the radius of the shape, which
    is the distance from each of its pixels to its border.
    """

    def reach(node: Pixel) -> float:
        return float(radius[int(node[1]), int(node[0])])

    paths = _paths(skeleton)
    for is_short in (_is_spur, _is_bridge):
        while True:
            degree = _degrees(paths)
            short = [
                path
                for path in paths
                if is_short(path, degree) and _length(path) < 1.4 * max(reach(path[0]), reach(path[-1]))
            ]
            if not short:
                break
            path = min(short, key=_length)
            paths.remove(path)
            if is_short is _is_bridge:
                ends, middle = (path[0], path[-1]), [tuple(np.mean([path[0], path[-1]], axis=0))]
                paths = [middle * (one[0] in ends) + one + middle * (one[-1] in ends) for one in paths]
            paths = _joined(paths, straight=False)
    paths = _joined(paths, straight=True)
    degree = _degrees(paths)
    lines = []
    for path in paths:
        line = smooth(np.array(path, np.float32), 0.6 * FINE)
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


def _degrees(paths: list[list[Pixel]]) -> Counter[Pixel]:
    return Counter(end for path in paths for end in (path[0], path[-1]))


def _length(path: list[Pixel]) -> float:
    return float(np.hypot(*np.diff(np.array(path), axis=0).T).sum())


def _is_spur(path: list[Pixel], degree: Counter[Pixel]) -> bool:
    return sorted((min(degree[path[0]], 3), min(degree[path[-1]], 3))) == [1, 3]


def _is_bridge(path: list[Pixel], degree: Counter[Pixel]) -> bool:
    return path[0] != path[-1] and degree[path[0]] >= 3 and degree[path[-1]] >= 3


def _joined(paths: list[list[Pixel]], straight: bool) -> list[list[Pixel]]:
    """Joins what only two pieces share; with `straight`, also the straightest two of more."""
    paths = list(paths)
    for node in sorted({end for path in paths for end in (path[0], path[-1])}):
        while True:
            outward = [path[::-1] if path[-1] == node else path for path in paths if node in (path[0], path[-1])]
            outward = [path for path in outward if path[0] != path[-1]]
            if len(outward) < 2 or (not straight and _degrees(paths)[node] != 2):
                break
            headings = [_heading(path) for path in outward]
            pairs = itertools.combinations(range(len(outward)), 2)
            angle, first, second = min((float(np.dot(headings[i], headings[j])), i, j) for i, j in pairs)
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

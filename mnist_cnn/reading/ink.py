"""Ink in a picture of paper: how dark each pixel is beside the paper around it, and which ink is no writing."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]
"""RGB, uint8 [H, W, 3]."""
Ink = NDArray[Any]
"""Float [H, W]: 0 on the paper, up to 1 on black ink."""
Mask = NDArray[Any]
"""Uint8 [H, W], 0 or 1."""

BACKGROUND_KERNELS = (0.07, 0.15, 0.3)
"""Widest stroke that is still ink, not background, as shares of the picture's long side."""


def resized(picture: Picture, most: int, least: int = 0) -> Picture:
    """The picture with a long side of at most `most` and at least `least` pixels."""
    side = max(picture.shape[:2])
    scale = min(1.0, most / side) if side > least else least / side
    if scale == 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def channels(picture: Picture) -> list[Picture]:
    """Grey versions of a picture, uint8 [H, W]: luminance, and for coloured pictures those that may show more.

    Ink and paper can have the same luminance, and printed lines vanish in the channel of their own colour.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(picture, None, fx=(k := min(1.0, 160 / max(grey.shape))), fy=k, interpolation=cv2.INTER_AREA)
    size = _odd(max(small.shape) * 0.35)
    offsets = small.astype(np.float32) - cv2.medianBlur(small, size).astype(np.float32)
    offsets = offsets.reshape(-1, 3)
    colourful = np.ptp(offsets, axis=1)
    if np.percentile(colourful, 98) < 14:
        return [grey]
    strong = offsets[np.linalg.norm(offsets, axis=1) >= np.percentile(np.linalg.norm(offsets, axis=1), 92)]
    direction = np.linalg.eigh(strong.T @ strong)[1][:, -1]
    direction = direction * np.sign(direction.sum() or 1.0)
    projected = picture.astype(np.float32) @ direction.astype(np.float32)
    low, high = np.percentile(projected[::4, ::4], [0.5, 99.5])
    # Away from black, where relative darkness would be mostly noise.
    stretched = 60 + (projected - low) * (180 / max(high - low, 60.0))
    extra = [stretched.clip(0, 255).astype(np.uint8)]
    return [grey, *extra, picture[..., 0].copy(), picture[..., 2].copy()]


def ink_maps(channel: Picture, kernels: tuple[float, ...] = BACKGROUND_KERNELS) -> Iterator[tuple[Ink, bool, float]]:
    """What may be ink, under every assumption about polarity and stroke width.

    The background is a morphological closing, which follows gradients, vignettes and the hard edges of shadows.

    Args:
        channel: Uint8 [H, W].
        kernels: Sizes of the closing, as shares of the long side.

    Yields:
        The ink; whether it is light on dark; the kernel.
    """
    smooth = cv2.GaussianBlur(channel, (0, 0), 0.7)
    for light in (False, True):
        for kernel in kernels:
            yield ink_map(smooth, light, kernel * max(channel.shape)), light, kernel


def ink_map(channel: Picture, light: bool, kernel: float) -> Ink:
    """Relative darkness (or lightness) against the paper, float [H, W]; see `ink_maps`."""
    dark_on_light = 255 - channel if light else channel
    size = max(3, int(kernel))
    # A median drops specks of light that the closing would spread, and keeps edges where they are.
    paper = cv2.medianBlur(dark_on_light, 5)
    paper = cv2.morphologyEx(paper, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    level = paper.astype(np.float32)
    ink = 1 - (dark_on_light.astype(np.float32) + 8) / (level + 8)
    ink -= np.median(ink[::2, ::2])  # the closing lies above the paper's noise
    return np.maximum(ink, 0, out=ink)


def edge_steps(channel: Picture) -> Picture:
    """How far the brightness changes within two pixels of each pixel, uint8 [H, W]."""
    return cv2.morphologyEx(cv2.medianBlur(channel, 3), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))


def edge_share(mask: Mask, steps: Picture, box: tuple[int, int, int, int]) -> float:
    """The share of a shape's outline where the picture has an edge, 0 to 1.

    A stroke has one all around. The space between two strokes has not, nor the end of a shadow.

    Args:
        mask: The shape.
        steps: The picture's `edge_steps`.
        box: Of the shape: left, top, right, bottom.
    """
    left, top, right, bottom = box
    window = np.s_[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
    heights = steps[window][cv2.dilate(mask[window], np.ones((3, 3), np.uint8)) > mask[window]]
    return float((heights > 0.4 * np.percentile(heights, 75)).mean()) if heights.size else 1.0


def noise_level(ink: Ink) -> float:
    """Standard deviation of the paper's noise, from the fine structure of the map, at least 0.004."""
    rough = cv2.Laplacian(ink[::2, ::2], cv2.CV_32F)
    return max(0.004, float(np.median(np.abs(rough))) * 1.48 / 4.5)


class Components:
    """The connected strokes of a mask, without those of a pixel or two; arrays by number, 0 the background."""

    def __init__(self, mask: Mask, ink: Ink) -> None:
        self.mask = mask
        self.count, self.labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        self.left, self.top, self.width, self.height, self.area = stats.T
        self.right, self.bottom = self.left + self.width, self.top + self.height
        self.long = np.maximum(self.width, self.height)
        self.weight = np.bincount(self.labels.ravel(), ink.ravel(), self.count)
        self.weight[0] = 0
        rows, columns = mask.shape
        self.at_border = (self.left == 0) | (self.top == 0) | (self.right == columns) | (self.bottom == rows)

    def may_be_lines(self) -> bool:
        """Whether something is long and thin, or hollow like a frame."""
        rows, columns = self.mask.shape
        spans = (self.width > 0.45 * columns) | (self.height > 0.45 * rows)
        framed = (self.width > 0.2 * columns) & (self.height > 0.2 * rows)
        hollow = (self.area < 0.3 * self.width * self.height) | (np.minimum(self.width, self.height) < 0.06 * self.long)
        return bool(((spans | framed) & hollow)[1:].any())

    def encloses(self, inner: int) -> NDArray[np.bool_]:
        """Which components are hollow and about as wide as high, and have another one inside, as a circle has."""
        round_ = (self.width > 0.75 * self.height) & (self.area < 0.4 * self.width * self.height)
        beside = (self.left < self.left[inner]) & (self.right > self.right[inner])
        return round_ & beside & (self.top < self.top[inner]) & (self.bottom > self.bottom[inner]) & (self.weight > 0)

    def is_ring_around_something(self, outer: int) -> bool:
        """Whether a component encloses one that may be a digit."""
        large = (self.height > 0.35 * self.height[outer]) & (self.weight > 0.15 * self.weight[outer])
        return any(self.encloses(int(inner))[outer] for inner in np.flatnonzero(large))


def without_rim(mask: Mask) -> Mask:
    """The mask without bars along whole sides of the picture: a scanner's lid, the desk beside the page.

    A bar from which a stroke goes out stays; it may be the top of a 7 in a tight cut-out.
    """
    rim = np.zeros_like(mask)
    for turns in range(4):
        side = np.rot90(mask, turns)
        covered = side[: -(-len(side) // 4)].mean(axis=1) > 0.95
        depth = int(covered.argmin())  # 0 where all of a quarter is covered
        np.rot90(rim, turns)[:depth] = 1
    if not rim.any():
        return mask
    labels = cv2.connectedComponents(mask)[1]
    soft: Mask = cv2.dilate(rim, np.ones((7, 7), np.uint8))
    outside = np.isin(labels, np.unique(labels[(rim & mask) > 0])) & (soft == 0)
    return mask if cv2.countNonZero(outside.astype(np.uint8)) > 0.1 * rim.sum() else mask & (soft == 0)


def without_lines(mask: Mask) -> Mask | None:
    """Removes printed lines, squares and frames from a mask.

    A line is straight, thin, near horizontal or vertical, and spans the picture; or it is one of four sides of a
    frame, or divides one. Strokes that cross it are kept.

    Returns:
        The mask without them, or None where there are none.
    """
    height, width = mask.shape
    shortest = 0.16 * min(height, width)
    segments = _segments(mask, shortest) if cv2.countNonZero(mask) < 0.2 * mask.size else None
    if segments is None:
        return None
    steep = np.abs(segments[:, 2] - segments[:, 0]) < np.abs(segments[:, 3] - segments[:, 1])
    drawn = []
    for chosen in (segments[~steep], segments[steep]):
        canvas = np.zeros_like(mask)
        for x1, y1, x2, y2 in chosen:
            cv2.line(canvas, (x1, y1), (x2, y2), 1, 3)
        drawn.append(canvas)
    return _without(mask, drawn[0], drawn[1], shortest, np.inf)


def without_level_lines(mask: Mask, shortest: float, longest: float) -> Mask | None:
    """Removes printed lines that are level or upright, as `without_lines`.

    Args:
        mask: The strokes.
        shortest: The shortest side of a frame, in pixels; lines are thinner than a quarter of it.
        longest: From this length in pixels on any straight piece is a line.

    Returns:
        The mask without them, or None where there are none.
    """
    thin = _thin(mask, max(8, int(shortest / 4)))
    length, slack = max(9, int(0.7 * shortest)), max(3, int(0.06 * shortest) | 1)
    drawn = [
        cv2.morphologyEx(cv2.dilate(thin, np.ones(leaning, np.uint8)), cv2.MORPH_OPEN, np.ones(along, np.uint8)) & thin
        for leaning, along in (((slack, 1), (1, length)), ((1, slack), (length, 1)))
    ]
    return _without(mask, drawn[0], drawn[1], shortest, longest)


def _without(mask: Mask, across: Mask, upright: Mask, shortest: float, longest: float) -> Mask | None:
    """The mask without those of the straight pieces that are printed lines, or None where none is."""
    rows = _spanning(across, axis=1, length=mask.shape[1], longest=longest)
    columns = _spanning(upright, axis=0, length=mask.shape[0], longest=longest)
    framed = _frames(across, upright, shortest)
    rows |= across & framed
    columns |= upright & framed
    if not rows.any() and not columns.any():
        return None
    return _erase(_erase(mask, rows).T, columns.T).T.copy()


def _thin(mask: Mask, limit: int) -> Mask:
    """The strokes that are thinner than a limit in pixels."""
    thick: Mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((limit, limit), np.uint8))
    near_thick: Mask = cv2.dilate(thick, np.ones((3, 3), np.uint8))
    return mask * (near_thick == 0).astype(np.uint8)


def _segments(mask: Mask, shortest: float) -> NDArray[np.int32] | None:
    """Long thin straight pieces, int [N, 4] as x1, y1, x2, y2, at most 15 degrees from an axis."""
    thin = _thin(mask, max(4, int(0.035 * max(mask.shape))))
    length = max(12, int(shortest))
    found = cv2.HoughLinesP(thin, 1, np.pi / 180, length * 2 // 3, minLineLength=length, maxLineGap=max(4, length // 6))
    if found is None:
        return None
    segments = found.reshape(-1, 4)[:600]
    dx, dy = np.abs(segments[:, 2] - segments[:, 0]), np.abs(segments[:, 3] - segments[:, 1])
    straight = np.minimum(dx, dy) <= 0.27 * np.maximum(dx, dy)
    return segments[straight] if straight.any() else None


def _spanning(lines: Mask, axis: int, length: int, longest: float) -> Mask:
    """Those connected lines that run through the picture, or most of it in company of others, or are too long."""
    if not lines.any():
        return lines
    joined = cv2.dilate(lines, np.ones((3, 9) if axis == 1 else (9, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    extent = stats[:, cv2.CC_STAT_WIDTH if axis == 1 else cv2.CC_STAT_HEIGHT]
    start = stats[:, cv2.CC_STAT_LEFT if axis == 1 else cv2.CC_STAT_TOP]
    thickness = stats[:, cv2.CC_STAT_HEIGHT if axis == 1 else cv2.CC_STAT_WIDTH]
    long = extent[1:] >= 0.6 * length
    several = long.sum() >= 3
    at_edges = (start[1:] <= 0.04 * length).astype(int) + (start[1:] + extent[1:] >= 0.96 * length)
    full = (extent[1:] >= 0.85 * length) | (at_edges == 2) | (long & (at_edges >= 1)) | (long & several)
    if several:  # pieces of the same ruling, interrupted by strokes or light
        full |= (extent[1:] >= 0.25 * length) & (at_edges >= 1)
    full |= extent[1:] >= longest
    keep = np.zeros(count, np.uint8)
    keep[1:] = full & (thickness[1:] < 0.35 * length)
    return keep[labels] & lines


def _frames(rows: Mask, columns: Mask, shortest: float) -> Mask:
    """Outer rectangles (as a mask) of lines that form a box, each side covered for the most part; what divides it."""
    both: Mask = cv2.dilate(np.maximum(rows, columns), np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(both)
    result = np.zeros_like(rows)
    for i in range(1, count):
        x, y, w, h = stats[i, :4]
        if min(w, h) < 0.9 * shortest:
            continue
        part = (labels[y : y + h, x : x + w] == i) & both[y : y + h, x : x + w].astype(bool)
        rim = max(6, int(0.12 * min(w, h)))
        sides = (part[:rim].any(0), part[-rim:].any(0), part[:, :rim].any(1), part[:, -rim:].any(1))
        if all(side.mean() > 0.7 for side in sides):
            inner = result[y : y + h, x : x + w]
            inner[:rim] = inner[-rim:] = 1
            inner[:, :rim] = 1
            inner[:, -rim:] = 1
            inner |= _reaching(columns[y : y + h, x : x + w])
    return result


def _reaching(columns: Mask) -> Mask:
    """The near-vertical lines that reach from the top of a mask to its bottom, thickened."""
    joined: Mask = cv2.dilate(columns, np.ones((9, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    keep = (stats[:, cv2.CC_STAT_HEIGHT] > 0.85 * len(columns)) & (np.arange(count) > 0)
    return keep.astype(np.uint8)[labels]


def _erase(mask: Mask, lines: Mask) -> Mask:
    """Clears near-horizontal lines from a mask, except where a stroke crosses them."""
    if not lines.any():
        return mask
    thickness = _thickness(mask, lines)
    zone: Mask = cv2.dilate(lines, np.ones((_odd(thickness), 1), np.uint8))
    reach = int(np.ceil(1.7 * thickness)) + 2
    crossing: Mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((reach, 1), np.uint8))
    rest: Mask = mask * ((zone == 0) | (crossing == 1)).astype(np.uint8)
    bridge: Mask = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((reach, 1), np.uint8))
    return rest | (bridge & zone & mask)


def tilt_of_lines(mask: Mask) -> float:
    """The angle of long straight lines that are near horizontal, in radians, clockwise; 0 where there are none."""
    width = mask.shape[1]
    if cv2.countNonZero(mask) > 0.2 * mask.size:
        return 0.0
    thin = _thin(mask, max(5, int(0.012 * width)))
    found = cv2.HoughLinesP(thin, 1, np.pi / 360, width // 6, minLineLength=width // 5, maxLineGap=max(4, width // 50))
    if found is None:
        return 0.0
    x1, y1, x2, y2 = found.reshape(-1, 4).T.astype(np.float64)
    along = np.linspace(0, 1, 60)[:, None]
    drawn = mask[np.rint(y1 + along * (y2 - y1)).astype(int), np.rint(x1 + along * (x2 - x1)).astype(int)]
    angles, lengths = np.arctan2(y2 - y1, x2 - x1), np.hypot(x2 - x1, y2 - y1)
    lines = (np.abs(angles) < 0.3) & (drawn.mean(axis=0) > 0.8)  # no tops of digits beside each other
    angles, lengths = angles[lines], lengths[lines]
    if lengths.sum() < 0.5 * width:
        return 0.0
    order = np.argsort(angles)
    return float(angles[order][np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)])


def _thickness(mask: Mask, lines: Mask) -> float:
    """Median height of the mask where near-horizontal lines run, in pixels."""
    above, below = np.zeros_like(mask, np.int32), np.zeros_like(mask, np.int32)
    for y in range(1, len(mask)):
        above[y] = (above[y - 1] + 1) * mask[y - 1]
        below[-1 - y] = (below[-y] + 1) * mask[-y]
    on = (mask & lines) > 0
    return float(np.median((above + below + 1)[on])) if on.any() else 1.0


def _odd(size: float) -> int:
    return max(3, int(size) // 2 * 2 + 1)

"""A row of digits: found, straightened, and cut where digits may meet."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.reading.candidates import Candidates
from mnist_cnn.reading.ink import (
    Components,
    Ink,
    Mask,
    Picture,
    channels,
    edge_share,
    edge_steps,
    ink_map,
    noise_level,
    resized,
    tilt_of_lines,
    without_level_lines,
    without_rim,
)
from mnist_cnn.reading.mnist_form import cut_out, stroke_width, to_mnist

WORK_SIDE = 800
"""Long side of the picture in which the row is searched, in pixels."""
KERNELS = (0.05, 0.12)
"""Widest stroke that is still ink, as a share of the long side."""
THRESHOLDS = (0.06, 0.12, 0.22, 0.38)
"""Least darkness of ink that is tried."""
DIGIT = 48
"""Height of a digit in the straightened row, in pixels."""
NOTHING = -1.0
"""The score of what is as likely clutter as a row; it takes as much of the confidence."""
SHORTEST_SIDE = 0.06
"""Shortest side of a box around a digit, as a share of the picture's short side."""
MOST_PARTS = 14
"""More parts between cuts than one digit has."""
MOST_CUTS = 120
"""More than that is not a row of digits."""


@dataclass
class Row:
    """Strokes that may be a row of digits, in the picture that was searched."""

    mask: Mask
    height: float  # of a digit
    angle: float  # radians, clockwise
    channel: int
    light: bool
    kernel: float
    score: float


def find_row(picture: Picture) -> Candidates:
    """Finds a row of digits, straightens it, and cuts it wherever one digit may end and the next begin.

    Cuts are seams of least ink from top to bottom, so that they follow gaps between slanted digits and pass through
    the thinnest joint of touching ones. Which of them are right is chosen with the network's probabilities.

    Args:
        picture: RGB, uint8 [H, W, 3].

    Returns:
        Candidates for everything between two cuts; none for a picture without strokes.
    """
    row = _best_row(resized(picture, WORK_SIDE, 300))
    if row is None:
        return Candidates.of([], [], [])
    ink = _straightened(picture, row)
    return replace(_segments(ink), nothing=NOTHING - row.score)


def _best_row(work: Picture) -> Row | None:
    best: Row | None = None
    for number, channel in enumerate(channels(work)):
        smooth = cv2.GaussianBlur(channel, (0, 0), 0.7)
        steps = edge_steps(channel)
        for light in (False, True):
            tilt, leaning = None, steps
            for kernel in KERNELS:
                ink = ink_map(smooth, light, kernel * max(channel.shape))
                noise = noise_level(ink)
                if tilt is None:
                    tilt = tilt_of_lines((ink > max(THRESHOLDS[0], 4 * noise)).astype(np.uint8))
                    leaning = _turned(steps, tilt)
                ink = _turned(ink, tilt)
                previous = -1
                for threshold in THRESHOLDS:
                    mask = without_rim((ink > max(threshold, 4 * noise)).astype(np.uint8))
                    area = cv2.countNonZero(mask)
                    if abs(area - previous) < 0.05 * area:
                        continue
                    previous = area
                    row = _row_of_mask(mask, ink, noise, leaning)
                    if row is not None and (best is None or row.score > best.score):
                        row.channel, row.light, row.kernel = number, light, kernel
                        row.mask, row.angle = _turned(row.mask, -tilt), row.angle + tilt
                        best = row
        if best is not None and best.score > 2.2:
            break
    return best


def _turned(image: Picture, angle: float) -> Picture:
    """Turned anticlockwise about its middle by an angle in radians, blank in the corners."""
    if not angle:
        return image
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), np.degrees(angle), 1)
    flags = cv2.INTER_NEAREST if image.dtype == np.uint8 else cv2.INTER_LINEAR
    return cv2.warpAffine(image, turn, (width, height), flags=flags)


def _row_of_mask(mask: Mask, ink: Ink, noise: float, steps: Picture) -> Row | None:
    """The row in a mask, without printed lines where there are any."""
    if not 0.0003 * mask.size < cv2.countNonZero(mask) < 0.5 * mask.size:
        return None
    row = _row_of(Components(mask, ink), ink, noise, steps)
    longest = np.inf
    for _ in range(2):
        if row is None:
            break
        bare = without_level_lines(mask, max(SHORTEST_SIDE * min(mask.shape), 0.6 * row.height), longest)
        if bare is not None:
            mask = bare
            row = _row_of(Components(mask, ink), ink, noise, steps) or row
        longest = 2.2 * row.height
    return row


def _row_of(parts: Components, ink: Ink, noise: float, steps: Picture) -> Row | None:
    """The components that stand in one line and are of like height."""
    if not 2 <= parts.count <= 3000:
        return None
    weight = parts.weight * np.where(parts.at_border, 0.3, 1.0)
    large = np.argsort(-weight)[:30]
    large = large[(weight[large] > 0.05 * weight.max()) & (parts.height[large] > 0.02 * max(ink.shape))]
    if not len(large):
        return None
    order = large[np.argsort(parts.height[large])]
    height = float(parts.height[order][np.searchsorted(np.cumsum(weight[order]), weight[order].sum() / 2)])
    x, y = (parts.left + parts.right) / 2, (parts.top + parts.bottom) / 2
    alike = large[(parts.height[large] > 0.45 * height) & (parts.height[large] < 2.2 * height)]
    slope, base = _line(x[alike], y[alike], height)
    off = np.abs(y - (base + slope * x))
    size = (parts.height > 0.45 * height) & (parts.height < 2.4 * height)
    inside = (off < 0.75 * height) & size & (parts.weight > 0.02 * weight.max())
    pieces = (off < 0.65 * height) & ~size & (parts.height < 0.5 * height) & (parts.weight > 0.015 * weight.max())
    inside[0] = pieces[0] = False
    members = _one_run(np.flatnonzero(inside), parts, height)
    if not len(members):
        return None
    near = [i for i in np.flatnonzero(pieces) if _gap(parts, members, int(i)) < 0.25 * height]
    wanted = np.zeros(parts.count, np.uint8)
    wanted[members] = wanted[near] = 1
    mask: Mask = wanted[parts.labels]
    if not slope and cv2.boundingRect(mask)[2] - 1 > 2.5 * height:
        slope = _slope_of_ink(mask)
    score = _row_score(mask, ink, noise, parts, wanted, height)
    everywhere = (0, 0, mask.shape[1], mask.shape[0])
    score -= 8 * max(0.0, 0.92 - edge_share(mask, steps, everywhere))
    return Row(mask, height, float(np.arctan(slope)), 0, False, 0.0, score)


def _line(x: NDArray[Any], y: NDArray[Any], height: float) -> tuple[float, float]:
    """Slope and intercept of the line through most points (Theil and Sen); slope 0 for too few."""
    i, j = np.triu_indices(len(x), 1)
    far = np.abs(x[i] - x[j]) > height
    slope = 0.0
    if len(x) >= 3 and far.any():
        i, j = i[far], j[far]
        slope = float(np.clip(np.median((y[i] - y[j]) / (x[i] - x[j])), -0.6, 0.6))
    return slope, float(np.median(y - slope * x))


def _slope_of_ink(mask: Mask) -> float:
    y, x = np.nonzero(mask)
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / max(1.0, (x * x).sum()), -0.5, 0.5))


def _one_run(members: NDArray[Any], parts: Components, height: float) -> NDArray[Any]:
    """The heaviest run of components without a gap of three digits in it."""
    if not len(members):
        return members
    members = members[np.argsort(parts.left[members])]
    reach = np.maximum.accumulate(parts.right[members])
    breaks = np.flatnonzero(parts.left[members][1:] - reach[:-1] > 3 * height) + 1
    return max(np.split(members, breaks), key=lambda run: parts.weight[run].sum())


def _gap(parts: Components, members: NDArray[Any], i: int) -> float:
    gaps = np.maximum(parts.left[members] - parts.right[i], parts.left[i] - parts.right[members])
    return float(max(0, gaps.min()))


def _row_score(mask: Mask, ink: Ink, noise: float, parts: Components, wanted: NDArray[Any], height: float) -> float:
    """How much the strokes look like a row of digits that somebody meant to show."""
    values = ink[mask > 0]
    strength = float(np.percentile(values, 70))
    left, top, width, tall = cv2.boundingRect(mask)
    box = np.s_[top : top + tall, left : left + width]
    around = ink[box][cv2.dilate(mask[box], np.ones((5, 5), np.uint8)) == 0]
    disorder = float(np.sqrt(np.mean(np.minimum(around, strength) ** 2))) if around.size > 20 else 0.5 * strength
    score = 1.2 * np.log(min(25.0, strength / (disorder + noise + 0.008))) + 0.35 * np.log(strength)
    own = float((parts.weight * wanted).sum())
    others = float((np.minimum(parts.weight, own) * (wanted == 0) * np.where(parts.at_border, 0.3, 1.0)).sum())
    score -= 2.5 * others / (own + others)
    score -= 1.5 * max(0.0, np.log(0.4 * mask.shape[1] / width))
    score -= 2.0 * max(0.0, np.log(1.2 * height / width))
    depth = cv2.distanceTransform(np.pad(mask[box], 1), cv2.DIST_L2, 3)
    stroke = 3 * float(np.mean(depth[depth > 0]))
    score -= 12 * max(0.0, stroke / height - 0.25)
    filled = parts.area[wanted > 0].sum() / (parts.width * parts.height)[wanted > 0].sum()
    score -= 10 * max(0.0, float(filled) - 0.55)  # the inside of boxes
    touching = mask[0].any() + mask[-1].any() + mask[:, 0].any() + mask[:, -1].any()
    return float(score - 0.5 * touching)


def _straightened(picture: Picture, row: Row) -> Ink:
    """The ink of a row, level, digits about 96 pixels high, blank beyond the row."""
    scale = max(picture.shape[:2]) / max(row.mask.shape)
    zoom = 2 * DIGIT / (row.height * scale)
    if zoom < 1:
        picture = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        scale, zoom = scale * zoom, 1.0
    y, x = np.nonzero(row.mask)
    total = scale * zoom
    cos, sin = np.cos(row.angle) * total, np.sin(row.angle) * total
    level_x, level_y = cos * x + sin * y, -sin * x + cos * y
    margin = DIGIT
    left, top = level_x.min() - margin, level_y.min() - margin
    size = (int(level_x.max() - left) + margin, int(level_y.max() - top) + margin)
    turn = np.array([[cos, sin, -left], [-sin, cos, -top]])
    guide = cv2.warpAffine(row.mask * 255, turn, size, flags=cv2.INTER_LINEAR) > 100
    onto_picture = turn.copy()
    onto_picture[:, :2] /= scale
    level = cv2.warpAffine(picture, onto_picture, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = channels(level) if row.channel else [cv2.cvtColor(level, cv2.COLOR_RGB2GRAY)]
    channel = cv2.GaussianBlur(found[min(row.channel, len(found) - 1)], (0, 0), 0.7)
    ink = ink_map(channel, row.light, row.kernel * max(row.mask.shape) * total)
    strength = float(np.percentile(ink[guide], 75)) if guide.any() else 1.0
    step = int(np.ceil(1.2 * total)) * 2 + 1
    zone = cv2.dilate(guide.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (step, step)))
    return (((ink / max(strength, 1e-3) - 0.3) / 0.5).clip(0, 1) * zone).astype(np.float32)


def _segments(ink: Ink) -> Candidates:
    """Candidates for everything between two cuts of a straightened row."""
    small = cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if not (small > 0.3).any():
        return Candidates.of([], [], [])
    stroke = max(2.0, stroke_width(small))
    seams, crossed = _cuts(small, stroke)
    if len(seams) > MOST_CUTS:
        return Candidates.of([], [], [])
    cuts_left = (seams[:, :, None] <= np.arange(small.shape[1])).sum(axis=0)  # how many cuts are to the left
    fine = cv2.resize(cuts_left.astype(np.float32), (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_NEAREST)
    images, spans, plausibility = [], [], []
    last = len(seams) - 1
    amounts = [float((small * (cuts_left == k)).sum()) for k in range(len(seams) + 1)]
    for start in range(last):
        for end in range(start + 1, min(last, start + MOST_PARTS) + 1):
            if sum(amounts[start + 1 : end + 1]) < 1.2 * stroke * stroke:
                continue
            part = cut_out(ink * ((fine > start) & (fine <= end)))
            if part is None or (part.shape[1] > 2 * 1.8 * DIGIT and end > start + 1):
                break
            image = to_mnist(part)
            if image is None:
                continue
            images.append(image)
            spans.append((start, end))
            inner = crossed[start + 1 : end]
            height, width = ((side - 1) / (2 * DIGIT) for side in part.shape)
            gaps = int((inner < 0.2 * stroke).sum())
            cut = (crossed[start] / stroke, crossed[end] / stroke)
            plausibility.append(_plausibility(cut, gaps, width, height))
    return Candidates.of(images, spans, plausibility)


def _plausibility(crossed: tuple[float, float], gaps: int, width: float, height: float) -> float:
    """How much the ink between two cuts looks like one digit.

    Args:
        crossed: The ink that each of its two cuts crosses, in strokes: one where digits touch, two through a loop.
        gaps: Gaps without ink in it, from top to bottom.
        width: In heights of a digit.
        height: Likewise.
    """
    cuts = sum(0.3 * cut + 1.2 * max(0.0, cut - 1.2) for cut in crossed)
    return -cuts - 1.2 * gaps - 3.0 * max(0.0, width - 1.0) - 6.0 * max(0.0, 0.6 - height)


def _cuts(ink: Ink, stroke: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Seams of least ink, left to right.

    Args:
        ink: Float [H, W], digits of about `DIGIT` pixels.
        stroke: Width of the strokes.

    Returns:
        Their column in each row, [S, H]; and the ink that each crosses, in pixels, [S]. The first and the last seam
        lie beside the row.
    """
    height, width = ink.shape
    half = DIGIT // 3
    starts = np.arange(0, width, max(2, DIGIT // 12))
    padded = np.pad(ink, ((0, 0), (half + 1, half + 1)))
    window = starts[:, None] + np.arange(2 * half + 1) + 1
    lean = 0.004 * np.abs(np.arange(2 * half + 1) - half)
    cost = padded[0][window] + lean
    came = np.zeros((height, *cost.shape), np.int8)
    side = np.full((len(starts), 1), 1e9)
    for y in range(1, height):
        choices = np.stack([cost, np.hstack([side, cost[:, :-1]]) + 0.03, np.hstack([cost[:, 1:], side]) + 0.03])
        best = choices.argmin(axis=0)
        came[y] = np.array([0, -1, 1], np.int8)[best]
        cost = np.take_along_axis(choices, best[None], axis=0)[0] + padded[y][window] + lean
    seams = np.zeros((len(starts), height), np.int64)
    place = cost.argmin(axis=1)
    each = np.arange(len(starts))
    for y in range(height - 1, -1, -1):
        seams[:, y] = window[each, place] - half - 1
        place = place + came[y, each, place]
    seams = seams.clip(0, width - 1)
    crossed = ink[np.arange(height), seams].sum(axis=1)
    return _distinct(seams, crossed, ink, stroke)


def _distinct(
    seams: NDArray[np.int64], crossed: NDArray[np.float64], ink: Ink, stroke: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of seams with hardly any ink between them the best; none through too much ink."""
    height, width = ink.shape
    total = np.concatenate([np.zeros((height, 1)), np.cumsum(ink, axis=1)], axis=1)
    beside = np.stack([np.zeros(height, np.int64), np.full(height, width - 1)])
    kept, costs = [beside[0]], [0.0]
    lines = np.arange(height)
    for k in np.argsort(seams.mean(axis=1), kind="stable"):
        if crossed[k] > 2.3 * stroke:
            continue
        between = np.abs(total[lines, seams[k]] - total[lines, kept[-1]]).sum()
        if between > 1.0 * stroke * stroke:
            kept.append(seams[k])
            costs.append(float(crossed[k]))
        elif crossed[k] < costs[-1]:
            kept[-1], costs[-1] = seams[k], float(crossed[k])
    between = np.abs(total[lines, beside[1]] - total[lines, kept[-1]]).sum()
    if between > 1.0 * stroke * stroke:
        kept.append(beside[1])
        costs.append(0.0)
    return np.array(kept), np.array(costs)

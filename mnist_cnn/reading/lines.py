"""Digits in rows, and rows in reading order."""

import math

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Left, top, right, bottom in pixels, [N, 4]."""

ALIKE = 3.6
"""How many times as high as its neighbour in a row a digit may be."""
DRIFT = 0.55
"""How far beside its neighbour's a digit's middle may be, above or below, in heights."""
FAR = 1.1
"""The same for the one row of a picture, where nothing stands above or below: rows bend, and hands waver."""
RISE = 0.3
"""How much further for each height that lies between them: rows rise and fall."""
ROW_GAP = 4.5
"""Heights between two digits of the one row of a picture."""
ALIKE_GAPS = 0.2
"""Overlap of two gaps, of the way that both take together, from which on they are one gap between columns."""
CLOSE = 0.6
"""Heights: gap up to which two digits stand close; most of those of a puzzle stand further apart."""
COLUMN_GAP, CELL_GAP = 1.5, 6.0
"""Heights between columns of text at least, and between two columns of a table at most."""


def rows_of(boxes: Boxes, widest: float, furthest: float = DRIFT) -> list[list[int]]:
    """Chains of digits of like height that follow each other to the right, each the nearest of the other.

    Args:
        boxes: Of N digits.
        widest: Gap between two digits that a chain may have, in heights.
        furthest: How far above or below its neighbour a digit may be, in heights; more where they are apart.

    Returns:
        The numbers of each row's digits, left to right; all digits are in one row each.
    """
    count = len(boxes)
    left, top, right, bottom = boxes.T.astype(np.float64)
    height, middle_x, middle_y = bottom - top, (left + right) / 2, (top + bottom) / 2
    height = np.maximum(height, 0.6 * (right - left))
    mean = (height[:, None] + height) / 2
    gap = (left - right[:, None]) / mean
    drift = np.abs(middle_y - middle_y[:, None]) / mean
    fits = (middle_x > middle_x[:, None]) & (gap <= widest) & (gap > -0.8)
    fits &= np.maximum(height[:, None], height) <= ALIKE * np.minimum(height[:, None], height)
    fits &= drift <= furthest + RISE * gap.clip(0, 2)
    # From middle to middle, not by the gap: a box within another one, as of a stem taken for a 1, ends where that ends,
    # and the next digit would be as near to both.
    cost = np.where(fits, (middle_x - middle_x[:, None]) / mean + 0.5 * drift, np.inf)
    follower = {}
    for k in range(count):
        nearest = int(cost[k].argmin())
        if np.isfinite(cost[k, nearest]) and int(cost[:, nearest].argmin()) == k:
            follower[k] = nearest
    rows = []
    for k in sorted(set(range(count)) - set(follower.values())):
        row = [k]
        while row[-1] in follower:
            row.append(follower[row[-1]])
        rows.append(row)
    return rows


def the_row(boxes: Boxes, scores: NDArray[np.float32]) -> list[int]:
    """The one row that is meant: the most and the largest digits along one slope; empty where there are none.

    Args:
        boxes: Of N digits.
        scores: How sure each is, 0 to 1, [N].

    Returns:
        The numbers of its digits, left to right.
    """
    if not len(boxes):
        return []
    height = boxes[:, 3] - boxes[:, 1]

    def best(level: Boxes, furthest: float = DRIFT) -> list[int]:
        rows = rows_of(level, ROW_GAP, furthest)
        return max(rows, key=lambda row: float((scores[row] * np.sqrt(height[row])).sum()))

    level = boxes
    row, x, y = best(level), (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    if len(row) > 2:  # of a steep or an uneven row some digits may still be missing
        middle = y - np.polyfit(x[row], y[row], 1)[0] * x
        highest = height[row].max()  # a small digit may stand anywhere within a row of this height
        half = np.where(height * ALIKE > highest, np.maximum(height, highest), height) / 2
        level = np.stack((boxes[:, 0], middle - half, boxes[:, 2], middle + half), axis=1).astype(np.float32)
        row = best(level)
    longer = best(level, FAR)
    return longer if set(row) < set(longer) and not _stacked(boxes, longer, sorted(set(longer) - set(row))) else row


def _stacked(boxes: Boxes, row: list[int], some: list[int]) -> bool:
    """Whether a digit that is not in a row stands above or below one of some."""
    others = np.delete(boxes, row, axis=0)
    common = np.minimum(boxes[some, None, 2], others[:, 2]) - np.maximum(boxes[some, None, 0], others[:, 0])
    narrower = np.minimum(boxes[some, None, 2] - boxes[some, None, 0], others[:, 2] - others[:, 0])
    return bool((common > narrower / 2).any())


def the_digit(boxes: Boxes, scores: NDArray[np.float32], shape: tuple[int, ...]) -> list[int]:
    """The one digit that is meant: large, near the middle, and surely a digit; empty where there are none."""
    if not len(boxes):
        return []
    height, width = shape[:2]
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    away = np.hypot((boxes[:, 0] + boxes[:, 2]) / width - 1, (boxes[:, 1] + boxes[:, 3]) / height - 1)
    return [int((scores * np.sqrt(size) * np.exp(-0.3 * away**2)).argmax())]


def page_rows(boxes: Boxes, joined: NDArray[np.float32]) -> list[list[int]]:
    """All rows of a page, blocks and columns in reading order.

    Args:
        boxes: Of N digits.
        joined: How likely the number of each goes on to its right, [N].

    Returns:
        The numbers of each row's digits, left to right; all digits are in one row each.
    """
    chains = rows_of(boxes, math.inf)
    left, right = (np.array([k for chain in chains for k in chain[part]], np.int64) for part in (np.s_[:-1], np.s_[1:]))
    goes_on = joined.copy()
    goes_on[left] = _agreed(boxes[left, 2], boxes[right, 0], joined[left])
    goes_on[left[_whole_cells(boxes[left], boxes[right], joined[left])]] = 1
    rows = []
    for chain in chains:
        cuts = (np.flatnonzero(goes_on[chain[:-1]] < 0.5) + 1).tolist()
        rows += [chain[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(chain)], strict=True)]
    frames = np.array([frame(boxes[row]) for row in rows]).reshape(-1, 4)
    return [rows[k] for k in _in_order(frames, np.arange(len(rows)))]


def frame(boxes: Boxes) -> NDArray[np.float64]:
    """Left, top, right, bottom around N boxes, N at least 1, [4]."""
    return np.concatenate((boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))).astype(np.float64)


def _agreed(low: NDArray[np.float32], high: NDArray[np.float32], joined: NDArray[np.float32]) -> NDArray[np.float32]:
    """How likely numbers go on after M gaps, if all gaps of one column do or do not: their mean, [M].

    The cells of a table divide numbers, which often is clear from some of its lines alone.

    Args:
        low: Where each gap begins, in pixels.
        high: Where it ends.
        joined: How likely the number goes on after each gap alone.
    """
    common = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    both = np.maximum(high[:, None], high) - np.minimum(low[:, None], low)
    alike = (common > ALIKE_GAPS * both) | np.eye(len(low), dtype=bool)
    mean: NDArray[np.float32] = alike @ joined / alike.sum(axis=1)
    return mean


def _whole_cells(left: Boxes, right: Boxes, joined: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which digits are whole cells of a puzzle apart, many of which may be empty, bool [M].

    All cells of a page are of one kind: those of a puzzle if most digits stand apart, and most of these go on.

    Args:
        left: Of M digits that have a neighbour in their line.
        right: Of these neighbours.
        joined: How likely the number of each left one goes on, [M].
    """
    height = (left[:, 3] - left[:, 1] + right[:, 3] - right[:, 1]) / 2
    is_apart = (right[:, 0] - left[:, 2]) / height > CLOSE
    if 2 * is_apart.sum() <= len(left) or joined[is_apart].mean() < 0.5:
        return np.zeros(len(left), bool)
    steps = (right[:, 0] + right[:, 2] - left[:, 0] - left[:, 2]) / 2
    pitch = np.median(steps[steps < 1.4 * np.quantile(steps, 0.2)])
    whole: NDArray[np.bool_] = np.abs(steps / pitch - np.rint(steps / pitch)) <= 0.2
    return whole


def _in_order(frames: NDArray[np.float64], rows: NDArray[np.int64]) -> list[int]:
    """Reading order by recursive cuts between rows: first into columns that stand apart, then from top to bottom.

    Args:
        frames: Left, top, right, bottom of all rows, [N, 4].
        rows: The numbers of those to bring in order.
    """
    if len(rows) < 2:
        return rows.tolist()
    here = frames[rows]
    height = float(np.median(here[:, 3] - here[:, 1]))
    across, down = _cuts(here[:, 0], here[:, 2]), _cuts(here[:, 1], here[:, 3])
    if across and across[0][0] > COLUMN_GAP * height and not _is_table(here, across, height):
        first = here[:, 0] < across[0][1]
    elif down:
        first = here[:, 1] < down[0][1]
    else:
        middle = (here[:, 1] + here[:, 3]) / 2
        lines = np.floor((middle - middle.min()) / max(1.0, 0.7 * height))
        return rows[np.lexsort((here[:, 0], lines))].tolist()
    return _in_order(frames, rows[first]) + _in_order(frames, rows[~first])


def _cuts(low: NDArray[np.float64], high: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The gaps between intervals, the widest first: how wide each is, and its middle."""
    order = np.argsort(low)
    reach = np.maximum.accumulate(high[order])[:-1]
    gaps = low[order][1:] - reach
    return sorted(((float(g), float(r + g / 2)) for g, r in zip(gaps, reach, strict=True) if g > 0), reverse=True)


def _is_table(frames: NDArray[np.float64], gutters: list[tuple[float, float]], height: float) -> bool:
    """Whether rows are the cells of a table: on common lines, in several columns, or in two that are close."""
    middle = (frames[:, 1] + frames[:, 3]) / 2
    is_left = frames[:, 0] < gutters[0][1]
    near = np.abs(middle[is_left][:, None] - middle[~is_left])
    fewer = near.min(axis=1 if near.shape[0] <= near.shape[1] else 0)
    alike = float((fewer < 0.35 * height).mean())
    several = sum(width > height for width, _ in gutters) > 1
    return alike > 0.7 and (several or gutters[0][0] < CELL_GAP * height)

"""Digits in rows, and rows in reading order."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Left, top, right, bottom in pixels, [N, 4]."""

ALIKE = 3.0
"""How many times as high as its neighbour in a row a digit may be."""
DRIFT = 0.55
"""How far beside its neighbour's a digit's middle may be, above or below, in heights."""
RISE = 0.3
"""How much further for each height that lies between them: rows rise and fall."""
ROW_GAP = 4.5
"""Heights between two digits of the one row of a picture."""
PAGE_GAP = 8.0
"""Heights between two digits of a row of a page, before it is divided."""
CLOSE = 0.6
"""Heights: usual gap of a row in which digits stand close."""


def rows_of(boxes: Boxes, widest: float) -> list[list[int]]:
    """Chains of digits of like height that follow each other to the right, each the nearest of the other.

    Args:
        boxes: Of N digits.
        widest: Gap between two digits that a chain may have, in heights.

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
    fits &= drift <= DRIFT + RISE * gap.clip(0, 2)
    cost = np.where(fits, gap.clip(0) + 0.5 * drift, np.inf)
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
    """The one row that is meant: that of the most and the largest digits; empty where there are none."""
    if not len(boxes):
        return []
    size = np.sqrt(boxes[:, 3] - boxes[:, 1])
    return max(rows_of(boxes, ROW_GAP), key=lambda row: float((scores[row] * size[row]).sum()))


def the_digit(boxes: Boxes, scores: NDArray[np.float32], shape: tuple[int, ...]) -> list[int]:
    """The one digit that is meant: large, near the middle, and surely a digit; empty where there are none."""
    if not len(boxes):
        return []
    height, width = shape[:2]
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    away = np.hypot((boxes[:, 0] + boxes[:, 2]) / width - 1, (boxes[:, 1] + boxes[:, 3]) / height - 1)
    return [int((scores * np.sqrt(size) * np.exp(-0.3 * away**2)).argmax())]


def page_rows(boxes: Boxes) -> list[list[int]]:
    """All rows of a page, blocks and columns in reading order."""
    chains = rows_of(boxes, PAGE_GAP)
    gaps = np.concatenate([np.zeros(1), *(_gaps(chain, boxes) for chain in chains)])
    is_close = float(np.median(gaps)) <= CLOSE
    pitch = None if is_close else _pitch(np.concatenate([_steps(chain, boxes) for chain in chains]))
    rows = [part for chain in chains for part in _divided(chain, boxes, pitch)]
    frames = np.array([_frame(boxes[row]) for row in rows]).reshape(-1, 4)
    return [rows[k] for k in _in_order(frames, np.arange(len(rows)))]


def _frame(boxes: Boxes) -> NDArray[np.float64]:
    return np.concatenate((boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))).astype(np.float64)


def _gaps(row: list[int], boxes: Boxes) -> NDArray[np.float64]:
    """Between the digits of a row, in its heights."""
    height = float(np.median(boxes[row, 3] - boxes[row, 1]))
    return ((boxes[row[1:], 0] - boxes[row[:-1], 2]) / height).astype(np.float64)


def _steps(row: list[int], boxes: Boxes) -> NDArray[np.float64]:
    """From the middle of each digit of a row to that of the next one, in pixels."""
    return np.diff((boxes[row, 0] + boxes[row, 2]) / 2).astype(np.float64)


def _pitch(steps: NDArray[np.float64]) -> float:
    """How far the cells of a puzzle are apart, many of which may be empty."""
    short = float(np.quantile(steps, 0.2))
    return float(np.median(steps[steps < 1.4 * short]))


def _divided(row: list[int], boxes: Boxes, pitch: float | None) -> list[list[int]]:
    """A row divided where a gap is wide beside its others, or beside those of a page.

    Args:
        row: Its digits, left to right.
        boxes: Of all digits.
        pitch: On a page on which digits stand apart, the width of a cell: no gap of empty cells divides a row. None on
            a page on which they stand close.
    """
    if len(row) < 2:
        return [row]
    gaps = _gaps(row, boxes)
    usual = float(np.median(gaps)) if pitch else min(CLOSE, float(np.median(gaps)))
    limit = max(1.0, 2 * usual + 0.4) if usual <= CLOSE else 3.3 * usual + 0.4
    is_cut = gaps > limit
    if pitch:
        cells = _steps(row, boxes) / pitch
        is_cut &= np.abs(cells - np.rint(cells)) > 0.2
    cuts = (np.flatnonzero(is_cut) + 1).tolist()
    return [row[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(row)], strict=True)]


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
    if across and across[0][0] > 3 * height and not _is_table(here, across, height):
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
    return alike > 0.8 and (several or gutters[0][0] < 4 * height)

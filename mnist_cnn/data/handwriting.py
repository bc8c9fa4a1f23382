"""A picture of handwriting in, digits in MNIST's form out: uint8 28x28, white ink on black."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_cnn.data.ink import (
    BACKGROUND_KERNELS,
    Ink,
    Mask,
    Picture,
    channels,
    ink_map,
    ink_maps,
    noise_level,
    without_lines,
)

Layout = Literal["digit", "row"]

WORK_SIDE = 512
"""Long side of the picture in which the digit is searched, in pixels."""
FINE_SIDE = 400
"""Long side of the cut-out from which the digit is drawn."""
THRESHOLDS = (0.045, 0.08, 0.14, 0.24, 0.4)
"""Least darkness of ink that is tried, as a share of the paper's brightness."""
ALTERNATIVES = 3
"""How many ways to see a picture the network may choose from."""
CLEAR = 2.9
"""A score from which on no further colour is tried."""
CANVAS = 160
"""The digit's long side while its stroke is brought to MNIST's width, eight times the final one."""
STROKE = (17.0, 29.0)
"""MNIST's stroke widths on that canvas; thinner and thicker ones are brought near."""


@dataclass(frozen=True)
class Candidates:
    """What a picture may show: images of digits, and which of them stand one after the other.

    A reading is a path from cut 0 to the last cut; for a single digit all candidates lead from 0 to 1.
    """

    images: Picture
    """[K, 28, 28]; none where the picture shows no digit."""
    spans: NDArray[np.int64]
    """[K, 2]: from which cut to which a candidate reaches, left to right."""
    plausibility: NDArray[np.float32]
    """[K]: the logarithm of how much each looks like a digit's strokes, up to a constant."""

    @classmethod
    def of(cls, images: list[Picture], spans: list[tuple[int, int]], plausibility: list[float]) -> "Candidates":
        """From lists of equal length."""
        return cls(
            np.stack(images) if images else np.zeros((0, 28, 28), np.uint8),
            np.array(spans, np.int64).reshape(-1, 2),
            np.array(plausibility, np.float32),
        )


@dataclass
class Group:
    """Strokes that may be a digit, in the picture that was searched."""

    mask: Mask
    box: tuple[int, int, int, int]  # left, top, right, bottom; right and bottom exclusive
    channel: int
    light: bool
    kernel: float
    strength: float
    score: float = field(default=-99.0)


@dataclass(frozen=True)
class Reading:
    """What a picture was read as."""

    digits: str
    """Left to right; empty where no digit was found."""
    confidence: float
    """The probability that all of it is right, 0 to 1; 0 where no digit was found."""
    images: Picture
    """What the network saw of each digit, [N, 28, 28]."""


def find_candidates(picture: Picture, layout: Layout) -> Candidates:
    """What a picture may show: `find_digit` or `find_row`."""
    return find_row(picture) if layout == "row" else find_digit(picture)


def choose(candidates: Candidates, probabilities: NDArray[Any]) -> Reading:
    """Chooses the reading that is best as handwriting and to the network.

    Args:
        candidates: Of one picture.
        probabilities: Of the ten digits for each candidate, [K, 10].

    Returns:
        The best path through the candidates.
    """
    if not len(candidates.images):
        return Reading("", 0.0, candidates.images)
    sure = np.log(np.maximum(probabilities.max(axis=1), 1e-9))
    value = candidates.plausibility + sure
    last = int(candidates.spans[:, 1].max())
    best: list[tuple[float, list[int]]] = [(0.0, []), *((-np.inf, []) for _ in range(last))]
    for cut in range(1, last + 1):
        for k in np.flatnonzero(candidates.spans[:, 1] == cut):
            total, path = best[candidates.spans[k, 0]]
            if total + value[k] > best[cut][0]:
                best[cut] = (total + float(value[k]), [*path, int(k)])
    path = best[last][1]
    digits = "".join(str(digit) for digit in probabilities[path].argmax(axis=1))
    return Reading(digits, float(np.exp(sure[path].sum())), candidates.images[path])


def find_digit(picture: Picture) -> Candidates:
    """Finds the one digit of a picture.

    Several assumptions about colour, polarity, stroke width and threshold are tried; those whose strokes look most
    like a written digit become candidates.

    Args:
        picture: RGB, uint8 [H, W, 3].

    Returns:
        Up to three candidates, the most plausible first; none for a picture without strokes.
    """
    form = mnist_form(picture)
    if form is not None:
        return Candidates.of([form], [(0, 1)], [0.0])
    groups = _best_groups(_resized(picture, WORK_SIDE, 200))
    images, scores = [], []
    for group in groups:
        image = _render(picture, group)
        if image is not None:
            images.append(image)
            scores.append(group.score)
    return Candidates.of(images, [(0, 1)] * len(images), scores)


def find_row(picture: Picture) -> Candidates:
    """TODO."""
    return find_digit(picture)


def mnist_form(picture: Picture) -> Picture | None:
    """The digit of a picture that already has MNIST's form, else None.

    That is 28x28 grey pixels, a border of one value, black or white, the digit in a box of 20x20 and its centre of
    mass in the middle. No photo or free drawing meets all of it.

    Args:
        picture: RGB, uint8 [H, W, 3].

    Returns:
        Uint8 [28, 28], ink 255; bit for bit the picture, or its negative.
    """
    if picture.shape[:2] != (28, 28) or np.ptp(picture, axis=2).max() > 0:
        return None
    grey = picture[..., 0]
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if rim.min() != rim.max() or rim[0] not in (0, 255):
        return None
    form = grey.copy() if rim[0] == 0 else 255 - grey
    rows, columns = np.flatnonzero(form.any(axis=1)), np.flatnonzero(form.any(axis=0))
    if not len(rows) or not 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20:
        return None
    weight = form.astype(np.float64)
    middle = np.array([(weight.sum(1 - axis) * np.arange(28)).sum() / weight.sum() for axis in (0, 1)])
    return form if np.abs(middle - 14).max() < 0.75 else None


def _resized(picture: Picture, most: int, least: int = 0) -> Picture:
    """The picture with a long side of at most `most` and at least `least` pixels."""
    side = max(picture.shape[:2])
    scale = min(1.0, most / side) if side > least else least / side
    if scale == 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _best_groups(work: Picture) -> list[Group]:
    groups: list[Group] = []
    for number, channel in enumerate(channels(work)):
        for ink, light, kernel in ink_maps(channel):
            for group in _groups_of_map(ink, kernel):
                group.channel, group.light = number, light
                groups.append(group)
        if groups and max(group.score for group in groups) > CLEAR:
            break
    groups.sort(key=lambda group: -group.score)
    chosen: list[Group] = []
    for group in groups:
        if len(chosen) == ALTERNATIVES or group.score < groups[0].score - 3:
            break
        if all(_overlap(group, other) < 0.75 for other in chosen):
            chosen.append(group)
    return chosen


def _overlap(one: Group, other: Group) -> float:
    """Intersection over union of two masks."""
    union = int((one.mask | other.mask).sum())
    return int((one.mask & other.mask).sum()) / max(1, union)


def _groups_of_map(ink: Ink, kernel: float) -> Iterator[Group]:
    """Groups of strokes at every threshold, with and without printed lines."""
    noise = noise_level(ink)
    previous = -1
    for threshold in THRESHOLDS:
        mask = (ink > max(threshold, 4 * noise)).astype(np.uint8)
        area = int(mask.sum())
        if not 0.0003 * mask.size < area < 0.5 * mask.size or abs(area - previous) < 0.01 * area:
            continue
        previous = area
        found = _Components(mask, ink)
        yield from _groups_of_mask(found, ink, noise, kernel)
        if kernel == BACKGROUND_KERNELS[0] and found.may_be_lines():
            bare = without_lines(mask)
            if bare is not None:
                yield from _groups_of_mask(_Components(bare, ink), ink, noise, kernel)


class _Components:
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
        rows, columns = self.mask.shape
        spans = (self.width > 0.45 * columns) | (self.height > 0.45 * rows)
        framed = (self.width > 0.2 * columns) & (self.height > 0.2 * rows)
        hollow = (self.area < 0.3 * self.width * self.height) | (np.minimum(self.width, self.height) < 0.06 * self.long)
        return bool(((spans | framed) & hollow)[1:].any())


def _groups_of_mask(parts: _Components, ink: Ink, noise: float, kernel: float) -> Iterator[Group]:
    """The two most salient groups of connected strokes."""
    if not 2 <= parts.count <= 3000:
        return
    salience = parts.weight * np.sqrt(parts.long) * np.where(parts.at_border, 0.4, 1.0)
    seen: list[int] = []
    for seed in np.argsort(-salience)[:3]:
        if seed in seen or parts.long[seed] < 0.04 * min(ink.shape) or not seed:
            continue
        members = _members(parts, int(seed))
        seen += members
        box = (
            int(parts.left[members].min()),
            int(parts.top[members].min()),
            int(parts.right[members].max()),
            int(parts.bottom[members].max()),
        )
        left, top, right, bottom = box
        wanted = np.zeros(parts.count, np.uint8)
        wanted[members] = 1
        strokes = np.zeros_like(parts.mask)
        strokes[top:bottom, left:right] = wanted[parts.labels[top:bottom, left:right]]
        group = Group(strokes, box, 0, False, kernel, 0.0)
        own = float(parts.weight[members].sum())
        others = np.minimum(parts.weight, own) * (wanted == 0) * np.where(parts.at_border, 0.3, 1.0)
        outside = float(others.sum()) / (own + float(others.sum()))
        _judge(group, ink, noise, outside, len(members))
        yield group


def _members(parts: _Components, seed: int) -> list[int]:
    """The components that belong to the same digit as `seed`: near it, not too small, not cut by the border."""
    members = [seed]
    left, top, right, bottom = parts.left[seed], parts.top[seed], parts.right[seed], parts.bottom[seed]
    for i in np.argsort(-parts.weight)[:12]:
        if i in (0, seed) or parts.weight[i] < 0.02 * parts.weight[seed]:
            continue
        if parts.at_border[i] and not parts.at_border[seed]:
            continue
        size = max(right - left, bottom - top)
        gap_x = max(left - parts.right[i], parts.left[i] - right, 0)
        gap_y = max(top - parts.bottom[i], parts.top[i] - bottom, 0)
        union = (
            min(left, parts.left[i]),
            min(top, parts.top[i]),
            max(right, parts.right[i]),
            max(bottom, parts.bottom[i]),
        )
        width, height = union[2] - union[0], union[3] - union[1]
        small = parts.weight[i] < 0.06 * parts.weight[seed]
        # The bar of a 5 stands above its body; what stands beside a digit is more often another one.
        if gap_x > (0.06 if small else 0.15) * size or gap_y > (0.1 if small else 0.4) * size:
            continue
        if max(width, height) > 1.8 * size or (gap_x > 0 and width > 1.2 * height):
            continue
        members.append(int(i))
        left, top, right, bottom = union
    return members


def _judge(group: Group, ink: Ink, noise: float, outside: float, pieces: int) -> None:
    """Sets strength and score: how much the group looks like one written digit that somebody meant to show."""
    left, top, right, bottom = group.box
    height, width = ink.shape
    w, h = right - left, bottom - top
    long = max(w, h)
    margin = max(3, long // 6)
    window = np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    strokes, local = group.mask[window], ink[window]
    inside = strokes > 0
    values = local[inside]
    group.strength = float(np.percentile(values, 70))
    around = local[cv2.dilate(strokes, np.ones((5, 5), np.uint8)) == 0]
    disorder = (
        float(np.sqrt(np.mean(np.minimum(around, group.strength) ** 2))) if around.size > 20 else 0.5 * group.strength
    )
    score = 1.2 * np.log(min(25.0, group.strength / (disorder + noise + 0.008)))
    score += 0.35 * np.log(group.strength)
    # Strokes: thin beside the digit's size and of even width.
    distance = cv2.distanceTransform(np.pad(strokes, 1), cv2.DIST_L2, 3)
    ridge = distance[(distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0)]
    stroke = 2 * float(np.mean(ridge))
    score -= 12 * max(0.0, stroke / long - 0.22)
    score -= 4 * max(0.0, float(np.std(ridge)) / max(1e-3, float(np.mean(ridge))) - 0.38)
    score -= 5 * max(0.0, stroke / (group.kernel * max(ink.shape)) - 0.55)  # the background follows wider ones
    fill = len(values) / max(1, w * h)
    score -= 6 * max(0.0, fill - 0.62) * (w > 0.45 * h)
    score -= 8 * max(0.0, 0.06 - fill)
    # Place and size.
    share = long / min(height, width)
    score -= 1.6 * max(0.0, np.log(0.3 / share)) + 4 * max(0.0, np.log(0.07 / share))
    sides = group.mask[0].sum() + group.mask[-1].sum() + group.mask[:, 0].sum() + group.mask[:, -1].sum()
    score -= 1.2 * (sides > 0) + 5 * min(1.0, sides / long)
    score -= 1.5 * max(0.0, np.log(w / (1.15 * h))) + 0.8 * max(0.0, np.log(h / (8 * w)))
    score -= 2.5 * outside + 0.25 * max(0, pieces - 2)
    outlines, nesting = cv2.findContours(strokes, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(outlines))
    slim = min(cv2.minAreaRect(hull)[1]) / max(1.0, *cv2.minAreaRect(hull)[1])
    solid = len(values) / max(1.0, cv2.contourArea(hull))
    score -= 8 * max(0.0, solid - 0.72) * (slim > 0.3)
    centre = np.hypot((left + right) / width - 1, (top + bottom) / height - 1)
    score -= 0.6 * float(centre) ** 2
    holes = int((nesting[0, :, 3] >= 0).sum())
    score -= 0.4 * max(0, holes - 2)
    group.score = float(score)


def _render(picture: Picture, group: Group) -> Picture | None:
    """Draws the digit of a group in MNIST's form, from the pixels of the full picture."""
    height, width = picture.shape[:2]
    scale = max(height, width) / max(group.mask.shape)
    left, top, right, bottom = group.box
    margin = max(4, 0.3 * max(right - left, bottom - top))
    x0, y0 = max(0, int((left - margin) * scale)), max(0, int((top - margin) * scale))
    x1, y1 = min(width, int((right + margin) * scale) + 1), min(height, int((bottom + margin) * scale) + 1)
    # The crop of the searched picture's channel would do, but for the detail of thin lines.
    crop = _resized(picture[y0:y1, x0:x1], FINE_SIDE, FINE_SIDE // 2)
    fine = crop.shape[1] / max(1, x1 - x0)
    matrix = np.array([[scale * fine, 0, -x0 * fine], [0, scale * fine, -y0 * fine]], np.float32)
    guide = cv2.warpAffine(group.mask * 255, matrix, (crop.shape[1], crop.shape[0]), flags=cv2.INTER_LINEAR) > 100
    if not guide.any():
        return None
    channel = cv2.GaussianBlur(_same_channel(picture, crop, group), (0, 0), 0.7)
    ink = ink_map(channel, group.light, group.kernel * max(height, width) * fine)
    strength = float(np.percentile(ink[guide], 75))
    step = int(np.ceil(scale * fine * 1.2)) * 2 + 1
    zone = cv2.dilate(guide.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (step, step)))
    soft = ((ink / max(strength, 1e-3) - 0.3) / 0.5).clip(0, 1) * zone
    return to_mnist(soft.astype(np.float32))


def _same_channel(picture: Picture, crop: Picture, group: Group) -> Picture:
    found = channels(crop) if group.channel else [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)]
    return found[group.channel] if group.channel < len(found) else found[0]


def to_mnist(ink: Ink) -> Picture | None:
    """Brings a drawn digit into MNIST's form.

    The stroke is brought near MNIST's width, the digit fits a box of 20x20 with its aspect ratio kept, antialiased,
    and its centre of mass goes to the middle of 28x28.

    Args:
        ink: Float [H, W], 0 to 1, ink 1.

    Returns:
        Uint8 [28, 28], or None where there is no ink.
    """
    digit = _cut(ink)
    if digit is None:
        return None
    for _ in range(2):  # the stroke's width changes the digit's size
        digit = _fit(digit, CANVAS)
        stroke = stroke_width(digit)
        digit = _with_stroke(digit, stroke)
        digit = _cut(digit)
        if digit is None:
            return None
    digit = _fit(digit, CANVAS)
    height, width = (max(1, round(side / CANVAS * 20)) for side in digit.shape)
    small = cv2.resize(digit, (width, height), interpolation=cv2.INTER_AREA)
    small = (small * 1.1).clip(0, 1)
    rows, columns = small.sum(axis=1), small.sum(axis=0)
    middle_y = (rows * np.arange(height)).sum() / rows.sum()
    middle_x = (columns * np.arange(width)).sum() / columns.sum()
    y, x = (int(np.clip(round(14 - middle), 0, 28 - side)) for middle, side in ((middle_y, height), (middle_x, width)))
    form = np.zeros((28, 28), np.uint8)
    form[y : y + height, x : x + width] = np.rint(small * 255)
    return form


def _cut(ink: Ink) -> Ink | None:
    rows, columns = np.flatnonzero((ink > 0.3).any(axis=1)), np.flatnonzero((ink > 0.3).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else None


def _fit(ink: Ink, side: int) -> Ink:
    scale = side / max(ink.shape)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC).clip(0, 1)


def stroke_width(ink: Ink) -> float:
    """Mean width of the strokes in pixels, along the middle of each, of a map from 0 to 1."""
    distance = cv2.distanceTransform(np.pad((ink > 0.5).astype(np.uint8), 1), cv2.DIST_L2, 5)
    ridge = distance[(distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 0)]
    return max(1.0, 2 * float(np.mean(ridge)) - 1) if ridge.size else 1.0


def _with_stroke(digit: Ink, stroke: float) -> Ink:
    """Thickens or thins strokes towards MNIST's width."""
    low, high = STROKE
    if low <= stroke <= high:
        return digit
    if stroke < low:
        size = round(low - stroke)
        padded = cv2.copyMakeBorder(digit, size, size, size, size, cv2.BORDER_CONSTANT, value=0)
        grown = cv2.dilate(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size + 1, size + 1)))
        return cv2.GaussianBlur(grown, (0, 0), 2.0)
    size = round(min(0.6 * (stroke - high), 0.3 * stroke))
    padded = cv2.copyMakeBorder(digit, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size + 1, size + 1)))

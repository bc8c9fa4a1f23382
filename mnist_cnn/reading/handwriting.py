"""A picture of handwriting in, digits in MNIST's form out: uint8 28x28, white ink on black."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from mnist_cnn.reading.candidates import Candidates
from mnist_cnn.reading.ink import (
    BACKGROUND_KERNELS,
    Components,
    Ink,
    Mask,
    Picture,
    channels,
    edge_share,
    edge_steps,
    ink_map,
    ink_maps,
    noise_level,
    resized,
    without_lines,
    without_rim,
)
from mnist_cnn.reading.mnist_form import mnist_form, to_mnist
from mnist_cnn.reading.rows import find_row

Layout = Literal["digit", "row"]

WORK_SIDE = 512
"""Long side of the picture in which the digit is searched, in pixels."""
FINE_SIDE = 400
"""Long side of the cut-out from which the digit is drawn."""
THRESHOLDS = (0.4, 0.24, 0.14, 0.08, 0.045)
"""Least darkness of ink that is tried, as a share of the paper's brightness."""
ALTERNATIVES = 5
"""How many ways to see a picture the network may choose from."""
MOST_SPECKS = 2500
"""More separate strokes than that are the paper's texture."""
CLEAR = 2.9
"""A score from which on no further colour is tried, if the strokes do not reach the border, as ruling does."""
LEAST = -5.0
"""A score below which there is no digit, only noise or clutter."""
NOTHING = -1.0
"""The score of what is as likely clutter as a digit; it takes as much of the confidence."""
VERY_CLEAR = 3.3
"""A score from which on no wider strokes are tried, likewise."""


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

    @property
    def is_inside(self) -> bool:
        """Whether it stays clear of the border."""
        left, top, right, bottom = self.box
        return left > 0 and top > 0 and right < self.mask.shape[1] and bottom < self.mask.shape[0]


def find_candidates(picture: Picture, layout: Layout) -> Candidates:
    """What a picture may show: `find_digit` or `find_row`."""
    return find_row(picture) if layout == "row" else find_digit(picture)


def find_digit(picture: Picture) -> Candidates:
    """Finds the one digit of a picture.

    Several assumptions about colour, polarity, stroke width and threshold are tried; those whose strokes look most
    like a written digit become candidates.

    Args:
        picture: RGB, uint8 [H, W, 3].

    Returns:
        At most `ALTERNATIVES` candidates, the most plausible first; none for a picture without strokes.
    """
    form = mnist_form(picture)
    if form is not None:
        return Candidates.of([form], [(0, 1)], [0.0])
    groups = _best_groups(resized(picture, WORK_SIDE, 200))
    images: list[Picture] = []
    scores: list[float] = []
    for group in groups:
        image = draw(picture, group)
        if image is not None:
            images.append(image)
            scores.append(group.score)
    return Candidates.of(images, [(0, 1)] * len(images), scores, NOTHING)


def _best_groups(work: Picture) -> list[Group]:
    groups: list[Group] = []
    for number, channel in enumerate(channels(work)):
        clear = {False: False, True: False}
        steps = edge_steps(channel)
        for ink, light, kernel in ink_maps(channel):
            if clear[light]:
                continue
            for group in _groups_of_map(ink, kernel, steps):
                group.channel, group.light = number, light
                groups.append(group)
                clear[light] |= group.score > VERY_CLEAR and group.is_inside
        if any(group.score > CLEAR and group.is_inside for group in groups):
            break
    groups.sort(key=lambda group: -group.score)
    chosen: list[Group] = []
    for group in groups:
        if len(chosen) == ALTERNATIVES or group.score < max(LEAST, groups[0].score - 3):
            break
        if all(_overlap(group, other) < 0.75 for other in chosen):
            chosen.append(group)
    return chosen


def _overlap(one: Group, other: Group) -> float:
    """Intersection over union of two masks."""
    union = int((one.mask | other.mask).sum())
    return int((one.mask & other.mask).sum()) / max(1, union)


def _groups_of_map(ink: Ink, kernel: float, steps: Picture) -> Iterator[Group]:
    """Groups of strokes at every threshold, with and without printed lines."""
    noise = noise_level(ink)
    previous = -1
    for threshold in THRESHOLDS:
        mask = without_rim((ink > max(threshold, 4 * noise)).astype(np.uint8))
        area = cv2.countNonZero(mask)
        if area < 0.0003 * mask.size or abs(area - previous) < 0.03 * area:
            continue
        previous = area
        found = Components(mask, ink)
        if found.count > MOST_SPECKS or area > 0.5 * mask.size:
            break  # lower thresholds find still more
        yield from _groups_of_mask(found, ink, noise, kernel, steps)
        if kernel < BACKGROUND_KERNELS[-1] and found.may_be_lines():
            bare = without_lines(mask)
            if bare is not None:
                yield from _groups_of_mask(Components(bare, ink), ink, noise, kernel, steps)


def _groups_of_mask(parts: Components, ink: Ink, noise: float, kernel: float, steps: Picture) -> Iterator[Group]:
    """The two most salient groups of connected strokes."""
    if parts.count < 2:
        return
    salience = parts.weight * np.sqrt(parts.long) * np.where(parts.at_border, 0.4, 1.0)
    seen: list[int] = []
    for seed in np.argsort(-salience)[:3]:
        if seed in seen or parts.long[seed] < 0.04 * min(ink.shape) or not seed:
            continue
        if parts.width[seed] > 4 * parts.height[seed]:
            continue  # an underline
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
        others[parts.encloses(int(seed))] = 0
        outside = float(others.sum()) / (own + float(others.sum()))
        _judge(group, ink, noise, outside, len(members))
        group.score -= _shape_faults(group, steps)
        if parts.is_ring_around_something(int(seed)):
            group.score -= 3
        yield group


def _members(parts: Components, seed: int) -> list[int]:
    """The components that belong to the same digit as `seed`: near it, not too small, not cut by the border."""
    members = [seed]
    around = parts.encloses(seed)
    left, top, right, bottom = parts.left[seed], parts.top[seed], parts.right[seed], parts.bottom[seed]
    for i in np.argsort(-parts.weight)[:12]:
        if i in (0, seed) or parts.weight[i] < 0.02 * parts.weight[seed]:
            continue
        if around[i] or (parts.at_border[i] and not parts.at_border[seed]):
            continue
        if (parts.left[i] > left and parts.right[i] < right and parts.top[i] > top and parts.bottom[i] < bottom) and (
            parts.weight[i] > 0.1 * parts.weight[seed]
        ):
            continue  # what is inside a frame, not a part of it
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
        flat, below = parts.width[i] > 4 * parts.height[i], parts.top[i] > bottom
        if flat and below and (gap_y > 0.05 * size or parts.width[i] > 1.15 * (right - left)):
            continue  # an underline
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
    rim = np.concatenate([group.mask[0], group.mask[:, -1], group.mask[-1, ::-1], group.mask[::-1, 0]])
    sides, contacts = int(rim.sum()), int((rim > np.roll(rim, 1)).sum())
    tight = (left <= 2) + (top <= 2) + (right >= width - 2) + (bottom >= height - 2) >= 3
    score -= 0.5 if tight else 1.2 * (sides > 0) + 5 * min(1.0, sides / long)
    score -= 0.6 * max(0, contacts - 4)  # printed lines run into it on all sides
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


def _shape_faults(group: Group, steps: Picture) -> float:
    """What to subtract for shapes that no pen made: without edges all around, or with four straight sides."""
    left, top, right, bottom = group.box
    faults = 8 * max(0.0, 0.92 - edge_share(group.mask, steps, group.box))
    body = group.mask[top:bottom, left:right]
    depth = max(1, round(0.06 * max(body.shape)))
    covered = sorted(
        float(side.mean())
        for side in (
            body[:depth].any(axis=0),
            body[-depth:].any(axis=0),
            body[:, :depth].any(axis=1),
            body[:, -depth:].any(axis=1),
        )
    )
    faults += 10 * max(0.0, covered[0] - 0.6)
    if max(body.shape) > 0.6 * min(group.mask.shape):  # three sides are the edge of the paper
        faults += 8 * max(0.0, covered[1] - 0.75)
    return faults


def draw(picture: Picture, group: Group) -> Picture | None:
    """Draws the digit of a group in MNIST's form, from the pixels of the full picture."""
    height, width = picture.shape[:2]
    scale = max(height, width) / max(group.mask.shape)
    left, top, right, bottom = group.box
    margin = max(4, 0.3 * max(right - left, bottom - top))
    x0, y0 = max(0, int((left - margin) * scale)), max(0, int((top - margin) * scale))
    x1, y1 = min(width, int((right + margin) * scale) + 1), min(height, int((bottom + margin) * scale) + 1)
    # The crop of the searched picture's channel would do, but for the detail of thin lines.
    crop = resized(picture[y0:y1, x0:x1], FINE_SIDE, FINE_SIDE // 2)
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

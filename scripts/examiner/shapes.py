"""Digits as people write them elsewhere than in MNIST: strokes by hand, and hands that write them.

A shape is one or more strokes; a stroke is the points that a smooth line goes through, x and y, where the digit stands
between y = 0 and y = 1, the baseline. At a point with an exclamation mark the pen turns a corner.
"""

import math
from dataclasses import dataclass

import numpy as np

from examiner.strokes import Array, Glyph, Lines, Rng, resample

SHAPES: dict[str, tuple[str, ...]] = {
    "0": (".35,.02 .12,.15 .02,.5 .12,.85 .33,.98 .55,.82 .63,.45 .52,.12 .33,.03",),
    "0 with a slash": (".35,.02 .12,.15 .02,.5 .12,.85 .33,.98 .55,.82 .63,.45 .52,.12 .33,.03", ".66,.02 .0,.98"),
    "0 not closed": (".4,.06 .15,.12 .02,.5 .15,.88 .36,.98 .58,.75 .63,.42 .57,.2",),
    "1": (".1,0 .06,1",),
    "1 with a long serif": ("0,.44 !.36,0 .34,1",),
    "1 with a serif and a foot": ("0,.27 !.27,0 .27,1", "0,1 .27,.99 .55,1"),
    "2": (".03,.22 .15,.03 .4,.0 .56,.2 .45,.5 .2,.8 !.02,.98 .3,.96 .62,.97",),
    "2 with a loop": (".04,.2 .2,.02 .45,.05 .54,.28 .38,.62 .13,.94 .02,.88 .12,.76 .32,.88 .5,.98 .66,.9",),
    "2 with a long base": (".03,.22 .15,.03 .4,.0 .56,.2 .45,.5 .2,.8 !.02,.98 .4,.95 .75,1.02 1.0,1.06",),
    "3": (".05,.1 .3,0 .5,.15 .45,.36 !.22,.46 .5,.52 .6,.75 .4,.98 .15,.97 .0,.84",),
    "3 with a flat top": (".03,.02 !.55,.02 !.25,.38 .52,.5 .58,.78 .32,1 .0,.88",),
    "3 with a loop": (".05,.1 .3,0 .5,.15 .42,.38 .26,.5 .2,.43 .3,.4 .54,.55 .58,.8 .35,1 .02,.9",),
    "4": (".44,0 !0,.64 .35,.63 .66,.64", ".46,.02 .45,.5 .44,1"),
    "4 open above": (".15,0 .1,.28 !0,.58 .3,.57 .62,.56", ".48,.2 .45,.6 .42,1"),
    "4 whose strokes do not meet": (".14,.02 .09,.28 !0,.57 .2,.57 .36,.55", ".52,.14 .5,.5 .47,1"),
    "4 like a lightning stroke": (".36,0 !.04,.54 !.5,.47 .41,.75 .3,1.02",),
    "5": (".55,.02 !.14,.02 !.08,.42 .32,.36 .56,.55 .52,.85 .25,1 .0,.9",),
    "5 whose top stands apart": (".15,.07 !.09,.45 .32,.38 .56,.58 .5,.86 .25,1 .0,.88", ".3,-.1 .46,-.11 .68,-.13"),
    "5 with a long top": (".14,.05 !.08,.42 .32,.36 .56,.55 .52,.85 .25,1 .0,.9", ".14,.03 .5,.0 .95,-.12"),
    "6": (".5,.02 .22,.2 .04,.6 .1,.92 .32,1 .54,.84 .5,.62 .28,.55 .08,.7",),
    "6 not closed": (".46,.0 .15,.35 .03,.72 .2,.99 .46,.9 .48,.68 .3,.6 .2,.64",),
    "7": ("0,.03 !.58,.02 .38,.45 .22,1",),
    "7 with a bar": ("0,.03 !.58,.02 .38,.45 .22,1", ".1,.52 .3,.5 .54,.48"),
    "7 with a serif and a bar": (".0,.2 !.04,.02 !.6,.03 .4,.5 .28,1", ".14,.54 .3,.52 .58,.5"),
    "7 with a long tail": ("0,.02 .3,.05 !.6,.0 .42,.45 .25,1 .02,1.4",),
    "8": (".5,.15 .3,.0 .08,.12 .12,.36 .35,.5 .56,.7 .5,.94 .26,1 .03,.86 .1,.62 .38,.45 .54,.28 .5,.13",),
    "8 of two circles": (
        ".3,.0 .12,.1 .1,.34 .3,.46 .5,.34 .48,.1 .29,.0",
        ".3,.47 .06,.58 .03,.85 .28,1 .56,.86 .54,.58 .28,.47",
    ),
    "8 not closed": (".54,.2 .32,.0 .1,.14 .14,.36 .36,.5 .56,.72 .46,.96 .2,.98 .04,.8 .14,.62 .36,.44 .48,.36",),
    "9": (".52,.2 .35,.0 .08,.1 .05,.38 .28,.5 .5,.3 .54,.12 .53,.5 .46,1",),
    "9 with a hook": (".52,.2 .35,.0 .08,.1 .05,.36 .28,.46 .5,.3 .54,.12 .55,.6 .44,.94 .2,1 .05,.88",),
    "9 with a straight stem": (".5,.14 .3,.0 .06,.14 .05,.4 .26,.5 .46,.36 !.52,.04 .52,.5 .51,1",),
    "9 with a long tail": (".52,.2 .35,.0 .08,.1 .05,.38 .28,.5 .5,.3 .54,.12 .54,.8 .4,1.3 .1,1.42 -.2,1.3",),
    "9 not closed": (".44,.1 .24,.01 .05,.18 .08,.42 .26,.49 .4,.42", ".53,.08 .53,.5 .51,1"),
}

ODD: dict[str, tuple[str, ...]] = {
    "0 like a 6": (".52,.0 .2,.08 .02,.5 .12,.88 .35,.98 .56,.8 .52,.42 .32,.3 .1,.42",),
    "1 like a 7": ("0,.3 !.5,.0 .34,1",),
    "1 like a roof": ("0,.92 !.36,0 .72,.95",),
    "2 like a z": ("0,.04 !.6,.02 !.0,.97 .3,.96 .64,.98",),
    "3 like a z with a tail": (".02,.02 !.55,.02 !.18,.4 .46,.5 .5,.8 .3,1.2 .04,1.22 .06,1.08 .6,.8",),
    "3 like an 8": (".12,.24 .28,.02 .5,.14 .44,.36 .25,.46 .52,.56 .58,.78 .36,.98 .08,.88 .08,.68 .3,.48",),
    "4 like a 9": (".48,.04 .3,.08 !.04,.5 .3,.5 !.54,.46", ".5,.02 .53,.5 .5,1"),
    "5 like a 6": (".5,.02 !.16,.04 !.06,.5 .3,.42 .52,.6 .48,.88 .25,1 .06,.86 .1,.62 .2,.52",),
    "5 like an s": (".55,.08 .32,.0 .08,.14 .14,.38 .42,.54 .56,.76 .34,.99 .02,.9",),
    "8 open above": (".05,.0 .3,.46 .54,.76 .44,.98 .16,.98 .04,.76 .3,.44 .58,.0",),
    "9 like a g": (".52,.2 .35,.0 .08,.1 .05,.36 .28,.46 .5,.3 !.54,.06 .55,.75 .42,1.15 .14,1.18 .06,1 .6,.74",),
}
"""Shapes of some hands that are another digit's in MNIST, or no digit's. No picture of the examiner has them."""

SIGNS = {
    "-": ("0,.56 .15,.56 .3,.55",),
    ".": (".02,.96 .04,1 .05,.98",),
    "+": ("0,.5 .3,.5 .6,.5", ".3,.2 .3,.5 .3,.8"),
    "/": ("0,1.12 .3,.5 .6,-.12",),
}
"""What stands between digits and is none."""

OPEN = ("0 not closed", "1", "2", "3 with a flat top", "4 whose strokes do not meet", "5 whose top stands apart",
        "6 not closed", "7", "8 not closed", "9 not closed")  # fmt: skip
LOOPED = ("0 with a slash", "1 with a serif and a foot", "1 with a long serif", "2 with a loop", "3 with a loop",
          "4 open above", "5", "6", "7 with a bar", "7 with a serif and a bar", "8 of two circles",
          "9 with a hook")  # fmt: skip
LONG = ("0", "1", "2 with a long base", "3", "4", "5 with a long top", "6", "7 with a long tail", "8",
        "9 with a long tail")  # fmt: skip
ROUND = ("0", "1", "1 with a long serif", "2 with a loop", "3", "4 open above", "5", "6", "7 with a bar", "8",
         "9 with a hook")  # fmt: skip
STRAIGHT = ("0", "1", "1 with a long serif", "2", "3 with a flat top", "4", "5", "6", "7", "8",
            "9 with a straight stem")  # fmt: skip
PLAIN = tuple(name for name in SHAPES if "long base" not in name and "long t" not in name and "not " not in name)


@dataclass(frozen=True)
class Hand:
    """How somebody writes.

    Attributes:
        shapes: What this hand makes of each digit; names of `SHAPES` or `ODD`, at least one for each digit.
        width: How much wider than usual.
        slant: To the right: the tangent of its angle.
        unsteady: Deviation of each point in heights of a digit.
        bend: How much the whole digit is bent.
    """

    shapes: tuple[str, ...] = PLAIN
    width: float = 1.0
    slant: float = 0.08
    unsteady: float = 0.018
    bend: float = 0.03

    def draw(self, rng: Rng, text: str) -> Glyph:
        """A digit or a sign, or the shape of a name."""
        names = [text] if text in SHAPES and len(text) > 1 else [name for name in self.shapes if name[0] == text]
        strokes = SIGNS[text] if text in SIGNS else (SHAPES | ODD)[str(rng.choice(names))]
        lines = [through(rng, stroke, self.unsteady) for stroke in strokes]
        phase = rng.uniform(0, 2 * math.pi, 2)
        for line in lines:
            x, y = line[:, 0] * self.width, line[:, 1].copy()
            line[:, 0] = x - self.slant * (y - 0.5) + self.bend * np.sin(3 * y + phase[0])
            line[:, 1] = y + self.bend * np.sin(3 * x + phase[1])
        return centred("" if text in SIGNS else text[0], lines)


def some_hand(rng: Rng, shapes: tuple[str, ...] = PLAIN) -> Hand:
    """Somebody's hand: of several shapes for a digit it writes one."""
    chosen = [str(rng.choice([name for name in shapes if name[0] == str(label)])) for label in range(10)]
    return Hand(tuple(chosen), float(np.exp(rng.normal(0.1, 0.12))), rng.normal(0.08, 0.12), rng.uniform(0.008, 0.024))


def through(rng: Rng, points: str, unsteady: float = 0.0) -> Array:
    """A smooth line, float32 [N, 2], through points, each moved a little by chance."""
    pieces: list[list[Array]] = [[]]
    for text in points.split():
        point = np.array([float(number) for number in text.lstrip("!").split(",")]) + rng.normal(0, unsteady, 2)
        pieces[-1].append(point)
        if text.startswith("!"):
            pieces.append([point])
    return np.concatenate([_spline(np.array(piece)) for piece in pieces]).astype(np.float32)


def _spline(points: Array) -> Array:
    """A Catmull-Rom spline through points, [N, 2]."""
    if len(points) == 2:
        return np.linspace(points[0], points[1], 12)
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3))
    return np.concatenate([*pieces, points[-1:]])


def centred(text: str, lines: Lines) -> Glyph:
    """In a glyph's coordinates: the middle 0, the longer side 1."""
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    unit, centre = float((high - low).max()), (low + high) / 2
    frame = (float(-centre[1] / unit), float((1 - centre[1]) / unit))
    even = [resample((line - centre) / unit, 0.01) for line in lines]
    return Glyph(text, even, frame=frame)

"""What people write and draw that is no digit: letters, words, doodles, faces, scribbles."""

import math

import numpy as np

from examiner.shapes import SIGNS, centred, through
from examiner.strokes import Array, Glyph, Lines, Rng, resample, smooth

CAPITALS = {
    "A": ("0,1 !.5,0 1,1", ".2,.6 .8,.6"),
    "E": ("1,0 !0,0 !0,1 1,1", "0,.5 .8,.5"),
    "F": ("1,0 !0,0 0,1", "0,.5 .8,.5"),
    "H": ("0,0 0,1", "1,0 1,1", "0,.5 1,.5"),
    "K": ("0,0 0,1", "1,0 !0,.5 1,1"),
    "M": ("0,1 !.1,0 !.5,.7 !.9,0 1,1",),
    "N": ("0,1 !0,0 !1,1 1,0",),
    "R": ("0,1 !0,0 .7,0 1,.2 .7,.45 0,.5", ".4,.5 1,1"),
    "T": ("0,0 1,0", ".5,0 .5,1"),
    "V": ("0,0 !.5,1 1,0",),
    "W": ("0,0 !.25,1 !.5,.3 !.75,1 1,0",),
    "X": ("0,0 1,1", "1,0 0,1"),
    "Y": ("0,0 !.5,.5 1,0", ".5,.5 .5,1"),
}
"""Those that nobody takes for a digit."""

SMALL = {
    "a": (".5,.5 .25,.4 .03,.7 .2,1 .45,.85 .5,.45 .52,.9 .65,1 .8,.85",),
    "e": ("0,.75 .3,.72 .45,.52 .25,.4 .05,.65 .15,.95 .4,1 .65,.8",),
    "h": (".05,0 .05,1 !.08,.65 .25,.42 .4,.55 .42,.9 .52,1 .7,.85",),
    "k": (".05,0 !.05,1 !.05,.7 .4,.42 !.15,.68 .42,1 .6,.92",),
    "m": ("0,.45 .06,1 !.08,.65 .2,.42 .3,.55 .32,1 !.34,.65 .46,.42 .58,.55 .62,.9 .75,1 .85,.85",),
    "n": ("0,.45 .06,1 !.08,.7 .25,.42 .4,.55 .42,.9 .52,1 .7,.85",),
    "r": ("0,.45 .05,1 !.06,.65 .2,.42 .35,.45 .42,.6 .6,.55",),
    "t": (".15,.1 .12,.85 .25,1 .5,.85", "0,.4 .35,.38"),
    "u": ("0,.42 .02,.85 .2,1 .4,.8 !.42,.42 .44,.9 .55,1 .7,.85",),
    "v": ("0,.42 !.2,1 .4,.45 .6,.5",),
    "w": ("0,.42 .1,.95 .2,.95 !.3,.5 .38,.95 .5,.95 .62,.45 .8,.5",),
}

DOODLES = {
    "star": (".2,1 !.5,0 !.8,1 !0,.38 !1,.38 .2,1",),
    "heart": (".5,.3 .3,.05 .03,.2 .15,.6 !.5,1 .85,.6 .97,.2 .7,.05 !.5,.3",),
    "house": ("0,1 !0,.45 !.5,0 !1,.45 !1,1 0,1", ".4,1 !.4,.65 !.6,.65 .6,1", "0,.45 1,.45"),
    "face": (
        ".5,0 .15,.15 .0,.5 .15,.87 .5,1 .85,.87 1,.5 .85,.15 .48,0",
        ".3,.35 .31,.4 .3,.45",
        ".68,.35 .69,.4 .68,.45",
        ".25,.65 .5,.82 .75,.63",
    ),
    "face in profile": (
        ".5,0 .2,.1 .1,.4 !.0,.58 !.12,.6 !.08,.7 !.14,.76 .1,.9 .3,1", ".28,.32 .4,.3", ".6,0 .9,.3 .7,1",
    ),
    "sun": (
        ".5,.3 .35,.36 .3,.5 .36,.65 .5,.7 .65,.64 .7,.5 .64,.36 .49,.3",
        ".5,.0 .5,.2", ".5,.8 .5,1", "0,.5 .2,.5", ".8,.5 1,.5", ".14,.14 .28,.28",
        ".72,.72 .86,.86", ".86,.14 .72,.28", ".28,.72 .14,.86",
    ),
    "arrow": ("0,.7 .5,.55 1,.3", ".7,.18 !1,.3 .82,.6"),
    "fish": ("0,.5 .35,.2 .75,.4 !1,.75 !.95,.2 .7,.62 .35,.8 0,.5", ".25,.42 .26,.45 .25,.46"),
    "tree": (
        ".45,1 .47,.55", ".57,1 .55,.55",
        ".47,.55 .2,.6 .05,.4 .25,.3 .3,.08 .6,.0 .75,.2 .97,.35 .85,.57 .55,.55",
    ),
    "stick man": (
        ".5,0 .38,.1 .5,.22 .62,.1 .5,0", ".5,.22 .5,.65", ".2,.4 .5,.32 .8,.42", ".25,1 !.5,.65 .75,1",
    ),
    "cat": (
        ".2,.4 !.15,.05 !.38,.25 .62,.25 !.85,.05 !.8,.4 .85,.7 .5,.95 .15,.7 .2,.4", ".35,.5 .36,.54",
        ".65,.5 .64,.54", ".4,.72 !.5,.66 .6,.72", "-.05,.6 .25,.64", ".75,.64 1.05,.6",
    ),
    "cube": ("0,.3 !.65,.3 !.65,1 !0,1 0,.3", "0,.3 !.35,0 !1,0 .65,.3", "1,0 !1,.68 .65,1"),
    "flower": (
        ".5,.3 .4,.05 .55,.0 .5,.3 .75,.1 .85,.25 .5,.3 .8,.45 .7,.58 .5,.3 .4,.6 .25,.5 .5,.3 .15,.3 .25,.1 .5,.3",
        ".5,.35 .48,.7 .52,1", ".5,.8 .7,.65 .8,.7 .5,.85",
    ),
    "waves": (
        "0,.4 .1,.2 .2,.4 .3,.2 .4,.4 .5,.2 .6,.4 .7,.2 .8,.4 .9,.2 1,.4",
        "0,.8 .1,.6 .2,.8 .3,.6 .4,.8 .5,.6 .6,.8 .7,.6 .8,.8 .9,.6 1,.8",
    ),
    "tick": ("0,.55 !.3,1 1,0",),
    "crossed out": ("0,0 1,1", "1,0 0,1", "0,.5 1,.48", "0,.2 1,.3", "0,.75 1,.7"),
}  # fmt: skip


def _any(rng: Rng, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return table[str(rng.choice(sorted(table)))]


def _drawn(rng: Rng, strokes: tuple[str, ...], unsteady: float, width: float = 1.0) -> Lines:
    return [through(rng, stroke, unsteady) * np.array([width, 1], np.float32) for stroke in strokes]


def letter(rng: Rng) -> Glyph:
    """A capital letter by chance, in an unsteady hand."""
    return centred("", _drawn(rng, _any(rng, CAPITALS), 0.025, rng.uniform(0.6, 0.9)))


def word(rng: Rng) -> Glyph:
    """Some letters, joined up; a capital before them now and then."""
    lines: Lines = []
    end: Array | None = None
    at, slant = 0.0, rng.normal(0.1, 0.1)
    if rng.random() < 0.5:
        lines += _drawn(rng, _any(rng, CAPITALS), 0.02, 0.6)
        at = 0.72
    for name in rng.choice(sorted(SMALL), int(rng.integers(3, 9))):
        drawn = [line + np.array([at, 0], np.float32) for line in _drawn(rng, SMALL[str(name)], 0.015)]
        if end is not None:  # the stroke before runs into this one
            drawn[0] = np.concatenate([end[None], drawn[0]])
        end = drawn[0][-1]
        at = float(max(line[:, 0].max() for line in drawn)) + rng.uniform(-0.02, 0.06)
        lines += drawn
    for line in lines:
        line[:, 0] -= slant * (line[:, 1] - 0.5)
    return centred("", lines)


def doodle(rng: Rng) -> Glyph:
    """A small drawing."""
    return centred("", _drawn(rng, _any(rng, DOODLES), 0.02, rng.uniform(0.8, 1.1)))


def face(rng: Rng) -> Glyph:
    """A face, from the front or the side."""
    return centred("", _drawn(rng, DOODLES[str(rng.choice(["face", "face in profile", "cat"]))], 0.025))


def sign(rng: Rng) -> Glyph:
    """A sign of arithmetic or an arrow."""
    strokes = [SIGNS["+"], ("0,.4 1,.4", "0,.7 1,.68"), ("0,0 1,1", "1,0 0,1"), DOODLES["arrow"], DOODLES["tick"]]
    return centred("", _drawn(rng, strokes[int(rng.integers(5))], 0.02))


def scribble(rng: Rng) -> Glyph:
    """A tangle of a line, as of somebody who tries a pen or crosses something out."""
    if rng.random() < 0.4:  # to and fro
        count = int(rng.integers(9, 16))
        x = np.linspace(-0.5, 0.5, count) + rng.normal(0, 0.03, count)
        y = np.where(np.arange(count) % 2, -1, 1) * rng.uniform(0.1, 0.35, count)
        points = np.stack([x, y], axis=1)
    else:
        points = rng.uniform(-0.5, 0.5, (int(rng.integers(14, 22)), 2))
    return Glyph("", [smooth(resample(points * 100, 1.0), 6.0) / 100])


def signature(rng: Rng) -> Glyph:
    """A signature: a large first letter, waves, a flourish beneath."""
    count = int(rng.integers(8, 14))
    x = np.linspace(0.3, 1.8, 4 * count) + rng.normal(0, 0.01, 4 * count)
    height = np.repeat(rng.uniform(0.05, 0.35, count), 4)
    y = 0.8 - height * (0.5 + 0.5 * np.sin(np.arange(4 * count) * math.pi / 2 + 0.4))
    line = smooth(resample(np.stack([x, y], axis=1) * 100, 1.0), 4.0) / 100
    first = _drawn(rng, _any(rng, CAPITALS), 0.03, 0.6)
    return centred("", [*first, line, through(rng, "1.8,.85 1.0,1.05 .2,1.1 1.2,1.12", 0.05)])

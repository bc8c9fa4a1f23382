"""From the name of a difficulty, a seed and a number to the bytes of a picture and what is in it."""

import re
import zlib
from dataclasses import replace

import numpy as np

from examiner.difficulties import ALL, LAYOUTS
from examiner.looks import Look
from examiner.mnist_digits import Digits
from examiner.page import Page
from examiner.scenes import render
from examiner.scoring import Row
from examiner.shapes import PLAIN, some_hand
from examiner.strokes import Glyph, Rng

FEW = 24
"""How many of MNIST's digits of each label the pages are written with: each has to be traced."""


def start(name: str, seed: int, index: int) -> tuple[Rng, Look]:
    """The state of chance that decides everything else about one picture, and its look."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), index])
    return rng, ALL[name].look(rng)


def path(name: str, seed: int, index: int) -> str:
    """Where a picture is stored, below the folder of all pictures."""
    layout = next(layout for layout, difficulties in LAYOUTS.items() if name in difficulties)
    return f"{layout}/{slug(name)}/{index:04}.{start(name, seed, index)[1].kind}"


def slug(name: str) -> str:
    """A name as that of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def picture(name: str, seed: int, index: int, digits: Digits) -> tuple[bytes, list[Row]]:
    """The file of one picture, and the rows of digits in it, in reading order."""
    rng, look = start(name, seed, index)
    difficulty = ALL[name]
    hand = some_hand(rng, difficulty.shapes if len(difficulty.shapes) > 1 else PLAIN)
    if difficulty.steady:
        hand = replace(hand, slant=0.0, unsteady=0.0, bend=0.0)
    if difficulty.page:
        own = bool(difficulty.shapes) or rng.random() < 0.35

        def draw(text: str) -> Glyph:
            return digits.draw(rng, int(text), FEW) if text.isdigit() and not own else hand.draw(rng, text)

        page = Page(rng, look, draw, float(rng.integers(*difficulty.count, endpoint=True)))
        difficulty.page(page)
        return render(rng, look, page.writing)
    glyphs: list[Glyph] = []
    for character in text(name, seed, index, rng, look):
        if difficulty.mark:
            glyphs.append(difficulty.mark(rng))
        elif difficulty.shapes or not character.isdigit():
            glyphs.append(hand.draw(rng, difficulty.shapes[0] if len(difficulty.shapes) == 1 else character))
        else:
            glyphs.append(digits.draw(rng, int(character)))
    needs_others = look.neighbours or look.through
    others = [digits.draw(rng, int(label)) for label in rng.integers(10, size=4)] if needs_others else []
    return render(rng, look, glyphs, others)


def text(name: str, seed: int, index: int, rng: Rng, look: Look) -> str:
    """The digits of a row, and the signs between them."""
    difficulty = ALL[name]
    count = int(rng.integers(*difficulty.count, endpoint=True))
    while True:
        labels = "".join(difficulty.digits[k] for k in rng.integers(len(difficulty.digits), size=count))
        if not look.turned or len(re.findall("[23457]", labels)) > 1:  # else nobody knows which way is up
            break
    if count == 1:
        return difficulty.digits[(index + seed) % len(difficulty.digits)]  # each equally often
    if difficulty.pairs:
        return f"{(37 * index + seed) % 100:02}"
    if difficulty.signs:
        for at in sorted(rng.choice(np.arange(2, count - 1), min(2, count - 3), replace=False).tolist(), reverse=True):
            labels = f"{labels[:at]}{rng.choice([*difficulty.signs])}{labels[at:]}"
    return labels

"""What a difficulty is, and how a table says what is drawn by chance for each picture."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from examiner.looks import Look
from examiner.page import Page
from examiner.strokes import Glyph, Rng

Make = Callable[..., Look]
"""Draws a look by chance: takes `rng`, most also what to change in it."""


@dataclass(frozen=True)
class Difficulty:
    """One row of a table.

    Attributes:
        look: Draws a look by chance.
        count: How many digits or marks a picture holds, from and to; how many lines, if it is a page.
        mark: Draws what is there in place of digits.
        page: Fills a page.
        shapes: Names of `shapes.SHAPES`: digits by a hand that writes these instead of MNIST's.
        signs: What may stand between two digits of a row.
        pairs: Whether the two digits are every two, one picture after the other.
        digits: Those that a row is made of.
        steady: Whether strokes are as straight as a mouse draws them.
        kind: What is summed up together, where the pictures of a layout are of several kinds.
    """

    look: Make
    count: tuple[int, int] = (1, 1)
    mark: Callable[[Rng], Glyph] | None = None
    page: Callable[[Page], None] | None = None
    shapes: tuple[str, ...] = ()
    signs: str = ""
    pairs: bool = False
    digits: str = "0123456789"
    steady: bool = False
    kind: str = "photo"


def like(make: Make, *styles: Make, **changes: Any) -> Make:
    """A look with changes; those that are functions, such as `between` gives, are drawn for each picture, first."""
    return lambda rng, **more: make(rng, *styles, **{**drawn(rng, changes), **more})


def then(make: Make, **changes: Any) -> Make:
    """As `like`, but the changes are drawn after all else of the look."""
    return lambda rng: replace(make(rng), **drawn(rng, changes))


def drawn(rng: Rng, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes for one picture."""
    return {name: change(rng) if callable(change) else change for name, change in changes.items()}


def between(low: float, high: float) -> Callable[[Rng], float]:
    """A number by chance."""
    return lambda rng: rng.uniform(low, high)


def either_way(low: float, high: float) -> Callable[[Rng], float]:
    """A number by chance, positive or negative."""
    return lambda rng: float(rng.choice([-1, 1]) * rng.uniform(low, high))


def any_of(*values: Any) -> Callable[[Rng], Any]:
    """One of the values by chance."""
    return lambda rng: values[int(rng.integers(len(values)))]

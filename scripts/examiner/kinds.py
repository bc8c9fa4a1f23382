"""What a difficulty is."""

from collections.abc import Callable
from dataclasses import dataclass

from examiner.looks import Look
from examiner.strokes import Rng


@dataclass(frozen=True)
class Difficulty:
    """One row of a table.

    Attributes:
        kind: photo, scan, ...; what is summed up together.
        look: Draws a look by chance.
        count: How many digits a picture holds, from and to; how many lines, if it is a page.
        content: digits, blank, the name of one of `others.MARKS`, or of one of `pages.KINDS`.
        shapes: Names of `shapes.SHAPES`: digits by a hand that writes these instead of MNIST's.
        signs: What may stand between two digits of a row.
        pairs: Whether the two digits are every two, one picture after the other.
        digits: Those that a row is made of.
        steady: Whether strokes are as straight as a mouse draws them.
    """

    kind: str
    look: Callable[[Rng], Look]
    count: tuple[int, int] = (1, 1)
    content: str = "digits"
    shapes: tuple[str, ...] = ()
    signs: str = ""
    pairs: bool = False
    digits: str = "0123456789"
    steady: bool = False

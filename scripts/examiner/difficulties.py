"""Every difficulty, by the layout that its pictures are read in."""

from examiner.several import NOTHING, PAGES, ROWS
from examiner.single import DIGITS

LAYOUTS = {"digit": DIGITS, "row": ROWS, "page": PAGES, "nothing": NOTHING}
"""The folders of pictures; what holds nothing is read as if it held a digit."""

ALL = DIGITS | ROWS | PAGES | NOTHING

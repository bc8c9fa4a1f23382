"""The tables of what was read: each difficulty, their sums, and what was said of pictures without a digit."""

import statistics
from collections.abc import Sequence

from experiments import markdown

from examiner.difficulties import ALL
from examiner.scoring import Marks, Picture, marks
from mnist_cnn.callbacks.results import wilson_interval

HEADER = ["rows", "right", "share", "95% interval", "confidence, right", "wrong", "wrong, 0.9 or more",
          "right, below 0.5", "missed"]  # fmt: skip
PAGES = ["false rows", "pages", "in order", "without a mistake"]
TITLES = {"digit": "one digit", "row": "one row", "page": "pages", "nothing": "no digit in it"}


def report(pictures: Sequence[Picture]) -> str:
    """One table for each layout that occurs among pictures that were read."""
    kinds = {one.difficulty: ALL[one.difficulty].kind if one.difficulty in ALL else "unknown" for one in pictures}
    tables = []
    for layout, title in TITLES.items():
        part = [one for one in pictures if one.layout == layout]
        if not part:
            continue
        names = dict.fromkeys(one.difficulty for one in part)
        groups = {name: [one for one in part if one.difficulty == name] for name in names}
        several = sorted({kinds[one.difficulty] for one in part})
        for kind in several if len(several) > 1 else []:
            groups[f"**all of kind {kind}**"] = [one for one in part if kinds[one.difficulty] == kind]
        groups[f"**all: {title}**"] = part
        if layout == "nothing":
            header = ["pictures", "skipped", "mean confidence", "0.5 or more", "0.9 or more"]
            lines = [[name, *_nothing(group)] for name, group in groups.items()]
        else:
            header = HEADER + (PAGES if layout == "page" else [])
            lines = [[name, *_line([marks(one) for one in group], layout)] for name, group in groups.items()]
        tables.append(markdown([title, *header], lines))
    return "\n".join(tables)


def _line(found: Sequence[Marks], layout: str) -> list[str]:
    right = [confidence for one in found for confidence in one.right]
    wrong, false = sum(len(one.wrong) for one in found), sum(len(one.false) for one in found)
    mistakes = [confidence for one in found for confidence in one.wrong + one.false]
    missed = sum(one.missed for one in found)
    count = len(right) + wrong + missed
    low, high = wilson_interval(len(right), count) if count else (0.0, 1.0)
    cells: list[object] = [count, len(right), f"{len(right) / max(count, 1):.1%}", f"{low:.1%} to {high:.1%}"]
    cells += [_mean(right), _mean(mistakes), sum(confidence >= 0.9 for confidence in mistakes)]
    cells += [sum(confidence < 0.5 for confidence in right), missed]
    if layout == "page":
        cells += [false, len(found), sum(one.in_order for one in found), sum(one.perfect for one in found)]
    return [str(cell) for cell in cells]


def _nothing(pictures: Sequence[Picture]) -> list[str]:
    highest = [max((row.confidence for row in one.answers), default=0.0) for one in pictures]
    skipped = sum(not one.answers for one in pictures)
    counts = [str(sum(confidence >= least for confidence in highest)) for least in (0.5, 0.9)]
    return [str(len(pictures)), str(skipped), _mean(highest), *counts]


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.3f}" if values else ""

"""What `scripts/score_pictures.py` is made of: pictures of handwriting, rendered, and how they are scored.

From Python, with `scripts` on the path:

    pictures = examiner.read(folder, reader, "row")  # reader: path -> [(digits, confidence, box or None), ...]
    print(examiner.report(pictures))
    mistakes = [one for one in pictures if not examiner.marks(one).perfect]
"""

from pathlib import Path

from examiner.report import report
from examiner.scoring import Marks, Picture, Reader, Row, marks, read

__all__ = ["Marks", "Picture", "Reader", "Row", "marks", "read", "report", "score"]


def score(folder: Path, reader: Reader, layout: str | None = None) -> str:
    """Lets a function read a folder as `read` does; returns the tables."""
    return report(read(folder, reader, layout))

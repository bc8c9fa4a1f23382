"""A picture in, the digits in it out.

What reads loads with the first of these names that is used: training needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_cnn.reading.read import read_digits
    from mnist_cnn.reading.results import Reading, Row

__all__ = ["Reading", "Row", "read_digits"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'read' if name == 'read_digits' else 'results'}"), name)

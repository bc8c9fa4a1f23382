"""A picture in, the digits in it out."""

from mnist_cnn.reading.read import read_digits
from mnist_cnn.reading.results import Reading, Row

__all__ = ["Reading", "Row", "read_digits"]

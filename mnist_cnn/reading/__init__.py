"""A picture in, the digits in it out."""

from mnist_cnn.reading.read import read_digits

__all__ = ["read_digits"]

"""A picture in, the digits in it out."""

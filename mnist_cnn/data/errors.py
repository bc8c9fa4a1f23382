"""Errors in data, in one line each."""


class DataError(RuntimeError):
    """Data that cannot be had or used; the message is one line that says what to do."""


def first_line(error: BaseException) -> str:
    """A library's message, as far as it fits into ours."""
    return (str(error) or type(error).__name__).splitlines()[0]

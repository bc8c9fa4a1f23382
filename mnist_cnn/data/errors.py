"""What is wrong with data, in one line."""


class DataError(RuntimeError):
    """Data that cannot be had or used; the message is one line that says what to do."""


def first_line(error: BaseException) -> str:
    """What a library says of an error, as far as it fits into ours."""
    return (str(error) or type(error).__name__).splitlines()[0]

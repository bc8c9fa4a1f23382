"""Files that are written whole or not at all."""

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

DEVICES = Path("/dev")
"""Where a name such as /dev/stdout is not for us to replace, whatever it stands for at the moment."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[io.BufferedWriter]:
    """A file that takes the place of `path` at the end, complete and on the disk, or not at all.

    It is written beside it under a name of its own, always the same: what a killed process leaves there is
    overwritten by the next one.

    Raises:
        OSError: It cannot be written, or `path` is a device, a pipe or a folder, in whose place no file shall come.
    """
    if path.absolute().parent == DEVICES or (path.exists() and not path.is_file()):
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if os.name == "posix":  # the new name, too, survives a power failure
        folder = os.open(path.parent, os.O_RDONLY)
        with contextlib.suppress(OSError):  # of file systems that cannot do this
            os.fsync(folder)
        os.close(folder)

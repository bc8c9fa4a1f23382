"""MNIST's four files: known by their bytes, downloaded, or unpacked from the copy in this package."""

import contextlib
import gzip
import hashlib
import lzma
import threading
import urllib.request
from pathlib import Path

from torchvision import datasets

from mnist_cnn.atomic import replacing
from mnist_cnn.data.errors import DataError, first_line

BUNDLE = Path(__file__).parent / "mnist"

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of MNIST's four files, unpacked."""

MIRROR_SECONDS = 30.0
"""All mirrors together get this long before the bundled copy is taken."""

STALL_SECONDS = 10.0
"""A connection that says nothing for this long is given up."""


def bad_files(raw: Path) -> list[str]:
    """Those of the files in a folder that are missing or are not the original bytes."""
    return [name for name in MNIST_SHA256 if not _verified(name, raw / name)]


def _verified(name: str, path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == MNIST_SHA256[name]
    except OSError:
        return False


def fetch(raw: Path) -> str:
    """Downloads or unpacks those of the files that are missing or bad, and says in words which."""
    names = bad_files(raw)
    contents = _download(names)
    source = "downloaded"
    if contents is None:
        contents = {name: unbundle(name) for name in names}
        source = "unpacked the bundled copy"
    for name, content in contents.items():
        with replacing(raw / name) as file:
            file.write(content)
    return source


def _download(names: list[str]) -> dict[str, bytes] | None:
    """The verified bytes of the files from torchvision's mirrors, or None when they cannot be had in time."""
    found: dict[str, bytes] = {}

    def try_mirrors() -> None:
        for mirror in datasets.MNIST.mirrors:
            with contextlib.suppress(Exception):  # whatever a broken mirror provokes: the next one, or the bundle
                for name in set(names) - set(found):
                    with urllib.request.urlopen(f"{mirror}{name}.gz", timeout=STALL_SECONDS) as reply:
                        content = gzip.decompress(reply.read())
                    if hashlib.sha256(content).hexdigest() == MNIST_SHA256[name]:
                        found[name] = content

    # Name resolution and a dripping mirror ignore the socket's time-out: only a thread that may be left behind
    # bounds them.
    thread = threading.Thread(target=try_mirrors, daemon=True)
    thread.start()
    thread.join(MIRROR_SECONDS)
    in_time = dict(found)
    return in_time if in_time.keys() == set(names) else None


def unbundle(name: str) -> bytes:
    """One of the files out of this package.

    Raises:
        DataError: It is missing or damaged.
    """
    path = BUNDLE / f"{name}.xz"
    try:
        content = lzma.decompress(path.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"the bundled {path} cannot be read ({first_line(error)}): reinstall mnist-cnn") from error
    if hashlib.sha256(content).hexdigest() != MNIST_SHA256[name]:
        raise DataError(f"the bundled {path} is damaged: reinstall mnist-cnn")
    return content

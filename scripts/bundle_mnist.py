"""Rebuilds the copy of MNIST that the package carries, from any folder with the four original files.

    python scripts/bundle_mnist.py ~/.cache/mnist_cnn

Finds the files by name, unpacked or gzipped, anywhere below the folder; checks each against its SHA-256 and
writes `mnist_cnn/data/mnist/*.xz` (lossless, 9.2 MB in all, about a minute and a half).
"""

import gzip
import hashlib
import lzma
from pathlib import Path

from mnist_cnn.cli.script import run_script
from mnist_cnn.data.bundle import BUNDLE, MNIST_SHA256
from mnist_cnn.start import fail

# lc=4 and pb=0 (eight bits of context of the pixel before, no alignment) suit bytes that are pixels: 1% smaller.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def find(folder: Path, name: str) -> bytes:
    """The verified bytes of one original file, searched for below `folder`."""
    for path in sorted(folder.rglob(f"{name}*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            content = bytes(file.read())
        if hashlib.sha256(content).hexdigest() == MNIST_SHA256[name]:
            return content
    fail(f"there is no {name} (or .gz) with the right SHA-256 below {folder}")


def main(folder: Path) -> None:
    """Writes the copy.

    Args:
        folder: Holds the four files, unpacked or gzipped.
    """
    BUNDLE.mkdir(parents=True, exist_ok=True)
    for name in MNIST_SHA256:
        packed = lzma.compress(find(folder, name), check=lzma.CHECK_SHA256, filters=FILTERS)
        (BUNDLE / f"{name}.xz").write_bytes(packed)
        print(f"{name}.xz: {len(packed):,} bytes")


if __name__ == "__main__":
    run_script(main)

"""Damaged files of data sets, and mirrors that give none."""

import gzip

import pytest

NAME = "t10k-labels-idx1-ubyte"


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "one bit": lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    "wrong magic": lambda content: b"\0\0\x0d\x03" + content[4:],
    "longer": lambda content: content + b"\0",
    "gzip": gzip.compress,
}


def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", refuse)

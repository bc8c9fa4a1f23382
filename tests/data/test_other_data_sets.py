"""The data sets beside MNIST, which torchvision downloads."""

import errno
import gzip
import hashlib
import socket
import urllib.error
from pathlib import Path

import pytest
import torch
from damaged import DAMAGE, NAME, no_downloads
from torchvision import datasets

from mnist_cnn.data import files
from mnist_cnn.data.files import MNIST_SHA256, DataError, load, prepare


@pytest.mark.parametrize(
    ("dataset", "archive"),
    [
        ("FashionMNIST", "train-images-idx3-ubyte.gz"),
        ("KMNIST", "t10k-labels-idx1-ubyte.gz"),
        ("QMNIST", "qmnist-train-labels-idx2-int.gz"),
        ("EMNIST", "gzip.zip"),
    ],
)
def test_other_data_sets_say_which_files_to_put_where(
    dataset: files.DatasetName, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_downloads(monkeypatch)
    with pytest.raises(DataError) as error:
        prepare(dataset, tmp_path)
    assert archive in str(error.value)
    assert str(tmp_path / dataset / "raw") in str(error.value)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of FashionMNIST's files, which cannot be downloaded."""
    no_downloads(monkeypatch)
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


def test_archives_that_the_user_put_there_are_unpacked_and_read(
    raw: Path, mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = []
    for name in MNIST_SHA256:  # MNIST's own files stand in for clothes
        content = gzip.compress((mnist_dir / "MNIST" / "raw" / name).read_bytes(), 1)
        (raw / f"{name}.gz").write_bytes(content)
        resources.append((f"{name}.gz", hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(datasets.FashionMNIST, "resources", resources)
    assert "archives" in prepare("FashionMNIST", tmp_path)
    images, labels = load("FashionMNIST", tmp_path, train=False)
    assert labels[:3].tolist() == [7, 2, 1]
    assert torch.equal(images, load("MNIST", mnist_dir, train=False)[0])
    (raw / NAME).write_bytes(b"half")  # as an interrupted unpacking leaves it
    assert "archives" in prepare("FashionMNIST", tmp_path)
    assert load("FashionMNIST", tmp_path, train=False)[1][:3].tolist() == [7, 2, 1]


def test_emnist_is_turned_upright_and_qmnist_has_plain_labels(mnist_dir: Path, tmp_path: Path) -> None:
    images, labels = load("MNIST", mnist_dir, train=False)
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    header = bytes.fromhex("00000803") + (10).to_bytes(4, "big") + bytes.fromhex("0000001c0000001c")
    turned = images[:10, 0].transpose(1, 2).contiguous().numpy().tobytes()
    for kind in ("train", "test"):
        (raw / f"emnist-digits-{kind}-images-idx3-ubyte").write_bytes(header + turned)
        content = bytes.fromhex("00000801") + (10).to_bytes(4, "big") + bytes(labels[:10].tolist())
        (raw / f"emnist-digits-{kind}-labels-idx1-ubyte").write_bytes(content)
    assert torch.equal(load("EMNIST", tmp_path, train=True)[0], images[:10])

    raw = tmp_path / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "qmnist-test-images-idx3-ubyte").write_bytes(header + images[:10].numpy().tobytes())
    rows = b"".join(int(label).to_bytes(4, "big") + bytes(28) for label in labels[:10])
    content = bytes.fromhex("00000c02") + (10).to_bytes(4, "big") + (8).to_bytes(4, "big") + rows
    (raw / "qmnist-test-labels-idx2-int").write_bytes(content)
    upright, plain = load("QMNIST", tmp_path, train=False)
    assert torch.equal(upright, images[:10])
    assert torch.equal(plain, labels[:10])


def test_unreadable_files_of_other_data_sets_name_the_folder(tmp_path: Path) -> None:
    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MNIST_SHA256:
        (raw / name).write_bytes(b"\0\0\x08\x03")
    with pytest.raises(DataError, match=r"cannot read KMNIST .* delete"):
        load("KMNIST", tmp_path, train=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x0a\x03" + bytes(16))  # a type that there is not
    with pytest.raises(DataError, match=r"cannot read KMNIST .* delete"):
        load("KMNIST", tmp_path, train=True)


@pytest.mark.parametrize("kind", ["truncated", "empty", "wrong magic", "gzip", "longer", "swapped", "label 10"])
def test_a_damaged_data_set_without_its_archives_is_called_damaged(kind: str, raw: Path, tmp_path: Path) -> None:
    for name in MNIST_SHA256:
        header = bytes.fromhex("00000803 0000000a 0000001c 0000001c" if "images" in name else "00000801 0000000a")
        (raw / name).write_bytes(header + bytes(10 * 784 if "images" in name else 10))
    assert prepare("FashionMNIST", tmp_path).endswith("(verified)")
    content = (raw / NAME).read_bytes()
    if kind == "swapped":
        (raw / NAME).write_bytes((raw / "train-images-idx3-ubyte").read_bytes())
    else:
        (raw / NAME).write_bytes(content[:-1] + b"\x0a" if kind == "label 10" else DAMAGE[kind](content))
    with pytest.raises(DataError, match=r"FashionMNIST in .* is damaged: delete what is there"):
        prepare("FashionMNIST", tmp_path)


def test_an_unknown_data_set_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="FashionMNIST"):
        prepare("CIFAR10", tmp_path)  # type: ignore[arg-type]


def write_idx(raw: Path, train: tuple[int, int], test: tuple[int, int], side: int = 28) -> None:
    """The four files of a data set, with so many images and labels in both splits."""
    raw.mkdir(parents=True, exist_ok=True)
    for kind, (images, labels) in (("train", train), ("t10k", test)):
        sizes = b"".join(number.to_bytes(4, "big") for number in (0x803, images, 28, side))
        (raw / f"{kind}-images-idx3-ubyte").write_bytes(sizes + bytes(images * 28 * side))
        (raw / f"{kind}-labels-idx1-ubyte").write_bytes(
            bytes.fromhex("00000801") + labels.to_bytes(4, "big") + bytes(labels)
        )


@pytest.mark.parametrize(
    ("train", "test", "side"),
    [((9, 8), (5, 5), 28), ((9, 9), (5, 4), 28), ((0, 0), (5, 5), 28), ((9, 9), (0, 0), 28), ((9, 9), (5, 5), 27)],
)
def test_files_that_do_not_belong_together_are_called_damaged(
    train: tuple[int, int], test: tuple[int, int], side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_downloads(monkeypatch)
    raw = tmp_path / "KMNIST" / "raw"
    write_idx(raw, (9, 9), (5, 5))
    assert prepare("KMNIST", tmp_path) == f"KMNIST: {tmp_path} (verified)"
    assert [len(load("KMNIST", tmp_path, split)[1]) for split in (True, False)] == [9, 5]
    write_idx(raw, train, test, side)
    with pytest.raises(DataError, match=r"KMNIST in .* is damaged: delete what is there"):
        prepare("KMNIST", tmp_path)
    with pytest.raises(DataError, match=r"KMNIST.*: delete .*retry"):
        load("KMNIST", tmp_path, train in ((9, 8), (0, 0)) or side == 27)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"cannot write FashionMNIST to .*No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), r"cannot write FashionMNIST to .*Permission denied"),
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), "FashionMNIST cannot be downloaded"),
        (urllib.error.URLError("no address"), "FashionMNIST cannot be downloaded"),
        (RuntimeError("not found or corrupted"), "FashionMNIST cannot be downloaded"),
    ],
)
def test_what_ends_a_download_is_told_from_a_full_disk(
    error: Exception, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Failing(datasets.FashionMNIST):
        def __init__(self, *args: object, download: bool, **kwargs: object) -> None:
            seen.append((download, socket.getdefaulttimeout()))
            raise error

    monkeypatch.setattr(datasets, "FashionMNIST", Failing)
    with pytest.raises(DataError, match=message):
        prepare("FashionMNIST", tmp_path)
    assert seen[-1] == (True, files.STALL_SECONDS)
    assert socket.getdefaulttimeout() is None


def test_both_splits_of_a_data_set_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Downloads(datasets.QMNIST):
        def __init__(self, root: str, train: bool, download: bool) -> None:
            if not download:
                raise RuntimeError("not found")
            seen.append(train)

    monkeypatch.setattr(datasets, "QMNIST", Downloads)
    with pytest.raises(DataError, match=r"QMNIST in .* is damaged"):
        prepare("QMNIST", tmp_path)
    assert seen == [True, False]

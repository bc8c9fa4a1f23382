"""The files of a data set: verified on disk, else downloaded, else unpacked from the copy in this package."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs
from filelock import FileLock, Timeout
from PIL import Image
from torch import Tensor
from torchvision import datasets

from mnist_cnn.data import bundle
from mnist_cnn.data.bundle import MNIST_SHA256, STALL_SECONDS
from mnist_cnn.data.errors import DataError, first_line

DatasetName = Literal["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST"]

UNCONFIRMED_TEST_LABELS = (
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
)  # fmt: skip
"""Indices of MNIST's test digits whose label at least 3 of 5 human raters did not confirm.

From the study of label errors by Northcutt, Athalye and Mueller, https://labelerrors.com.
"""


def default_data_dir() -> Path:
    """The per-user cache folder, shared by all runs (on Linux `~/.cache/mnist_cnn`)."""
    return platformdirs.user_cache_path("mnist_cnn", appauthor=False)


def prepare(dataset: DatasetName, data_dir: Path) -> str:
    """Makes sure that `data_dir` holds the files of `dataset`, in torchvision's own layout.

    Safe to call from several processes at once. A file is written under another name and moved into place, so
    that a process that dies leaves no half a file.

    Args:
        dataset: One of MNIST (bundled), FashionMNIST, KMNIST, QMNIST, EMNIST (its digits).
        data_dir: The folder above torchvision's `MNIST/raw`.

    Returns:
        One line that says where the files came from.

    Raises:
        DataError: The files cannot be had, or the folder cannot be written or is one of pictures.
    """
    if dataset not in get_args(DatasetName):
        raise DataError(f"unknown data set {dataset!r}: choose one of {', '.join(get_args(DatasetName))}")
    if _is_complete(dataset, data_dir):
        return f"{dataset}: {data_dir} (verified)"
    if not (data_dir / dataset).exists() and (picture := _picture_in(data_dir)):
        raise DataError(
            f"--data.data_dir={data_dir} holds pictures ({picture.name}), and {dataset} is not put among them: give "
            f"another folder; to read the pictures use predict --data.pictures={data_dir}"
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{dataset}.lock", timeout=1800):
            if _is_complete(dataset, data_dir):  # another process was faster
                return f"{dataset}: {data_dir} (verified)"
            source = bundle.fetch(_raw(dataset, data_dir)) if dataset == "MNIST" else _fetch_other(dataset, data_dir)
            return f"{dataset}: {source} into {data_dir}"
    except Timeout:
        raise DataError(f"another process has been preparing {data_dir} for half an hour: end it, then retry") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"cannot write {dataset} to {data_dir} ({reason}): choose another folder with --data.data_dir=FOLDER"
        ) from error


def load(dataset: DatasetName, data_dir: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Reads one split of a prepared data set.

    Returns:
        Images, uint8 [N, 1, 28, 28], 0 the background and 255 the ink; labels, int64 [N], 0 to 9.

    Raises:
        DataError: A file is missing, damaged or of another shape.
    """
    try:
        images, labels = _read(dataset, data_dir, train)
    except Exception as error:  # whatever a damaged file provokes in the reader
        raise DataError(
            f"cannot read {dataset} in {data_dir} ({first_line(error)}): delete {_raw(dataset, data_dir)} and retry"
        ) from error
    if images.shape[1:] != (28, 28) or len(images) != len(labels) or len(images) == 0 or labels.max() > 9:
        raise DataError(
            f"{_raw(dataset, data_dir)} holds {tuple(images.shape)} images and {len(labels)} labels, not 28x28 "
            f"images with one label from 0 to 9 each: delete the folder and retry"
        )
    return images.unsqueeze(1).contiguous(), labels


def _picture_in(folder: Path) -> Path | None:
    """A picture in a folder or in the folders in it, where there is one."""
    endings = Image.registered_extensions()
    places = (path for pattern in ("*", "*/*") for path in folder.glob(pattern))
    return next((path for path in places if path.suffix.lower() in endings and path.is_file()), None)


def _read(dataset: DatasetName, data_dir: Path, train: bool) -> tuple[Tensor, Tensor]:
    if dataset == "MNIST":  # the class would prefer an unverified `processed` folder of old releases
        kind = "train" if train else "t10k"
        raw = _raw(dataset, data_dir)
        images = datasets.mnist.read_image_file(str(raw / f"{kind}-images-idx3-ubyte"))
        return images, datasets.mnist.read_label_file(str(raw / f"{kind}-labels-idx1-ubyte"))
    source = _torchvision(dataset, data_dir, train=train, download=False)
    images, labels = source.data, source.targets
    if dataset == "QMNIST":  # eight columns: the digit, then who wrote it and where it stands in NIST's forms
        labels = labels[:, 0]
    if dataset == "EMNIST":  # stored with rows and columns exchanged
        images = images.transpose(1, 2)
    return images, labels.long()


def _raw(dataset: str, data_dir: Path) -> Path:
    return data_dir / dataset / "raw"


def _torchvision(dataset: str, data_dir: Path, train: bool, download: bool) -> Any:
    options: dict[str, Any] = {"split": "digits"} if dataset == "EMNIST" else {}
    return getattr(datasets, dataset)(str(data_dir), train=train, download=download, **options)


def _is_complete(dataset: DatasetName, data_dir: Path) -> bool:
    if dataset == "MNIST":
        return not bundle.bad_files(_raw(dataset, data_dir))
    try:
        load(dataset, data_dir, train=True)
        load(dataset, data_dir, train=False)
    except DataError:
        return False
    return True


def _fetch_other(dataset: DatasetName, data_dir: Path) -> str:
    """Lets torchvision download and unpack; files that the user put there are taken instead of a download."""
    raw = _raw(dataset, data_dir)
    for archive, unpacked in _archives(dataset).items():
        if (raw / archive).exists():  # torchvision takes any unpacked file for a good one: let it unpack again
            for name in unpacked:
                (raw / name).unlink(missing_ok=True)
    archives = ", ".join(_archives(dataset))
    damaged = f"{dataset} in {raw} is damaged: delete what is there, put {archives} there instead, and retry"
    unpacked_by_others = all((raw / name).exists() for names in _archives(dataset).values() for name in names)
    try:
        with _socket_timeout(STALL_SECONDS):
            for train in (True, False):
                _torchvision(dataset, data_dir, train=train, download=True)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise
        missing = f"{dataset} cannot be downloaded and only MNIST is bundled: put {archives} into {raw} and retry"
        raise DataError(damaged if unpacked_by_others else missing) from error
    if not _is_complete(dataset, data_dir):
        raise DataError(damaged)
    return "downloaded, or unpacked from the archives there,"


def _archives(dataset: DatasetName) -> dict[str, list[str]]:
    """The archives that torchvision takes instead of a download, and the files that it unpacks from each."""
    if dataset == "EMNIST":
        return {"gzip.zip": [f"emnist-digits-{name.replace('t10k', 'test')}" for name in MNIST_SHA256]}
    resources = getattr(datasets, dataset).resources
    if dataset == "QMNIST":
        resources = [*resources["train"], *resources["test"]]
    names = [url.rsplit("/", 1)[-1] for url, _ in resources]
    return {name: [Path(name).stem] for name in names}


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)

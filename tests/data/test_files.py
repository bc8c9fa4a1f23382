import errno
import functools
import gzip
import hashlib
import http.server
import os
import resource
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import filelock
import pytest
import torch
from conftest import processes
from damaged import DAMAGE, NAME
from torchvision import datasets

from mnist_cnn.data import bundle, files
from mnist_cnn.data.files import MNIST_SHA256, DataError, load, prepare


def good(folder: Path) -> bool:
    return all(
        hashlib.sha256((folder / "MNIST" / "raw" / name).read_bytes()).hexdigest() == digest
        for name, digest in MNIST_SHA256.items()
    )


def copy(mnist_dir: Path, target: Path) -> Path:
    raw = target / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MNIST_SHA256:
        (raw / name).write_bytes((mnist_dir / "MNIST" / "raw" / name).read_bytes())
    return raw


def test_the_bundle_is_the_original_and_small_enough() -> None:
    packed = list(bundle.BUNDLE.glob("*.xz"))
    assert {path.stem for path in packed} == set(MNIST_SHA256)
    assert sum(path.stat().st_size for path in packed) <= 9_500_000
    for name, digest in MNIST_SHA256.items():
        assert hashlib.sha256(bundle.unbundle(name)).hexdigest() == digest
    assert "Attribution-ShareAlike 3.0" in (bundle.BUNDLE / "LICENSE.md").read_text()


def test_unpacks_the_bundle_where_no_mirror_answers_and_verifies_afterwards(tmp_path: Path) -> None:
    assert "unpacked the bundled copy" in prepare("MNIST", tmp_path / "new" / "folder")
    assert good(tmp_path / "new" / "folder")
    assert prepare("MNIST", tmp_path / "new" / "folder").endswith("(verified)")


def test_splits_are_mnist(mnist_dir: Path) -> None:
    for train, count, first in ((True, 60_000, [5, 0, 4, 1, 9]), (False, 10_000, [7, 2, 1, 0, 4])):
        images, labels = load("MNIST", mnist_dir, train)
        assert (images.shape, images.dtype) == ((count, 1, 28, 28), torch.uint8)
        assert (labels.shape, labels.dtype) == ((count,), torch.int64)
        assert labels[:5].tolist() == first
        reference = datasets.MNIST(mnist_dir, train=train)
        assert torch.equal(images[:, 0], reference.data)
        assert torch.equal(labels, reference.targets)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_replaced(kind: str, mnist_dir: Path, tmp_path: Path) -> None:
    raw = copy(mnist_dir, tmp_path)
    (raw / NAME).write_bytes(DAMAGE[kind]((raw / NAME).read_bytes()))
    assert "bundled" in prepare("MNIST", tmp_path)
    assert good(tmp_path)


def test_swapped_and_missing_files_are_replaced(mnist_dir: Path, tmp_path: Path) -> None:
    raw = copy(mnist_dir, tmp_path)
    (raw / NAME).rename(raw / "train-labels-idx1-ubyte")
    assert "bundled" in prepare("MNIST", tmp_path)
    assert good(tmp_path)


def test_takes_the_mirror_when_it_answers(mnist_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = tmp_path / "served"
    served.mkdir()
    for name in MNIST_SHA256:
        content = gzip.compress((mnist_dir / "MNIST" / "raw" / name).read_bytes(), 1)
        (served / f"{name}.gz").write_bytes(content)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        good_mirror = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", good_mirror])
        assert "downloaded" in prepare("MNIST", tmp_path / "data")
        assert good(tmp_path / "data")
        # A mirror that serves something else is not believed.
        packed = (served / f"{NAME}.gz").read_bytes()
        broken = packed[:1000] + bytes(1000) + packed[2000:]  # a stream that zlib refuses
        for i, content in enumerate([gzip.compress(b"something else"), broken]):
            (served / f"{NAME}.gz").write_bytes(content)
            assert "bundled" in prepare("MNIST", tmp_path / f"other{i}")
            assert good(tmp_path / f"other{i}")
        server.shutdown()


def test_a_mirror_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    class Hangs(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            release.wait(60)

    monkeypatch.setattr(bundle, "MIRROR_SECONDS", 0.5)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hangs) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        assert "bundled" in prepare("MNIST", tmp_path)
        release.set()
        server.shutdown()


def _prepare_quietly(folder: Path) -> None:
    datasets.MNIST.mirrors = []
    prepare("MNIST", folder)


def test_processes_that_start_at_once_all_succeed(tmp_path: Path) -> None:
    three = [processes().Process(target=_prepare_quietly, args=(tmp_path,)) for _ in range(3)]
    for process in three:
        process.start()
    for process in three:
        process.join(120)
    assert [process.exitcode for process in three] == [0, 0, 0]
    assert good(tmp_path)
    assert sorted(path.name for path in (tmp_path / "MNIST" / "raw").iterdir()) == sorted(MNIST_SHA256)


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / ".train-images-idx3-ubyte.partial").write_bytes(b"half")
    prepare("MNIST", tmp_path)
    assert good(tmp_path)
    assert sorted(path.name for path in raw.iterdir()) == sorted(MNIST_SHA256)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write MNIST to .*--data\.data_dir"):
        prepare("MNIST", tmp_path / "file" / "data")


def test_a_read_only_file_system_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:  # root, who runs CI in containers, may write anywhere
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(DataError, match=r"Read-only file system.*--data\.data_dir"):
        prepare("MNIST", tmp_path)


def _prepare_with_small_files(folder: Path, answer: Connection) -> None:
    datasets.MNIST.mirrors = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))
    try:
        prepare("MNIST", folder)
    except DataError as error:
        answer.send(str(error))


def test_a_full_disk_is_an_error_and_leaves_no_half_file(tmp_path: Path) -> None:
    ours, theirs = processes().Pipe()
    process = processes().Process(target=_prepare_with_small_files, args=(tmp_path, theirs))
    process.start()
    assert ours.poll(120)
    message = ours.recv()
    process.join(120)
    assert "File too large" in message
    assert "--data.data_dir" in message
    assert not [path for path in (tmp_path / "MNIST" / "raw").iterdir() if path.name not in MNIST_SHA256]
    assert "bundled" in prepare("MNIST", tmp_path)
    assert good(tmp_path)


def test_a_damaged_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "BUNDLE", tmp_path)
    with pytest.raises(DataError, match="reinstall"):
        prepare("MNIST", tmp_path / "data")
    (tmp_path / f"{NAME}.xz").write_bytes(b"\xfd7zXZ\0garbage")
    with pytest.raises(DataError, match="reinstall"):
        bundle.unbundle(NAME)


def test_a_folder_that_another_process_keeps_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Held:
        def __init__(self, path: Path, timeout: float) -> None:
            assert path.parent == tmp_path
            assert timeout > 60

        def __enter__(self) -> None:
            raise filelock.Timeout("held")

        def __exit__(self, *args: object) -> None: ...

    monkeypatch.setattr(files, "FileLock", Held)
    with pytest.raises(DataError, match="another process has been preparing"):
        prepare("MNIST", tmp_path)


@pytest.mark.parametrize(("error", "said"), [(ValueError("one\ntwo"), "one"), (ValueError(), "ValueError")])
def test_the_reason_why_a_file_cannot_be_read_is_one_line(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "KMNIST", fail)
    with pytest.raises(DataError, match=rf"cannot read KMNIST in .* \({said}\): delete"):
        load("KMNIST", tmp_path, train=True)


def test_the_list_of_unconfirmed_labels_is_the_one_that_was_published() -> None:
    assert (len(files.UNCONFIRMED_TEST_LABELS), sum(files.UNCONFIRMED_TEST_LABELS)) == (15, 68_696)

import os
import signal
import subprocess
import sys

import pytest
from conftest import Patch

from mnist_cnn.start import THREADS, before_torch


@pytest.mark.parametrize("own", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_are_told_to_fall_asleep_unless_the_user_said_otherwise(
    own: dict[str, str], monkeypatch: Patch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setenv("GOMP_SPINCOUNT", "what is set is restored")
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    try:
        before_torch()
    finally:
        signal.signal(signal.SIGINT, handler)
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    assert {name: os.environ[name] for name in names if name in os.environ} == (own or THREADS)


def test_who_does_not_read_to_the_end_gets_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mnist_cnn", "presets"]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ended.stderr, ended.returncode) == (b"", 141)


def test_training_loads_nothing_that_reads_pictures() -> None:
    loaded = "{'cv2', 'mnist_cnn.reading.sighting', 'mnist_cnn.data.picture_set'} & set(sys.modules)"
    code = f"import sys, mnist_cnn.cli.entry; assert not {loaded}, {loaded}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["mnist_cnn.__main__", "mnist_cnn.page.__main__"])
def test_programs_start_before_torch_is_loaded(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules; assert {module}.before_torch"
    subprocess.run([sys.executable, "-c", code], check=True)

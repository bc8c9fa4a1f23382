import os
import signal
import subprocess
import sys

import pytest

from mnist_cnn.start import THREADS, before_torch


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(os, "environ", {})
    return monkeypatch


def test_threads_are_told_to_fall_asleep_unless_the_user_said_otherwise(environment: pytest.MonkeyPatch) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        before_torch()
        assert os.environ == THREADS
        for own in ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}):
            environment.setattr(os, "environ", own.copy())
            before_torch()
            assert os.environ == own
    finally:
        signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("module", ["mnist_cnn.__main__", "mnist_cnn.page.__main__"])
def test_programs_start_before_torch_is_loaded(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules; assert {module}.before_torch"
    subprocess.run([sys.executable, "-c", code], check=True)

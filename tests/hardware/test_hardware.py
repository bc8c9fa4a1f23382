import os
from pathlib import Path

import pytest
import torch
from conftest import Cli

from mnist_cnn import cli as command_line
from mnist_cnn import hardware
from mnist_cnn.cli import closing, settings

TINY = ("fit", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1", "--trainer.max_epochs=1")


@pytest.fixture
def preset(tmp_path: Path) -> str:
    """A preset that asks for bfloat16."""
    path = tmp_path / "preset.yaml"
    path.write_text("trainer:\n  precision: bf16-mixed\n")
    return f"--config={path}"


def precision() -> str:
    config = Path("lightning_logs/version_0/config.yaml").read_text()
    return next(line.split()[1] for line in config.splitlines() if line.startswith("  precision:"))


def test_a_preset_falls_back_with_one_line(
    cli: Cli, preset: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "has_bfloat16", lambda accelerator: False)
    cli(*TINY, preset)
    assert precision() == "32-true"
    assert capsys.readouterr().out.count("for want of bfloat16 instructions") == 1


@pytest.mark.parametrize(("hardware_has_it", "option"), [(True, ()), (False, ("--trainer.precision=bf16-mixed",))])
def test_hardware_or_the_user_keeps_bfloat16(
    cli: Cli, preset: str, monkeypatch: pytest.MonkeyPatch, hardware_has_it: bool, option: tuple
) -> None:
    monkeypatch.setattr(settings, "has_bfloat16", lambda accelerator: hardware_has_it)
    cli(*TINY, preset, *option)
    assert precision() == "bf16-mixed"


def test_bfloat16_is_looked_up_for_the_device_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.has_bfloat16("cpu")
    assert hardware.has_bfloat16("auto")
    assert not hardware.has_bfloat16("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert not hardware.has_bfloat16("auto")
    assert hardware.has_bfloat16("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert not hardware.has_bfloat16("cpu")


@pytest.mark.parametrize(("available", "before", "after"), [(False, None, ""), (False, "1", "1"), (True, None, None)])
def test_an_absent_gpu_is_looked_for_once(
    monkeypatch: pytest.MonkeyPatch, available: bool, before: str | None, after: str | None
) -> None:
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before or "")
    if before is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    hardware.remember_that_there_is_no_gpu()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == after


@pytest.mark.parametrize(
    ("library", "network", "lines"), [(None, "TutorialCNN", 1), (None, "MLP", 0), (1, "TutorialCNN", 0)]
)
def test_a_missing_compiler_is_named_in_one_line(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    library: object,
    network: str,
    lines: int,
) -> None:
    monkeypatch.setattr(closing, "can_be_compiled", lambda: True)
    monkeypatch.setattr(closing, "compiled", lambda: library)
    cli(*TINY, f"--model.network={network}", "--trainer.accelerator=cpu")
    assert capsys.readouterr().out.count("C++ compiler") == lines


def test_a_profiler_of_the_user_s_own_stays(cli: Cli, mnist_dir: Path) -> None:
    for option, kind in (((), "NoProfiler"), (("--trainer.profiler=simple",), "SimpleProfiler")):
        data = f"--data.data_dir={mnist_dir}"
        trainer = command_line.run([*TINY, "--trainer.accelerator=cpu", data, *option]).trainer
        assert type(trainer.profiler).__name__ == kind

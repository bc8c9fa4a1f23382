"""Ctrl-C and signals: the state is saved, the verdict on what was seen is given, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Capture, Cli, Patch, before_step
from test_safety import AUGMENTED, SMALL, checkpoint, content, same_training

from mnist_cnn import DigitClassifier

Ends = Callable[..., tuple[str, str]]
TRAIN = str(Path(__file__).parents[2] / "scripts" / "train.py")


@pytest.fixture
def ends(cli: Cli, capsys: Capture) -> Ends:
    """Calls the command line, which a signal ends; returns what was printed, and the one line that says so."""

    def call(status: int, *command: str) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            cli(*command)
        assert exit_info.value.code == status
        printed = capsys.readouterr()
        [line] = [line for line in printed.err.splitlines() if line.startswith("interrupted")]
        return printed.out, line

    return call


def test_a_signal_ends_training_with_its_state_saved(cli: Cli, ends: Ends, monkeypatch: Patch) -> None:
    command = ("fit", *SMALL, *AUGMENTED)
    cli(*command)
    # Step 23 is the last of an epoch, which ends before the run does.
    for run, (number, step) in enumerate([(signal.SIGTERM, 0), (signal.SIGINT, 17), (signal.SIGINT, 23)], start=1):
        with monkeypatch.context() as patch:
            signal_at(step, number, patch)
            _, line = ends(128 + number, *command)
        assert content(run)["global_step"] == step + 1
        assert f"{checkpoint(run)} is saved, go on with the same command and --ckpt_path=last" in line
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        cli(*command, "--ckpt_path=last")
        assert same_training(content(0), content(run))
        assert same_training(content(0, "best"), content(run, "best"))


def signal_at(step: int, number: signal.Signals, monkeypatch: Patch, times: int = 1) -> None:
    before_step(step, lambda: [os.kill(os.getpid(), number) for _ in range(times)], monkeypatch)


def test_an_end_without_a_checkpoint_does_not_name_one(ends: Ends, monkeypatch: Patch) -> None:
    signal_at(3, signal.SIGINT, monkeypatch)
    _, line = ends(130, "fit", *SMALL, "--trainer.enable_checkpointing=false")
    assert line == "interrupted at step 4 (epoch 1): nothing was saved, start again"


def test_a_second_signal_acts_at_once(ends: Ends, monkeypatch: Patch) -> None:
    signal_at(3, signal.SIGINT, monkeypatch, times=2)
    assert "interrupted: no checkpoint was harmed" in ends(130, "fit", *SMALL)[1]
    assert not checkpoint().exists()


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_a_signal_in_an_evaluation_leaves_the_verdict_on_what_was_seen(
    verb: str, cli: Cli, ends: Ends, monkeypatch: Patch, capsys: Capture
) -> None:
    command = (verb, *SMALL, "--ckpt_path=best", "--data.batch_size=50")
    cli("fit", *SMALL)
    capsys.readouterr()
    cli(*command, f"--trainer.limit_{verb.replace('validate', 'val')}_batches=1")
    verdict = [line for line in capsys.readouterr().out.splitlines() if "errors in 50" in line]
    assert verdict
    step = getattr(DigitClassifier, f"{verb}_step".replace("validate", "validation"))

    def evaluate(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if batch_idx == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, step.__name__, evaluate)
    printed, line = ends(130, *command)
    assert [line for line in printed.splitlines() if "errors in" in line] == verdict
    assert line == "interrupted: the result is that of the images seen until then"


def test_a_signal_after_the_verdict_does_not_repeat_it(cli: Cli, ends: Ends, monkeypatch: Patch) -> None:
    cli("fit", *SMALL)
    monkeypatch.setattr(DigitClassifier, "on_test_end", lambda self: os.kill(os.getpid(), signal.SIGINT))
    printed, _ = ends(130, "test", *SMALL, "--ckpt_path=best", "--trainer.limit_test_batches=2")
    assert printed.count("test set: accuracy") == 1


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_signal_before_training_or_without_any(verb: str, cli: Cli, ends: Ends, monkeypatch: Patch) -> None:
    if verb == "test":
        cli("fit", *SMALL)
    monkeypatch.setattr("mnist_cnn.data.files.load", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGTERM))
    _, line = ends(143, verb, *SMALL, *(["--ckpt_path=best"] if verb == "test" else []))
    assert ("training" in line) == (verb == "fit")


def test_ctrl_c_while_torch_is_imported_says_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, TRAIN, "fit"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode in (130, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_sigusr1_under_slurm_saves_and_requeues(cli: Cli, monkeypatch: Patch, tmp_path: Path) -> None:
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text("#!/bin/sh\necho $@ > requeued\n")
    scontrol.chmod(0o755)
    job = {"NTASKS": "1", "JOB_ID": "77", "JOB_NAME": "digits", "NODELIST": "a"}
    for name, value in {**job, **dict.fromkeys(("PROCID", "LOCALID", "NODEID"), "0")}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    signal_at(3, signal.SIGUSR1, monkeypatch)
    cli("fit", *SMALL, "--trainer.devices=1", "--trainer.num_nodes=1")
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    assert torch.load("hpc_ckpt_1.ckpt", weights_only=True)["global_step"] == 3

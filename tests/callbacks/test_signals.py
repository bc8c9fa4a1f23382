"""Ctrl-C and signals: the state is saved, the verdict on what was seen is given, nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import Cli, before_step
from test_safety import AUGMENTED, SMALL, checkpoint, content, same_training

from mnist_cnn import DigitClassifier

TRAIN = str(Path(__file__).parents[2] / "scripts" / "train.py")


def test_a_signal_ends_training_with_its_state_saved(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("fit", *SMALL, *AUGMENTED)
    cli(*command)
    # Step 23 is the last of an epoch, which ends before the run does.
    for run, (number, step) in enumerate([(signal.SIGTERM, 0), (signal.SIGINT, 17), (signal.SIGINT, 23)], start=1):
        capsys.readouterr()
        with monkeypatch.context() as patch:
            signal_at(step, number, patch)
            with pytest.raises(SystemExit) as exit_info:
                cli(*command)
        assert exit_info.value.code == 128 + number
        assert content(run)["global_step"] == step + 1
        words = [line for line in capsys.readouterr().err.splitlines() if line.startswith("interrupted")]
        assert len(words) == 1
        assert f"{checkpoint(run)} is saved, go on with the same command and --ckpt_path=last" in words[0]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        cli(*command, "--ckpt_path=last")
        assert same_training(content(0), content(run))
        assert same_training(content(0, "best"), content(run, "best"))


def signal_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    before_step(step, lambda: [os.kill(os.getpid(), number) for _ in range(times)], monkeypatch)


def test_an_end_without_a_checkpoint_does_not_name_one(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signal_at(3, signal.SIGINT, monkeypatch)
    with pytest.raises(SystemExit, match="130"):
        cli("fit", *SMALL, "--trainer.enable_checkpointing=false")
    assert "interrupted at step 4 (epoch 1): nothing was saved, start again\n" in capsys.readouterr().err


def test_a_second_signal_acts_at_once(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signal_at(3, signal.SIGINT, monkeypatch, times=2)
    with pytest.raises(SystemExit) as exit_info:
        cli("fit", *SMALL)
    assert exit_info.value.code == 130
    assert not checkpoint().exists()
    assert "interrupted: no checkpoint was harmed" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_a_signal_in_an_evaluation_leaves_the_verdict_on_what_was_seen(
    verb: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    with pytest.raises(SystemExit) as exit_info:
        cli(*command)
    assert exit_info.value.code == 130
    captured = capsys.readouterr()
    assert [line for line in captured.out.splitlines() if "errors in" in line] == verdict
    assert "interrupted: the result is that of the images seen until then" in captured.err.splitlines()


def test_a_signal_after_the_verdict_does_not_repeat_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("fit", *SMALL)
    capsys.readouterr()
    monkeypatch.setattr(DigitClassifier, "on_test_end", lambda self: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(SystemExit) as exit_info:
        cli("test", *SMALL, "--ckpt_path=best", "--trainer.limit_test_batches=2")
    assert exit_info.value.code == 130
    assert capsys.readouterr().out.count("test set: accuracy") == 1


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_signal_before_training_or_without_any(
    verb: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if verb == "test":
        cli("fit", *SMALL)
    capsys.readouterr()
    monkeypatch.setattr("mnist_cnn.data.files.load", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as exit_info:
        cli(verb, *SMALL, *(["--ckpt_path=best"] if verb == "test" else []))
    assert exit_info.value.code == 143
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("interrupted")]
    assert len(said) == 1
    assert ("training" in said[0]) == (verb == "fit")


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


def test_sigusr1_under_slurm_saves_and_requeues(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text("#!/bin/sh\necho $@ > requeued\n")
    scontrol.chmod(0o755)
    job = {
        "NTASKS": "1",
        "JOB_ID": "77",
        "JOB_NAME": "digits",
        "PROCID": "0",
        "LOCALID": "0",
        "NODEID": "0",
        "NODELIST": "a",
    }
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    signal_at(3, signal.SIGUSR1, monkeypatch)
    cli("fit", *SMALL, "--trainer.devices=1", "--trainer.num_nodes=1")
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    assert torch.load("hpc_ckpt_1.ckpt", weights_only=True)["global_step"] == 3

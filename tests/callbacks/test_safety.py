"""Runs that are killed, interrupted, starved or diverge: nothing is lost, and the same bits come out."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import UserNet, processes

from mnist_cnn import DigitClassifier, atomic
from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.checkpoints import CheckpointError, find_to_resume, newest_run
from mnist_cnn.cli import main
from mnist_cnn.cli.runs import locked

Cli = Callable[..., None]
Fails = Callable[..., str]
TRAIN = str(Path(__file__).parents[2] / "scripts" / "train.py")
SMALL = (
    "--trainer.limit_train_batches=12",
    "--trainer.limit_val_batches=2",
    "--trainer.max_epochs=3",
    "--data.batch_size=20",
)
DROPOUT = (
    "--model.network=conftest.UserNet",
    "--model.network.init_args.dropout=0.5",
    "--model.schedule=one_cycle",
)
AUGMENTED = (*DROPOUT, "--data.augment=RandomAffine")


def checkpoint(run: int = 0, name: str = "last") -> Path:
    return Path(f"lightning_logs/version_{run}/checkpoints/{name}.ckpt")


def content(run: int = 0, name: str = "last") -> dict:
    return torch.load(checkpoint(run, name), weights_only=True)


def same_training(one: dict, other: dict) -> bool:
    """Whether two checkpoints agree to the bit in weights, optimizer, schedule and the best score."""

    def tensors(saved: dict) -> list[torch.Tensor]:
        moments = [tensor for state in saved["optimizer_states"][0]["state"].values() for tensor in state.values()]
        scores = [state["best_model_score"] for key, state in saved["callbacks"].items() if "BestAndLast" in key]
        return [*saved["state_dict"].values(), *moments, *scores]

    equal = all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))
    return equal and one["lr_schedulers"] == other["lr_schedulers"] and one["global_step"] == other["global_step"]


class Killed(BaseException):
    """As if by kill -9: no handler knows it."""


def dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            raise Killed
        return original(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, "training_step", training_step)


ACCUMULATED = ("--trainer.accumulate_grad_batches=2", *DROPOUT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "options"), [(3, DROPOUT), (18, AUGMENTED), (24, AUGMENTED), (12, ACCUMULATED), (15, ACCUMULATED)]
)
def test_killed_within_an_epoch_and_resumed(
    step: int, options: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("fit", *SMALL, *options, "--checkpoint.every_n_train_steps=4")
    cli(*command)
    with monkeypatch.context() as patch:
        dies_at(step, patch)
        with pytest.raises(Killed):
            cli(*command)
    assert checkpoint(1).exists() == (step > 4)
    saved = content(1)["global_step"] if checkpoint(1).exists() else 0
    assert step - 4 <= saved <= step
    capsys.readouterr()
    cli(*command, "--ckpt_path=last")
    assert same_training(content(0), content(1))
    assert same_training(content(0, "best"), content(1, "best"))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 3/3")]
    cli("fit", *SMALL, *options)  # how often is saved changes nothing
    assert lines == [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 3/3")]


def rank(rank: int, folder: Path, port: int, command: tuple[str, ...], deadly_step: int | None) -> None:
    """One of two processes that train together, as `torchrun` starts them; the second may die."""
    os.chdir(folder)
    place = {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(place)
    sys.argv = ["scripts/train.py"]
    torch.set_num_threads(1)
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if rank == 1 and self.global_step == deadly_step:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, batch, batch_idx)

    DigitClassifier.training_step = training_step  # type: ignore[method-assign]
    main([*command])


def in_two_processes(*command: str, deadly_step: int | None = None) -> list[int | None]:
    """Trains in the current folder and returns the exit statuses, None where a process hung."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        arguments = (Path.cwd(), free.getsockname()[1], command, deadly_step)
    both = [processes().Process(target=rank, args=(number, *arguments)) for number in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
    statuses = [process.exitcode for process in both]
    for process in both:
        process.kill()
    return statuses


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="gloo on Windows needs a network adapter's name")
def test_two_processes_one_of_them_killed_within_an_epoch(
    tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = (f"--data.data_dir={mnist_dir}", "--trainer.accelerator=cpu")
    two = ("--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.enable_progress_bar=false")
    command = ("fit", *SMALL, *AUGMENTED, *place, *two, "--checkpoint.every_n_train_steps=4")
    assert in_two_processes(*command) == [0, 0]
    assert in_two_processes(*command, deadly_step=18) == [2, -signal.SIGKILL]
    assert content(1)["global_step"] == 16
    assert in_two_processes(*command, "--ckpt_path=last") == [0, 0]
    assert same_training(content(0), content(1))
    assert same_training(content(0, "best"), content(1, "best"))


@pytest.mark.parametrize(("number", "step"), [(signal.SIGTERM, 0), (signal.SIGINT, 17), (signal.SIGINT, 23)])
def test_a_signal_ends_training_with_its_state_saved(
    number: signal.Signals, step: int, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("fit", *SMALL, *AUGMENTED)  # step 23 is the last of an epoch, which ends before the run does
    cli(*command)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        signal_at(step, number, patch)
        with pytest.raises(SystemExit) as exit_info:
            cli(*command)
    assert exit_info.value.code == 128 + number
    assert content(1)["global_step"] == step + 1
    words = [line for line in capsys.readouterr().err.splitlines() if line.startswith("interrupted")]
    assert len(words) == 1
    assert f"{checkpoint(1)} is saved, go on with the same command and --ckpt_path=last" in words[0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    cli(*command, "--ckpt_path=last")
    assert same_training(content(0), content(1))
    assert same_training(content(0, "best"), content(1, "best"))


def signal_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(DigitClassifier, "training_step", training_step)


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


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_a_signal_before_training_or_without_any(
    verb: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_a_rate_that_blows_up(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli("fit", *SMALL, "--model.learning_rate=1e30")
    assert exit_info.value.code == 3
    error = capsys.readouterr().err
    assert re.search(
        r"error: training diverged: the loss is (nan|inf) at step \d+ \(epoch 1\); no checkpoint was written", error
    )
    assert "Traceback" not in error


def test_the_last_good_checkpoint_is_kept_and_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        return original(self, batch, batch_idx) * (float("nan") if self.global_step == 16 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(DigitClassifier, "training_step", training_step)
        with pytest.raises(SystemExit) as exit_info:
            cli("fit", *SMALL, "--checkpoint.every_n_train_steps=5", "--checkpoint.save_on_exception=true")
    assert exit_info.value.code == 3
    assert content()["global_step"] == 15
    assert f"at step 17 (epoch 2); the last good checkpoint is {checkpoint()}" in capsys.readouterr().err
    assert [path.name for path in sorted(checkpoint().parent.iterdir())] == ["best.ckpt", "last.ckpt"]


def test_weights_that_are_not_finite_are_not_written(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(self: DigitClassifier) -> None:
        if self.current_epoch == 1:
            next(self.parameters()).data[0] = float("inf")

    monkeypatch.setattr(DigitClassifier, "on_train_epoch_end", spoil)
    with pytest.raises(SystemExit) as exit_info:
        cli("fit", *SMALL)
    assert exit_info.value.code == 3
    assert "the weights are not finite" in capsys.readouterr().err
    for name in ("best", "last"):
        assert content(name=name)["epoch"] == 0
        assert all(tensor.isfinite().all() for tensor in content(name=name)["state_dict"].values())


def test_last_is_written_after_every_epoch_also_a_bad_one(cli: Cli) -> None:
    cli("fit", *SMALL, "--checkpoint.mode=min")  # the first epoch stays the best
    assert (content(name="best")["epoch"], content()["epoch"]) == (0, 2)


def test_a_run_that_is_moved_keeps_its_best(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("fit", *SMALL, "--checkpoint.mode=min", "--trainer.default_root_dir=here")
    Path("here").rename("there")
    cli(
        "fit",
        *SMALL,
        "--checkpoint.mode=min",
        "--trainer.default_root_dir=there",
        "--trainer.max_epochs=4",
        "--ckpt_path=last",
    )
    monkeypatch.chdir("there")
    assert (content(name="best")["epoch"], content()["epoch"]) == (0, 3)


def test_killed_between_its_two_first_files(cli: Cli) -> None:
    command = ("fit", *SMALL, *DROPOUT, "--trainer.max_epochs=1")
    cli(*command)
    cli(*command)
    checkpoint(1).unlink()
    cli(*command, "--ckpt_path=last")
    assert same_training(content(0), content(1))


def test_last_is_the_newest_run_whatever_it_has(
    cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("fit", *SMALL, *DROPOUT)
    cli(*command)
    before = checkpoint().read_bytes()
    with monkeypatch.context() as patch:
        dies_at(2, patch)
        with pytest.raises(Killed):
            cli(*command)
    assert newest_run(Path("lightning_logs")) == Path("lightning_logs/version_1")
    cli(*command, "--ckpt_path=last")
    assert "checkpoint: none yet in lightning_logs/version_1, starting from the beginning" in capsys.readouterr().out
    assert same_training(content(0), content(1))
    assert len(list(Path("lightning_logs").iterdir())) == 2
    cli(*command, "--ckpt_path=last")  # is finished: nothing happens
    assert f"checkpoint: {checkpoint(1)}" in capsys.readouterr().out
    assert checkpoint().read_bytes() == before


def test_a_run_that_goes_on_elsewhere_is_left_alone(cli: Cli, fails: Fails) -> None:
    cli("fit", *SMALL)
    with locked(Path("lightning_logs/version_0")):
        line = fails(cli, "fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=4")
    assert "version_0 is still being trained by another process" in line
    cli("fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=4")
    assert content()["epoch"] == 3


class TestWriting:
    def test_all_or_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "new" / "last.ckpt"
        writer = AtomicCheckpointIO()
        writer.save_checkpoint({"x": 1}, path)

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CheckpointError, match=r"No space left.*earlier checkpoints are intact"):
                writer.save_checkpoint({"x": 2}, path)
        assert torch.load(path, weights_only=True) == {"x": 1}
        assert [file.name for file in path.parent.iterdir()] == ["last.ckpt"]

    def test_what_a_killed_writer_left_is_not_taken_and_does_not_stay(self, tmp_path: Path) -> None:
        folder = tmp_path / "version_0" / "checkpoints"
        folder.mkdir(parents=True)
        (folder / ".last.ckpt.partial").write_bytes(b"half")
        assert newest_run(tmp_path) == folder.parent
        assert find_to_resume("last", tmp_path) is None
        with replacing(folder / "last.ckpt") as file:
            file.write(b"whole")
        assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
        assert find_to_resume("last", tmp_path) == folder / "last.ckpt"

    def test_devices_pipes_and_folders_are_never_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "null").symlink_to(os.devnull)
        (tmp_path / "folder").mkdir()
        before = sorted(tmp_path.iterdir())
        for name in ("null", "folder"):
            with pytest.raises(OSError, match="no ordinary file"), replacing(tmp_path / name):
                pass
        monkeypatch.setattr(atomic, "DEVICES", tmp_path)  # where /dev/stdout may stand for an ordinary file
        with pytest.raises(OSError, match="no ordinary file"), replacing(tmp_path / "stdout"):
            pass
        assert sorted(tmp_path.iterdir()) == before
        assert (tmp_path / "null").is_symlink()

    def test_a_full_disk_ends_training_with_one_line(
        self, cli: Cli, fails: Fails, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cli("fit", *SMALL)
        before = checkpoint().read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("os.fsync", full)
        line = fails(cli, "fit", *SMALL, "--trainer.max_epochs=4", "--ckpt_path=last")
        assert "earlier checkpoints are intact" in line
        assert checkpoint().read_bytes() == before


ABSURD = [
    "accumulate_grad_batches=0",
    "check_val_every_n_epoch=0",
    "val_check_interval=-1",
    "max_steps=-7",
    "devices=0",
]


@pytest.mark.parametrize("option", ABSURD)
def test_absurd_settings_end_in_one_line(option: str, cli: Cli, fails: Fails) -> None:
    assert option.split("=")[0] in fails(cli, "fit", *SMALL, f"--trainer.{option}")


def test_a_mistake_in_a_network_of_the_user_keeps_its_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: UserNet, images: torch.Tensor) -> torch.Tensor:
        raise TypeError("my mistake")

    monkeypatch.setattr(UserNet, "forward", forward)
    with pytest.raises(TypeError, match="my mistake"):
        cli("fit", *SMALL, *DROPOUT)

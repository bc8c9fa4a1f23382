"""Runs that are killed, interrupted, starved or diverge: nothing is lost, and the same bits come out."""

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
import torch
from conftest import Capture, Cli, Fails, Killed, Patch, before_step, dies_at, processes

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import newest_run
from mnist_cnn.cli import main
from mnist_cnn.cli.runs import locked

SMALL = (
    "--trainer.limit_train_batches=12",
    "--trainer.limit_val_batches=2",
    "--trainer.max_epochs=3",
    "--data.batch_size=20",
)
DROPOUT = ("--model.network=conftest.UserNet", "--model.network.init_args.dropout=0.5", "--model.schedule=one_cycle")
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


ACCUMULATED = ("--trainer.accumulate_grad_batches=2", *DROPOUT)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "options"), [((3,), DROPOUT), ((18, 24), AUGMENTED), ((12, 15), ACCUMULATED)])
def test_killed_within_an_epoch_and_resumed(
    steps: tuple[int, ...], options: tuple[str, ...], cli: Cli, monkeypatch: Patch, capsys: Capture
) -> None:
    def last_epoch() -> list[str]:
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 3/3")]

    cli("fit", *SMALL, *options)  # how often is saved changes nothing
    whole = last_epoch()
    command = ("fit", *SMALL, *options, "--checkpoint.every_n_train_steps=4")
    cli(*command)
    for run, step in enumerate(steps, start=2):
        with monkeypatch.context() as patch:
            dies_at(step, patch)
            with pytest.raises(Killed):
                cli(*command)
        assert checkpoint(run).exists() == (step > 4)
        saved = content(run)["global_step"] if checkpoint(run).exists() else 0
        assert step - 4 <= saved <= step
        capsys.readouterr()
        cli(*command, "--ckpt_path=last")
        assert same_training(content(1), content(run))
        assert same_training(content(1, "best"), content(run, "best"))
        assert last_epoch() == whole


def rank(rank: int, folder: Path, port: int, command: tuple[str, ...], deadly_step: int | None) -> None:
    """One of two processes that train together, as `torchrun` starts them; the second may die."""
    os.chdir(folder)
    place = {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(place)
    sys.argv = ["scripts/train.py"]
    torch.set_num_threads(1)
    if rank == 1 and deadly_step is not None:
        before_step(deadly_step, lambda: os.kill(os.getpid(), signal.SIGKILL), pytest.MonkeyPatch())
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
def test_two_processes_one_of_them_killed_within_an_epoch(tmp_path: Path, mnist_dir: Path, monkeypatch: Patch) -> None:
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


def test_the_last_good_checkpoint_is_kept_and_named(cli: Cli, fails: Fails, monkeypatch: Patch) -> None:
    diverged = r"training diverged: the loss is (nan|inf) at step \d+ \(epoch 1\); no checkpoint was written"
    assert re.search(diverged, fails(cli, "fit", *SMALL, "--model.learning_rate=1e30", status=3))
    original = DigitClassifier.training_step

    def training_step(self: DigitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
        return original(self, batch, batch_idx) * (float("nan") if self.global_step == 16 else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(DigitClassifier, "training_step", training_step)
        saving = ("--checkpoint.every_n_train_steps=5", "--checkpoint.save_on_exception=true")
        line = fails(cli, "fit", *SMALL, *saving, status=3)
    assert f"at step 17 (epoch 2); the last good checkpoint is {checkpoint(1)}" in line
    assert content(1)["global_step"] == 15
    assert [path.name for path in sorted(checkpoint(1).parent.iterdir())] == ["best.ckpt", "last.ckpt"]


def test_weights_that_are_not_finite_are_not_written(cli: Cli, fails: Fails, monkeypatch: Patch) -> None:
    def spoil(self: DigitClassifier) -> None:
        if self.current_epoch == 1:
            next(self.parameters()).data[0] = float("inf")

    monkeypatch.setattr(DigitClassifier, "on_train_epoch_end", spoil)
    assert "the weights are not finite" in fails(cli, "fit", *SMALL, status=3)
    for name in ("best", "last"):
        assert content(name=name)["epoch"] == 0
        assert all(tensor.isfinite().all() for tensor in content(name=name)["state_dict"].values())


def test_last_is_written_after_every_epoch_and_a_run_that_is_moved_keeps_its_best(cli: Cli, monkeypatch: Patch) -> None:
    command = ("fit", *SMALL, "--checkpoint.mode=min")  # the first epoch stays the best
    cli(*command, "--trainer.default_root_dir=here")
    with monkeypatch.context() as patch:
        patch.chdir("here")
        assert (content(name="best")["epoch"], content()["epoch"]) == (0, 2)
    Path("here").rename("there")
    cli(*command, "--trainer.default_root_dir=there", "--trainer.max_epochs=4", "--ckpt_path=last")
    monkeypatch.chdir("there")
    assert (content(name="best")["epoch"], content()["epoch"]) == (0, 3)


def test_last_is_the_newest_run_whatever_it_has(cli: Cli, capsys: Capture, monkeypatch: Patch) -> None:
    command = ("fit", *SMALL, *DROPOUT)
    cli(*command, "--ckpt_path=last")
    assert "checkpoint: no earlier run to resume, starting from the beginning" in capsys.readouterr().out
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
    checkpoint(1).unlink()  # as if killed between its first two files
    cli(*command, "--ckpt_path=last")
    assert same_training(content(0), content(1))


def test_a_run_that_goes_on_elsewhere_is_left_alone(cli: Cli, fails: Fails) -> None:
    cli("fit", *SMALL)
    with locked(Path("lightning_logs/version_0")):
        line = fails(cli, "fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=4")
    assert "version_0 is still being trained by another process" in line
    cli("fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=4")
    assert content()["epoch"] == 3

"""What `campaign.py` does to training runs: each function is one kind of damage, and returns what was lost."""

import contextlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from damage.sites import BY_STEPS, LAST, RECIPE, Forked, Site, readable, same
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO


@dataclass
class Row:
    """One line of the table: what was done, how often, and what was lost."""

    what: str
    times: int = 0
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, kept: bool, what: str) -> None:
        """Counts as a loss what does not hold."""
        if not kept:
            self.lost.append(what)
            print(f"LOST: {what}", file=sys.stderr, flush=True)

    def __str__(self) -> str:
        lost = (
            "nothing"
            if not self.lost
            else f"{len(self.lost)}: {'; '.join(' '.join(lost.split()) for lost in self.lost[:3])}"
        )
        return f"| {self.what} | {self.times} | {lost} | {'; '.join(self.notes)} |"


def undisturbed(root: Path) -> tuple[Site, float, Row]:
    """Two runs of one command; the first is what all others are compared with."""
    row = Row("the same command twice")
    sites = [Site(root / f"undisturbed{i}") for i in range(2)]
    seconds = []
    wanted = Forked.wanted
    for site, Forked.wanted in zip(sites, (False, wanted), strict=True):
        start = time.monotonic()
        row.check(site.run(*RECIPE, *BY_STEPS) == 0, f"{site.folder.name} failed")
        seconds.append(time.monotonic() - start)
        row.times += 1
    for name in ("best", "last"):
        row.check(same(*(site.checkpoint(name) for site in sites)), f"{name}.ckpt differs")
    row.notes.append(f"{seconds[1]:.0f} s each")
    return sites[0], seconds[1], row


def kills(root: Path, reference: Site, seconds: float, count: int, by_steps: bool, rng: random.Random) -> Row:
    """Kills runs with kill -9 at random moments and resumes them with the same command."""
    options = BY_STEPS if by_steps else ()
    label = f"kill -9, resumed, {'every 7 steps saved' if by_steps else 'epochs saved'}"
    row, phases = Row(label), dict.fromkeys(PHASES, 0)
    site, attempt = Site(root / "kills0"), 0
    while row.times < count:
        attempt += 1
        process = site.start(*RECIPE, *options, *LAST)
        try:
            status = process.wait(timeout=rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            row.times += 1
            phases[phase(site)] += 1
            print(f"kill {row.times} of {count}, {phase(site)}", file=sys.stderr, flush=True)
            row.check(readable(site), f"kill {row.times}: an unreadable checkpoint")
            if rng.random() < 0.5:  # killed again, or left alone to its end
                continue
            status = site.run(*RECIPE, *options, *LAST)
        row.check(status == 0, f"{site.folder.name} ended with {status}: {site.output()[-300:]}")
        for name in ("best", "last"):
            row.check(
                same(reference.checkpoint(name), site.checkpoint(name)), f"{site.folder.name} {name}.ckpt differs"
            )
        row.check(len([*(site.folder / "lightning_logs").iterdir()]) == 1, f"{site.folder.name} has other folders")
        row.check(not site.leftovers(), f"{site.folder.name} left {site.leftovers()}")
        shutil.rmtree(site.folder)
        site = Site(root / f"kills{attempt}")
    row.notes.append(", ".join(f"{count} {name}" for name, count in phases.items() if count))
    return row


PHASES = ("at start-up", "unpacking data", "in the first epoch", "later")


def phase(site: Site) -> str:
    """About where a killed run was, by what lies in its folder."""
    raw = site.data / "MNIST" / "raw"
    if not (site.folder / "lightning_logs").exists():
        return PHASES[0]
    if not raw.exists() or len([path for path in raw.iterdir() if not path.name.startswith(".")]) < 4:
        return PHASES[1]
    return PHASES[3] if [*site.folder.rglob("last.ckpt")] else PHASES[2]


def write(path: Path, written: Any) -> None:
    """Writes checkpoints of 4 MB for ever."""
    while True:
        content = {"x": torch.full((1_000_000,), written.value + 1)}
        AtomicCheckpointIO().save_checkpoint(content, path)
        written.value += 1


def writes(root: Path, count: int, rng: random.Random) -> Row:
    """Kills a process that does nothing but write one checkpoint after the other."""
    row = Row("kill -9 while a checkpoint is written")
    path = root / "writes" / "last.ckpt"
    partial = 0
    for _ in range(count):
        written = multiprocessing.Value("i", 0, lock=False)
        process = multiprocessing.get_context("fork").Process(target=write, args=(path, written))
        process.start()
        while not written.value:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        row.times += 1
        partial += (path.parent / ".last.ckpt.partial").exists()
        try:
            content = torch.load(path, weights_only=True)["x"]
            row.check(
                bool((content == content[0]).all()) and int(content[0]) >= written.value, "an older or mixed checkpoint"
            )
        except Exception as error:
            row.check(False, f"unreadable: {error}")
        row.check(len([*path.parent.iterdir()]) <= 2, "leftovers pile up")
    row.notes.append(f"in the middle of the file {partial} times")
    return row


def signals(root: Path, reference: Site, seconds: float, count: int, rng: random.Random) -> Row:
    """Ctrl-C and SIGTERM at random moments, then the same command."""
    row = Row("Ctrl-C and SIGTERM, resumed")
    statuses = {signal.SIGINT: (130, -signal.SIGINT), signal.SIGTERM: (143, -signal.SIGTERM)}
    said = 0
    for i in range(count):
        site, number = Site(root / f"signals{i}"), rng.choice([*statuses])
        process = site.start(*RECIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        try:
            process.wait(timeout=rng.uniform(0, seconds))
            shutil.rmtree(site.folder)
            continue
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        status = process.wait(timeout=120)
        row.times += 1
        row.check(status in statuses[number], f"exit status {status}: {site.output()[-300:]}")
        row.check("Traceback" not in site.output(), f"a traceback: {site.output()[-300:]}")
        said += "--ckpt_path=last" in site.output()
        row.check(site.run(*RECIPE, *LAST) == 0, f"cannot go on: {site.output()[-300:]}")
        for name in ("best", "last"):
            row.check(same(reference.checkpoint(name), site.checkpoint(name)), f"{name}.ckpt differs")
        shutil.rmtree(site.folder)
    row.notes.append(f"said how to resume {said} times, the others before training began")
    return row


def side_by_side(root: Path, reference: Site, count: int = 10) -> Row:
    """Runs that start at once in one folder."""
    row = Row(f"{count} runs started at once in one folder")
    site = Site(root / "together")
    processes = [site.start(*RECIPE, *BY_STEPS) for _ in range(count)]
    for process in processes:
        row.check(process.wait(timeout=600) == 0, f"one failed: {site.output()[-300:]}")
        row.times += 1
    for run in range(count):
        for name in ("best", "last"):
            row.check(
                same(reference.checkpoint(name), site.checkpoint(name, run)), f"version_{run} {name}.ckpt differs"
            )
    row.check(len([*(site.folder / "lightning_logs").iterdir()]) == count, "another number of folders")
    return row


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of `size` bytes, where the user may mount one; says whether it could."""
    folder.mkdir(parents=True)
    options = f"size={size}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=False)


def limit_files(size: int) -> Callable[[], None]:
    """For a process in which no file may grow beyond `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def starved(root: Path, reference: Site) -> Row:
    """Full disks and read-only folders while data are unpacked and checkpoints written."""
    row = Row("disk full, read-only, no memory")

    def refused(site: Site, text: str, *options: str, **more: Any) -> None:
        before = len(site.output())
        status = site.run(*RECIPE, *options, **more)
        said = site.output()[before:]
        row.times += 1
        row.check(status == 2 and "Traceback" not in said, f"status {status}: {said[-300:]}")
        row.check(re.search(f"error: .*{text}", said) is not None, f"not {text}: {said[-300:]}")

    longer = ("--model.schedule=exponential",)  # may go on beyond the epochs that it began with
    for size in (40, 3):  # MB: more than the first files, less than one
        site = Site(root / f"limited{size}")
        refused(site, "--data.data_dir", *BY_STEPS, preexec_fn=limit_files(size * 2**20))
        row.check(not site.leftovers(), f"left {site.leftovers()}")
    site = Site(root / "full", data=reference.data)
    row.check(site.run(*RECIPE, *longer, "--trainer.max_epochs=1") == 0, "a run failed")
    kept = site.checkpoint().read_bytes()
    refused(site, "earlier checkpoints are intact", *longer, *LAST, preexec_fn=limit_files(2**20))
    row.check(site.checkpoint().read_bytes() == kept, "an earlier checkpoint changed")
    refused(Site(root / "huge", data=reference.data), "memory", "--model.network.hidden=[10000000000000]")
    with small_disk(root / "small", 30 * 2**20) as mounted:
        if mounted:
            site = Site(root / "small" / "here", log=root / "here.txt")
            refused(site, "No space left", *BY_STEPS)
            shutil.rmtree(site.folder)
            site = Site(root / "small" / "there", data=reference.data, log=root / "there.txt")
            row.check(site.run(*RECIPE, *longer, *BY_STEPS, "--trainer.max_epochs=1") == 0, "a run failed")
            kept = site.checkpoint().read_bytes()
            (site.folder / "ballast").write_bytes(bytes(shutil.disk_usage(site.folder).free - 2**20))
            refused(site, "No space left", *longer, *BY_STEPS, *LAST)
            row.check(site.checkpoint().read_bytes() == kept, "an earlier checkpoint changed")
            (site.folder / "ballast").unlink()
            row.check(site.run(*RECIPE, *longer, *BY_STEPS, *LAST) == 0, f"cannot go on: {site.output()[-300:]}")
            subprocess.run(["mount", "-o", "remount,ro", str(root / "small")], check=True)
            refused(site, "cannot be written", *longer, "--trainer.max_epochs=4", *LAST)
    row.notes.append("tmpfs" if mounted else "by ulimit only: no permission to mount")
    return row


def spread(root: Path) -> Row:
    """Two processes, two nodes on this machine, and processes that are killed."""
    row = Row("two processes; two nodes; a killed one")
    ddp = ("--trainer.strategy=ddp", "--trainer.devices=2")
    data = Site(root / "data")
    one = Site(root / "ddp", data=data.folder)
    row.check(one.run(*RECIPE, *ddp) == 0, f"ddp failed: {one.output()[-300:]}")
    nodes = Site(root / "nodes", data=data.folder)
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1")
    place = ("--master-addr=127.0.0.1", "--master-port=29511")
    options = (*RECIPE, "--trainer.strategy=ddp", "--trainer.devices=1", "--trainer.num_nodes=2")
    both = [nodes.start(*options, launcher=(*torchrun, f"--node-rank={rank}", *place)) for rank in range(2)]
    for process in both:
        row.check(process.wait(timeout=300) == 0, f"torchrun failed: {nodes.output()[-300:]}")
    row.check(same(one.checkpoint(), nodes.checkpoint()), "two nodes end with other bits than two processes")
    for site in (one, nodes):
        runs = [*(site.folder / "lightning_logs").iterdir()]
        logs = [path for run in runs for path in run.glob("events*")]
        row.check((len(runs), len(logs)) == (1, 1), f"{len(runs)} folders, {len(logs)} logs")
    row.times += 2
    for victim in (0, 1):
        row.times += 1
        site = Site(root / f"victim{victim}", data=data.folder)
        process = site.start(*RECIPE, *ddp, "--trainer.max_epochs=1000", start_new_session=True)
        while not site.checkpoint().exists() and process.poll() is None:
            time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pids = [process.pid, int(children[0])]
        os.kill(pids[victim], signal.SIGKILL)
        start = time.monotonic()
        while any(_running(pid) for pid in pids) and time.monotonic() - start < 90:
            process.poll()
            time.sleep(0.1)
        seconds = time.monotonic() - start
        row.check(seconds < 60 and process.wait() != 0, f"rank {victim} killed: {seconds:.0f} s, {process.poll()}")
        row.notes.append(f"rank {victim} killed: all ended after {seconds:.0f} s")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return row


def _running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False

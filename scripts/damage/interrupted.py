"""Runs that are killed or told to stop at random moments, and go on."""

import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from damage.sites import BY_STEPS, LAST, RECIPE, Site, readable, same
from damage.table import Row
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO


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
            if row.times < count and rng.random() < 0.5:  # killed again, or left alone to its end
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

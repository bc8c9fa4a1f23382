"""Runs that are killed or told to stop at random moments, and go on."""

import multiprocessing
import random
import shutil
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import torch

from damage.sites import BY_STEPS, LAST, RECIPE, Row, Site, readable
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO


def kills(root: Path, reference: Site, seconds: float, count: int, by_steps: bool, rng: random.Random) -> Row:
    """Kills runs with kill -9 at random moments and resumes them with the same command."""
    command = (*RECIPE, *(BY_STEPS if by_steps else ()), *LAST)
    row = Row(f"kill -9, resumed, {'every 7 steps saved' if by_steps else 'epochs saved'}")
    phases: Counter[str] = Counter()
    site, attempt = Site(root / "kills0"), 0
    while row.times < count:
        attempt += 1
        killed, status = site.struck(signal.SIGKILL, rng.uniform(0, seconds), *command)
        if killed:
            row.times += 1
            phases[phase(site)] += 1
            print(f"kill {row.times} of {count}, {phase(site)}", file=sys.stderr, flush=True)
            row.check(readable(site), f"kill {row.times}: an unreadable checkpoint")
            if row.times < count and rng.random() < 0.5:  # killed again, or left alone to its end
                continue
            status = site.run(*command)
        row.check(status == 0, f"{site.folder.name} ended with {status}: {site.output()[-300:]}")
        row.compare(reference, site)
        row.check(len([*(site.folder / "lightning_logs").iterdir()]) == 1, f"{site.folder.name} has other folders")
        row.check(not site.leftovers(), f"{site.folder.name} left {site.leftovers()}")
        shutil.rmtree(site.folder)
        site = Site(root / f"kills{attempt}")
    row.notes.append(", ".join(f"{phases[name]} {name}" for name in PHASES if phases[name]))
    return row


PHASES = ("at start-up", "unpacking data", "in the first epoch", "later")


def phase(site: Site) -> str:
    """About where a killed run was, by what lies in its folder."""
    raw = site.data / "MNIST" / "raw"
    if not (site.folder / "lightning_logs").exists():
        return PHASES[0]
    if len([*raw.glob("[!.]*")]) < 4:
        return PHASES[1]
    return PHASES[3] if [*site.folder.rglob("last.ckpt")] else PHASES[2]


def write(path: Path, written: Any) -> None:
    """Writes checkpoints of 4 MB for ever."""
    torch.set_num_threads(1)  # the threads of OpenMP are not there after a fork, and would be waited for
    while True:
        content = {"x": torch.full((1_000_000,), written.value + 1)}
        AtomicCheckpointIO().save_checkpoint(content, path)
        written.value += 1


def writes(root: Path, count: int, rng: random.Random) -> Row:
    """Kills a process that does nothing but write one checkpoint after the other."""
    row = Row("kill -9 while a checkpoint is written")
    path = root / "writes" / "last.ckpt"
    unfinished = 0
    for _ in range(count):
        written = multiprocessing.Value("i", 0, lock=False)
        process = multiprocessing.get_context("fork").Process(target=write, args=(path, written))
        process.start()
        while not written.value and process.is_alive():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
        row.times += 1
        unfinished += (path.parent / ".last.ckpt.partial").exists()
        try:
            content = torch.load(path, weights_only=True)["x"]
            whole = bool((content == content[0]).all()) and int(content[0]) >= written.value
            row.check(whole, "an older or mixed checkpoint")
        except Exception as error:
            row.check(False, f"unreadable: {error}")
        row.check(len([*path.parent.iterdir()]) <= 2, "leftovers pile up")
    row.notes.append(f"in the middle of the file {unfinished} times")
    return row


def signals(root: Path, reference: Site, seconds: float, count: int, rng: random.Random) -> Row:
    """Ctrl-C and SIGTERM at random moments, then the same command."""
    row = Row("Ctrl-C and SIGTERM, resumed")
    statuses = {signal.SIGINT: (130, -signal.SIGINT), signal.SIGTERM: (143, -signal.SIGTERM)}
    said = late = 0
    for i in range(count):
        site, number = Site(root / f"signals{i}"), rng.choice([*statuses])
        listens = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        struck, status = site.struck(number, rng.uniform(0, seconds), *RECIPE, preexec_fn=listens)
        if struck:
            row.times += 1
            late += status == 0  # all was done already; the checkpoints tell
            row.check(status in (0, *statuses[number]), f"exit status {status}: {site.output()[-300:]}")
            row.check("Traceback" not in site.output(), f"a traceback: {site.output()[-300:]}")
            said += "--ckpt_path=last" in site.output()
            row.check(site.run(*RECIPE, *LAST) == 0, f"cannot go on: {site.output()[-300:]}")
            row.compare(reference, site)
        shutil.rmtree(site.folder)
    row.notes.append(f"said how to resume {said} times, {late} came at the end, the others before training began")
    return row

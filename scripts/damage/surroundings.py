"""Runs beside others in one folder, of several processes of which one is killed, on full disks, without memory."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from damage.sites import BY_STEPS, LAST, RECIPE, Row, Site, same


def side_by_side(root: Path, reference: Site, count: int = 10) -> Row:
    """Runs that start at once in one folder."""
    row = Row(f"{count} runs started at once in one folder")
    site = Site(root / "together")
    processes = [site.start(*RECIPE, *BY_STEPS) for _ in range(count)]
    for process in processes:
        row.check(process.wait(timeout=600) == 0, f"one failed: {site.output()[-300:]}")
        row.times += 1
    for run in range(count):
        row.compare(reference, site, run)
    row.check(len([*(site.folder / "lightning_logs").iterdir()]) == count, "another number of folders")
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


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of `size` bytes, where the user may mount one; says whether it could."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)])


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

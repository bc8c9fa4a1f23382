"""Runs side by side in one folder, and runs of several processes of which one is killed."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from damage.sites import BY_STEPS, RECIPE, Row, Site, same


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

"""Runs on full and read-only disks, and without enough memory."""

import contextlib
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from damage.sites import BY_STEPS, LAST, RECIPE, Row, Site


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

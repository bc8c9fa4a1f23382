"""Damages training runs for real and prints what was lost: kill -9, signals, full disks, many runs at once.

    python scripts/campaign.py --kills=50 --seed=0

Every run trains a small network with dropout for a few epochs of a few batches, on a CPU and in a folder of its own,
and unpacks the data anew. A killed run gets kill -9 at a moment drawn uniformly from the duration of an undisturbed
run, start-up included; then the same command with `--ckpt_path=last` follows, and is killed, too, if the draw says
so, until one ends by itself. Its checkpoints must agree to the bit with those of the run that nobody disturbed.
`--fork` starts runs as copies of this process, which has everything imported: several times as many kills in the same
time, and none while libraries are imported, when a run has not touched anything. `--only=[kills,spread]` does a part.
Exit status 1 where anything was lost.
"""

import random
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from damage import interrupted
from damage.sites import Forked, Row, undisturbed
from damage.surroundings import side_by_side, spread, starved
from jsonargparse.typing import NonNegativeInt

from mnist_cnn.cli.script import run_script

Part = Literal["kills", "writes", "signals", "together", "starved", "spread"]


def main(
    kills: NonNegativeInt = 50,
    signals: NonNegativeInt = 10,
    writes: NonNegativeInt = 50,
    seed: NonNegativeInt = 0,
    only: list[Part] | None = None,
    fork: bool = False,
) -> None:
    """Damages runs and prints the table.

    Args:
        kills: How often training gets kill -9, half of them with steps saved.
        signals: How often it gets Ctrl-C or SIGTERM.
        writes: How often kill -9 comes while a checkpoint is written.
        seed: Of the moments.
        only: Do these parts alone.
        fork: Whether runs are copies of this process.
    """
    Forked.wanted = fork
    torch.set_num_threads(1)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        reference, seconds, row = undisturbed(root)
        rows = [row]
        strike = partial(interrupted.kills, reference=reference, seconds=seconds, rng=rng)
        parts: list[tuple[str, Callable[[], Row]]] = [
            ("kills", lambda: strike(root / "a", count=kills // 2, by_steps=False)),
            ("kills", lambda: strike(root / "b", count=kills - kills // 2, by_steps=True)),
            ("writes", lambda: interrupted.writes(root, writes, rng)),
            ("signals", lambda: interrupted.signals(root, reference, seconds, signals, rng)),
            ("together", lambda: side_by_side(root, reference)),
            ("starved", lambda: starved(root, reference)),
            ("spread", lambda: spread(root / "spread")),
        ]
        for name, part in parts:
            if not only or name in only:
                rows.append(part())
                print(rows[-1], file=sys.stderr, flush=True)
    print(f"seed {seed}, torch {torch.__version__}\n")
    print("| what was done | how often | lost | |\n|---|---|---|---|", *rows, sep="\n")
    raise SystemExit(any(row.lost for row in rows))


if __name__ == "__main__":
    run_script(main)

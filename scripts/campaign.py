"""Damages training runs for real and prints what was lost: kill -9, signals, full disks, many runs at once.

    python scripts/campaign.py --kills 50 --seed 0

Every run trains a small network with dropout for a few epochs of a few batches, on a CPU and in a folder of its own,
and unpacks the data anew. A killed run gets kill -9 at a moment drawn uniformly from the duration of an undisturbed
run, start-up included; then the same command with `--ckpt_path=last` follows, and is killed, too, if the draw says
so, until one ends by itself. Its checkpoints must agree to the bit with those of the run that nobody disturbed.
`--fork` starts runs as copies of this process, which has everything imported: several times as many kills in the same
time, and none while libraries are imported, when a run has not touched anything. `--only kills spread` does a part.
Exit status 1 where anything was lost.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from damage.kinds import Row, kills, side_by_side, signals, spread, starved, undisturbed, writes
from damage.sites import Forked


def main() -> None:
    """Runs what the arguments ask for and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="kill -9 of training, half of them with steps saved")
    parser.add_argument("--signals", type=int, default=10, help="Ctrl-C or SIGTERM")
    parser.add_argument("--writes", type=int, default=50, help="kill -9 while a checkpoint is written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=["kills", "writes", "signals", "together", "starved", "spread"])
    parser.add_argument("--fork", action="store_true", help="runs as copies of this process")
    arguments = parser.parse_args()
    Forked.wanted = arguments.fork
    torch.set_num_threads(1)
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        reference, seconds, row = undisturbed(root)
        rows = [row]
        half = arguments.kills // 2
        parts: dict[str, list[Callable[[], Row]]] = {
            "kills": [
                lambda: kills(root / "a", reference, seconds, half, False, rng),
                lambda: kills(root / "b", reference, seconds, arguments.kills - half, True, rng),
            ],
            "writes": [lambda: writes(root, arguments.writes, rng)],
            "signals": [lambda: signals(root, reference, seconds, arguments.signals, rng)],
            "together": [lambda: side_by_side(root, reference)],
            "starved": [lambda: starved(root, reference)],
            "spread": [lambda: spread(root / "spread")],
        }
        for name, part in parts.items():
            for function in part if not arguments.only or name in arguments.only else []:
                rows.append(function())
                print(rows[-1], file=sys.stderr, flush=True)
    print(f"seed {arguments.seed}, torch {torch.__version__}\n")
    print("| what was done | how often | lost | |\n|---|---|---|---|", *rows, sep="\n")
    raise SystemExit(any(row.lost for row in rows))


if __name__ == "__main__":
    main()

"""Feeds garbage to all readers of files and arguments: no crash, no hang, no memory beyond a bound.

    python scripts/fuzz.py --inputs=100000 --seed=0

A target is one function of `fuzzing/targets.py`. Only the errors that it is meant to raise may come out.
`--only=[idx_reader]` does a part; most inputs go to the readers, which are fast.
"""

import collections
import faulthandler
import random
import resource
import sys
import time
from typing import Literal

from fuzzing.targets import TARGETS, Target
from jsonargparse.typing import NonNegativeInt, PositiveInt

from mnist_cnn.cli.script import run_script

MEMORY = 1_500 * 2**20
"""Bytes of memory that the process may gain in all."""

SECONDS = 20.0
"""No input may take longer."""


def main(
    inputs: PositiveInt = 100_000,
    seed: NonNegativeInt = 0,
    only: list[Literal["idx_reader", "checkpoint_reader", "picture_reader", "command_line"]] | None = None,
) -> None:
    """Fuzzes targets and prints a table.

    Args:
        inputs: How many in all.
        seed: Of the inputs.
        only: These targets alone.
    """
    print("| target | inputs | came out as |\n|---|---|---|")
    for name, (target, share) in TARGETS.items():
        if not only or name in only:
            count = round(inputs * (1 / len(only) if only else share))
            outcomes = fuzz(target, count, seed)
            print(f"| {name} | {count:,} | {', '.join(f'{v:,} {k}' for k, v in outcomes.items())} |", flush=True)


def fuzz(target: Target, inputs: int, seed: int) -> collections.Counter[str]:
    """Hands inputs to a target and counts what came of them.

    Raises:
        AssertionError: An input came out as it must not, took too long or took too much memory.
    """
    outcomes: collections.Counter[str] = collections.Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(inputs):
        start = time.monotonic()
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)
        try:
            outcomes[target(random.Random(f"{seed}/{number}"))] += 1
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {type(error).__name__}: {error}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert time.monotonic() - start < SECONDS, f"input {number} of seed {seed} took too long"
    gained = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    assert gained < MEMORY, f"{gained / 2**20:.0f} MiB of memory"
    outcomes["MiB gained"] = gained >> 20
    return outcomes


if __name__ == "__main__":
    run_script(main)

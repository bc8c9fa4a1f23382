"""How much fine-tuning helps with hands that the bundled network misreads, and what it costs on MNIST.

    python scripts/score_hands.py --output=runs/hands

Each hand has shapes that MNIST hardly has: a 1 with a flag as long as a 7's, a 4 closed like a 9. For each hand and
seed it draws pictures to learn from and others for the test, types `test`, `fit --config finetune` and `test` again,
and prints a table. A hand that is done is not done again. Needs the extra `scenes`.
"""

import csv
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import experiments
import numpy as np
from examiner.mixed import either
from examiner.scenes import render
from examiner.shapes import Hand
from jsonargparse.typing import NonNegativeInt, PositiveInt
from numpy.typing import NDArray

from mnist_cnn.atomic import replacing
from mnist_cnn.cli.script import run_script
from mnist_cnn.start import fail

USUAL = ("0", "1 with a long serif", "2", "3", "4", "5", "6", "7", "8", "9")


def _hand(*shapes: str, width: float = 1.0, slant: float = 0.08) -> Hand:
    """A hand with these shapes, and the usual ones of the other digits."""
    others = [name for name in USUAL if name[0] not in {shape[0] for shape in shapes}]
    return Hand((*shapes, *others), width, slant)


HANDS = {
    "flags, bars, hooks": _hand("1 like a 7", "7 with a bar", "4 like a 9", "9 with a hook"),
    "loops": _hand("0 like a 6", "2 with a loop", "3 like an 8", "5 like a 6", "9 like a g"),
    "corners": _hand("1 like a roof", "2 like a z", "3 with a flat top", "4 like a 9", "5 like an s"),
    "long tails": _hand("1 like a 7", "3 like a z with a tail", "7 with a long tail", "9 like a g"),
    "leaning back": _hand("1 like a 7", "4 like a 9", "7 with a bar", "8 open above", width=1.2, slant=-0.5),
}
"""Those that are misread."""


def main(
    output: Path,
    seeds: list[NonNegativeInt] | None = None,
    hands: list[str] | None = None,
    learn: PositiveInt = 10,
    others: PositiveInt = 20,
    options: list[str] | None = None,
) -> None:
    """Fine-tunes on each hand and prints the errors before and after.

    Args:
        output: Folder of pictures, runs and results.
        seeds: Of the pictures and of the training; 0, 1 and 2 by default.
        hands: Only these. Default: all of them.
        learn: Pictures of each digit to learn from.
        others: Pictures of each digit for the test.
        options: More options of `fit`, such as `--model.remember=false`.
    """
    if unknown := set(hands or ()) - set(HANDS):
        fail(f"no hand {', '.join(sorted(unknown))}; there are: {', '.join(HANDS)}")
    seeds = experiments.without_repeats("--seeds", seeds or [0, 1, 2])
    experiments.claim(output, f"{learn} {others} {options or []}")
    rows = []
    for name in experiments.without_repeats("--hands", hands or list(HANDS)):
        for seed in seeds:
            folder = output / re.sub(r"\W+", "-", name) / f"seed_{seed}"
            rows.append([name, *_result(folder, HANDS[name], seed, (learn, others), options or [])])
    print("\n" + table(rows, seeds))


def _result(folder: Path, hand: Hand, seed: int, counts: tuple[int, int], options: Sequence[str]) -> list[str]:
    """Errors before and after of how many, MNIST's errors before and after, and seconds of `fit`."""
    path = folder / "result.csv"
    if not path.exists():
        for part, (kind, each) in enumerate(zip(("learn", "others"), counts, strict=True)):
            draw(folder / kind, hand, each, (seed, part))
        before = [_errors(folder, "pretrained", *data) for data in ([], ["--data.labelled=others"])]
        start = time.perf_counter()
        _typed(folder, "fit", "--config=finetune", "--data.labelled=learn", f"--seed_everything={seed}", *options)
        seconds = time.perf_counter() - start
        after = [_errors(folder, "best", *data) for data in ([], ["--data.labelled=others"])]
        line = [before[1][0], after[1][0], before[1][1], before[0][0], after[0][0], before[0][1], round(seconds)]
        with replacing(path) as file:
            file.write(",".join(map(str, line)).encode())
    with path.open(newline="") as lines:
        return next(csv.reader(lines))


def draw(folder: Path, hand: Hand, each: int, seed: tuple[int, int]) -> None:
    """Writes pictures of the digits of a hand, one folder for each digit."""
    rng = np.random.default_rng(seed)
    for label in "0123456789":
        (folder / label).mkdir(parents=True, exist_ok=True)
        for k in range(each):
            look = either(rng, pen=rng.uniform(0.035, 0.1))
            (folder / label / f"{k:04}.{look.kind}").write_bytes(render(rng, look, [hand.draw(rng, label)])[0])


def _errors(folder: Path, ckpt_path: str, *options: str) -> tuple[int, int]:
    """Errors of `test`, and among how many."""
    output = _typed(folder, "test", f"--ckpt_path={ckpt_path}", *options)
    found = re.search(r"([\d,]+) errors? in ([\d,]+)", output)
    assert found, output
    wrong, count = (int(number.replace(",", "")) for number in found.groups())
    return wrong, count


def _typed(folder: Path, *arguments: str) -> str:
    """What the command line prints."""
    done = subprocess.run([sys.executable, "-m", "mnist_cnn", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        fail(f"{' '.join(arguments)} in {folder}: {experiments.last_words(done)}")
    return done.stdout


def table(rows: Sequence[Sequence[str]], seeds: Sequence[int]) -> str:
    """A line for each hand: means over the seeds, and their standard deviations."""
    lines, falls, losses = [], [], []
    for name in dict.fromkeys(row[0] for row in rows):
        of_hand = np.array([[float(cell) for cell in row[1:]] for row in rows if row[0] == name])
        before, after, count, old, new, images, seconds = of_hand.T
        if before.any():
            falls.append(float(1 - after.sum() / before.sum()))
        losses += list((new - old) / images)
        accuracy = experiments.percent(list(1 - new / images))
        lines.append([
            name, _spread(before), _spread(after), f"{count[0]:.0f}", accuracy, _spread(seconds),
        ])  # fmt: skip
    header = ["hand", "errors before", "after", "of", "MNIST test accuracy", "seconds of fit"]
    fall, loss = (sum(values) / max(1, len(values)) for values in (falls, losses))
    return experiments.markdown(header, lines) + (
        f"\nerrors fall by {fall:.0%} on the mean of the hands; MNIST loses {100 * loss:.3f} points on the mean of the"
        f" runs; seeds {', '.join(map(str, seeds))}\n"
    )


def _spread(values: NDArray[np.float64]) -> str:
    mean, deviation = experiments.spread(values.tolist())
    return f"{mean:.1f} ± {deviation:.1f}" if len(values) > 1 else f"{mean:.0f}"


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

"""How well a checkpoint reads what people hand in: one figure for each thing that makes it hard.

    python scripts/score_pictures.py --output /tmp/pictures                             # only the pictures
    python scripts/score_pictures.py --output /tmp/pictures --ckpt_path=best            # and what is read in them

MNIST's test digits, redrawn by other pens on other paper, photographed, scanned or drawn on a screen, one folder for
each difficulty; rows of digits; and pictures without any digit. The generator shares nothing with the training or with
the preprocessing, so that it can examine both: nothing may be trained, tuned or chosen by these pictures. Whoever works
on the reader looks at its mistakes with `--digits train`, which takes training digits. The same seed gives the same
bytes, with the same versions of the libraries. Needs the extra `scenes`.
"""

import argparse
import csv
import functools
import re
import statistics
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from examiner.difficulties import ALL, DIGITS, NOTHING, ROWS
from examiner.looks import Look
from examiner.pens import Digits, Glyph, letter, scribble
from examiner.scenes import render
from rich.progress import track

from mnist_cnn.callbacks.results import wilson_interval
from mnist_cnn.cli import fail
from mnist_cnn.cli import main as mnist_cnn
from mnist_cnn.data.files import DataError
from mnist_cnn.hardware import keep_freed_memory

LAYOUTS = {"digit": DIGITS, "row": ROWS, "nothing": NOTHING}
"""The folders of pictures; what holds nothing is read as if it held a digit."""


@dataclass(frozen=True)
class Picture:
    """What is in a picture, and what was read in it.

    Attributes:
        file: Its path below the folder of all pictures.
        digits: What is written; empty where there is no digit.
        difficulty: The name of one of `difficulties.ALL`.
        answer: What was read; None where the reader skipped the picture.
        confidence: Of the answer, 0 to 1.
    """

    file: str
    digits: str
    difficulty: str
    answer: str | None = None
    confidence: float = 0.0

    @property
    def right(self) -> bool:
        """Whether every digit was read."""
        return self.answer == self.digits


def compose(name: str, seed: int, index: int) -> tuple[np.random.Generator, Look, str]:
    """What one picture will show: the state of chance, its look, and the digits in it."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), index])
    difficulty = ALL[name]
    look = difficulty.look(rng)
    low, high = difficulty.count
    labels = rng.integers(10, size=int(rng.integers(low, high + 1)))
    if len(labels) == 1:
        labels = np.array([(index + seed) % 10])  # each digit equally often
    return rng, look, "".join(map(str, labels))


def picture(name: str, seed: int, index: int, digits: Digits) -> bytes:
    """The file of one picture."""
    rng, look, text = compose(name, seed, index)
    content = ALL[name].content
    glyphs: list[Glyph] = []
    for label in text:
        if content == "digits":
            glyphs.append(digits.draw(rng, int(label)))
        else:
            glyphs.append(letter(rng) if content == "letters" else scribble(rng))
    needs_others = content != "blank" and (look.neighbours or look.through)
    others = [digits.draw(rng, int(label)) for label in rng.integers(10, size=4)] if needs_others else []
    return render(rng, look, glyphs, others)


def plan(names: Iterable[str], count: int, seed: int) -> list[Picture]:
    """The pictures that a seed gives, unread."""
    pictures = []
    for layout, difficulties in LAYOUTS.items():
        for name in difficulties:
            if name in names:
                for index in range(count):
                    _, look, text = compose(name, seed, index)
                    file = f"{layout}/{slug(name)}/{index:04}.{look.kind}"
                    pictures.append(Picture(file, text if ALL[name].content == "digits" else "", name))
    return pictures


def slug(name: str) -> str:
    """A name as that of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@functools.lru_cache(maxsize=1)
def _digits(data_dir: Path | None, train: bool) -> Digits:
    return Digits(data_dir, train)


def _write_one(job: tuple[Path, Picture, int, Path | None, bool]) -> None:
    folder, one, seed, data_dir, train = job
    path = folder / one.file
    path.parent.mkdir(parents=True, exist_ok=True)
    content = picture(one.difficulty, seed, int(path.stem), _digits(data_dir, train))
    path.write_bytes(content)


def write(
    folder: Path, pictures: Sequence[Picture], seed: int, workers: int, data_dir: Path | None, train: bool = False
) -> None:
    """Writes the pictures, then `labels.csv`; a folder that holds just these is left as it is.

    Raises:
        DataError: The folder holds something else, or cannot be written.
    """
    split = "train" if train else "test"
    rows = [["file", "digits", "difficulty", "split"]]
    rows += [[one.file, one.digits, one.difficulty, split] for one in pictures]
    labels = folder / "labels.csv"
    if labels.exists():
        with labels.open(newline="") as file:
            if list(csv.reader(file)) == rows:
                return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder} holds other files: choose an empty folder with --output=FOLDER")
        _digits(data_dir, train)
        jobs = [(folder, one, seed, data_dir, train) for one in pictures]
        with ProcessPoolExecutor(workers, get_context("spawn"), keep_freed_memory) as pool:
            results = map(_write_one, jobs) if workers == 1 else pool.map(_write_one, jobs, chunksize=4)
            for _ in track(results, "pictures", len(jobs)):
                pass
        with labels.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise DataError(
            f"cannot write to {folder} ({error.strerror}): choose another folder with --output=FOLDER"
        ) from error


def read(folder: Path, pictures: Sequence[Picture], ckpt_path: str) -> list[Picture]:
    """Lets a checkpoint read the pictures, through the command line that everybody uses."""
    done: list[Picture] = []
    for layout in LAYOUTS:
        part = [one for one in pictures if one.file.startswith(f"{layout}/")]
        if part:
            output = folder / f"{layout}.csv"
            mnist_cnn(
                [
                    "predict",
                    f"--ckpt_path={ckpt_path}",
                    f"--data.pictures={folder / layout}",
                    f"--data.layout={'row' if layout == 'row' else 'digit'}",
                    f"--predictions.output={output}",
                ]
            )
            done += answered(part, output)
    return done


def answered(pictures: Sequence[Picture], predictions: Path) -> list[Picture]:
    """The pictures with the answers of a CSV file that has at least the columns file, digits and confidence.

    Raises:
        DataError: The file lacks a column, or answers for a picture twice.
    """
    answers: dict[tuple[str, ...], tuple[str, float]] = {}
    with predictions.open(newline="") as file:
        for row in csv.DictReader(file):
            if not {"file", "digits", "confidence"} <= row.keys():
                raise DataError(f"{predictions} has no columns file, digits and confidence: write it with `predict`")
            key = Path(row["file"]).parts[-2:]  # unique, wherever the path starts
            if key in answers:
                raise DataError(f"{predictions} has two answers for {row['file']}")
            answers[key] = (row["digits"], float(row["confidence"] or 0))
    done = []
    for one in pictures:
        answer, confidence = answers.get(Path(one.file).parts[-2:], (None, 0.0))
        done.append(Picture(one.file, one.digits, one.difficulty, answer, confidence))
    return done


def report(pictures: Sequence[Picture]) -> str:
    """The tables: each difficulty, their sums, and what was said of pictures without a digit."""
    header = ["", "pictures", "right", "accuracy", "95% interval", "confidence, right", "wrong", "skipped"]
    digits, rows, nothing = ([p for p in pictures if p.difficulty in names] for names in LAYOUTS.values())
    lines = [_line(name, [p for p in pictures if p.difficulty == name]) for name in DIGITS]
    for kind in ("photo", "scan", "drawing"):
        lines.append(_line(f"**all of kind {kind}**", [p for p in digits if ALL[p.difficulty].kind == kind]))
    lines.append(_line("**all pictures of one digit**", digits))
    lines += [_line(name, [p for p in pictures if p.difficulty == name]) for name in ROWS]
    lines.append(_line("**all rows, read without a mistake**", rows))
    text = markdown(header, [line for line in lines if line])
    if nothing:
        header = ["no digit in it", "pictures", "skipped", "mean confidence", "0.5 or more", "0.9 or more"]
        lines = [_line_of_nothing(name, [p for p in nothing if p.difficulty == name]) for name in NOTHING]
        lines.append(_line_of_nothing("**all without a digit**", nothing))
        text += "\n" + markdown(header, [line for line in lines if line])
    return text


def _line(title: str, pictures: Sequence[Picture]) -> list[str]:
    if not pictures:
        return []
    right = sum(p.right for p in pictures)
    low, high = wilson_interval(right, len(pictures))
    return [
        title,
        str(len(pictures)),
        str(right),
        f"{right / len(pictures):.1%}",
        f"{low:.1%} to {high:.1%}",
        _mean(p.confidence for p in pictures if p.right),
        _mean(p.confidence for p in pictures if not p.right and p.answer is not None),
        str(sum(p.answer is None for p in pictures)),
    ]


def _line_of_nothing(title: str, pictures: Sequence[Picture]) -> list[str]:
    if not pictures:
        return []
    shares = [f"{sum(p.confidence >= least for p in pictures) / len(pictures):.0%}" for least in (0.5, 0.9)]
    skipped = sum(p.answer is None for p in pictures)
    return [title, str(len(pictures)), str(skipped), _mean(p.confidence for p in pictures), *shares]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, ["---"] * len(header), *rows))


def _mean(values: Iterable[float]) -> str:
    values = list(values)
    return f"{statistics.fmean(values):.3f}" if values else ""


def main(args: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="pictures of each difficulty (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="what chance starts from (default 0)")
    parser.add_argument("--digits", choices=("test", "train"), default="test", help="which to draw (default test)")
    parser.add_argument("--output", type=Path, required=True, help="a folder for pictures, labels.csv and predictions")
    parser.add_argument("--only", nargs="+", default=[""], help="difficulties whose names contain one of these texts")
    parser.add_argument("--ckpt_path", help="what reads them: any checkpoint that `train.py predict` takes")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (default 2)")
    parser.add_argument("--data-dir", type=Path, help="where MNIST lies (default: the per-user cache folder)")
    options = parser.parse_args(args)
    names = [name for name in ALL if any(text in name for text in options.only)]
    try:
        if options.count < 1 or options.workers < 1 or options.seed < 0:
            raise DataError("--count and --workers are at least 1, --seed at least 0")
        if not names:
            raise DataError(f"--only fits no difficulty; there are: {', '.join(ALL)}")
        pictures = plan(names, options.count, options.seed)
        write(options.output, pictures, options.seed, options.workers, options.data_dir, options.digits == "train")
        print(f"{len(pictures):,} pictures and labels.csv: {options.output}")
        if options.ckpt_path:
            table = report(read(options.output, pictures, options.ckpt_path))
            (options.output / "scores.md").write_text(table)
            print(f"\n{table}")
    except DataError as error:
        fail(error)


if __name__ == "__main__":
    main()

"""How well a checkpoint reads what people hand in: one figure for each thing that makes it hard.

    python scripts/score_pictures.py --output=/tmp/pictures                    # only the pictures
    python scripts/score_pictures.py --output=/tmp/pictures --ckpt_path=best   # and what is read in them

Digits of MNIST and of other hands, written by other pens on other paper, photographed, scanned or drawn on a screen:
one digit, a row, a page of rows, and pictures without any digit, one folder for each difficulty. The generator shares
nothing with the training or with the preprocessing, so that it can examine both: nothing may be trained, tuned or
chosen by these pictures. Whoever works on the reader looks at its mistakes with `--digits=train`, which takes training
digits, and with another seed. The same seed gives the same bytes, with the same versions of the libraries. From Python,
`examiner.score` lets any function read the pictures. Needs the extra `scenes`.
"""

import csv
import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from examiner import compose, report, scoring
from examiner.difficulties import ALL, LAYOUTS
from examiner.mnist_digits import Digits
from examiner.scoring import COLUMNS, Picture
from jsonargparse.typing import NonNegativeInt, PositiveInt
from rich.progress import track

from mnist_cnn.cli import main as mnist_cnn
from mnist_cnn.cli.script import run_script
from mnist_cnn.data.files import DataError
from mnist_cnn.hardware import keep_freed_memory


def plan(names: Iterable[str], count: int, seed: int) -> list[Picture]:
    """The pictures that a seed gives, without what is in them."""
    return [Picture(compose.path(name, seed, index), name) for name in names for index in range(count)]


_digits = functools.lru_cache(maxsize=1)(Digits)


def _write_one(job: tuple[Path, Picture, int, Path | None, bool]) -> Picture:
    folder, one, seed, data_dir, train = job
    path = folder / one.file
    path.parent.mkdir(parents=True, exist_ok=True)
    content, rows = compose.picture(one.difficulty, seed, int(path.stem), _digits(data_dir, train))
    path.write_bytes(content)
    return replace(one, rows=tuple(rows))


def write(
    folder: Path, pictures: Sequence[Picture], seed: int, workers: int, data_dir: Path | None, train: bool = False
) -> None:
    """Writes the pictures, then `labels.csv`; a folder that holds just these is left as it is.

    Raises:
        DataError: The folder holds something else, or cannot be written.
    """
    split, remedy = "train" if train else "test", "choose an empty folder with --output=FOLDER"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "labels.csv").exists():
            found = scoring.lines(folder / "labels.csv", COLUMNS, remedy)
            there = {(line["file"], line["difficulty"], line["split"], line["seed"]) for line in found}
            if there == {(one.file, one.difficulty, split, str(seed)) for one in pictures}:
                return
        if any(folder.iterdir()):
            raise DataError(f"{folder} holds other files: {remedy}")
        _digits(data_dir, train)
        jobs = [(folder, one, seed, data_dir, train) for one in pictures]
        rows: list[Sequence[object]] = [COLUMNS]
        with ProcessPoolExecutor(workers, get_context("spawn"), keep_freed_memory) as pool:
            results = map(_write_one, jobs) if workers == 1 else pool.map(_write_one, jobs, chunksize=4)
            for one in track(results, "pictures", len(jobs)):
                for digits, _, box in one.rows or [("", 0, None)]:
                    rows.append((one.file, digits, *(box or [""] * 4), one.difficulty, split, seed))
        with (folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise DataError(f"cannot write to {folder} ({error.strerror}): {remedy}") from error


def read(folder: Path, ckpt_path: str) -> list[Picture]:
    """Lets a checkpoint read the pictures, through the command line that everybody uses."""
    done: list[Picture] = []
    pictures = scoring.labelled(folder)
    for layout in LAYOUTS:
        part = [one for one in pictures if one.layout == layout]
        if part:
            output = folder / f"{layout}.csv"
            options = [f"--data.pictures={folder / layout}", f"--predictions.output={output}"]
            options += [f"--data.layout={'digit' if layout == 'nothing' else layout}"]
            mnist_cnn(["predict", f"--ckpt_path={ckpt_path}", *options])
            done += scoring.answered(part, output)
    return done


def main(
    output: Path,
    ckpt_path: str | None = None,
    count: PositiveInt = 50,
    seed: NonNegativeInt = 0,
    digits: Literal["test", "train"] = "test",
    layout: list[Literal["digit", "row", "page", "nothing"]] | None = None,
    only: list[str] | None = None,
    workers: PositiveInt = 2,
    data_dir: Path | None = None,
) -> None:
    """Makes pictures and, if asked to, lets a checkpoint read them.

    Args:
        output: A folder for pictures, labels.csv and predictions.
        ckpt_path: Reads them: any checkpoint that `train.py predict` takes.
        count: Pictures of each difficulty.
        seed: Of all chance.
        digits: Which of MNIST's to draw.
        layout: Only these layouts.
        only: Difficulties whose names contain one of these texts.
        workers: Processes that render.
        data_dir: Where MNIST is. Default: the per-user cache folder.
    """
    chosen = [name for one in layout or LAYOUTS for name in LAYOUTS[one]]
    names = [name for name in chosen if only is None or any(part in name for part in only)]
    if not names:
        raise DataError(f"--only fits no difficulty; there are: {', '.join(ALL)}")
    pictures = plan(names, count, seed)
    write(output, pictures, seed, workers, data_dir, digits == "train")
    print(f"{len(pictures):,} pictures and labels.csv: {output}")
    if ckpt_path:
        table = report(read(output, ckpt_path))
        (output / "scores.md").write_text(table)
        print(f"\n{table}")


if __name__ == "__main__":
    run_script(main)

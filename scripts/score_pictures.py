"""How well a checkpoint reads what people hand in: one figure for each thing that makes it hard.

    python scripts/score_pictures.py --output /tmp/pictures                             # only the pictures
    python scripts/score_pictures.py --output /tmp/pictures --ckpt_path=best            # and what is read in them

Digits of MNIST and of other hands, written by other pens on other paper, photographed, scanned or drawn on a screen:
one digit, a row, a page of rows, and pictures without any digit, one folder for each difficulty. The generator shares
nothing with the training or with the preprocessing, so that it can examine both: nothing may be trained, tuned or
chosen by these pictures. Whoever works on the reader looks at its mistakes with `--digits train`, which takes training
digits, and with another seed. The same seed gives the same bytes, with the same versions of the libraries. From Python,
`examiner.score` lets any function read the pictures. Needs the extra `scenes`.
"""

import argparse
import csv
import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from examiner import compose, report, scoring
from examiner.difficulties import ALL, LAYOUTS
from examiner.mnist_digits import Digits
from examiner.scoring import COLUMNS, Picture
from rich.progress import track

from mnist_cnn.cli import fail
from mnist_cnn.cli import main as mnist_cnn
from mnist_cnn.data.files import DataError
from mnist_cnn.hardware import keep_freed_memory


def plan(names: Iterable[str], count: int, seed: int) -> list[Picture]:
    """The pictures that a seed gives, without what is in them."""
    return [Picture(compose.path(name, seed, index), name) for name in names for index in range(count)]


@functools.lru_cache(maxsize=1)
def _digits(data_dir: Path | None, train: bool) -> Digits:
    return Digits(data_dir, train)


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
    split = "train" if train else "test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "labels.csv").exists() and _planned(folder) == {
            (one.file, one.difficulty, split, str(seed)) for one in pictures
        }:
            return
        if any(folder.iterdir()):
            raise DataError(f"{folder} holds other files: choose an empty folder with --output=FOLDER")
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
        raise DataError(
            f"cannot write to {folder} ({error.strerror}): choose another folder with --output=FOLDER"
        ) from error


def _planned(folder: Path) -> set[tuple[str, ...]]:
    lines = scoring.lines(folder / "labels.csv", COLUMNS, "choose an empty folder with --output=FOLDER")
    return {(line["file"], line["difficulty"], line["split"], line["seed"]) for line in lines}


def read(folder: Path, ckpt_path: str) -> list[Picture]:
    """Lets a checkpoint read the pictures, through the command line that everybody uses."""
    done: list[Picture] = []
    pictures = scoring.labelled(folder)
    for layout in LAYOUTS:
        part = [one for one in pictures if one.layout == layout]
        if part:
            output = folder / f"{layout}.csv"
            mnist_cnn(
                [
                    "predict",
                    f"--ckpt_path={ckpt_path}",
                    f"--data.pictures={folder / layout}",
                    f"--data.layout={'digit' if layout == 'nothing' else layout}",
                    f"--predictions.output={output}",
                ]
            )
            done += scoring.answered(part, output)
    return done


def main(args: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="pictures of each difficulty (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="what chance starts from (default 0)")
    parser.add_argument("--digits", choices=("test", "train"), default="test", help="which to draw (default test)")
    parser.add_argument("--output", type=Path, required=True, help="a folder for pictures, labels.csv and predictions")
    parser.add_argument(
        "--layout", nargs="+", choices=tuple(LAYOUTS), default=tuple(LAYOUTS), help="only these layouts"
    )
    parser.add_argument("--only", nargs="+", default=[""], help="difficulties whose names contain one of these texts")
    parser.add_argument("--ckpt_path", help="what reads them: any checkpoint that `train.py predict` takes")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (default 2)")
    parser.add_argument("--data-dir", type=Path, help="where MNIST lies (default: the per-user cache folder)")
    options = parser.parse_args(args)
    names = [
        name for layout in options.layout for name in LAYOUTS[layout] if any(part in name for part in options.only)
    ]
    try:
        if options.count < 1 or options.workers < 1 or options.seed < 0:
            raise DataError("--count and --workers are at least 1, --seed at least 0")
        if not names:
            raise DataError(f"--only fits no difficulty; there are: {', '.join(ALL)}")
        pictures = plan(names, options.count, options.seed)
        write(options.output, pictures, options.seed, options.workers, options.data_dir, options.digits == "train")
        print(f"{len(pictures):,} pictures and labels.csv: {options.output}")
        if options.ckpt_path:
            table = report(read(options.output, options.ckpt_path))
            (options.output / "scores.md").write_text(table)
            print(f"\n{table}")
    except DataError as error:
        fail(error)


if __name__ == "__main__":
    main()

"""Checkpoints by name: those that come with the package, and the best and the last of the newest run."""

import contextlib
import os
import shutil
from pathlib import Path

from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints.reading import CheckpointError, CheckpointNotFoundError, noted, read_checkpoint

PRETRAINED = Path(__file__).parents[1] / "weights" / "pretrained.ckpt"
"""The classifier that comes with the package, made by `scripts/pretrain.py`."""
DETECTOR = PRETRAINED.with_name("detector.ckpt")
"""The detector that comes with the package, likewise."""
RECOGNIZER = PRETRAINED.with_name("recognizer.ckpt")
"""The recognizer of rows that comes with the package, likewise."""

ELSEWHERE = "elsewhere.txt"
"""In the folder of all runs: the folders of checkpoints of those runs that keep them outside of it."""


def find_to_resume(path: str, logs: Path) -> Path | None:
    """Resolves what `--ckpt_path` was given as `find_checkpoint` does, for training that goes on.

    But `last` means the newest run: None where that has no checkpoint yet; where it was killed between its first two
    files, its best one.

    Raises:
        CheckpointError: There is no such file, or training cannot go on from it.
    """
    if path == "pretrained":
        raise CheckpointError(
            "fit cannot go on from --ckpt_path=pretrained, which has weights, but not the state of training: start "
            "a new run from them by --model.weights=pretrained, or go on with a run by --ckpt_path=last"
        )
    if path == "last":
        run = newest_run(logs)
        return _resumable(run) if run else None
    return find_checkpoint(path, logs)


def find_checkpoint(path: str, logs: Path, pretrained: Path = PRETRAINED) -> Path:
    """Resolves what `--ckpt_path` was given, for what needs weights alone.

    Args:
        path: `best` or `last` of the newest run that has one; `pretrained`, which comes with the package; or a file.
        logs: The folder that holds the runs.
        pretrained: The bundled checkpoint of this task.

    Raises:
        CheckpointNotFoundError: There is no such file.
    """
    if path == "pretrained":
        return pretrained
    if path not in ("best", "last"):
        if not os.path.isfile(path):  # noqa: PTH113 (which is no error of a name that is too long)
            raise CheckpointNotFoundError(
                f"there is no checkpoint file {path!r}: give best, last, pretrained or a .ckpt file"
            )
        return Path(path)
    found = all_of_name(path, logs)
    if not found:
        other = "last" if path == "best" else "best"
        if all_of_name(other, logs):
            raise CheckpointNotFoundError(f"no run in {logs} kept its {path} checkpoint: give --ckpt_path={other}")
        raise CheckpointNotFoundError(
            f"no run in {logs} has a checkpoint yet: train one with fit, or give pretrained or a .ckpt file"
        )
    return found[0]


def all_of_name(name: str, logs: Path) -> list[Path]:
    """The checkpoints `best` or `last` of all runs, the newest first."""
    files = [_of_name(name, folder) for folder in (*logs.glob("*/checkpoints"), *elsewhere(logs))]
    return sorted(filter(None, files), key=_time, reverse=True)


def _of_name(name: str, folder: Path) -> Path | None:
    """The file of a run; with `--checkpoint.filename` the best one has another name, which the last one knows."""
    file, last = folder / f"{name}.ckpt", folder / "last.ckpt"
    if name == "best" and not file.is_file() and last.is_file():
        with contextlib.suppress(CheckpointError):
            file = folder / Path(str(noted(read_checkpoint(last), "best_model_path"))).name
    return file if file.is_file() else None


def newest_run(logs: Path) -> Path | None:
    """The folder of the run that was trained most recently, also of one that was killed before its first checkpoint."""
    runs = [path for path in logs.glob("*") if path.name.startswith("version_") or (path / "checkpoints").is_dir()]
    runs += [folder.parent if folder.name == "checkpoints" else folder for folder in elsewhere(logs)]
    return max((run for run in runs if run.is_dir()), key=lambda run: _time(_last(run) or run), default=None)


def elsewhere(logs: Path) -> list[Path]:
    """The folders of checkpoints outside `logs`, of which `note_elsewhere` left a note there."""
    try:
        lines = (logs / ELSEWHERE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [Path(os.path.normpath(logs / line)) for line in lines]


def note_elsewhere(logs: Path, folder: Path) -> None:
    """Notes in the folder of all runs that one keeps its checkpoints somewhere else, so that they are found by name."""
    if folder.parent.parent.resolve() != logs.resolve() and folder.resolve() not in map(Path.resolve, elsewhere(logs)):
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / ELSEWHERE).open("a", encoding="utf-8") as file:
            file.write(f"{os.path.relpath(folder, logs)}\n")


def _checkpoints(run: Path) -> Path:
    return run / "checkpoints" if (run / "checkpoints").is_dir() else run


def _last(run: Path) -> Path | None:
    last = _checkpoints(run) / "last.ckpt"
    return last if last.is_file() else max(_checkpoints(run).glob("*.ckpt"), key=_time, default=None)


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _resumable(run: Path) -> Path | None:
    found = _last(run)
    last = _checkpoints(run) / "last.ckpt"
    if found and found != last:  # so that it is found by name, too
        try:
            os.link(found, last)
        except OSError:
            with replacing(last) as file, found.open("rb") as source:
                shutil.copyfileobj(source, file)
    return last if found else None

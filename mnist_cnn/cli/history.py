"""The history of a checkpoint's run: when it ended, how good it became, and whether it was a trial."""

import time
from pathlib import Path
from shlex import quote
from typing import Any

from mnist_cnn.checkpoints import CheckpointError, all_of_name, noted, read_checkpoint


def about(checkpoint: Path) -> str:
    """The epoch, the accuracy and the time of a checkpoint, in brackets; empty where it does not say them."""
    content = _content(checkpoint)
    if not content.get("callbacks"):  # weights alone
        return ""
    scores = {"F-score": noted(content, "f_score/val"), "accuracy": noted(content, "accuracy/val")}
    score = next((f"validation {name} {float(value):.2%}" for name, value in scores.items() if value is not None), "")
    last = checkpoint.with_name("last.ckpt")
    ended = (last if last.is_file() else checkpoint).stat().st_mtime
    parts = [
        f"epoch {noted(content, 'epochs') or int(content.get('epoch', 0)) + 1}",
        score or "not validated",
        f"its run was trained until {time.strftime('%Y-%m-%d %H:%M', time.localtime(ended))}",
        _trial(content),
    ]
    return f" ({', '.join(part for part in parts if part)})"


def warning(checkpoint: Path, logs: Path) -> str:
    """Names the newest whole run, where `best` or `last` is the checkpoint of a trial; empty where all is well."""
    if not (trial := _trial(_content(checkpoint))):
        return ""
    files = all_of_name("last" if checkpoint.stem == "last" else "best", logs)
    whole = next((file for file in files if (found := _content(file)) and not _trial(found)), None)
    return f"the newest run is {trial}; the newest whole one: --ckpt_path={quote(str(whole))}" if whole else ""


def _trial(content: dict[str, Any]) -> str:
    """What was left out of the training data, in words; empty for a whole run."""
    used, full = noted(content, "batches") or (0, 0)
    return f"a trial with {used} of {full} batches an epoch" if used < full else ""


def _content(checkpoint: Path) -> dict[str, Any]:
    try:
        return read_checkpoint(checkpoint)
    except CheckpointError:  # which is told where it is used
        return {}

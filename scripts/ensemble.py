"""Trains several networks that differ by their seed, and scores the mean of their probabilities on the test set.

    python scripts/ensemble.py --config=fast --members=5 --output=/tmp/ensemble

A member that is finished is not trained again, and one that was interrupted goes on where it stood: the same command
again does both. Arguments that are not known here go to `fit`.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import experiments
import torch
from jsonargparse.typing import PositiveInt
from torch import Tensor

from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.results import wilson_interval
from mnist_cnn.cli import run
from mnist_cnn.cli.quick import config_file
from mnist_cnn.cli.script import run_script


def main(*others: str, config: str, output: Path, members: PositiveInt = 5) -> None:
    """Trains the members and prints their table.

    Args:
        *others: Options of `fit`.
        config: The preset of all members, by name or as a file.
        output: Folder of the members' runs.
        members: How many, with the seeds 0 to MEMBERS - 1.
    """
    preset = Path(config_file(config))
    experiments.claim(output, "\n".join([preset.read_text(), *others]))
    probabilities, labels = [], Tensor()
    for seed in range(members):
        path = output / f"seed_{seed}" / "probabilities.pt"
        if not path.exists():
            member = train(preset, seed, path.parent, others)
            with replacing(path) as file:
                torch.save(member, file)
        stored = torch.load(path, weights_only=True)
        probabilities.append(stored["probabilities"])
        labels = stored["labels"]
    print("\n" + table(torch.stack(probabilities), labels))


def train(config: Path, seed: int, folder: Path, others: Sequence[str]) -> dict[str, Tensor]:
    """Trains a member, or goes on with it; its probabilities [N, 10] for the test images, and their labels [N]."""
    options = [f"--config={config}", f"--seed_everything={seed}", f"--trainer.default_root_dir={folder}"]
    cli = run(["fit", *options, "--ckpt_path=last", *others])
    cli.datamodule.setup("test")
    log_probabilities, labels = experiments.answers(cli.model, cli.datamodule.test_dataloader())
    return {"probabilities": log_probabilities.exp(), "labels": labels}


def table(probabilities: Tensor, labels: Tensor) -> str:
    """Accuracy of single members and of ensembles.

    Args:
        probabilities: [members, N, 10].
        labels: [N].
    """
    single = [float((p.argmax(dim=1) == labels).float().mean()) for p in probabilities]
    rows = [["one network", str(len(single)), experiments.percent(single), ""]]
    for count in range(2, len(single) + 1):
        hits = int((probabilities[:count].mean(dim=0).argmax(dim=1) == labels).sum())
        low, high = wilson_interval(hits, len(labels))
        rows.append([f"mean of {count}", "1", f"{hits / len(labels):.2%}", f"{low:.2%} to {high:.2%}"])
    spread = f"members: {', '.join(f'{accuracy:.2%}' for accuracy in single)}; median {statistics.median(single):.2%}\n"
    return experiments.markdown(["", "how many", "test accuracy", "95% interval"], rows) + "\n" + spread


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

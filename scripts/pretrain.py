"""Makes the weights that come with the package: trains, calibrates on what was held out, keeps no more.

    python scripts/pretrain.py --config=detector --folder=/tmp/detector
    python scripts/pretrain.py --config=handwriting --folder=/tmp/handwriting
    python scripts/pretrain.py --config=recognizer --folder=/tmp/recognizer

The detector comes first: the classifier is trained on what it finds in scenes, and learns how much both answers weigh.
The recognizer needs neither.

A run that was interrupted goes on where it stood, and one that is finished is not trained again: the same command
again does both. Arguments that are not known here go to `fit`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import experiments
from pretraining.detector import fit_calibration, fit_votes
from torch import Tensor

from mnist_cnn.calibration import Reliability, fit_temperature
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.callbacks.results import verdict
from mnist_cnn.checkpoints import DETECTOR, PRETRAINED, RECOGNIZER, find_checkpoint, read_checkpoint
from mnist_cnn.cli import DigitCLI, fail, run, task
from mnist_cnn.cli.base import TaskCLI
from mnist_cnn.cli.quick import config_file
from mnist_cnn.cli.script import run_script
from mnist_cnn.errors import SettingsError
from mnist_cnn.reading.models import load_classifier, load_detector

SCENES = 400
"""How many scenes the detector is calibrated on."""
LARGEST = 3_000_000
"""Bytes: what a package may weigh more for its weights."""

KEPT = ("state_dict", "hyper_parameters", "datamodule_hyper_parameters", "pytorch-lightning_version", "epoch",
        "global_step")  # fmt: skip
"""Of a checkpoint: all that is needed to use it, nothing of what training would go on from."""


def main(*others: str, config: str, folder: Path, output: Path | None = None) -> None:
    """Trains and writes the weights.

    Args:
        *others: Options of `fit`.
        config: The preset that is trained, by name or as a file.
        folder: Folder of the run.
        output: The checkpoint. Default: the package's own.
    """
    preset = Path(config_file(config))
    make, own = MAKERS[task.chosen([f"--config={preset}"])]
    output = output or own
    if output.is_dir():
        fail(f"{output} is a folder: choose a file with --output=FILE.ckpt")
    experiments.claim(folder, "\n".join([preset.read_text(), *others]), "--folder")
    make(preset, folder, others, output)
    print(f"written: {output}, {output.stat().st_size:,} bytes")


def make_classifier(config: Path, folder: Path, others: Sequence[str], output: Path) -> None:
    """Trains the classifier, or goes on with it, and writes it with its temperature."""
    cli, file = train(config, folder, ["--data.val_size=5000", *others], ValidatingCLI)
    last = read_checkpoint(file)
    model = cli.model.cpu().float()
    model.load_state_dict(last["state_dict"])
    validation = experiments.answers(model, cli.datamodule.val_dataloader())  # at temperature 1, as in training
    temperature = fit_temperature(*validation)
    write(last, {"temperature": temperature}, output)
    cli.datamodule.setup("test")
    print(report(temperature, validation, experiments.answers(model, cli.datamodule.test_dataloader())))


def make_detector(config: Path, folder: Path, others: Sequence[str], output: Path) -> None:
    """Trains the detector, or goes on with it, and writes it with its calibration."""
    cli, last, found = train_on_scenes(config, folder, others)
    pool = cli.datamodule.pools["val"]
    calibration = fit_calibration(load_detector(found), pool, SCENES)
    last["state_dict"]["network.calibration"] = calibration
    write(last, {}, output)
    votes, shares = fit_votes(load_detector(output), load_classifier(PRETRAINED), pool, SCENES)
    print(f"calibration: {calibration.tolist()}; votes of classifier and detector: {votes.tolist()}")
    print("digits in scenes named rightly by the classifier {:.2%}, the detector {:.2%}, both {:.2%}".format(*shares))


def make_recognizer(config: Path, folder: Path, others: Sequence[str], output: Path) -> None:
    """Trains the recognizer, or goes on with it, and writes it."""
    write(train_on_scenes(config, folder, others)[1], {}, output)


def train_on_scenes(config: Path, folder: Path, others: Sequence[str]) -> tuple[TaskCLI, dict[str, Any], Path]:
    """As `train`; between the two the last checkpoint, with weights of half the size."""
    cli, file = train(config, folder, others)
    last = read_checkpoint(file)
    weights = {name: part.half() if part.is_floating_point() else part for name, part in last["state_dict"].items()}
    return cli, {**last, "state_dict": weights}, file


def train(config: Path, folder: Path, others: Sequence[str], kind: type[DigitCLI] = DigitCLI) -> tuple[TaskCLI, Path]:
    """Trains, or goes on with it, to the last epoch: the command line that did it, and the last checkpoint."""
    options = [f"--config={config}", f"--trainer.default_root_dir={folder}", *others, "--ckpt_path=last"]
    return run(["fit", *options], kind), find_checkpoint("last", folder / "lightning_logs")


class ValidatingCLI(DigitCLI):
    """Looks before the training for what is needed after it."""

    def before_fit(self) -> None:
        """Raises `SettingsError` where no temperature can be fitted."""
        if not self.datamodule.val_size:
            raise SettingsError("the temperature needs a validation split: leave out --data.val_size")
        super().before_fit()


def write(checkpoint: dict[str, Any], fitted: dict[str, float], output: Path) -> None:
    """Writes what is needed of a checkpoint, with the settings that were fitted after training."""
    slim = {key: checkpoint[key] for key in KEPT if key in checkpoint}
    slim["hyper_parameters"] = {**slim["hyper_parameters"], **fitted}
    size = sum(weights.nbytes for weights in slim["state_dict"].values())
    if size > LARGEST:
        fail(f"the weights have {size:,} bytes, more than {LARGEST:,}: train a smaller network")
    AtomicCheckpointIO().save_checkpoint(slim, output)


def report(temperature: float, validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> str:
    """Accuracy on the test set, and how far confidence is from accuracy before and after."""
    logits, labels = test
    lines = [f"MNIST test set: {verdict(int((logits.argmax(dim=1) != labels).sum()), len(labels))}"]
    for name, (scores, true) in {"validation split": validation, "test set": test}.items():
        answers = [(scores / divisor).softmax(dim=1).max(dim=1) for divisor in (1.0, temperature)]
        before, after = (Reliability.of(sure, answer == true).error for sure, answer in answers)
        lines.append(f"expected calibration error, {name}: {before:.2%}, at temperature {temperature:.3f} {after:.2%}")
    return "\n".join(lines)


MAKERS = {
    "": (make_classifier, PRETRAINED),
    task.DETECTOR: (make_detector, DETECTOR),
    task.RECOGNIZER: (make_recognizer, RECOGNIZER),
}
"""For each task what makes its weights, and the package's own."""


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

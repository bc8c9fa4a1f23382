"""Makes the weights that come with the package: trains, calibrates on what was held out, keeps no more.

    python scripts/pretrain.py --config=detector --folder=/tmp/detector
    python scripts/pretrain.py --config=handwriting --folder=/tmp/handwriting
    python scripts/pretrain.py --config=recognizer --folder=/tmp/recognizer

The detector comes first: the classifier is trained on what it finds in scenes, and learns how much both answers weigh.
The recognizer needs neither.

A run that was interrupted goes on where it stood, and one that is finished is not trained again: the same command
again does both. Arguments that are not known here go to `fit`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import experiments
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou

from mnist_cnn.calibration import Reliability, fit_temperature
from mnist_cnn.callbacks.checkpoint_io import AtomicCheckpointIO
from mnist_cnn.callbacks.results import verdict
from mnist_cnn.checkpoints import DETECTOR, PRETRAINED, RECOGNIZER, find_checkpoint, read_checkpoint
from mnist_cnn.cli import DigitCLI, fail, run, task
from mnist_cnn.cli.base import TaskCLI
from mnist_cnn.cli.quick import config_file
from mnist_cnn.cli.script import run_script
from mnist_cnn.errors import SettingsError
from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.reading.detection import Detection, detect
from mnist_cnn.reading.models import load_classifier, load_detector, probabilities
from mnist_cnn.scenes.pool import Pool
from mnist_cnn.scenes.scene import SIDE, compose

SCENES = 400
"""How many scenes the detector is calibrated on."""
SEED = 9
"""Of scenes that no training has."""
OVERLAP, NEAR = 0.5, 0.3
"""Intersection over union from which on a box counts as that of a digit, and below which it counts as wrong."""
LARGEST = 3_000_000
"""Bytes: what a package may weigh more for its weights."""

KEPT = (
    "state_dict",
    "hyper_parameters",
    "datamodule_hyper_parameters",
    "pytorch-lightning_version",
    "epoch",
    "global_step",
)
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


def fit_calibration(network: DetectorNet, pool: Pool, scenes: int) -> Tensor:
    """Fits slope and offset of the logits of middles, float [2], by logistic regression over so many scenes.

    The network is in evaluation mode, and its calibration is taken back; the pool has glyphs that it never saw.
    """
    network.calibration.copy_(torch.tensor((1.0, 0.0)))
    scores, right = [], []
    for detection, best, labels in _matched(network, pool, scenes):
        is_digit = (best >= OVERLAP) & (labels >= 0)
        use = is_digit | (best < NEAR)
        scores.append(detection.digits.scores[use])
        right.append(is_digit[use])
    logits = torch.from_numpy(np.concatenate(scores)).double().logit(1e-6)
    wanted = torch.from_numpy(np.concatenate(right)).double()
    return _fitted(lambda x: F.binary_cross_entropy_with_logits(x[0] * logits + x[1], wanted), 1.0, 0.0).float()


def fit_votes(network: DetectorNet, classifier: nn.Module, pool: Pool, scenes: int) -> tuple[Tensor, list[float]]:
    """Fits how much the log-probabilities of classifier and detector weigh, float [2].

    Returns:
        The weights; and the share of digits that the classifier, the detector and both together name rightly.
    """
    by_classifier, by_detector, wanted = [], [], []
    for detection, best, labels in _matched(network, pool, scenes):
        found = detection.digits
        use = np.flatnonzero((best >= OVERLAP) & (labels >= 0) & (found.scores > 0.5))
        images = detection.images(use, np.flatnonzero(found.scores > 0.5))
        by_classifier.append(probabilities(classifier, images))
        by_detector.append(found.probabilities[use])
        wanted.append(labels[use])
    ours, theirs = (
        torch.from_numpy(np.concatenate(part)).double().clamp(min=1e-9).log() for part in (by_classifier, by_detector)
    )
    labels_of_all = torch.from_numpy(np.concatenate(wanted))
    votes = _fitted(lambda x: F.cross_entropy(x[0] * ours + x[1] * theirs, labels_of_all), 0.5, 0.5)
    both = votes[0] * ours + votes[1] * theirs
    shares = [float((part.argmax(dim=1) == labels_of_all).double().mean()) for part in (ours, theirs, both)]
    return votes.float(), shares


def _matched(network: DetectorNet, pool: Pool, scenes: int) -> Iterator[tuple[Detection, np.ndarray, np.ndarray]]:
    """What is found in scenes; for each box the best overlap with a digit's, and that digit's label or -1."""
    for k in range(scenes):
        scene = compose(pool, np.random.default_rng((SEED, k)))
        detection = detect(network, scene.picture, SIDE)
        boxes = detection.digits.boxes
        best, labels = np.zeros(len(boxes)), np.full(len(boxes), -1)
        if len(boxes) and len(scene.boxes):
            overlaps = box_iou(torch.from_numpy(boxes), torch.from_numpy(scene.boxes))
            best, which = (value.numpy() for value in overlaps.max(dim=1))
            labels = scene.labels[which]
        yield detection, best, labels


def _fitted(loss: Callable[[Tensor], Tensor], *start: float) -> Tensor:
    """Where a loss is least."""
    fitted = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([fitted], max_iter=100)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(fitted)
        value.backward()
        return value

    optimizer.step(step)
    return fitted.detach()


MAKERS = {
    "": (make_classifier, PRETRAINED),
    task.DETECTOR: (make_detector, DETECTOR),
    task.RECOGNIZER: (make_recognizer, RECOGNIZER),
}
"""For each task what makes its weights, and the package's own."""


if __name__ == "__main__":
    run_script(main, interrupted=experiments.INTERRUPTED)

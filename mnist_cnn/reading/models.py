"""The networks that read: a detector and a classifier, loaded without Lightning so that the first answer comes fast."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist_cnn import networks
from mnist_cnn.checkpoints import (
    DETECTOR,
    PRETRAINED,
    RECOGNIZER,
    CheckpointError,
    check_hyperparameters,
    read_checkpoint,
)
from mnist_cnn.networks import DIGITS, fit_head
from mnist_cnn.networks.answers import answers
from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.networks.recognizer import RecognizerNet
from mnist_cnn.reading.pictures import Picture

Net = TypeVar("Net", DetectorNet, RecognizerNet)


class Classifier(nn.Module):
    """A trained network that answers as its checkpoint says: with a temperature, and shifted copies or not."""

    def __init__(self, network: nn.Module, temperature: float, test_time_shift: int, classes: Sequence[str]) -> None:
        """As the arguments of `DigitClassifier` of these names."""
        super().__init__()
        self.classes = list(classes)
        self.network, self.temperature, self.test_time_shift = network, temperature, test_time_shift

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, float [B, C], of raw pixels [B, 1, 28, 28]."""
        return answers(self.network, images, self.temperature, self.test_time_shift)


def load_classifier(path: Path) -> Classifier:
    """Loads the network of a checkpoint of `DigitClassifier`, on the CPU, in evaluation mode and channels last.

    Raises:
        CheckpointError: The file cannot be read, or names a network that is not of this package.
    """
    content = read_checkpoint(path)
    settings = content["hyper_parameters"]
    check_hyperparameters({name: settings[name] for name in settings.keys() - {"optimizer", "schedule"}}, path)
    spec = settings.get("network") or {"class_path": "mnist_cnn.networks.TutorialCNN"}
    network, classes = _build(spec, path), settings.get("classes") or DIGITS
    fit_head(network, DIGITS, classes)
    load_weights(network, content["state_dict"], path)
    temperature, shift = settings.get("temperature", 1.0), settings.get("test_time_shift", 0)
    classifier = Classifier(network, temperature, shift, classes).eval()
    return classifier.to(memory_format=torch.channels_last)  # half the time on a CPU


def load_detector(path: Path = DETECTOR) -> DetectorNet:
    """Loads the network of a checkpoint of `DigitDetector`; by default the one that comes with the package.

    Raises:
        CheckpointError: The file cannot be read, or holds another network.
    """
    return _fused(DetectorNet(), path)


def load_recognizer(path: Path = RECOGNIZER) -> RecognizerNet:
    """Loads the network of a checkpoint of `RowRecognizer`; by default the one that comes with the package.

    Raises:
        CheckpointError: The file cannot be read, or holds another network.
    """
    return _fused(RecognizerNet(), path)


def _fused(network: Net, path: Path) -> Net:
    """Gives a network weights for use alone: in evaluation mode, convolution and normalization as one operation."""
    load_weights(network, read_checkpoint(path)["state_dict"], path)
    network.eval()
    for block in network.modules():
        if isinstance(block, nn.Sequential) and isinstance(convolution := block[0], nn.Conv2d):
            norm = cast(nn.BatchNorm2d, block[1])
            block[0], block[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return network.to(memory_format=torch.channels_last)


pretrained_classifier = functools.cache(functools.partial(load_classifier, PRETRAINED))
pretrained_detector = functools.cache(load_detector)
pretrained_recognizer = functools.cache(load_recognizer)
"""Called without arguments: the three networks that come with the package, each loaded once."""


def probabilities(classifier: nn.Module, images: Picture) -> NDArray[np.float32]:
    """The probabilities that a classifier gives images.

    Args:
        classifier: A network that returns logits or log-probabilities, on any device; its mode is left as it is.
        images: Uint8 [N, 28, 28].

    Returns:
        Float [N, C], 0 to 1.
    """
    count = len(images)
    some = images if count else np.zeros((1, 28, 28), np.uint8)  # networks tell how many classes there are
    device = next((parameter.device for parameter in classifier.parameters()), torch.device("cpu"))
    was_training = classifier.training
    classifier.eval()
    try:
        with torch.inference_mode():
            scores = classifier(torch.from_numpy(some).unsqueeze(1).to(device))
    finally:
        classifier.train(was_training)
    return scores[:count].softmax(dim=1).float().cpu().numpy()


def _build(spec: dict[str, Any], path: Path) -> nn.Module:
    name = spec["class_path"].rpartition(".")[2]
    try:
        arguments = dict(spec.get("init_args", {}))
        if isinstance(inner := arguments.get("network"), dict):
            arguments["network"] = _build(inner, path)
        network: nn.Module = getattr(networks, name)(**arguments)
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a network that cannot be built here, {name}: {error}") from error
    return network


def load_weights(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Gives a network its weights, from the state of a LightningModule that has it as `network`.

    Raises:
        CheckpointError: They are those of another network.
    """
    prefix = "network."
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} has weights of another network than {type(network).__name__}, or of an earlier version of it: "
            f"choose another checkpoint, or train it anew"
        ) from error

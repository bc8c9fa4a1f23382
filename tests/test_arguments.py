import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.cli import instantiate_module
from torch import nn
from torchvision.transforms import v2

from mnist_cnn import DigitClassifier, DigitDataModule, RandomAffine, RandomElastic
from mnist_cnn.callbacks.figures import TensorBoardFigures
from mnist_cnn.callbacks.scenes import SceneFigures
from mnist_cnn.data.scenes import SceneDataModule
from mnist_cnn.networks import MLP, ConvNet, CosineCNN, CosineFilters, Network, ScalePixels, TutorialCNN
from mnist_cnn.networks.detector import DetectorNet
from mnist_cnn.tasks.detector import DigitDetector


class OwnNet(Network):
    """Built of this package's parts, and its arguments are not checked before."""

    def __init__(self, scaling: str) -> None:
        super().__init__(nn.Sequential(), nn.Linear(784, 10), scaling, "torch")  # type: ignore[arg-type]


WRONG = [
    (DigitClassifier, {"optimizer": "adamm"}, "give adam, adamw, sgd, muon or the class of an Optimizer"),
    *((DigitClassifier, {"classes": names}, "give the names of two or more") for names in ([], ["a"], ["a", "b", "a"])),
    (DigitClassifier, {"optimizer": "Adam"}, "give adam, adamw, sgd, muon or the class of an Optimizer"),
    (DigitClassifier, {"optimizer": lambda parameters, lr: None}, "functools.partial"),
    (DigitClassifier, {"schedule": "cosin"}, "one_cycle, cosine or the class of an LRScheduler"),
    (DigitClassifier, {"schedule": functools.partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=abs)}, "checkpoint"),
    (DigitClassifier, {"learning_rate": -1}, "above 0"),
    (DigitClassifier, {"learning_rate": "0.1"}, "above 0"),
    (DigitClassifier, {"learning_rate": math.inf}, "learning_rate is inf: give a finite number"),
    (DigitDetector, {"weight_decay": math.inf}, "weight_decay is inf: give a finite number"),
    (DigitClassifier, {"learning_rate": None}, "above 0"),
    (DigitClassifier, {"momentum": 1.5}, "from 0 to 1"),
    (DigitClassifier, {"test_time_shift": -1}, "0"),
    (DigitClassifier, {"network": "TutorialCNN"}, "give a Module"),
    (DigitClassifier, {"network": "torch.nn.Identity"}, "give a Module"),
    (DigitClassifier, {"network": nn.Linear}, "give a Module"),
    (DigitDataModule, {"dataset": "CIFAR"}, "MNIST, FashionMNIST"),
    (DigitDataModule, {"batch_size": 0}, "above 0"),
    (DigitDataModule, {"batch_size": True}, "above 0"),
    (DigitDataModule, {"val_size": 0.1}, "0"),
    (DigitDataModule, {"layout": "rows"}, "digit, row"),
    (DigitDataModule, {"augment": RandomAffine}, "a BatchTransform, a Transform or a Module"),
    (DigitDataModule, {"augment": "RandomAffine"}, "a BatchTransform, a Transform or a Module"),
    (RandomAffine, {"shift": -1}, "0"),
    (RandomElastic, {"thickness": 2}, "from 0 to 1"),
    (TutorialCNN, {"channels": -1}, "a list of 2, each item a whole number above 0"),
    (TutorialCNN, {"channels": (16, -1)}, "a list of 2, each item a whole number above 0"),
    (TutorialCNN, {"channels": (16,)}, "a list of 2"),
    (TutorialCNN, {"hidden": "100"}, "a whole number above 0"),
    (ConvNet, {"blocks": ((8, 0.5),)}, "a list, each item a list, each item a whole number"),
    (ConvNet, {"initialization": "dezeroo"}, "torch or dezero"),
    (CosineCNN, {"dropout": 2}, "from 0 to 1"),
    (CosineFilters, {"count": 0}, "above 0"),
    (MLP, {"scaling": "units"}, "unit, raw or standard"),
    (ScalePixels, {"scaling": None}, "unit, raw or standard"),
    (OwnNet, {"scaling": "none"}, "unit, raw or standard"),
    (DetectorNet, {"width": 0}, "above 0"),
    (DigitDetector, {"learning_rate": -1}, "above 0"),
    (DigitDetector, {"network": DetectorNet}, "give a Module"),
    (SceneDataModule, {"batch_size": 0}, "above 0"),
    (TensorBoardFigures, {"every_n_epochs": 0}, "above 0"),
    (SceneFigures, {"least": 1.5}, "from 0 to 1"),
]


@pytest.mark.parametrize(("kind", "options", "choices"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_arguments_are_refused_and_the_choices_named(
    kind: Callable[..., Any], options: dict[str, Any], choices: str
) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (looked at below)
        kind(**options)
    text = str(error.value)
    assert next(iter(options)) in text
    assert choices in text
    assert "\n" not in text


def test_right_arguments_stay_as_they_are() -> None:
    rotation = v2.RandomRotation(10)
    data = DigitDataModule(data_dir=Path("x"), augment=rotation, pictures=[Path("a.png"), "b"], batch_size=7)
    assert (data.data_dir, data.pictures, data.batch_size) == (Path("x"), ["a.png", "b"], 7)
    assert data.augment is rotation
    assert SceneDataModule(data_dir=Path("x")).data_dir == SceneDataModule(data_dir="x").data_dir == Path("x")
    assert ConvNet(blocks=[[4], (np.int64(8),)], hidden=[]).features[0].out_channels == 4
    network = nn.Linear(1, 1)
    model = DigitClassifier(network, learning_rate=1, optimizer=torch.optim.RMSprop)
    assert model.network is network
    assert model.hparams["optimizer"] == {"class_path": "torch.optim.rmsprop.RMSprop"}


def test_subclasses_have_arguments_of_their_own() -> None:
    class Mine(DigitClassifier):
        def __init__(self, width: int = 3, **options: Any) -> None:
            super().__init__(nn.Linear(width, 1), **options)

    assert Mine(width=5, learning_rate=0.1).hparams["width"] == 5
    with pytest.raises(ValueError, match="learning_rate is 0"):
        Mine(learning_rate=0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (DigitClassifier, {"learning_rate": 0.1, "test_time_shift": 1, "classes": ["A", "B"]}),
        (DigitDetector, {"learning_rate": 0.1, "warmup": 0.2}),
        (DigitDataModule, {"batch_size": 7, "val_size": 9}),
        (SceneDataModule, {"batch_size": 7, "scenes": 9}),
    ],
)
def test_what_was_built_from_a_checkpoint_can_be_saved_again(
    kind: type, settings: dict[str, Any], tmp_path: Path
) -> None:
    built = instantiate_module(kind, settings)  # as Lightning does with the settings in a checkpoint
    torch.save(dict(built.hparams), tmp_path / "settings.pt")
    assert settings.items() <= torch.load(tmp_path / "settings.pt", weights_only=True).items()

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import instantiate_module
from torch import nn
from torchvision.transforms import v2

from mnist_cnn import DigitClassifier, DigitDataModule, RandomAffine, RandomElastic
from mnist_cnn.data.scenes import SceneDataModule
from mnist_cnn.tasks.detector import DigitDetector

WRONG = [
    (DigitClassifier, {"optimizer": "adamm"}, "'adam', 'adamw', 'sgd', 'muon'"),
    (DigitClassifier, {"optimizer": "Adam"}, "'adam', 'adamw', 'sgd', 'muon'"),
    (DigitClassifier, {"optimizer": lambda parameters, lr: None}, "functools.partial"),
    (DigitClassifier, {"schedule": "cosin"}, "'one_cycle', 'cosine'"),
    (DigitClassifier, {"schedule": functools.partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=abs)}, "checkpoint"),
    (DigitClassifier, {"learning_rate": -1}, ">0"),
    (DigitClassifier, {"learning_rate": "0.1"}, ">0"),
    (DigitClassifier, {"learning_rate": None}, ">0"),
    (DigitClassifier, {"momentum": 1.5}, "1"),
    (DigitClassifier, {"test_time_shift": -1}, "0"),
    (DigitClassifier, {"network": "TutorialCNN"}, "a Module or None"),
    (DigitClassifier, {"network": "torch.nn.Identity"}, "a Module or None"),
    (DigitClassifier, {"network": nn.Linear}, "a Module or None"),
    (DigitDataModule, {"dataset": "CIFAR"}, "'MNIST', 'FashionMNIST'"),
    (DigitDataModule, {"batch_size": 0}, ">0"),
    (DigitDataModule, {"batch_size": True}, ">0"),
    (DigitDataModule, {"val_size": 0.1}, "0"),
    (DigitDataModule, {"layout": "rows"}, "'digit', 'row'"),
    (DigitDataModule, {"augment": RandomAffine}, "a BatchTransform"),
    (DigitDataModule, {"augment": "RandomAffine"}, "a BatchTransform"),
    (RandomAffine, {"shift": -1}, "0"),
    (RandomElastic, {"thickness": 2}, "1"),
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

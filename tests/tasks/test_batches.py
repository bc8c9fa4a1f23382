"""Pixels that networks do not take are refused wherever they come in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import UserNet, quiet_trainer
from torch import Tensor
from torch.utils.data import DataLoader

from mnist_cnn import DigitClassifier
from mnist_cnn.data.files import DataError

RAW = torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6)
UNIT = RAW / 255

WRONG = {
    "0 to 1": UNIT,
    "0 and 1": (RAW > 128).long(),
    "bool": RAW > 128,
    "standardised": (UNIT - 0.1307) / 0.3081,
    "-1 to 1": UNIT * 2 - 1,
    "-128 to 127": RAW.float() - 128,
    "16 bits": RAW.int() * 257,
    "not finite": RAW.float() / 0,
    "no channel axis": RAW[:, 0],
    "one image": RAW[0],
    "colour": RAW.repeat(1, 3, 1, 1),
    "another size": RAW.repeat(1, 1, 2, 2)[:, :, :32, :32],
    "a list": RAW.tolist(),
}
RIGHT = {
    "uint8": RAW,
    "floats": RAW.float(),
    "half": RAW.half(),
    "int64": RAW.long(),
    "blank": torch.zeros(6, 1, 28, 28),
}


def entrances(model: DigitClassifier) -> dict[str, Callable[[Any], Any]]:
    return {
        "forward": model,
        "training": lambda images: model.training_step((images, LABELS), 0),
        "validation": lambda images: model.validation_step((images, LABELS), 0),
        "test": lambda images: model.test_step((images, LABELS), 0),
        "predict": lambda images: model.predict_step(images, 0),
    }


@pytest.mark.parametrize("kind", WRONG)
def test_other_pixels_are_refused_everywhere(kind: str) -> None:
    for enter in entrances(DigitClassifier(UserNet())).values():
        with pytest.raises(DataError, match=r"give raw pixels \[B, 1, 28, 28\] from 0 to 255"):
            enter(WRONG[kind])


@pytest.mark.parametrize("kind", RIGHT)
def test_raw_pixels_of_any_type_are_taken(kind: str) -> None:
    for enter in entrances(DigitClassifier(UserNet())).values():
        enter(RIGHT[kind])


@pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers
def test_values_are_looked_at_once_a_stage_and_those_of_uint8_never(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[torch.dtype] = []
    aminmax = Tensor.aminmax
    monkeypatch.setattr(Tensor, "aminmax", lambda self: looks.append(self.dtype) or aminmax(self))
    model, trainer = DigitClassifier(UserNet()), quiet_trainer()
    trainer.predict(model, DataLoader(RAW.float(), batch_size=1))
    assert looks == [torch.float32]
    trainer.predict(model, DataLoader(RAW, batch_size=1))
    model(RAW)
    assert looks == [torch.float32]


LOADERS = {
    "images": RAW,
    "pairs": list(zip(RAW, LABELS, strict=True)),
    "dictionaries": [{"id": i, "image": image, "label": i} for i, image in enumerate(RAW)],
    "dictionaries without labels": [{"pixel_values": image} for image in RAW],
}


@pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers
@pytest.mark.parametrize("kind", LOADERS)
def test_predict_takes_batches_as_torch_collates_them(kind: str) -> None:
    model = DigitClassifier(UserNet())
    probabilities = torch.cat(quiet_trainer().predict(model, DataLoader(LOADERS[kind], batch_size=4)))
    torch.testing.assert_close(probabilities, model.eval()(RAW).exp())


@pytest.mark.filterwarnings("ignore")
def test_dictionaries_train_and_score_as_pairs_do() -> None:
    scores = []
    for kind in ("pairs", "dictionaries"):
        torch.manual_seed(0)
        model, trainer, loader = DigitClassifier(UserNet()), quiet_trainer(), DataLoader(LOADERS[kind], batch_size=4)
        trainer.fit(model, loader, loader)
        scores.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    assert scores[0] == scores[1]
    with pytest.raises(DataError, match="no labels: give pairs, or a dictionary with one of label"):
        quiet_trainer().test(model, DataLoader(LOADERS["dictionaries without labels"]))


@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_checks_break_neither_compilation_nor_export() -> None:
    model = DigitClassifier(UserNet()).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for images in (RAW, RAW.float()):
        torch.testing.assert_close(compiled(images), model(images))
    exported = torch.export.export(model, (RAW.float(),), dynamic_shapes=({0: torch.export.Dim("N")},)).module()
    torch.testing.assert_close(exported(RAW[:3].float()), model(RAW[:3]))


WRONG_LABELS = {
    "from 8 to 11: give whole numbers": torch.arange(8, 12),
    "from -2 to 1: give whole numbers": torch.arange(-2, 2),
    r"float32 \[4\]: give whole numbers \[B\] from 0 to 9": torch.zeros(4),
    r"int64 \[4, 10\]: give whole numbers": torch.zeros(4, 10, dtype=torch.int64),
    "bool": torch.zeros(4, dtype=torch.bool),
    "a list": [0, 1, 2, 3],
}


@pytest.mark.parametrize("message", WRONG_LABELS)
def test_labels_that_are_no_numbers_of_classes_are_refused(message: str) -> None:
    images = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    model = DigitClassifier(UserNet())
    for step in (model.training_step, model.validation_step, model.test_step):
        with pytest.raises(DataError, match=f"labels are {message}"):
            step((images, WRONG_LABELS[message]), 0)
    right = torch.tensor([0, 9, 3, -1])
    assert model.training_step((images, right), 0).isfinite()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_may_be_whole_numbers_of_any_width(dtype: torch.dtype) -> None:
    model, labels = DigitClassifier(UserNet()).eval(), torch.tensor([7, 7, 0, 1, 2, 3, 4, 5, 6, 8, 9])  # 11, as targets
    images = torch.randint(0, 256, (11, 1, 28, 28), dtype=torch.uint8)
    assert model.training_step((images, labels.to(dtype)), 0) == model.training_step((images, labels), 0)

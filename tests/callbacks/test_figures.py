"""The figures, whatever the logger."""

import csv
import io
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from conftest import Patch, UserNet, curves, quiet_trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image
from torch.utils.data import DataLoader

from mnist_cnn import DigitClassifier, DigitDataModule
from mnist_cnn.callbacks.figures import TensorBoardFigures

BATCHES = [(torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8), torch.arange(8)) for _ in range(7)]


def table(logger: Any) -> list[dict[str, str]]:
    with Path(logger.log_dir, "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def fit(model: DigitClassifier, **options: object) -> L.Trainer:
    trainer = quiet_trainer(log_every_n_steps=3, **options)
    loader = DataLoader(BATCHES, batch_size=None)
    trainer.fit(model, loader, loader)
    return trainer


@pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers
class TestLoggers:
    def test_several(self, tmp_path: Path) -> None:
        loggers = [CSVLogger(tmp_path, "csv"), TensorBoardLogger(tmp_path, "board")]
        fit(DigitClassifier(UserNet()), logger=loggers, callbacks=[TensorBoardFigures(norms=True)])
        rows = table(loggers[0])
        assert [row["step"] for row in rows if row["loss/train"]] == ["3", "6", "7"]
        assert [row["step"] for row in rows if row["norm/weights"]] == ["1", "3", "6"]
        assert [row["step"] for row in rows if row["loss/val"]] == ["7"]
        board = curves(Path(loggers[1].log_dir))
        assert [step for step, _ in board["error/train"]] == [3, 6, 7]
        assert "validation/confusion_matrix" in curves(Path(loggers[1].log_dir), raw=True).Tags()["images"]

    @pytest.mark.parametrize("options", [{"logger": False}, {"fast_dev_run": True, "logger": True}])
    def test_none(self, options: dict, tmp_path: Path, monkeypatch: Patch) -> None:
        monkeypatch.chdir(tmp_path)
        trainer = fit(DigitClassifier(UserNet()), callbacks=[TensorBoardFigures(norms=True)], **options)
        assert {"accuracy/train", "loss/train", "error/val"} <= set(trainer.callback_metrics)
        assert list(Path().iterdir()) == []

    def test_a_table_that_a_person_can_read(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet())
        trainers = [fit(model, logger=False), quiet_trainer(logger=CSVLogger(tmp_path))]
        for trainer in trainers:
            [result] = trainer.test(model, DataLoader(BATCHES, batch_size=None), verbose=False)
            assert set(result) == {"loss/test", "accuracy/test", "error/test", "calibration_error/test"}
        [logger] = trainers[1].loggers
        [row] = table(logger)
        assert row["step"] == "7"  # where training ended
        assert float(row["accuracy/test"]) == pytest.approx(result["accuracy/test"])
        assert "per_class_accuracy/3/test" in row

    def test_norms(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), optimizer="sgd", learning_rate=1e-30, weight_decay=0.0)
        squares = sum(float(weight.detach().square().sum()) for weight in model.parameters())
        logger = TensorBoardLogger(tmp_path)
        fit(model, logger=logger, callbacks=[TensorBoardFigures(norms=True)], gradient_clip_val=1e-6)
        points = curves(Path(logger.log_dir))
        assert [value for _, value in points["norm/weights"]] == pytest.approx([squares**0.5] * 3)
        assert points["norm/gradient"][0][1] > 1e-3  # before it is clipped


@pytest.mark.filterwarnings("ignore")
def test_training_digits_are_drawn_as_the_network_gets_them(mnist_dir: Path, tmp_path: Path) -> None:
    class Blank(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images * 0

    pictures = []
    for augment in (None, Blank()):
        logger = TensorBoardLogger(tmp_path)
        callbacks = [TensorBoardFigures(digits=1)]
        trainer = quiet_trainer(limit_train_batches=2, limit_val_batches=0, logger=logger, callbacks=callbacks)
        trainer.fit(DigitClassifier(UserNet()), DigitDataModule(data_dir=str(mnist_dir), augment=augment))
        [event] = curves(Path(logger.log_dir), raw=True).Images("training/digits")
        pictures.append(np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))[:90])  # without the label
    assert pictures[0].min() == 0
    assert pictures[1].min() == 255

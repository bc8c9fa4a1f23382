"""The third task: reading rows as a whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import quiet_trainer
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from mnist_cnn.checkpoints import DETECTOR, RECOGNIZER, CheckpointError
from mnist_cnn.data.rows import RowBatch, RowDataModule, SampleRow, collate
from mnist_cnn.networks.recognizer import BLANK, HEIGHT, STRIDE, RecognizerNet
from mnist_cnn.reading.recognition import ROUND
from mnist_cnn.tasks.recognizer import RowRecognizer


class Known(torch.nn.Module):
    """Knows that digit k is k + 1 pixels of brightness, in columns of 4 pixels."""

    def forward(self, strips: torch.Tensor) -> torch.Tensor:
        value = strips[:, 0, 0, ::STRIDE].long() - 1
        classes = torch.where((value >= 0) & (value < 10), value, BLANK)
        return torch.full((*classes.shape, BLANK + 1), -20.0).scatter(2, classes[..., None], 0.0)


def batch_of(*rows: str) -> RowBatch:
    """Rows as `Known` reads them."""
    samples: list[SampleRow] = []
    for row in rows:
        strip = torch.zeros(HEIGHT, 8 * len(row) + 8, 3, dtype=torch.uint8)
        for k, name in enumerate(row):
            strip[:, 8 * k + 4 : 8 * k + 8] = int(name) + 1
        samples.append((strip.numpy(), np.array([int(name) for name in row], np.int64)))
    return collate([samples])


def test_a_network_that_knows_the_truth_has_no_loss_and_reads_all() -> None:
    model = RowRecognizer(Known())
    batch = batch_of("3144", "7", "")
    steps = model.steps(batch)
    assert [len(row) for row in steps] == [20, 8, 4]  # the gaps between rows are not read
    assert float(model._loss(steps, batch)) < 0.01
    wrong = batch._replace(digits=torch.tensor([3, 1, 4, 5, 7]))
    assert float(model._loss(steps, wrong)) > 3
    assert batch.strips.shape[3] == ROUND  # more than GAP * 4 + 20 * 2 + 8 * 2 + 4 * 2


@pytest.mark.filterwarnings("ignore")  # of Lightning
def test_training_logs_what_it_should(mnist_dir: Path, tmp_path: Path) -> None:
    rows = RowDataModule(str(mnist_dir), scenes=8, val_scenes=4, glyphs=400, batch_size=4, num_workers=0)
    trainer = quiet_trainer(max_epochs=2, logger=CSVLogger(tmp_path), log_every_n_steps=1)
    trainer.fit(RowRecognizer(RecognizerNet((4, 8, 8, 8)), warmup=0.3), rows)
    assert {"loss/train", "loss/val", "accuracy/val"} <= set(trainer.callback_metrics)
    assert trainer.global_step == 4
    assert torch.isfinite(trainer.callback_metrics["loss/train"])
    known: DataLoader[RowBatch] = DataLoader([batch_of("31", "7", "20"), batch_of("5")], batch_size=None)  # type: ignore[arg-type]
    (scores,) = trainer.validate(RowRecognizer(Known()), known, verbose=False)
    assert scores["accuracy/val"] == 1


def test_training_can_start_from_weights() -> None:
    known = torch.load(RECOGNIZER, weights_only=True)["state_dict"]
    started = RowRecognizer(weights="pretrained").state_dict()["network.head.weight"]
    assert torch.equal(started, known["network.head.weight"].float())
    with pytest.raises(CheckpointError, match="weights of another network than RecognizerNet"):
        RowRecognizer(weights=str(DETECTOR))

"""What a classifier logs, remembers and goes on from, stage by stage."""

import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from conftest import ElevenClasses, UserNet, quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger
from test_classifier import BATCHES
from torch.utils.data import DataLoader

from mnist_cnn import DigitClassifier, DigitDataModule
from mnist_cnn.networks import DIGITS, MLP
from mnist_cnn.tasks.classifier import NetworkError

STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "weight_decay": 0.0}
"""Nothing is learned, so that what was seen can be computed afterwards."""

quiet = pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers and logging intervals
trainer = functools.partial(quiet_trainer, log_every_n_steps=1)


class Memory(Logger):
    """Keeps what it is given."""

    name, version = "memory", 0

    def __init__(self) -> None:
        super().__init__()
        self.points: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.points.append((step, dict(metrics)))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...


def loader(batches: list = BATCHES) -> DataLoader:
    return DataLoader(batches, batch_size=None)


def test_defaults_are_the_tutorial_s_recipe() -> None:
    model = DigitClassifier()
    assert type(model.network).__name__ == "TutorialCNN"
    recipe = {"optimizer": "adamw", "learning_rate": 0.005, "weight_decay": 0.01, "momentum": 0.9, "warmup": 0.3}
    recipe |= {
        "schedule": "exponential",
        "gamma": 0.5,
        "label_smoothing": 0.0,
        "test_time_shift": 0,
        "temperature": 1.0,
    }
    assert recipe.items() <= dict(model.hparams).items()
    assert "weights" not in model.hparams
    assert model.classes == list(DIGITS)
    assert model.trained_steps == 0
    assert all(name.startswith("network.") for name in model.state_dict())
    assert model.eval()(model.example_input_array).shape == (1, 10)
    assert model.example_input_array.shape == (1, 1, 28, 28)


@quiet
def test_curves_have_a_point_of_each_step_and_the_split_s_of_each_epoch(tmp_path: Path) -> None:
    model, memory = DigitClassifier(UserNet(), **STILL), Memory()
    run = trainer(tmp_path, logger=memory, num_sanity_val_steps=2)
    run.fit(model, loader(), loader())
    *train, (step, val) = memory.points
    assert [step for step, _ in train] == [1, 2, 3]
    for (_, point), (images, labels) in zip(train, BATCHES, strict=True):
        scores = model.network(images)
        accuracy = float((scores.argmax(1) == labels).float().mean())
        expected = {"loss/train": float(F.cross_entropy(scores, labels)), "accuracy/train": accuracy}
        expected |= {"error/train": 100 - 100 * accuracy, "learning_rate": 1e-30, "epoch": 0}
        assert point == pytest.approx(expected, rel=1e-4)
    assert step == 3  # nothing of the check of validation before training
    assert {"loss/val", "accuracy/val", "error/val", "calibration_error/val", "per_class_accuracy/9/val"} < set(val)
    assert run.loggers == [memory]
    assert model.trained_steps == 3

    run = trainer(tmp_path, logger=memory)
    (scores,) = run.test(model, loader(), verbose=False)
    assert set(scores) == {f"{name}/test" for name in ("loss", "accuracy", "error", "calibration_error")}
    assert [step for step, _ in memory.points[4:]] == [3]  # once, where training ended
    assert memory.points[4][1].items() >= scores.items()
    assert run.loggers == [memory]


@quiet
def test_the_bar_shows_loss_and_accuracy_alone(tmp_path: Path) -> None:
    shown: set[str] = set()

    class Watch(L.Callback):
        def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
            shown.update(trainer.progress_bar_metrics)

    trainer(tmp_path, callbacks=[Watch()]).fit(DigitClassifier(UserNet()), loader(), loader())
    assert shown == {f"{name}/{split}" for name in ("loss", "accuracy") for split in ("train", "val")}


@quiet
def test_training_that_ends_within_an_epoch_has_its_metrics(tmp_path: Path) -> None:
    model = DigitClassifier(UserNet(), **STILL)
    run = trainer(tmp_path, max_steps=2, max_epochs=5)
    run.fit(model, loader())
    right = torch.cat([model.network(images).argmax(1) == labels for images, labels in BATCHES[:2]])
    torch.testing.assert_close(run.callback_metrics["accuracy/train"], right.float().mean())


@quiet
def test_batches_that_show_no_digit_have_no_accuracy(tmp_path: Path) -> None:
    memory = Memory()
    nothing = [(images, torch.full_like(labels, -1)) for images, labels in BATCHES]
    trainer(tmp_path, logger=memory).fit(DigitClassifier(UserNet()), loader(nothing))
    assert [(point["accuracy/train"], point["error/train"]) for _, point in memory.points] == [(0, 100)] * 3


@quiet
def test_a_run_that_goes_on_within_an_epoch_logs_what_it_would_have(mnist_dir: Path, tmp_path: Path) -> None:
    def run(**options: Any) -> tuple[Memory, L.Trainer]:
        L.seed_everything(3)
        memory = Memory()
        model = DigitClassifier(UserNet(dropout=0.3))
        data = DigitDataModule(data_dir=mnist_dir, val_size=59_000)  # five batches of training
        saving = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
        lightning = trainer(
            tmp_path, max_epochs=2, logger=memory, callbacks=[saving], enable_checkpointing=True, limit_val_batches=1
        )
        lightning.fit(model, data, **options)
        return memory, lightning

    memory, whole = run()
    assert [step for step, _ in memory.points] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10]
    for step, count in ((3, 3), (6, 7)):
        again, resumed = run(ckpt_path=tmp_path / f"step={step}.ckpt", weights_only=True)
        assert again.points == memory.points[count:]
        assert resumed.callback_metrics == whole.callback_metrics


@quiet
def test_random_numbers_are_other_ones_in_each_step_and_the_same_for_a_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seeds(seed: int) -> list[int]:
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        seen: list[int] = []
        model = DigitClassifier(UserNet())
        step: Callable[..., Any] = model.training_step
        model.training_step = lambda *args: (seen.append(torch.initial_seed()), step(*args))[1]  # type: ignore[method-assign]
        batches = [(images[:1], labels[:1]) for images, labels in BATCHES[:1] * 70]
        trainer(tmp_path, max_epochs=2, log_every_n_steps=0).fit(model, loader(batches))
        return seen

    first, other = seeds(1), seeds(2)
    assert len(first) == 140
    assert len({*first, *other}) == 280
    assert seeds(1) == first


def test_classes_of_the_data_are_taken_over_to_learn_them_alone() -> None:
    model = DigitClassifier(UserNet())
    model.trainer = SimpleNamespace(datamodule=SimpleNamespace(classes=["7", "A", "B"]))  # type: ignore[assignment]
    before = model.network.layers[3].weight[7].clone()
    model.setup("test")
    assert model.classes == list(DIGITS)
    model.setup("fit")
    model.trainer = None
    assert model.classes == model.hparams["classes"] == ["7", "A", "B"]
    for metrics in (model.val_metrics, model.test_metrics):
        assert metrics.classes == model.classes
        metrics.update(torch.tensor(0.0), torch.eye(3).log_softmax(1), torch.arange(3))
        assert {f"per_class_accuracy/A/{metrics.stage}"} < set(metrics.compute())
    assert torch.equal(model.network.layers[3].weight[0], before)
    assert model.targets.shape == (4, 3)
    assert model.eval()(BATCHES[2][0]).shape == (7, 3)
    assert "classes" not in {name for name, value in DigitClassifier(UserNet()).hparams.items() if value}


class Several(UserNet):
    """Always gives two answers, also where it must give one."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores = super().forward(images)
        return torch.stack([scores, 2 * scores])


class Pair(UserNet):
    """Gives a tuple."""

    def forward(self, images: torch.Tensor) -> Any:
        return super().forward(images), 1


def test_what_networks_must_return() -> None:
    images = BATCHES[2][0]
    training = DigitClassifier(Several()).train()
    torch.testing.assert_close(training(images), training.network(images).log_softmax(dim=2))
    for network, said in ((ElevenClasses(), r"\[7, 11\]"), (Several(), r"\[2, 7, 10\]"), (Pair(), "tuple")):
        with pytest.raises(NetworkError, match=rf"returned {said} for 7 images: it must return \[7, 10\]"):
            DigitClassifier(network).eval()(images)
    for network in (ElevenClasses(), Pair()):
        with pytest.raises(NetworkError, match="it must return"):
            DigitClassifier(network).train()(images)


@quiet
def test_a_model_of_a_checkpoint_remembers_what_it_was_made_of(tmp_path: Path) -> None:
    model = DigitClassifier(MLP(), weight_decay=0.2)
    run = trainer(tmp_path)
    run.fit(model, loader())
    for number in range(2):  # and what is made of it remembers that, too
        run.save_checkpoint(tmp_path / f"{number}.ckpt")
        again = DigitClassifier.load_from_checkpoint(tmp_path / f"{number}.ckpt")
        assert (type(again.network), again.hparams["weight_decay"]) == (MLP, 0.2)
        assert again.hparams["network"] == model.hparams["network"] == {"class_path": f"{MLP.__module__}.MLP"}
        assert again.trained_steps == 3
        assert "weights" not in again.hparams
        run.strategy.connect(again)

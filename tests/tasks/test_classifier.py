import functools
import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from conftest import UserNet, quiet_trainer
from lightning.pytorch.callbacks import LearningRateFinder, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from mnist_cnn import DigitClassifier
from mnist_cnn.tasks.classifier import StageMetrics, target_probabilities

BATCHES = [
    (torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8), torch.arange(size) % 10) for size in (64, 64, 7)
]


def fit(model: DigitClassifier, folder: Path, epochs: int = 2, **options: Any) -> L.Trainer:
    trainer = quiet_trainer(folder, max_epochs=epochs, **options)
    loader = DataLoader(BATCHES, batch_size=None)
    trainer.fit(model, loader, loader)
    return trainer


@pytest.mark.filterwarnings("ignore")  # Lightning's advice about workers and logging intervals
class TestTraining:
    def test_metrics_are_exact_over_the_split(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet())
        metrics = fit(model, tmp_path).callback_metrics
        images, labels = (torch.cat(part) for part in zip(*BATCHES, strict=True))
        with torch.no_grad():
            log_probs = model.eval()(images)
        right = log_probs.argmax(1) == labels
        torch.testing.assert_close(metrics["accuracy/val"], right.float().mean())
        torch.testing.assert_close(metrics["loss/val"], F.nll_loss(log_probs, labels))
        for digit in range(10):
            expected = right[labels == digit].float().mean()
            torch.testing.assert_close(metrics[f"per_class_accuracy/{digit}/val"], expected)

    @pytest.mark.parametrize("tried", [[], [LearningRateFinder(num_training_steps=2, update_attr=False)]])
    def test_training_metrics_weigh_images_not_batches_nor_what_is_tried_before(
        self, tried: list[L.Callback], tmp_path: Path
    ) -> None:
        model = DigitClassifier(UserNet(), optimizer="sgd", learning_rate=1e-30, weight_decay=0.0)
        metrics = fit(model, tmp_path, epochs=1, callbacks=tried).callback_metrics
        for name in ("accuracy", "loss"):  # nothing was learned, so that both passes saw the same network
            torch.testing.assert_close(metrics[f"{name}/train"], metrics[f"{name}/val"])

    def test_of_several_answers_each_is_trained_and_their_mean_is_scored(self, tmp_path: Path) -> None:
        class TwoAnswers(UserNet):
            def forward(self, images: torch.Tensor) -> torch.Tensor:
                scores = super().forward(images)
                both = torch.stack([scores, -2 * scores]).log_softmax(dim=-1)
                return both if self.training else both.logsumexp(dim=0) - math.log(2)

        model = DigitClassifier(TwoAnswers(), optimizer="sgd", learning_rate=1e-30, weight_decay=0.0)
        metrics = fit(model, tmp_path, epochs=1).callback_metrics
        images, labels = (torch.cat(part) for part in zip(*BATCHES, strict=True))
        with torch.no_grad():
            losses = [F.nll_loss(answer, labels) for answer in model.network.train()(images)]
        torch.testing.assert_close(metrics["loss/train"], sum(losses) / 2)
        torch.testing.assert_close(metrics["accuracy/train"], metrics["accuracy/val"])

    def test_training_metrics_go_on_from_what_was_saved(self) -> None:
        seen, resumed = StageMetrics("train"), StageMetrics("train")
        scores, labels = torch.eye(10)[[3, 3, 5, 1]], torch.tensor([3, 4, 5, -1])
        seen.update(torch.tensor(2.0), scores, labels)
        resumed.restore({**seen.state(), "accuracy": {"tp": torch.tensor(7)}})  # the latter as in earlier versions
        for metrics in (seen, resumed):
            metrics.update(torch.tensor(0.5), scores[:2], labels[:2])
            values = {name: float(value) for name, value in metrics.compute().items()}
            assert values == pytest.approx({"loss/train": 9 / 6, "accuracy/train": 3 / 5, "error/train": 40})

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_what_is_no_digit_shall_be_uniform(self, smoothing: float) -> None:
        log_probs = torch.randn(6, 10).log_softmax(dim=1)
        labels = torch.tensor([3, -1, 0, 9, -1, 5])
        digits = labels >= 0
        parts = [
            F.cross_entropy(log_probs[digits], labels[digits], label_smoothing=smoothing, reduction="sum"),
            F.cross_entropy(log_probs[~digits], torch.full((2, 10), 0.1), reduction="sum"),
        ]
        loss = F.cross_entropy(log_probs, target_probabilities(smoothing)[labels])
        torch.testing.assert_close(loss, sum(parts) / 6)

    def test_shifts_are_averaged_outside_training_only(self) -> None:
        torch.manual_seed(0)
        model = DigitClassifier(UserNet(), test_time_shift=1)
        images = F.pad(torch.randint(0, 256, (5, 1, 24, 24), dtype=torch.uint8), (2, 2, 2, 2))
        plain = model.network(images).softmax(dim=1)
        torch.testing.assert_close(model(images).exp(), plain)
        wide = F.pad(images, (1, 1, 1, 1))
        corners = [(0, 1), (2, 1), (1, 0), (1, 2)]
        moved = [model.network(wide[:, :, y : y + 28, x : x + 28]).softmax(dim=1) for y, x in corners]
        averaged = (plain + sum(moved) / 2) / 3
        torch.testing.assert_close(model.eval()(images).exp(), averaged)

    def test_label_smoothing_is_for_training_only(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), optimizer="sgd", learning_rate=1e-30, weight_decay=0.0, label_smoothing=0.2)
        metrics = fit(model, tmp_path, epochs=1).callback_metrics
        images, labels = (torch.cat(part) for part in zip(*BATCHES, strict=True))
        expected = F.cross_entropy(model(images), labels, label_smoothing=0.2)
        torch.testing.assert_close(metrics["loss/train"], expected.detach())
        assert metrics["loss/train"] != metrics["loss/val"]

    @pytest.mark.parametrize(
        ("options", "rates"),
        [
            ({"schedule": "constant"}, [0.01] * 3),
            ({"schedule": "exponential", "gamma": 0.5}, [0.01, 0.01, 0.005]),
            ({"schedule": "one_cycle"}, None),
        ],
    )
    def test_schedules(self, options: dict, rates: list[float] | None, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), learning_rate=0.01, **options)
        seen = []
        model.on_before_optimizer_step = lambda optimizer: seen.append(optimizer.param_groups[0]["lr"])
        fit(model, tmp_path, epochs=2)
        if rates:
            assert [seen[0], seen[2], seen[3]] == pytest.approx(rates)
        else:  # up to the highest rate, then down to almost nothing, over all steps
            assert max(seen[1:-1]) > 5 * max(seen[0], seen[-1])
            assert max(seen) <= 0.01

    def test_the_optimizer_gets_the_settings_of_the_model(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), optimizer="sgd", learning_rate=0.003, weight_decay=0.02, momentum=0.7)
        (optimizer,) = fit(model, tmp_path, epochs=1).optimizers
        settings = {"initial_lr": 0.003, "weight_decay": 0.02, "momentum": 0.7}
        assert type(optimizer) is torch.optim.SGD
        assert settings.items() <= optimizer.param_groups[0].items()

    def test_what_an_epoch_has_seen_survives_what_is_tried_before_it_goes_on(self) -> None:
        model = DigitClassifier(UserNet())
        seen = {"totals": {"loss": torch.tensor(6.0), "images": torch.tensor(3)}}
        model.on_load_checkpoint({"train_metrics": seen})
        model.on_save_checkpoint(tried := {})
        model.on_load_checkpoint(tried)
        assert model._epoch_so_far == seen

    @pytest.mark.parametrize("stage", ["validate", "test"])
    def test_an_interrupted_evaluation_leaves_nothing_in_the_next(self, stage: str, tmp_path: Path) -> None:
        class Interrupt(L.Callback):
            def on_validation_batch_end(self, *args: Any) -> None:
                raise OverflowError

            on_test_batch_end = on_validation_batch_end

        model, loader = DigitClassifier(UserNet()), DataLoader(BATCHES, batch_size=None)
        clean = getattr(quiet_trainer(tmp_path), stage)(model, loader, verbose=False)
        with pytest.raises(OverflowError):
            getattr(quiet_trainer(tmp_path, callbacks=[Interrupt()]), stage)(model, loader, verbose=False)
        assert getattr(quiet_trainer(tmp_path), stage)(model, loader, verbose=False) == clean

    def test_plateaus_are_looked_for_in_what_is_validated(self, tmp_path: Path) -> None:
        plateau = functools.partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, threshold=1e9)
        for limit, monitor in ((1.0, "loss/val"), (0, "loss/train")):
            model = DigitClassifier(UserNet(), learning_rate=0.1, schedule=plateau)
            trainer = fit(model, tmp_path, epochs=3, limit_val_batches=limit)
            assert trainer.lr_scheduler_configs[0].monitor == monitor
            assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0001)

    @pytest.mark.parametrize(
        ("optimizer", "schedule"),
        [
            (functools.partial(torch.optim.RMSprop, momentum=0.5), "cosine"),
            (torch.optim.NAdam, functools.partial(torch.optim.lr_scheduler.StepLR, step_size=1)),
        ],
    )
    def test_resumed_with_other_optimizers_and_schedules_the_bits_are_the_same(
        self, optimizer: Any, schedule: Any, tmp_path: Path
    ) -> None:
        def model() -> DigitClassifier:
            L.seed_everything(3)
            return DigitClassifier(UserNet(dropout=0.3), optimizer, 0.001, schedule=schedule)

        whole, resumed = model(), model()
        loader = DataLoader(BATCHES, batch_size=None, generator=torch.Generator())  # as those of our data module
        saving = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        quiet_trainer(tmp_path, max_epochs=3, callbacks=[saving], enable_checkpointing=True).fit(whole, loader)
        half = tmp_path / "epoch=0.ckpt"
        quiet_trainer(tmp_path, max_epochs=3).fit(resumed, loader, ckpt_path=half, weights_only=True)
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
        again = DigitClassifier.load_from_checkpoint(half, network=UserNet())
        assert again.hparams["optimizer"]["class_path"] == whole.hparams["optimizer"]["class_path"]

    def test_a_schedule_without_an_end_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(MisconfigurationException, match=r"give --trainer.max_epochs"):
            fit(DigitClassifier(UserNet(), schedule="cosine"), tmp_path, epochs=-1)

    def test_a_summary_shows_networks_alone(self) -> None:
        assert [name for name, _ in DigitClassifier(UserNet()).named_children()] == ["network"]

    def test_mixed_labels_are_smoothed_and_scored_by_the_larger_share(self) -> None:
        model = DigitClassifier(UserNet(), label_smoothing=0.1)
        images, labels = BATCHES[2]
        mixed = 0.7 * F.one_hot(labels, 10) + 0.3 * F.one_hot(labels.roll(1), 10)
        loss = model.training_step((images, mixed), 0)
        expected = F.cross_entropy(model.network(images), mixed, label_smoothing=0.1)
        torch.testing.assert_close(loss, expected)
        right = (model.network(images).argmax(1) == labels).float().mean()
        torch.testing.assert_close(model.train_metrics.compute()["accuracy/train"], right)


def test_logits_and_log_probabilities_train_alike() -> None:
    model = DigitClassifier(UserNet())
    images = BATCHES[0][0]
    torch.testing.assert_close(model(images).exp().sum(1), torch.ones(64))
    torch.testing.assert_close(model.predict_step(BATCHES[0], 0).sum(1), torch.ones(64))
    torch.testing.assert_close(model(images), model(images).log_softmax(1))

import math
from pathlib import Path

import lightning as L
import pytest
import torch
import torch.nn.functional as F
from conftest import UserNet
from torch.utils.data import DataLoader

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.module import StageMetrics, target_probabilities
from mnist_cnn.networks import TutorialCNN

BATCHES = [
    (torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8), torch.arange(size) % 10) for size in (64, 64, 7)
]


def fit(model: DigitClassifier, folder: Path, epochs: int = 2) -> L.Trainer:
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )
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

    def test_training_metrics_weigh_images_not_batches(self, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), optimizer="sgd", learning_rate=1e-30, weight_decay=0.0)
        metrics = fit(model, tmp_path, epochs=1).callback_metrics
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

    @pytest.mark.parametrize(
        ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
    )
    def test_optimizers(self, name: str, kind: type, tmp_path: Path) -> None:
        model = DigitClassifier(UserNet(), optimizer=name, learning_rate=0.003, weight_decay=0.02)
        group = fit(model, tmp_path, epochs=1).optimizers[0].param_groups[0]
        assert type(fit(model, tmp_path, epochs=1).optimizers[0]) is kind
        assert (group["initial_lr"], group["weight_decay"]) == (0.003, 0.02)


def checkpoint(model: DigitClassifier, folder: Path) -> Path:
    trainer = L.Trainer(accelerator="cpu", logger=False, default_root_dir=folder)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"


class TestCheckpoints:
    @pytest.mark.parametrize("network", [None, UserNet(), TutorialCNN()])
    def test_hyperparameters_are_plain_and_the_network_is_rebuilt(
        self, network: torch.nn.Module | None, tmp_path: Path
    ) -> None:
        model = DigitClassifier(network, learning_rate=0.02, schedule="one_cycle")
        path = checkpoint(model, tmp_path)
        hyperparameters = torch.load(path, weights_only=True)["hyper_parameters"]
        assert hyperparameters["learning_rate"] == 0.02
        named = UserNet if isinstance(network, UserNet) else None
        again = DigitClassifier.load_from_checkpoint(path, network=named)
        assert type(again.network) is type(model.network)
        assert again.hparams["schedule"] == "one_cycle"
        assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))

    def test_a_network_with_arguments_is_handed_over_again(self, tmp_path: Path) -> None:
        path = checkpoint(DigitClassifier(UserNet(width=5)), tmp_path)
        again = DigitClassifier.load_from_checkpoint(path, network=UserNet(width=5))
        assert again.network.layers[0].out_features == 5

    def test_nothing_but_data_is_loaded(self, tmp_path: Path) -> None:
        path = checkpoint(DigitClassifier(), tmp_path)
        content = torch.load(path, weights_only=True)
        content["hyper_parameters"]["gamma"] = Attack()
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="something else than plain data"):
            DigitClassifier.load_from_checkpoint(path)


class Attack:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("the checkpoint ran code",))


def test_logits_and_log_probabilities_train_alike() -> None:
    model = DigitClassifier(UserNet())
    images = BATCHES[0][0]
    torch.testing.assert_close(model(images).exp().sum(1), torch.ones(64))
    torch.testing.assert_close(model.predict_step(BATCHES[0], 0).sum(1), torch.ones(64))
    torch.testing.assert_close(model(images), model(images).log_softmax(1))

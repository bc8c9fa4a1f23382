"""The LightningModule: a network, its loss, optimizer, schedule and metrics."""

import inspect
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Self, cast

import lightning as L
import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, OpenUnitInterval, PositiveFloat
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from mnist_cnn.calibration import BINS
from mnist_cnn.checkpoints import INSTANTIATOR, check_hyperparameters, read_checkpoint
from mnist_cnn.networks import DIGITS, TutorialCNN, fit_head
from mnist_cnn.tasks.optimizers import Muon
from mnist_cnn.tasks.weights import start_from

Batch = tuple[Tensor, Tensor]


class NetworkError(RuntimeError):
    """A network that does not return what it must; the message is one line."""


class DigitClassifier(L.LightningModule):
    """Trains and scores any network that maps images [B, 1, 28, 28] to logits or log-probabilities [B, 10].

    In training it may also give [K, B, 10], the answers of K parts, each of which is then trained.
    """

    targets: Tensor

    def __init__(
        self,
        network: nn.Module | None = None,
        optimizer: Literal["adam", "adamw", "sgd", "muon"] = "adamw",
        learning_rate: PositiveFloat = 0.005,
        weight_decay: NonNegativeFloat = 0.01,
        momentum: ClosedUnitInterval = 0.9,
        schedule: Literal["constant", "exponential", "one_cycle"] = "exponential",
        gamma: PositiveFloat = 0.5,
        warmup: OpenUnitInterval = 0.3,
        label_smoothing: ClosedUnitInterval = 0.0,
        test_time_shift: NonNegativeInt = 0,
        temperature: PositiveFloat = 1.0,
        classes: list[str] | None = None,
        weights: str | None = None,
    ) -> None:
        """The defaults are the recipe of the tutorial's CNN, its learning rate halved after each epoch.

        Args:
            network: What is trained, by class path: one of `mnist_cnn.networks`, or your own. It gets raw pixels,
                uint8 0 to 255, and scales them itself. Default: `TutorialCNN`.
            optimizer: `adam` (weight decay is L2, added to the gradient), `adamw` (decoupled weight decay),
                `sgd` with Nesterov momentum, or `muon`: orthogonalised momentum for hidden weights, AdamW at a tenth
                of the learning rate for the rest (https://kellerjordan.github.io/posts/muon/).
            learning_rate: The step size; the highest one where the schedule varies it.
            weight_decay: The optimizer's weight decay.
            momentum: Of `sgd` and `muon`; 0 turns it off. The others ignore it.
            schedule: `constant`; `exponential`, times `gamma` after each epoch; or `one_cycle`, up and down again
                once over all steps (https://arxiv.org/abs/1708.07120).
            gamma: The factor of `exponential`.
            warmup: The share of all steps in which the rate of `one_cycle` rises.
            label_smoothing: The share of the target's probability that is spread over all classes in training.
            test_time_shift: Outside training, probabilities are averaged over an image and four copies of half its
                weight, moved by that many pixels up, down, left and right; five times the work. 0 moves nothing.
            temperature: Divides the logits outside training; over 1 it makes the network less sure of its answers,
                which stay the same (temperature scaling, https://arxiv.org/abs/1706.04599).
            classes: The names of what it tells apart; its last layer is made to fit. Default: the digits 0 to 9. In
                `fit` labelled pictures add theirs.
            weights: What a new run starts from instead of chance: `pretrained`, `best` or `last` of the newest run,
                or a file. Only weights, classes and temperature are taken over, and the network unless one is given.
        """
        super().__init__()
        self._save_plain_hyperparameters(network)
        if weights is not None:
            network, kept, classes = start_from(weights, network, classes)
            self.save_hyperparameters({**self.hparams, **kept})
        else:
            network = TutorialCNN() if network is None else network
            fit_head(network, DIGITS, classes or DIGITS)
        self.network = network.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        self.trained_steps = 0
        self._epoch_so_far: dict[str, dict[str, Any]] = {}
        self._name_classes(classes or DIGITS)

    def _save_plain_hyperparameters(self, network: nn.Module | None) -> None:
        """Keeps the arguments of `__init__` as plain data, which `torch.load(weights_only=True)` reads.

        A network from the command line is there as class path and arguments. Of one that was handed over as an
        object only the class is known, so `load_from_checkpoint` builds it with its default arguments; for others
        hand the object to `load_from_checkpoint(path, network=...)`, too.
        """
        frame = cast(FrameType, cast(FrameType, inspect.currentframe()).f_back)
        self.save_hyperparameters(ignore=["network", "weights"], frame=frame)
        if "_instantiator" in self.hparams:  # built from a command line, a config or a checkpoint
            self.save_hyperparameters(ignore=["weights"], frame=frame)
        elif network is not None:
            kind = type(network)
            spec = {"class_path": f"{kind.__module__}.{kind.__qualname__}"}
            self.save_hyperparameters({**self.hparams, "network": spec, "_instantiator": INSTANTIATOR})

    def _name_classes(self, classes: Sequence[str]) -> None:
        """Sets what depends on the classes, apart from the network."""
        self.classes = list(classes)
        if self.classes != list(DIGITS):
            self.save_hyperparameters({**self.hparams, "classes": self.classes})
        targets = target_probabilities(self.hparams["label_smoothing"], len(classes))
        self.register_buffer("targets", targets.to(self.device), persistent=False)
        self.train_metrics = StageMetrics("train")
        self.val_metrics = StageMetrics("val", detailed=True, classes=classes)
        self.test_metrics = StageMetrics("test", detailed=True, classes=classes)

    def setup(self, stage: str) -> None:
        """Takes over the classes of the pictures that it is to learn."""
        classes = getattr(getattr(self.trainer, "datamodule", None), "classes", self.classes)
        if stage == "fit" and classes != self.classes:
            fit_head(self.network, self.classes, classes)
            self._name_classes(classes)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps what Lightning does not hand on: the network's arguments, and how long it was trained."""
        saved = checkpoint.get("hyper_parameters", {})
        kept = {name: saved[name] for name in ("network", "_instantiator") if isinstance(saved.get(name), dict | str)}
        self.save_hyperparameters({**self.hparams, **kept})
        self.trained_steps = int(checkpoint.get("global_step", 0))
        self._epoch_so_far = checkpoint.get("train_metrics", {})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the metrics of an epoch that is not over."""
        checkpoint["train_metrics"] = self.train_metrics.state()

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: Any, *args: Any, network: nn.Module | type[nn.Module] | None = None, **kwargs: Any
    ) -> Self:
        """Rebuilds the model of a checkpoint file, with its own network class and arguments.

        As Lightning's, but it reads plain data and tensors only and builds no class but those of
        `mnist_cnn.networks` and `torch.nn`, so that a checkpoint cannot run code of its own.

        Args:
            checkpoint_path: The file.
            *args: As Lightning's.
            network: For a network of your own: its class, which is built with the arguments that the checkpoint
                remembers, or a network that gets the weights.
            **kwargs: As Lightning's, and arguments of `__init__` that replace those of the checkpoint.

        Raises:
            CheckpointError: The file is damaged, no checkpoint of this class, or names a class that is not allowed.
        """
        content = read_checkpoint(Path(checkpoint_path))
        named = f"{network.__module__}.{network.__qualname__}" if isinstance(network, type) else None
        hyperparameters = dict(content["hyper_parameters"])
        if network is not None and not isinstance(network, type):
            kwargs["network"] = network
            hyperparameters.pop("network", None)
        check_hyperparameters(hyperparameters, checkpoint_path, named)
        kwargs["weights_only"] = True
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, float [B, 10], of raw pixels [B, 1, 28, 28]; in training as the network gives them."""
        log_probs = self._scores(images).log_softmax(dim=-1)  # leaves log-probabilities as they are
        if self.training:
            return log_probs
        if shift := self.hparams["test_time_shift"]:
            moves = ((shift, 2), (-shift, 2), (shift, 3), (-shift, 3))  # round the border, which is black
            moved = [self.network(images.roll(by, axis)).log_softmax(dim=1) for by, axis in moves]
            halved = [copy - math.log(2) for copy in moved]
            log_probs = torch.stack([log_probs, *halved]).logsumexp(dim=0) - math.log(3)
        return (log_probs / self.hparams["temperature"]).log_softmax(dim=1)

    def _scores(self, images: Tensor) -> Tensor:
        """What the network says, [B, 10] or [K, B, 10], in float32 or better, whatever the precision."""
        scores, count = self.network(images), images.shape[0]
        if not torch.jit.is_tracing():
            shape = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            right = [count, len(self.classes)]
            if shape != right and not (self.training and shape[1:] == right):
                kind = type(self.network).__name__
                raise NetworkError(f"{kind} returned {shape} for {count} images: it must return {right}")
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def on_train_start(self) -> None:
        """Goes on where an interrupted epoch stood."""
        if self._epoch_so_far and self.global_rank == 0:  # which has the sums of all processes
            self.train_metrics.restore(self._epoch_so_far)
        self._epoch_so_far = {}
        self._seed(self.trainer.fit_loop.batch_idx + 1)

    def on_train_epoch_start(self) -> None:
        """Starts the random numbers of the epoch."""
        self._seed(0)

    def _seed(self, batch_idx: int) -> None:
        """Makes dropout and its like depend on seed, epoch, batch and process alone.

        So a run that was killed and resumed anywhere ends with the same bits. The generators are seeded themselves,
        in 3 microseconds: `torch.manual_seed` takes up to 800.
        """
        seed = os.environ.get("PL_GLOBAL_SEED")  # set by seed_everything
        if seed is None:
            return
        mixed = (
            ((int(seed) * 1_000_003 + self.current_epoch) * 1_000_003 + batch_idx) * 1_009 + self.global_rank
        ) % 2**63
        torch.default_generator.manual_seed(mixed)
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(mixed)
        elif self.device.type == "mps":
            torch.mps.manual_seed(mixed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        images, labels = batch
        scores, targets = self._scores(images), self.targets[labels]
        if scores.ndim == 2:
            loss, answers = F.cross_entropy(scores, targets), scores
        else:
            loss = F.cross_entropy(scores.flatten(0, 1), targets.repeat(len(scores), 1))
            answers = scores.log_softmax(dim=-1).logsumexp(dim=0)
        self.train_metrics.update(loss.detach(), answers.detach(), labels)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Logs the training metrics once an epoch, each image as it was seen."""
        if self.trainer.is_last_batch:  # not in on_train_epoch_end, which comes too late for the progress bar
            self._log_metrics(self.train_metrics)
        self._seed(batch_idx + 1)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, 10]."""
        return self._evaluate(self.val_metrics, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, 10]."""
        return self._evaluate(self.test_metrics, batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities, float [B, 10]."""
        return self(batch[0]).exp()

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the validation split."""
        self._log_metrics(self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of the test set."""
        self._log_metrics(self.test_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer and the schedule that the arguments of this class name."""
        options: dict[str, Any] = {
            "lr": self.hparams["learning_rate"],
            "weight_decay": self.hparams["weight_decay"],
            "fused": self.device.type in ("cpu", "cuda", "mps"),  # one kernel for all parameters
        }
        parameters = self.network.parameters()
        optimizer: torch.optim.Optimizer
        match self.hparams["optimizer"]:
            case "adam":
                optimizer = torch.optim.Adam(parameters, **options)
            case "adamw":
                optimizer = torch.optim.AdamW(parameters, **options)
            case "muon":
                del options["fused"]
                rate = {"adamw_lr": options["lr"] / 10, "momentum": self.hparams["momentum"]}
                optimizer = Muon(self.network, **options, **rate)
            case _:
                momentum = self.hparams["momentum"]
                optimizer = torch.optim.SGD(parameters, momentum=momentum, nesterov=momentum > 0, **options)
        match self.hparams["schedule"]:
            case "exponential":
                decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, self.hparams["gamma"])
                return {"optimizer": optimizer, "lr_scheduler": {"scheduler": decay, "interval": "epoch"}}
            case "one_cycle":
                cycle = torch.optim.lr_scheduler.OneCycleLR(
                    optimizer,
                    max_lr=[group["lr"] for group in optimizer.param_groups],
                    total_steps=int(self.trainer.estimated_stepping_batches),
                    pct_start=self.hparams["warmup"],
                    cycle_momentum=self.hparams["optimizer"] != "muon",
                )
                return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
        return optimizer

    def _evaluate(self, metrics: "StageMetrics", batch: Batch) -> Tensor:
        images, labels = batch
        log_probs = self(images)
        metrics.update(F.nll_loss(log_probs, labels), log_probs, labels)
        return log_probs

    def _log_metrics(self, metrics: "StageMetrics") -> None:
        for name, value in metrics.compute().items():
            self.log(name, value, on_step=False, on_epoch=True, prog_bar=name.startswith(("accuracy", "loss")))
        if self.trainer.state.fn != TrainerFn.FITTING:  # a score belongs where its training ended, not at step 0
            self.log("step", float(self.trained_steps))
        metrics.reset()


def target_probabilities(label_smoothing: float, classes: int = 10) -> Tensor:
    """What a network shall answer for each label.

    Args:
        label_smoothing: The share of the label's probability that is spread over all classes.
        classes: How many there are, C.

    Returns:
        Float [C + 1, C]; the last row, which the index -1 means, is for images that show no digit.
    """
    flat = torch.full((classes, classes), 1 / classes)
    return torch.cat([torch.eye(classes).lerp(flat, label_smoothing), flat[:1]])


class Totals(Metric):
    """Mean loss and accuracy of a stage, in a third of the time of torchmetrics' own two."""

    loss: Tensor
    hits: Tensor
    digits: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, zero in {"loss": 0.0, "hits": 0, "digits": 0, "images": 0}.items():
            self.add_state(name, torch.tensor(zero), dist_reduce_fx="sum")

    def update(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Adds a batch: its mean loss, scalar; scores [B, 10]; labels [B], -1 for images that do not count."""
        self.loss.add_(loss, alpha=len(labels))
        self.hits += (scores.argmax(dim=1) == labels).sum()
        self.digits += (labels >= 0).sum()
        self.images += len(labels)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy, scalars."""
        return self.loss / self.images, self.hits / self.digits.clamp(min=1)


class StageMetrics(nn.Module):
    """Loss and accuracy; if asked for, calibration and the accuracy of each class. Exact over all images of a stage.

    Updated in place rather than by `self.log`, which would cost as much as all else that Lightning does in a step.
    """

    def __init__(self, stage: str, detailed: bool = False, classes: Sequence[str] = DIGITS) -> None:
        super().__init__()
        self.stage, self.classes = stage, classes
        self.totals = Totals()
        self.per_class = MulticlassAccuracy(len(classes), average="none", validate_args=False) if detailed else None
        error = MulticlassCalibrationError(len(classes), n_bins=BINS, validate_args=False) if detailed else None
        self.calibration = error

    def update(self, loss: Tensor, log_probs: Tensor, labels: Tensor) -> None:
        """Adds a batch: its mean loss, scalar; log-probabilities [B, 10]; labels [B]."""
        self.totals.update(loss, log_probs, labels)
        if self.per_class:
            self.per_class.update(log_probs, labels)
        if self.calibration:
            self.calibration.update(log_probs.exp(), labels)

    def compute(self) -> dict[str, Tensor]:
        """Scalars by name, the same in every process."""
        loss, accuracy = self.totals.compute()
        values = {f"loss/{self.stage}": loss, f"accuracy/{self.stage}": accuracy}
        if self.per_class:
            for name, accuracy in zip(self.classes, self.per_class.compute(), strict=True):
                values[f"per_class_accuracy/{name}/{self.stage}"] = accuracy
        if self.calibration:
            values[f"calibration_error/{self.stage}"] = self.calibration.compute()
        return values

    def state(self) -> dict[str, dict[str, Any]]:
        """What was counted so far, by metric and name, summed over all processes; empty after `reset`."""
        states: dict[str, dict[str, Any]] = {}
        for name, metric in self.named_children():
            if isinstance(metric, Metric) and metric.update_called:
                with metric.sync_context():
                    states[name] = {key: getattr(metric, key).detach().cpu().clone() for key in metric._defaults}
        return states

    def restore(self, states: dict[str, dict[str, Any]]) -> None:
        """Goes on counting from what `state` returned; what an earlier version counted otherwise is left out."""
        for name, metric in self.named_children():
            if isinstance(metric, Metric) and name in states:
                for key, value in states[name].items():
                    setattr(metric, key, value.to(metric.device))
                metric._update_count = 1

    def reset(self) -> None:
        """Forgets all batches."""
        for metric in self.children():
            metric.reset()  # type: ignore[operator]

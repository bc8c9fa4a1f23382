"""The LightningModule: a network, its loss, optimizer, schedule and metrics."""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, OpenUnitInterval, PositiveFloat
from lightning.pytorch.callbacks import ModelPruning
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments
from mnist_cnn.checkpoints import INSTANTIATOR
from mnist_cnn.networks import DIGITS, TutorialCNN
from mnist_cnn.networks.answers import answers
from mnist_cnn.tasks.batches import check_images, check_labels, check_pixels, labelled, unpacked
from mnist_cnn.tasks.losses import target_probabilities, training_loss
from mnist_cnn.tasks.metrics import StageMetrics
from mnist_cnn.tasks.optimizers import (
    OptimizerClass,
    OptimizerName,
    ScheduleClass,
    ScheduleName,
    count_steps,
    make_optimizer,
    make_schedule,
)
from mnist_cnn.tasks.plain_checkpoints import PlainCheckpoints
from mnist_cnn.tasks.scored import Scored
from mnist_cnn.tasks.weights import Spec, extended, start_from, with_classes

Batch = tuple[Tensor, Tensor]


class NetworkError(RuntimeError):
    """A network that does not return what it must; the message is one line."""


class DigitClassifier(PlainCheckpoints, Scored):
    """Trains and scores any network that maps images [B, 1, 28, 28] to logits or log-probabilities [B, 10].

    In training it may also give [K, B, 10], the answers of K parts, each of which is then trained.
    """

    targets: Tensor

    def __init__(
        self,
        network: nn.Module | None = None,
        optimizer: OptimizerName | OptimizerClass = "adamw",
        learning_rate: PositiveFloat = 0.005,
        weight_decay: NonNegativeFloat = 0.01,
        momentum: ClosedUnitInterval = 0.9,
        schedule: ScheduleName | ScheduleClass = "exponential",
        gamma: PositiveFloat = 0.5,
        warmup: OpenUnitInterval = 0.3,
        label_smoothing: ClosedUnitInterval = 0.0,
        test_time_shift: NonNegativeInt = 0,
        temperature: PositiveFloat = 1.0,
        classes: list[str] | None = None,
        weights: str | None = None,
        remember: bool = False,
    ) -> None:
        """The defaults are the recipe of the tutorial's CNN, its learning rate halved after each epoch.

        Args:
            network: By class path, one of `mnist_cnn.networks`, or your own. It gets raw pixels,
                uint8 0 to 255, and scales them itself. Default: `TutorialCNN`.
            optimizer: `adam` (weight decay is L2, added to the gradient), `adamw` (decoupled weight decay),
                `sgd` with Nesterov momentum, or `muon`: orthogonalised momentum for hidden weights, AdamW at a tenth
                of the learning rate for the rest (https://kellerjordan.github.io/posts/muon/). Any other by class
                path, such as `torch.optim.RMSprop`, with arguments of its own beside `learning_rate`:
                `--model.optimizer.momentum=0.9`. In Python the class, or `functools.partial` of it.
            learning_rate: The step size; the highest one where the schedule varies it.
            weight_decay: The weight decay of the four optimizers that have a name here.
            momentum: Of `sgd` and `muon`; 0 turns it off. The others ignore it.
            schedule: `constant`; `exponential`, times `gamma` after each epoch; `one_cycle`, up and down again
                once over all steps (https://arxiv.org/abs/1708.07120); or `cosine`, down to 0 over all steps along
                half a cosine (https://arxiv.org/abs/1608.03983). Any other by class path, such as
                `torch.optim.lr_scheduler.StepLR`, which takes a step after each epoch; `ReduceLROnPlateau` looks at
                the validation loss, or at that of training where nothing is validated.
            gamma: The factor of `exponential`.
            warmup: The share of all steps in which the rate of `one_cycle` rises.
            label_smoothing: The share of the target's probability that is spread over all classes in training.
            test_time_shift: Outside training, probabilities are averaged over an image and four copies of half its
                weight, moved by that many pixels up, down, left and right; five times the work. 0 moves nothing.
            temperature: Divides the logits outside training; over 1 it makes the network less sure of its answers,
                which stay the same (temperature scaling, https://arxiv.org/abs/1706.04599).
            classes: The names of what it tells apart; its last layer is made to fit. Default: the digits 0 to 9. In
                `fit` labelled pictures add theirs.
            weights: The start of a new run, instead of random weights: `pretrained`, `best` or `last` of the newest
                run, or a file. It gives its weights, classes and temperature, and its network unless one is given.
            remember: Read digits as `weights` did, except where there is something to learn
                (`mnist_cnn.networks.Extended`); for networks of this package.

        Raises:
            ValueError: An argument is not what its type says.
            CheckpointError: The weights cannot be found or read, or are of another network.
            HeadError: The network cannot be made to fit the classes.
        """
        check_arguments(locals())
        if remember and weights is None:
            raise ValueError(f"{type(self).__name__}: remember is for a run that starts from weights: give these, too")
        if classes is not None and not len(set(classes)) == len(classes) > 1:
            raise ValueError(f"{type(self).__name__}: classes is {classes}: give the names of two or more, each once")
        super().__init__()
        self._save_plain_hyperparameters(network=network, optimizer=optimizer, schedule=schedule)
        self._optimizer, self._schedule = optimizer, schedule
        known = list(DIGITS)
        if weights is not None:
            network, kept, known = start_from(weights, network)
            self.save_hyperparameters({**self.hparams, **kept})
        classes, spec = list(classes or known), self.hparams.get("network")
        network = TutorialCNN() if network is None else network
        if remember and known == list(DIGITS) and set(known) <= set(classes):
            network, spec = extended(network, spec)
        self._take(*with_classes(network, spec, known, classes))
        self.example_input_array = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        self._name_classes(classes)

    def _take(self, network: nn.Module, spec: Spec) -> None:
        """Takes a network, and notes its class path and arguments if they are others than were given."""
        self.network = network.to(memory_format=torch.channels_last)
        if spec != self.hparams.get("network"):
            self.save_hyperparameters({**self.hparams, "network": spec, "_instantiator": INSTANTIATOR})

    def _name_classes(self, classes: Sequence[str]) -> None:
        """Sets what depends on the classes, apart from the network."""
        self.classes = list(classes)
        if self.classes != list(DIGITS):
            self.save_hyperparameters({**self.hparams, "classes": self.classes})
        targets = target_probabilities(self.hparams["label_smoothing"], len(classes))
        self.register_buffer("targets", targets.to(self.device), persistent=False)
        self._make_metrics(classes)

    def setup(self, stage: str) -> None:
        """Takes over the classes of the pictures that it is to learn."""
        classes = getattr(getattr(self.trainer, "datamodule", None), "classes", self.classes)
        if stage == "fit" and classes != self.classes:
            self._take(*with_classes(self.network, self.hparams.get("network"), self.classes, classes))
            self._name_classes(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, float [B, C], of raw pixels [B, 1, 28, 28]; in training as the network gives them."""
        if self._trainer is None or self._trainer.state.stage is None:  # in a stage its first batch is looked at
            check_pixels(images)
        if self.training:
            return self._scores(images).log_softmax(dim=-1)  # leaves log-probabilities as they are
        return answers(self._scores, images, self.hparams["temperature"], self.hparams["test_time_shift"])

    def _scores(self, images: Tensor) -> Tensor:
        """The network's output, [B, C] or [K, B, C], in float32 or better, whatever the precision."""
        check_images(images)
        scores, count = self.network(images), images.shape[0]
        if not torch.jit.is_tracing():
            shape = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            right = [count, len(self.classes)]
            if shape != right and not (self.training and shape[1:] == right):
                kind = type(self.network).__name__
                raise NetworkError(f"{kind} returned {shape} for {count} images: it must return {right}")
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        images, labels = labelled(batch)
        if batch_idx == 0:
            check_pixels(images)
            check_labels(labels, len(self.classes))
        loss, answers, labels = training_loss(self._scores(images), labels, self.targets)
        self.train_metrics.update(loss.detach(), answers.detach(), labels)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, C]."""
        return self._evaluate(self.val_metrics, batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, C]."""
        return self._evaluate(self.test_metrics, batch, batch_idx)

    def _evaluate(self, metrics: StageMetrics, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = labelled(batch)
        if batch_idx == 0:
            check_pixels(images)
            check_labels(labels, len(self.classes))
        log_probs = self(images)
        metrics.update(F.nll_loss(log_probs, labels), log_probs, labels)
        return log_probs

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Probabilities, float [B, C], of a batch of images, of images and labels, or of a dictionary with images."""
        images, _ = unpacked(batch)
        if batch_idx == 0:
            check_pixels(images)
        return self(images).exp()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer and the schedule that the arguments of this class name."""
        optimizer = make_optimizer(
            self._optimizer,
            self.network,
            self.hparams["learning_rate"],
            self.hparams["weight_decay"],
            self.hparams["momentum"],
            fused=self._is_fused(),
        )
        callbacks = self._trainer.callbacks if self._trainer else []  # type: ignore[attr-defined]
        pruned = any(isinstance(callback, ModelPruning) for callback in callbacks)
        if pruned or isinstance(optimizer, torch.optim.LBFGS):  # both need weights that can be seen as a vector
            self.network.to(memory_format=torch.contiguous_format)
        schedule = make_schedule(
            self._schedule,
            optimizer,
            lambda: count_steps(self.trainer),
            self.hparams["gamma"],
            self.hparams["warmup"],
        )
        if schedule is None:
            return optimizer
        if isinstance(schedule["scheduler"], torch.optim.lr_scheduler.ReduceLROnPlateau):
            validated = getattr(getattr(self.trainer, "datamodule", None), "val_size", None) != 0
            validated = validated and self.trainer.limit_val_batches != 0
            schedule.setdefault("monitor", "loss/val" if validated else "loss/train")
        return cast(OptimizerLRScheduler, {"optimizer": optimizer, "lr_scheduler": schedule})

    def _is_fused(self) -> bool:
        """Whether the optimizer may be one kernel; such a one unscales gradients too late to be seen or clipped."""
        precision = getattr(self._trainer, "precision_plugin", None)
        if isinstance(precision, MixedPrecision) and (precision.scaler is not None or self.trainer.gradient_clip_val):
            return False
        return self.device.type in ("cpu", "cuda", "mps")

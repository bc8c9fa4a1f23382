"""The LightningModule: a network, its loss, optimizer, schedule and metrics."""

import inspect
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self, cast

import lightning as L
import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, NonNegativeInt, OpenUnitInterval, PositiveFloat
from lightning.pytorch.loggers import Logger
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from mnist_cnn.arguments import check_arguments, class_spec, plain_numbers
from mnist_cnn.checkpoints import INSTANTIATOR, check_hyperparameters, foreign_training, read_checkpoint
from mnist_cnn.networks import DIGITS, TutorialCNN, fit_head
from mnist_cnn.networks.answers import answers
from mnist_cnn.tasks.batches import check_images, check_pixels, labelled, unpacked
from mnist_cnn.tasks.metrics import StageMetrics
from mnist_cnn.tasks.optimizers import (
    OptimizerClass,
    OptimizerName,
    ScheduleClass,
    ScheduleName,
    make_optimizer,
    make_schedule,
)
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
    ) -> None:
        """The defaults are the recipe of the tutorial's CNN, its learning rate halved after each epoch.

        Args:
            network: What is trained, by class path: one of `mnist_cnn.networks`, or your own. It gets raw pixels,
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
            weights: What a new run starts from instead of chance: `pretrained`, `best` or `last` of the newest run,
                or a file. Only weights, classes and temperature are taken over, and the network unless one is given.

        Raises:
            ValueError: An argument is not what its type says.
        """
        check_arguments(locals())
        super().__init__()
        self._save_plain_hyperparameters(network=network, optimizer=optimizer, schedule=schedule)
        self._optimizer, self._schedule = optimizer, schedule
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
        self._loggers: list[Logger] = []
        self._name_classes(classes or DIGITS)

    def _save_plain_hyperparameters(self, **objects: Any) -> None:
        """Keeps the arguments of `__init__` as plain data, which `torch.load(weights_only=True)` reads.

        What comes from the command line is there as class path and arguments. Of a network that was handed over as an
        object only the class is known, so `load_from_checkpoint` builds it with its default arguments; for others
        hand the object to `load_from_checkpoint(path, network=...)`, too.
        """
        frame = cast(FrameType, cast(FrameType, inspect.currentframe()).f_back)
        self.save_hyperparameters(ignore=[*objects, "weights"], frame=frame)
        if "_instantiator" in self.hparams:  # built from a command line, a config or a checkpoint
            self.save_hyperparameters(ignore=["weights"], frame=frame)
            return
        specs = {name: class_spec(name, value) for name, value in objects.items() if value is not None}
        made = {"_instantiator": INSTANTIATOR} if any(isinstance(spec, dict) for spec in specs.values()) else {}
        self.save_hyperparameters({**plain_numbers(self.hparams), **specs, **made})

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
        # Callbacks that try things before training save and load a checkpoint: what is to go on goes through it.
        checkpoint["train_metrics"] = self._epoch_so_far or self.train_metrics.state()

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
            FileNotFoundError: There is no such file.
            CheckpointError: The file is damaged, no checkpoint of this class, or names a class that is not allowed.
        """
        content = read_checkpoint(Path(checkpoint_path))
        named = f"{network.__module__}.{network.__qualname__}" if isinstance(network, type) else None
        hyperparameters = dict(content["hyper_parameters"])
        if network is not None and not isinstance(network, type):
            kwargs["network"] = network
        for name in foreign_training(hyperparameters, checkpoint_path, named):
            if name not in kwargs:
                rank_zero_warn(
                    f"{checkpoint_path} was trained with its own {name}: to train on, hand it over as {name}=..."
                )
                kwargs[name] = inspect.signature(cls.__init__).parameters[name].default
        for name in kwargs:  # which replaces what is there
            hyperparameters.pop(name, None)
        check_hyperparameters(hyperparameters, checkpoint_path, named)
        kwargs["weights_only"] = True
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)

    def forward(self, images: Tensor) -> Tensor:
        """Log-probabilities, float [B, 10], of raw pixels [B, 1, 28, 28]; in training as the network gives them."""
        if self._trainer is None or self._trainer.state.stage is None:  # in a stage its first batch is looked at
            check_pixels(images)
        if self.training:
            return self._scores(images).log_softmax(dim=-1)  # leaves log-probabilities as they are
        return answers(self._scores, images, self.hparams["temperature"], self.hparams["test_time_shift"])

    def _scores(self, images: Tensor) -> Tensor:
        """What the network says, [B, 10] or [K, B, 10], in float32 or better, whatever the precision."""
        check_images(images)
        scores, count = self.network(images), images.shape[0]
        if not torch.jit.is_tracing():
            shape = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            right = [count, len(self.classes)]
            if shape != right and not (self.training and shape[1:] == right):
                kind = type(self.network).__name__
                raise NetworkError(f"{kind} returned {shape} for {count} images: it must return {right}")
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def on_train_start(self) -> None:
        """Goes on where an interrupted epoch stood, and forgets what callbacks have tried before training."""
        self.train_metrics.reset()
        if self._epoch_so_far and self.global_rank == 0:  # which has the sums of all processes
            self.train_metrics.restore(self._epoch_so_far)
            if self._is_log_due(self.trainer.fit_loop.batch_idx):  # and was done, after the checkpoint was written
                self.train_metrics.totals.take_new()
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
        images, labels = labelled(batch)
        if batch_idx == 0:
            check_pixels(images)
        scores = self._scores(images)
        if labels.ndim == 1:
            targets = self.targets[labels]
        else:  # [B, 10], of augmentation that mixes images
            targets, labels = labels @ self.targets[:-1], labels.argmax(dim=1)
        if scores.ndim == 2:
            loss, answers = F.cross_entropy(scores, targets), scores
        else:
            loss = F.cross_entropy(scores.flatten(0, 1), targets.repeat(len(scores), 1))
            answers = scores.log_softmax(dim=-1).logsumexp(dim=0)
        self.train_metrics.update(loss.detach(), answers.detach(), labels)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Logs the training metrics, each image as it was seen: to the loggers as a curve, else once an epoch."""
        over = self.trainer.is_last_batch or self.trainer.fit_loop.epoch_loop.done
        if self.trainer.loggers and (over or self._is_log_due(batch_idx)):
            self._log_curve()
        if over:  # not in on_train_epoch_end, which comes too late for the progress bar
            self._log_metrics(self.train_metrics)
        elif self.trainer.global_step == self.trainer.max_steps:  # the end, within an epoch
            self.log_dict(self.train_metrics.compute(), on_step=False, on_epoch=True, prog_bar=True)
        self._seed(batch_idx + 1)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, 10]."""
        return self._evaluate(self.val_metrics, batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log-probabilities, float [B, 10]."""
        return self._evaluate(self.test_metrics, batch, batch_idx)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Probabilities, float [B, 10], of a batch of images, of images and labels, or of a dictionary with images."""
        images, _ = unpacked(batch)
        if batch_idx == 0:
            check_pixels(images)
        return self(images).exp()

    def on_validation_epoch_start(self) -> None:
        """Forgets what an evaluation that was interrupted has counted."""
        self.val_metrics.reset()

    def on_test_epoch_start(self) -> None:
        """Likewise."""
        self.test_metrics.reset()

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the validation split."""
        self._log_metrics(self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of the test set."""
        self._log_metrics(self.test_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer and the schedule that the arguments of this class name."""
        optimizer = make_optimizer(
            self._optimizer,
            self.network,
            self.hparams["learning_rate"],
            self.hparams["weight_decay"],
            self.hparams["momentum"],
            fused=self.device.type in ("cpu", "cuda", "mps"),  # one kernel for all parameters
        )
        schedule = make_schedule(
            self._schedule, optimizer, self._count_steps, self.hparams["gamma"], self.hparams["warmup"]
        )
        if schedule is None:
            return optimizer
        if isinstance(schedule["scheduler"], torch.optim.lr_scheduler.ReduceLROnPlateau):
            validated = getattr(getattr(self.trainer, "datamodule", None), "val_size", None) != 0
            validated = validated and self.trainer.limit_val_batches != 0
            schedule.setdefault("monitor", "loss/val" if validated else "loss/train")
        return cast(OptimizerLRScheduler, {"optimizer": optimizer, "lr_scheduler": schedule})

    def _count_steps(self) -> int:
        """All steps of the training."""
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps):
            raise MisconfigurationException(
                "this --model.schedule needs to know the end: give --trainer.max_epochs or --trainer.max_steps"
            )
        return int(steps)

    def _evaluate(self, metrics: StageMetrics, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = labelled(batch)
        if batch_idx == 0:
            check_pixels(images)
        log_probs = self(images)
        metrics.update(F.nll_loss(log_probs, labels), log_probs, labels)
        return log_probs

    def _is_log_due(self, batch_idx: int) -> bool:
        """Whether the curve of training has a point after a batch within an epoch; the last batch always has one.

        Every `log_every_n_steps`, but not so late that the last point would stand for less than a fifth of them.
        """
        steps: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        every, done = steps * self.trainer.accumulate_grad_batches, batch_idx + 1
        return every > 0 and done % every == 0 and self.trainer.num_training_batches - done >= every / 5

    def _log_curve(self) -> None:
        """Adds a point to the curves of training: of the images since the last one, so that it lags behind nothing."""
        sums = self.trainer.strategy.reduce(self.train_metrics.totals.take_new(), reduce_op="sum")
        loss, hits, digits, images = sums.tolist()  # the only look at the device
        accuracy = hits / max(1, digits)
        values = {"loss/train": loss / images, "accuracy/train": accuracy, "error/train": 100 - 100 * accuracy}
        if self.trainer.optimizers:
            values["learning_rate"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        self._write({**values, "epoch": self.current_epoch})  # the latter for tables, like CSVLogger's

    def _log_metrics(self, metrics: StageMetrics) -> None:
        values, in_fit = metrics.compute(), self.trainer.state.fn == TrainerFn.FITTING
        for name, value in values.items():
            shown = name.startswith(("accuracy", "loss"))
            # Of what is logged Lightning makes the result of `trainer.test` and prints a table.
            listed = None if not in_fit and not name.startswith("per_class") else False
            self.log(name, value, on_step=False, on_epoch=True, prog_bar=shown, logger=listed)
        if metrics is not self.train_metrics and not self.trainer.sanity_checking:
            self._write(values)
        if not in_fit:  # Lightning would write it once more, at step 0
            self._loggers, self.trainer.loggers = self.trainer.loggers, []
        metrics.reset()

    def _write(self, values: dict[str, Any]) -> None:
        """Writes to all loggers, where training stands or, of a checkpoint, ended."""
        for logger in self.trainer.loggers:
            plain = {name: float(value) for name, value in values.items()}
            logger.log_metrics(plain, self.trainer.global_step or self.trained_steps)
            logger.save()

    def on_validation_end(self) -> None:
        """Gives the trainer its loggers back."""
        self.trainer.loggers, self._loggers = self._loggers or self.trainer.loggers, []

    on_test_end = on_validation_end

    def on_train_end(self) -> None:
        """Remembers how long the network was trained, for scores to come."""
        self.trained_steps = self.trainer.global_step


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

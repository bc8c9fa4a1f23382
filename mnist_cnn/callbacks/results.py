"""The result of `test` and `validate`, in words."""

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torchmetrics import CatMetric, SumMetric

from mnist_cnn.callbacks.signals import Interrupted
from mnist_cnn.data.batches import BatchSampler
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.data.files import UNCONFIRMED_TEST_LABELS
from mnist_cnn.data.labelled import LabelledPictures

say = rank_zero_only(print)
"""Prints, once however many processes there are."""


def labelled(trainer: L.Trainer) -> LabelledPictures | None:
    """The labelled pictures of the data module; None where there are none."""
    return getattr(getattr(trainer, "datamodule", None), "own", None)


class TestReport(Callback):
    """Prints accuracy, number of errors, a 95% confidence interval and the calibration error of `test` and `validate`.

    They count the images that were seen, by all processes, also of an evaluation that was interrupted. For all of
    MNIST's test images also without the 15 whose labels human raters did not confirm.
    """

    __test__ = False  # not a test case of pytest

    def __init__(self) -> None:
        self._errors, self._count = CatMetric(), SumMetric()

    def on_test_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Starts empty."""
        for metric in (self._errors, self._count):
            metric.to(pl_module.device).reset()

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Notes which digits were read wrongly."""
        if trainer.state.fn == TrainerFn.FITTING:
            return
        wrong = outputs.argmax(dim=1) != batch[1]
        loader: Any = trainer.test_dataloaders if trainer.testing else trainer.val_dataloaders
        sampler: BatchSampler = loader.sampler
        self._count.update(len(wrong))
        self._errors.update(sampler.batches()[batch_idx].to(wrong.device)[wrong].float())

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Prints the verdict."""
        if trainer.state.fn == TrainerFn.FITTING:
            return
        errors = set(torch.as_tensor(self._errors.compute()).int().flatten().tolist())
        count = int(self._count.compute())  # like the errors, of all processes
        self._count.reset()  # an interruption after this has nothing to add
        data: DigitDataModule = trainer.datamodule  # type: ignore[attr-defined]
        if not count or labelled(trainer):
            return  # of labelled pictures `LabelledReport` and `BeforeAndAfter` say more
        say(f"{data.dataset} {'test set' if trainer.testing else 'validation split'}: {verdict(len(errors), count)}")
        if (
            trainer.testing
            and data.dataset == "MNIST"
            and data.test_set is not None
            and count == len(data.test_set) > max(UNCONFIRMED_TEST_LABELS)
        ):
            disputed = set(UNCONFIRMED_TEST_LABELS)
            confirmed = verdict(len(errors - disputed), count - len(disputed))
            say(f"without the {len(disputed)} digits whose labels people did not confirm: {confirmed}")

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Prints the verdict on what an interrupted evaluation has seen."""
        evaluates = trainer.state.fn in (TrainerFn.TESTING, TrainerFn.VALIDATING) and self._count.update_called
        if evaluates and isinstance(exception, Interrupted) and trainer.world_size == 1 and not labelled(trainer):
            exception.args = ("interrupted: the result is that of the images seen until then",)
            self.on_test_epoch_end(trainer, pl_module)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Adds how far the confidence is from the accuracy; a barebones trainer does not know."""
        if trainer.state.fn == TrainerFn.FITTING:
            return
        error = trainer.callback_metrics.get(f"calibration_error/{'test' if trainer.testing else 'val'}")
        if error is not None and not labelled(trainer):
            say(f"expected calibration error: {float(error):.2%}")

    on_validation_epoch_start = on_test_epoch_start
    on_validation_batch_end = on_test_batch_end
    on_validation_epoch_end = on_test_epoch_end
    on_validation_end = on_test_end


def verdict(errors: int, count: int) -> str:
    """Accuracy, errors and the 95% interval of a score, in words."""
    low, high = wilson_interval(count - errors, count)
    wrong = f"{errors} error{'s' * (errors != 1)} in {count:,}"
    return f"accuracy {1 - errors / count:.2%}, {wrong} (95% interval {low:.2%} to {high:.2%})"


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a proportion (E. B. Wilson, 1927), of one or more trials: its bounds, 0 to 1.

    The normal quantile `z` is that of 95%.
    """
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    middle = share + z * z / (2 * trials)
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

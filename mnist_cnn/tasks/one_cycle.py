"""What the tasks that learn from scenes have in common: how they are trained."""

from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import torch
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat, PositiveFloat
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import Metric

from mnist_cnn.arguments import check_arguments, plain_numbers
from mnist_cnn.checkpoints import find_checkpoint, read_checkpoint
from mnist_cnn.reading.models import load_weights
from mnist_cnn.tasks.optimizers import count_steps, one_cycle


class OneCycleTask(L.LightningModule):
    """A network trained by AdamW, with one cycle of the learning rate."""

    pretrained: ClassVar[Path]
    """The checkpoint that comes with the package."""
    own_network: ClassVar[type[nn.Module]]
    """The network of the task, if no other one is given."""
    own_scores: ClassVar[type[Metric]]
    """What validation and test count."""

    def __init__(
        self,
        network: nn.Module | None = None,
        learning_rate: PositiveFloat = 0.003,
        weight_decay: NonNegativeFloat = 0.01,
        warmup: ClosedUnitInterval = 0.05,
        weights: str | None = None,
    ) -> None:
        """The recipe: AdamW, the learning rate raised and lowered again in one cycle.

        Args:
            network: Takes and returns what the task's own network does, `DetectorNet` or `RecognizerNet`. Default:
                that one.
            learning_rate: The highest.
            weight_decay: Decoupled from the gradient.
            warmup: Share of all steps in which the learning rate rises.
            weights: The start of a new run, instead of random weights: `pretrained`, `best` or `last` of the
                newest run, or a file.

        Raises:
            ValueError: An argument is not what its type says.
            CheckpointError: The weights cannot be found or read, or are of another network.
        """
        check_arguments(locals())
        super().__init__()
        self.save_hyperparameters(ignore=["network", "weights"])
        self.save_hyperparameters(plain_numbers(self.hparams))
        self.network = network or self.own_network()
        if weights is not None:
            path = find_checkpoint(str(weights), Path("lightning_logs"), self.pretrained)
            load_weights(self.network, read_checkpoint(path)["state_dict"], path)
        self.scores = self.own_scores()

    @property
    def stage(self) -> str:
        """The end of the names of metrics."""
        return "train" if self.trainer.training else "test" if self.trainer.testing else "val"

    def forward(self, pictures: Tensor) -> Any:
        """The network's output for pictures, RGB 0 to 255 [B, 3, H, W]."""
        return self.network(pictures)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with one cycle of the learning rate."""
        rate = self.hparams["learning_rate"]
        optimizer = torch.optim.AdamW(self.parameters(), rate, weight_decay=self.hparams["weight_decay"])
        schedule = one_cycle(optimizer, count_steps(self.trainer), self.hparams["warmup"], cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

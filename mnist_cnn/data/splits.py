"""Which training images are held out for validation."""

import torch
from torch import Tensor

SPLIT_SEED = 0
"""Seeds the split alone, so that every run with the same `val_size` holds out the same digits."""


def stratified_sample(labels: Tensor, count: int) -> Tensor:
    """Chooses `count` items so that each class has its share, to within one item.

    Args:
        labels: int64 [N].
        count: How many to choose, 0 to N.

    Returns:
        bool [N], True where an item was chosen; the same for the same labels.
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SPLIT_SEED))
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    evenly_spaced = (torch.arange(count) * 2 + 1) * len(labels) // max(1, 2 * count)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[by_class[evenly_spaced]] = True
    return chosen

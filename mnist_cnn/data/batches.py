"""The order of batches: the same for a seed, shared by all processes, gone on with after an interruption."""

import os
from collections.abc import Callable, Iterator

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler, TensorDataset

from mnist_cnn.data.errors import DataError


class BatchSampler(DistributedSampler):
    """The indices of whole batches, each an int64 tensor.

    The order depends on the seed of `seed_everything` and the epoch alone. Every process gets its own part of each
    global batch, so that nothing is left out or seen twice. A DistributedSampler by type, because Lightning would
    replace any other sampler when it trains with several processes.
    """

    def __init__(self, dataset: TensorDataset, batch_size: int, shuffle: bool, num_replicas: int, rank: int) -> None:
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0))
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=shuffle, seed=seed)
        self.batch_size = batch_size
        self.start: Callable[[], int] = lambda: 0

    def __iter__(self) -> Iterator[Tensor]:
        # Lazily: a trainer that resumes asks for the iterator before it says which epoch and which batch it is.
        yield from self.batches()[self.start() :]

    def __len__(self) -> int:
        size = self.batch_size * self.num_replicas
        full, rest = divmod(len(self.dataset), size)  # type: ignore[arg-type]
        return max(1, full + (rest >= self.num_replicas))

    def batches(self) -> list[Tensor]:
        """The batches of this process in the current epoch, by position."""
        count = len(self.dataset)  # type: ignore[arg-type]
        order = torch.arange(count)
        if self.shuffle:
            order = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed * 100_003 + self.epoch))
        size = self.batch_size * self.num_replicas
        # A rest that is too small to give every process an image joins the batch before it.
        starts = [size * i for i in range(1, len(self))]
        return [part.tensor_split(self.num_replicas)[self.rank] for part in order.tensor_split(starts)]


class FixedBatches(BatchSampler, SequentialSampler):  # type: ignore[misc]
    """The same batches in every epoch, for `overfit_batches`; by type what Lightning would put there instead."""


def batch_loader(
    dataset: TensorDataset | None, batch_size: int, shuffle: bool, trainer: L.Trainer | None
) -> DataLoader:
    """A loader that fetches a whole batch by one indexing operation.

    Args:
        dataset: Images and labels.
        batch_size: Of each process.
        shuffle: Whether it is for training: in another order every epoch, from where an interrupted one stood.
        trainer: Who asks for it, if anybody.

    Raises:
        DataError: There is no data set yet.
    """
    if dataset is None:
        raise DataError("call prepare_data() and setup(stage) before asking for a loader")
    ranks = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
    kind = FixedBatches if trainer and vars(trainer).get("overfit_batches") else BatchSampler
    sampler = kind(dataset, batch_size, shuffle and kind is BatchSampler, *ranks)
    if shuffle and trainer:
        sampler.start = lambda: trainer.fit_loop.batch_idx + 1  # not 0 where training was interrupted within an epoch
    # Indexing a tensor that is in memory is faster than handing it over from a worker process.
    # With a generator of its own: an iterator draws a number, and dropout shall not depend on when it is made.
    return DataLoader(dataset, sampler=sampler, batch_size=None, generator=torch.Generator())

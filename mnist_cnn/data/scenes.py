"""Scenes for the detector: composed as they are needed, from glyphs that are written once and kept beside the data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import lightning as L
import numpy as np
import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset

from mnist_cnn.arguments import check_arguments, plain_numbers
from mnist_cnn.data import files, glyphs
from mnist_cnn.data.glyphs import COUNT
from mnist_cnn.scenes.pool import Pool
from mnist_cnn.scenes.scene import Scene, compose


class SceneBatch(NamedTuple):
    """B scenes with N digits in all of them."""

    pictures: Tensor
    """RGB, uint8 [B, 3, H, W]."""
    labels: Tensor
    """Int64 [N], 0 to 9; -1 for a digit of which only a part can be seen."""
    joined: Tensor
    """Whether a digit's number goes on to its right, int64 [N]: 1, 0, or -1 where nobody can tell."""
    boxes: Tensor
    """Left, top, right, bottom in pixels, float [N, 4]."""
    picture_of: Tensor
    """In which picture each digit is, int64 [N]."""
    ink: Tensor
    """The digits as MNIST's pen would have written them, uint8 [B, H, W]."""
    owner: Tensor
    """Number of the digit that a pixel's ink belongs to, -1 for none, int64 [B, H, W]."""


class SceneDataModule(L.LightningDataModule):
    """Scenes with digits, rendered from MNIST's training images."""

    def __init__(
        self,
        data_dir: str | None = None,
        scenes: PositiveInt = 12000,
        val_scenes: NonNegativeInt = 480,
        glyphs: PositiveInt = COUNT,
        batch_size: PositiveInt = 24,
        num_workers: NonNegativeInt = 1,
    ) -> None:
        """How many scenes of what.

        Args:
            data_dir: Folder of the data files. Default: one of the user's cache folders.
            scenes: Scenes of an epoch; each epoch has others.
            val_scenes: Scenes of validation and of the test, always the same, of digits that no other scene has.
            glyphs: Digits and signs that are written for the scenes, once.
            batch_size: Scenes of a batch.
            num_workers: Processes that compose scenes; 0 composes them in the training process.
        """
        check_arguments(locals())
        super().__init__()
        self.save_hyperparameters(ignore=["data_dir"])
        self.save_hyperparameters(plain_numbers(self.hparams))
        self.data_dir = Path(data_dir).expanduser() if data_dir else files.default_data_dir()
        self.pools: dict[str, Pool] = {}

    def prepare_data(self) -> None:
        """Gets MNIST and writes the glyphs, unless both are there."""
        rank_zero_info(files.prepare("MNIST", self.data_dir))
        for split in self._splits():
            glyphs.prepare(self.data_dir, split, self._glyphs())

    def setup(self, stage: str) -> None:
        """Loads the glyphs."""
        for split in set(self._splits()) - set(self.pools):
            self.pools[split] = glyphs.load(self.data_dir, split, self._glyphs())

    def _glyphs(self) -> int:
        """How many to write; a few where a batch of everything is all that is asked for."""
        quick = self.trainer is not None and getattr(self.trainer, "fast_dev_run", False)
        return min(self.hparams["glyphs"], 400) if quick else self.hparams["glyphs"]

    def _splits(self) -> tuple[str, ...]:
        is_test = self.trainer is not None and self.trainer.state.fn == TrainerFn.TESTING
        return ("test",) if is_test else ("train", "val")

    def train_dataloader(self) -> DataLoader:
        """Batches of scenes, `SceneBatch`."""
        trainer = self.trainer
        sampler = EpochSampler(self.hparams["scenes"], lambda: trainer.current_epoch if trainer else 0, trainer)
        if trainer:
            sampler.start = lambda: (trainer.fit_loop.batch_idx + 1) * self.hparams["batch_size"]
        return self._loader("train", 1, sampler)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """The same batches each time; none where no scenes are wanted."""
        count = self.hparams["val_scenes"]
        return self._loader("val", 2, EpochSampler(count, lambda: 0, self.trainer)) if count else []

    def test_dataloader(self) -> DataLoader:
        """The same batches each time, of MNIST's test digits."""
        return self._loader("test", 3, EpochSampler(self.hparams["val_scenes"], lambda: 0, self.trainer))

    def _loader(self, split: str, seed: int, sampler: "EpochSampler") -> DataLoader:
        same = self.trainer is not None and vars(self.trainer).get("overfit_batches")  # in each epoch, and in order
        cv2.setNumThreads(1)  # a worker is a copy of this process, and would wait for ever for OpenCV's threads in it
        samples, in_batches = self.samples(self.pools[split], seed)
        return DataLoader(
            Subset(samples, range(sampler.count)) if same else samples,
            batch_size=self.hparams["batch_size"],
            sampler=None if same else sampler,
            num_workers=self.hparams["num_workers"],
            collate_fn=in_batches,
        )

    @staticmethod
    def samples(pool: Pool, seed: int) -> tuple[Dataset[Any], Callable[[list[Any]], Any]]:
        """Endless samples, the k-th of the k-th scene, and what makes a batch of some."""
        return Scenes(pool, seed), collate


class Scenes(Dataset[Any]):
    """Endless scenes: the k-th one depends on the glyphs, the seed and k alone."""

    def __init__(self, pool: Pool, seed: int) -> None:
        """Takes what they are composed of."""
        self.pool, self.seed = pool, seed

    def __getitem__(self, k: int) -> Any:
        """Composes a scene."""
        return compose(self.pool, np.random.default_rng((self.seed, k)))


class EpochSampler(DistributedSampler):
    """The numbers of an epoch's scenes, each process its own share.

    The epoch, and how much of it was done before an interruption, is asked for when an iterator starts, since
    Lightning tells samplers of it only later. A DistributedSampler by type, because Lightning would replace any other
    one when it trains with several processes.
    """

    def __init__(self, count: int, epoch_of: Callable[[], int], trainer: L.Trainer | None) -> None:
        """How many scenes an epoch has, and how to ask which epoch it is."""
        self.count, self.epoch_of = count, epoch_of
        self.rank, self.ranks = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        self.start: Callable[[], int] = lambda: 0

    def __iter__(self) -> Iterator[int]:
        """In order."""
        first = self.epoch_of() * self.count
        return iter(range(first + self.rank, first + self.count, self.ranks)[self.start() :])

    def __len__(self) -> int:
        """Of this process."""
        return len(range(self.rank, self.count, self.ranks))


def collate(scenes: list[Scene]) -> SceneBatch:
    """Makes a batch."""
    counts = [len(scene.labels) for scene in scenes]
    starts = np.cumsum([0, *counts[:-1]])
    owners = [np.where(s.owner >= 0, s.owner + start, -1) for s, start in zip(scenes, starts, strict=True)]
    return SceneBatch(
        torch.from_numpy(np.stack([scene.picture for scene in scenes])).permute(0, 3, 1, 2),  # channels last in memory
        torch.from_numpy(np.concatenate([scene.labels for scene in scenes])),
        torch.from_numpy(np.concatenate([scene.joined for scene in scenes])),
        torch.from_numpy(np.concatenate([scene.boxes for scene in scenes])),
        torch.repeat_interleave(torch.arange(len(scenes)), torch.tensor(counts)),
        torch.from_numpy(np.stack([scene.ink for scene in scenes])),
        torch.from_numpy(np.stack(owners).astype(np.int64)),
    )

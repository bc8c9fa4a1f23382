"""Three well-known ways to train on MNIST as plain PyTorch programs, for `benchmark.py` to race against.

Written anew from their published recipes. Each trains on all 60,000 digits and gives, after each epoch, the seconds of
training so far and the accuracy on the 10,000 test digits; scoring is not timed.
"""

import time
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Normalize, ToTensor

from mnist_cnn.data import files
from mnist_cnn.networks import MNIST_MEAN, MNIST_STD

Epochs = Iterator[tuple[float, float]]
Batches = Iterable[tuple[Tensor, ...]]


def pytorch_examples() -> Epochs:
    """The MNIST program of pytorch/examples: Adadelta, batch 64, two dropouts, 14 epochs.

    On a CPU it does not shuffle. https://github.com/pytorch/examples/tree/main/mnist
    """
    network = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.LogSoftmax(dim=1)),
    )
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    transform = Compose([ToTensor(), Normalize((MNIST_MEAN,), (MNIST_STD,))])
    train = DataLoader(_dataset(True, transform), batch_size=64)
    test = DataLoader(_dataset(False, transform), batch_size=1000)
    return _train(network, optimizer, train, test, epochs=14, after_epoch=schedule.step)


def tutorial() -> Epochs:
    """The tutorial's CNN: AdamW at 0.005, halved after each epoch, batch 200, 10 epochs.

    https://zanote.net/python/mnist1/
    """
    network = nn.Sequential(
        *(nn.Conv2d(1, 28, 3, padding=1), nn.GELU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(28, 32, 3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(1152, 100), nn.GELU(), nn.Linear(100, 10), nn.LogSoftmax(dim=1)),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    train = DataLoader(_dataset(True, ToTensor()), batch_size=200, shuffle=True)
    test = DataLoader(_dataset(False, ToTensor()), batch_size=200)
    return _train(network, optimizer, train, test, epochs=10, after_epoch=schedule.step)


def train_mnist_fast() -> Epochs:
    """The last recipe of tuomaso/train_mnist_fast: one epoch of Adam with one cycle over tensors in memory.

    Published: 99.04% (mean of 30 seeds) in 0.76 s on a GTX 1660 Ti. https://github.com/tuomaso/train_mnist_fast
    """
    network = nn.Sequential(
        *(nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10), nn.LogSoftmax(dim=1)),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.7, 0.9))
    train, test = _batches(True, 256), _batches(False, 2000)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=len(train), cycle_momentum=False)
    return _train(network, optimizer, train, test, epochs=1, after_step=cycle.step)


def _dataset(train: bool, transform: Callable) -> MNIST:
    return MNIST(files.default_data_dir(), train=train, transform=transform)


def _batches(train: bool, size: int) -> list[tuple[Tensor, ...]]:
    images, labels = files.load("MNIST", files.default_data_dir(), train=train)
    images = (images / 255 - MNIST_MEAN) / MNIST_STD
    return list(zip(images.split(size), labels.split(size), strict=True))


def _train(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Batches,
    test: Batches,
    epochs: int,
    after_epoch: Callable[[], None] = lambda: None,
    after_step: Callable[[], None] = lambda: None,
) -> Epochs:
    seconds = 0.0
    for _ in range(epochs):
        network.train()
        start = time.perf_counter()
        for images, labels in train:
            optimizer.zero_grad()
            F.nll_loss(network(images), labels).backward()
            optimizer.step()
            after_step()
        after_epoch()
        seconds += time.perf_counter() - start
        yield seconds, _accuracy(network, test)


@torch.no_grad()
def _accuracy(network: nn.Module, test: Batches) -> float:
    network.eval()
    hits = [(network(images).argmax(dim=1) == labels) for images, labels in test]
    return float(torch.cat(hits).float().mean())

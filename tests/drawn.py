"""Small pictures of handwriting, drawn from MNIST's training digits, and a model that reads them untrained."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mnist_cnn.networks import MLP
from mnist_cnn.tasks.classifier import DigitClassifier

Pixels = NDArray[np.uint8]
Mnist = tuple[Tensor, Tensor]


def enlarged(digit: Pixels, height: int, thin: float = 0.0) -> NDArray[np.float32]:
    """The ink of an MNIST digit at another size, float [h, w] from 0 to 1, without its margin.

    Args:
        digit: Uint8 [28, 28].
        height: The longer side of the result, in pixels.
        thin: How much of the stroke's width is taken away, 0 to 1.
    """
    rows, columns = np.flatnonzero(digit.max(axis=1) > 60), np.flatnonzero(digit.max(axis=0) > 60)
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    scale = height / max(cut.shape)
    large = cv2.resize(np.pad(cut, 1), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    strokes = (large > 0.5).astype(np.uint8)
    if thin:
        distance = cv2.distanceTransform(strokes, cv2.DIST_L2, 5)
        thickest = cv2.dilate(distance, np.ones((int(3 * scale) | 1,) * 2))
        strokes = ((distance > thin * thickest) & (strokes > 0)).astype(np.uint8)
    return cv2.GaussianBlur(strokes.astype(np.float32), (0, 0), 0.8)


def on_paper(
    ink: NDArray[np.float32],
    size: tuple[int, int] = (300, 260),
    place: tuple[int, int] = (70, 55),
    paper: tuple[int, int, int] = (225, 222, 214),
    pen: tuple[int, int, int] = (45, 45, 60),
    seed: int = 0,
) -> NDArray[np.float32]:
    """Ink on slightly noisy paper, float [H, W, 3] from 0 to 255; `size` and `place` are (rows, columns)."""
    cover = np.zeros(size, np.float32)
    cover[place[0] : place[0] + ink.shape[0], place[1] : place[1] + ink.shape[1]] = ink
    page = np.array(paper, np.float32) + cover[..., None] * (np.array(pen, np.float32) - np.array(paper, np.float32))
    return page + np.random.default_rng(seed).normal(0, 1.5, page.shape).astype(np.float32)


def finished(page: NDArray[np.float32]) -> Pixels:
    """As pixels, uint8."""
    return page.clip(0, 255).astype(np.uint8)


def nearest_mean(images: torch.Tensor, labels: torch.Tensor) -> DigitClassifier:
    """The digit whose mean image is nearest: right for plain ones, and needs no training."""
    network = MLP(hidden=())
    means = torch.stack([images[labels == digit].flatten(1).float().mean(dim=0) / 255 for digit in range(10)])
    with torch.no_grad():
        network.classifier[1].weight.copy_(means)
        network.classifier[1].bias.copy_(-means.square().sum(dim=1) / 2)
    model = DigitClassifier(network=network).eval()
    model.hparams["network"]["init_args"] = {"hidden": []}  # as the command line would remember it
    return model


def saved(images: Tensor, folder: Path, name: str = "{}.png", negative: bool = False) -> None:
    """Writes images, uint8 [N, 1, 28, 28], into a folder, numbered."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images[:, 0]):
        Image.fromarray((255 - image if negative else image).numpy()).save(folder / name.format(number))


def digits(mnist: Mnist, digit: int, count: int, start: int = 0) -> Tensor:
    """Some images of one digit, uint8 [N, 1, 28, 28]."""
    return mnist[0][mnist[1] == digit][start : start + count]

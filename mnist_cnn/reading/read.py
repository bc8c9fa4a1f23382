"""Digits from a picture in one call."""

import functools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from mnist_cnn.checkpoints import PRETRAINED, find_checkpoint
from mnist_cnn.reading.candidates import Reading, choose
from mnist_cnn.reading.handwriting import Layout, find_candidates
from mnist_cnn.reading.pictures import from_image, read_picture
from mnist_cnn.tasks.classifier import DigitClassifier


def read_digits(
    picture: str | Path | Image.Image | NDArray[np.uint8],
    layout: Layout = "digit",
    *,
    model: nn.Module | None = None,
    checkpoint: str | Path | None = None,
) -> Reading:
    """Reads the handwritten digit, or the row of digits, in a picture.

    Args:
        picture: A file, a Pillow image, or pixels: uint8, grey [H, W] or RGB [H, W, 3].
        layout: `digit` for one digit, `row` for several beside each other.
        model: A trained `DigitClassifier`, or any network that returns logits or log-probabilities. For many
            pictures load it once and hand it over here.
        checkpoint: Instead of a model: the checkpoint file to load. Default: the network that comes with the package,
            which is loaded once.

    Returns:
        The digits (empty where none was found), the confidence that all of them are right, 0 to 1, and what the
        network saw.

    Raises:
        PictureError: The picture cannot be read.
        CheckpointError: The checkpoint cannot be found or read.
        ValueError: An unknown layout, or an array of another shape or dtype.
    """
    if layout not in ("digit", "row"):
        raise ValueError(f"layout is {layout!r}: give 'digit' or 'row'")
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
            raise ValueError(f"pixels are {picture.dtype} {list(picture.shape)}: give uint8 [H, W] or RGB [H, W, 3]")
        picture = Image.fromarray(picture)
    pixels = from_image(picture) if isinstance(picture, Image.Image) else read_picture(picture)[0]
    network = _model(model, checkpoint)
    candidates = find_candidates(pixels, layout)
    if not len(candidates.images):
        return choose(candidates, np.zeros((0, 10)))
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            scores = network(torch.from_numpy(candidates.images).unsqueeze(1).to(device))
    finally:
        network.train(was_training)
    return choose(candidates, scores.softmax(dim=1).float().cpu().numpy())


def _model(model: nn.Module | None, checkpoint: str | Path | None) -> nn.Module:
    if model is not None:
        return model
    if checkpoint is None:
        return _pretrained()
    found = find_checkpoint(str(checkpoint), Path("lightning_logs"))
    return DigitClassifier.load_from_checkpoint(found, map_location="cpu")


@functools.cache
def _pretrained() -> DigitClassifier:
    return DigitClassifier.load_from_checkpoint(PRETRAINED, map_location="cpu").eval()

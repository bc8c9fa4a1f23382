"""Batches in the forms that are taken: unpacked, and refused where networks do not take their pixels."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mnist_cnn.data.files import DataError

RAW = "give raw pixels [B, 1, 28, 28] from 0 to 255, uint8 for instance"
LABELS = ("label", "labels", "target", "targets")

FAINTEST, BRIGHTEST = 4.0, 320.0
"""Between these lies the largest pixel of a raw batch that is not blank: standardised pixels reach 3, and where
interpolation overshoots, pixels stay below 320 and above minus a quarter of the largest."""


def unpacked(batch: Any) -> tuple[Any, Any]:
    """Images and labels of a batch, as torch's collate function gives it; None for labels that are not there.

    Args:
        batch: Images alone; images and labels; or a dictionary, in which the images are the first tensor of three or
            more dimensions, and the labels stand under `label` or `target`, or the plural of these.
    """
    if isinstance(batch, Tensor):
        return batch, None
    if not isinstance(batch, Mapping):
        return batch[0], batch[1] if len(batch) > 1 else None
    images = next((value for value in batch.values() if isinstance(value, Tensor) and value.ndim > 2), None)
    if images is None:
        raise DataError(f"the batch has no images, but {', '.join(map(str, batch))}: {RAW}")
    return images, next((batch[name] for name in LABELS if name in batch), None)


def labelled(batch: Any) -> tuple[Tensor, Tensor]:
    """As `unpacked`, where there must be labels."""
    images, labels = unpacked(batch)
    if labels is None:
        raise DataError(f"the batch has no labels: give pairs, or a dictionary with one of {', '.join(LABELS)}")
    is_small = isinstance(labels, Tensor) and labels.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32)
    return images, labels.long() if is_small else labels  # as an index, uint8 would be a mask


def check_labels(labels: Any, count: int) -> None:
    """Makes sure that labels are numbers of classes, -1, or shares of classes; makes an accelerator wait.

    Args:
        labels: Those of a batch.
        count: How many classes there are.

    Raises:
        DataError: They are something else.
    """
    right = f"give whole numbers [B] from 0 to {count - 1}, -1 for what is none of the classes"
    if not isinstance(labels, Tensor):
        raise DataError(f"labels are a {type(labels).__name__}: {right}")
    if labels.is_floating_point() and labels.shape[1:] == (count,):  # shares of the classes, as MixUp makes them
        return
    if labels.ndim != 1 or labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"labels are {str(labels.dtype).removeprefix('torch.')} {[*labels.shape]}: {right}")
    low, high = torch.stack(labels.aminmax()).tolist() if len(labels) else (0, 0)
    if low < -1 or high >= count:
        raise DataError(f"labels are from {low} to {high}: {right}")


def check_images(images: Any) -> None:
    """Makes sure that images are a tensor [B, 1, 28, 28] of numbers; costs nothing.

    Raises:
        DataError: They are something else.
    """
    if torch.jit.is_tracing():  # whose shapes are no numbers
        return
    if not isinstance(images, Tensor):
        raise DataError(f"images are a {type(images).__name__}: {RAW}")
    if images.shape[1:] != (1, 28, 28) or images.dtype == torch.bool or images.is_complex():
        raise DataError(f"images are {str(images.dtype).removeprefix('torch.')} {[*images.shape]}: {RAW}")


def check_pixels(images: Any) -> None:
    """As `check_images`; also that pixels are raw, by their values. Floating-point ones make an accelerator wait.

    Raises:
        DataError: They are from 0 to 1, standardised, not finite or on another scale.
    """
    check_images(images)
    if images.dtype == torch.uint8 or not images.numel() or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return
    low, high = torch.stack(images.detach().aminmax()).tolist()
    blank = low == high == 0
    if not (blank or (FAINTEST < high <= BRIGHTEST and low >= -high / 4)):
        scale = " (torchvision's PILToTensor instead of ToTensor)" if 0 <= low <= high <= 1 else ""
        raise DataError(f"pixels are from {low:.3g} to {high:.3g}: {RAW}{scale}")

"""Random changes of training images, on their device: of a whole batch at once, or image by image."""

import torch
import torch.nn.functional as F
from jsonargparse.typing import ClosedUnitInterval, NonNegativeFloat
from torch import Tensor, nn
from torchvision.transforms import v2

from mnist_cnn.arguments import check_arguments
from mnist_cnn.data.files import DataError


class BatchTransform(nn.Module):
    """A transform that takes a whole batch [B, 1, 28, 28], and draws for each image by itself.

    What is not of this class is called once for each image, because torchvision's random transforms draw one set of
    parameters for all images that they are given.
    """


def augmented(transform: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Changes a batch of training images.

    Args:
        transform: A `BatchTransform`; torchvision's `MixUp` or `CutMix`, which mix the images of a batch; or any other
            module that takes an image [1, 28, 28], with pixels 0 to 255.
        images: uint8 [B, 1, 28, 28].
        labels: int64 [B].

    Returns:
        Images of the same shape, and labels; of what mixes images, float [B, 10].

    Raises:
        DataError: The transform does not suit such images.
    """
    shape, name = images.shape, type(transform).__name__
    try:
        if isinstance(transform, BatchTransform):
            images = transform(images)
        elif isinstance(transform, v2.MixUp | v2.CutMix):
            images, labels = transform(images.to(torch.get_default_dtype()), labels)
        else:
            images = torch.stack([transform(image) for image in images])
    except (TypeError, ValueError, RuntimeError) as error:
        complaint = " ".join(str(error).split())
        raise DataError(f"{name} cannot change {images.dtype} images {[*shape[1:]]}: {complaint[:200]}") from error
    if images.shape != shape or labels.shape[1:] not in ((), (10,)):
        raise DataError(f"{name} makes images {[*images.shape]} with labels {[*labels.shape]} of images {[*shape]}")
    return images, labels


class RandomAffine(BatchTransform):
    """Rotates, stretches, slants and moves each image at random, with bilinear interpolation.

    Draws from torch's generator of the images' device. (torchvision's class of this name draws once for a batch.)
    """

    def __init__(
        self,
        degrees: NonNegativeFloat = 10.0,
        stretch: NonNegativeFloat = 0.1,
        slant: NonNegativeFloat = 0.1,
        shift: NonNegativeFloat = 1.5,
    ) -> None:
        """Each change is drawn uniformly from minus to plus the given value.

        Args:
            degrees: Rotation.
            stretch: Relative change of width and, independently, of height.
            slant: Horizontal displacement per pixel of height.
            shift: Displacement in pixels, horizontally and, independently, vertically.
        """
        check_arguments(locals())
        super().__init__()
        self.degrees, self.stretch, self.slant, self.shift = degrees, stretch, slant, shift

    def forward(self, images: Tensor) -> Tensor:
        """Changes a batch, or one image.

        Args:
            images: Pixels 0 to 255 on black, uint8 or floating point [B, C, H, W] or [C, H, W].

        Returns:
            The changed images, floating point, of the same shape.

        Raises:
            ValueError: Another shape.
        """
        if images.ndim not in (3, 4):
            raise ValueError(f"images are {[*images.shape]}: give a batch [B, C, H, W] or one image [C, H, W]")
        pixels = images if images.is_floating_point() else images.to(torch.get_default_dtype())
        return self.changed(pixels) if pixels.ndim == 4 else self.changed(pixels[None])[0]

    def changed(self, pixels: Tensor) -> Tensor:
        """Changes floating point [B, C, H, W]."""
        return F.grid_sample(pixels, self.grid(pixels), align_corners=False)

    def grid(self, pixels: Tensor) -> Tensor:
        """Where each pixel comes from, as `torch.nn.functional.grid_sample` wants it, [B, H, W, 2]."""
        count, _, height, width = pixels.shape
        draw = torch.rand(6, count, device=pixels.device, dtype=pixels.dtype) * 2 - 1
        angle = torch.deg2rad(self.degrees * draw[0])
        cos, sin = angle.cos(), angle.sin()
        across, down = 1 + self.stretch * draw[1], 1 + self.stretch * draw[2]
        slant = self.slant * draw[3]
        rows = [
            torch.stack([cos * across, (slant * cos - sin) * down, 2 * self.shift / width * draw[4]], dim=1),
            torch.stack([sin * across, (slant * sin + cos) * down, 2 * self.shift / height * draw[5]], dim=1),
        ]
        return F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)


class RandomElastic(RandomAffine):
    """`RandomAffine`, and bends the strokes and makes them thinner or thicker.

    Bending by smoothed random fields is from https://doi.org/10.1109/ICDAR.2003.1227801 (Simard and others).
    """

    def __init__(
        self,
        degrees: NonNegativeFloat = 10.0,
        stretch: NonNegativeFloat = 0.1,
        slant: NonNegativeFloat = 0.1,
        shift: NonNegativeFloat = 1.5,
        bend: NonNegativeFloat = 0.7,
        thickness: ClosedUnitInterval = 0.0,
    ) -> None:
        """Each change is drawn uniformly from minus to plus the given value, but for `bend`.

        Args:
            degrees: Rotation.
            stretch: Relative change of width and, independently, of height.
            slant: Horizontal displacement per pixel of height.
            shift: Displacement in pixels, horizontally and, independently, vertically.
            bend: Standard deviation of the displacement, in pixels, of each of 6x6 knots; smooth between them.
            thickness: 1 is a pixel more or less on both sides of a stroke.
        """
        check_arguments(locals())
        super().__init__(degrees, stretch, slant, shift)
        self.bend, self.thickness = bend, thickness

    def changed(self, pixels: Tensor) -> Tensor:
        """As `RandomAffine`, and thinner or thicker."""
        pixels = super().changed(pixels)
        if not self.thickness:
            return pixels
        change = self.thickness * (torch.rand(len(pixels), 1, 1, 1, device=pixels.device, dtype=pixels.dtype) * 2 - 1)
        padded = F.pad(pixels, (1, 1, 1, 1))
        thicker = F.max_pool2d(padded, 3, stride=1)
        thinner = -F.max_pool2d(-padded, 3, stride=1)
        return pixels.lerp(torch.where(change > 0, thicker, thinner), change.abs())

    def grid(self, pixels: Tensor) -> Tensor:
        """As `RandomAffine`, bent."""
        count, _, height, width = pixels.shape
        knots = torch.randn(count * 2, 36, device=pixels.device, dtype=pixels.dtype) * (2 * self.bend / width)
        # What each knot adds to each pixel; a product with it is much faster than to interpolate for every image.
        one_each = torch.eye(36, device=pixels.device, dtype=pixels.dtype).view(36, 1, 6, 6)
        share = F.interpolate(one_each, (height, width), mode="bicubic", align_corners=True)
        field = (knots @ share.view(36, height * width)).view(count, 2, height, width)
        return super().grid(pixels) + field.permute(0, 2, 3, 1)

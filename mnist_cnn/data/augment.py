"""Random changes of training images: a whole batch at once, on its device, with a draw of its own for each image."""

import torch
import torch.nn.functional as F
from jsonargparse.typing import NonNegativeFloat
from torch import Tensor, nn


class RandomAffine(nn.Module):
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
        super().__init__()
        self.degrees = degrees
        self.stretch = stretch
        self.slant = slant
        self.shift = shift

    def forward(self, images: Tensor) -> Tensor:
        """Changes a batch.

        Args:
            images: Pixels 0 to 255 on black, uint8 or floating point [B, C, H, W].

        Returns:
            The changed images, floating point, of the same shape.
        """
        count, _, height, width = images.shape
        pixels = images if images.is_floating_point() else images.to(torch.get_default_dtype())
        draw = torch.rand(6, count, device=images.device, dtype=pixels.dtype) * 2 - 1
        angle = torch.deg2rad(self.degrees * draw[0])
        cos, sin = angle.cos(), angle.sin()
        across, down = 1 + self.stretch * draw[1], 1 + self.stretch * draw[2]
        slant = self.slant * draw[3]
        rows = [
            torch.stack([cos * across, (slant * cos - sin) * down, 2 * self.shift / width * draw[4]], dim=1),
            torch.stack([sin * across, (slant * sin + cos) * down, 2 * self.shift / height * draw[5]], dim=1),
        ]
        grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(pixels, grid, align_corners=False)

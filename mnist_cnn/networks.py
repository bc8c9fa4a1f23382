"""Networks as plain torch modules: raw pixels in, log-probabilities out."""

from typing import Any

import torch
import torch.nn.functional as F
from jsonargparse.typing import PositiveInt
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class TutorialCNN(nn.Module):
    """Two convolutions and two linear layers with GELU: the CNN of the tutorial that this project grew from.

    124,686 parameters with the defaults. From https://zanote.net/python/mnist1/.
    """

    def __init__(self, channels: tuple[PositiveInt, PositiveInt] = (28, 32), hidden: PositiveInt = 100) -> None:
        """Sizes of the layers.

        Args:
            channels: Output channels of the first and the second convolution.
            hidden: Units of the hidden linear layer.
        """
        super().__init__()
        self.scale = ScalePixels()
        self.features = nn.Sequential(
            nn.Conv2d(1, channels[0], kernel_size=3, padding=1),
            GELUMaxPool(),
            nn.Conv2d(channels[0], channels[1], kernel_size=3),
            GELUMaxPool(),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels[1] * 6 * 6, hidden),
            nn.GELU(),
            nn.Linear(hidden, 10),
            nn.LogSoftmax(dim=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Classifies images.

        Args:
            images: Pixels 0 to 255, uint8 or floating point [B, 1, 28, 28].

        Returns:
            Log-probabilities, float [B, 10].
        """
        return self.classifier(self.features(self.scale(images)))


class ScalePixels(nn.Module):
    """Pixels 0 to 255 of any dtype become 0 to 1 in the default floating-point dtype.

    The first layer of every network here: what is trained, exported and served scales in the same way.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Scales a batch of any shape."""
        return images.float() / 255


class GELUMaxPool(nn.Module):
    """GELU, then 2x2 max pooling: `nn.Sequential(nn.GELU(), nn.MaxPool2d(2))`, faster to train on a CPU.

    On a CPU these two layers take half of an epoch, most of it for the gradient of GELU. Here that is computed only
    for the quarter of the values that pooling lets through; the others' gradient is zero.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, H, W] to [B, C, H // 2, W // 2]."""
        if x.requires_grad and x.device.type == "cpu" and not torch.jit.is_tracing():
            return _GELUMaxPool.apply(x)
        return F.max_pool2d(F.gelu(x), 2)


class _GELUMaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        pooled, indices = F.max_pool2d(F.gelu(x), 2, return_indices=True)
        ctx.save_for_backward(x, indices)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, indices = ctx.saved_tensors
        batch, channels, height, width = x.shape
        # As [B, H * W, C], which for channels_last tensors copies nothing.
        pixels, indices, gradient = (t.permute(0, 2, 3, 1).flatten(1, 2) for t in (x, indices, gradient))
        kept = torch.ops.aten.gelu_backward(gradient, pixels.gather(1, indices))
        spread = torch.zeros_like(pixels).scatter_(1, indices, kept)
        return spread.view(batch, height, width, channels).permute(0, 3, 1, 2)

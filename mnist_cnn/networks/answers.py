"""How a trained classifier answers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def answers(score: Callable[[Tensor], Tensor], images: Tensor, temperature: float = 1.0, shift: int = 0) -> Tensor:
    """Log-probabilities of images, calibrated.

    Args:
        score: A network in evaluation mode, or what else returns logits or log-probabilities [B, C].
        images: Raw pixels [B, 1, 28, 28].
        temperature: The divisor of the logits, after https://arxiv.org/abs/1706.04599.
        shift: If not 0, copies that are moved by so many pixels to all four sides count half as much each.

    Returns:
        Float [B, C], in float32 or better.
    """
    log_probs = score(images)
    log_probs = log_probs.to(torch.promote_types(log_probs.dtype, torch.float32)).log_softmax(dim=1)
    if shift:
        moves = ((shift, 2), (-shift, 2), (shift, 3), (-shift, 3))  # round the border, which is black
        moved = [score(images.roll(by, axis)).log_softmax(dim=1) for by, axis in moves]
        halved = [copy - math.log(2) for copy in moved]
        log_probs = torch.stack([log_probs, *halved]).logsumexp(dim=0) - math.log(3)
    return (log_probs / temperature).log_softmax(dim=1)

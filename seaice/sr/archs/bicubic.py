"""Bicubic interpolation of the target frame: the baseline that needs no weights.

Keys 1981, IEEE Trans. ASSP 29(6), with a = -0.75, as PyTorch has it.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Hyper", "Network"]

SCALE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyper:
    """What it is given."""

    frames: int = 5  #: any odd number; the target is in the middle
    channels: int = 3  #: H, V, valid


class Network(nn.Module):
    def __init__(self, hyper: Hyper) -> None:
        super().__init__()
        self.hyper = hyper

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x) float32, normalized H and V."""
        target = stack[:, stack.shape[1] // 2, :2].float()
        return F.interpolate(target, scale_factor=SCALE, mode="bicubic", align_corners=False)

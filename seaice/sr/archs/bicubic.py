"""Bicubic interpolation of the target frame: the baseline that needs no weights.

Of the 6.25 km cells, without their quarters: the yardstick of the literature.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from seaice.network.ops.interpolated import interpolated

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
        return interpolated(stack[:, stack.shape[1] // 2], SCALE)

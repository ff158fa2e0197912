"""Bicubic interpolation of the target frame from its 3.125 km quarters, without weights.

Samples lie 4.5 to 5 km apart with footprints of 3 x 5 km, so quarters hold more than 6.25 km cells.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from seaice.network.ops.interpolated import WITH_QUARTERS, interpolated

__all__ = ["Hyper", "Network"]

SCALE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyper:
    """What it is given."""

    frames: int = 1  #: any odd number; the target is in the middle
    channels: int = WITH_QUARTERS  #: H, V, valid, and the quarters of H and V


class Network(nn.Module):
    def __init__(self, hyper: Hyper) -> None:
        super().__init__()
        self.hyper = hyper

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x) float32, normalized H and V."""
        return interpolated(stack[:, stack.shape[1] // 2], SCALE)

"""The target frame as plain interpolation has it: what super-resolution adds detail to."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.precision import unrounded

__all__ = ["FittedInterpolation", "interpolated", "neighbourhoods"]

WITH_QUARTERS = 11  # channels of a frame: H, V, valid, four quarters of H, four of V


def interpolated(frame: Tensor, scale: int) -> Tensor:
    """H and V of a frame `scale` times finer, bicubic, from its quarters where it has them.

    Keys 1981, IEEE Trans. ASSP 29(6), with a = -0.75, as PyTorch has it.

    Parameters
    ----------
    frame : (batch, channel, y, x), channels in the order of `seaice.sr.inputs.CHANNELS`

    Returns
    -------
    (batch, 2, scale y, scale x) float32
    """
    if frame.shape[1] < WITH_QUARTERS:
        known = frame[:, :2].float()
    else:
        known, scale = F.pixel_shuffle(frame[:, 3:WITH_QUARTERS].float(), 2), scale // 2
    return F.interpolate(known, scale_factor=scale, mode="bicubic", align_corners=False)


class FittedInterpolation(nn.Module):
    """Bicubic interpolation and the best linear correction of it, found by least squares.

    What blurs a daily map, footprints and gridding, is nearly the same everywhere: one linear
    filter undoes most of what can be undone (a Wiener filter), and is found in half a minute. A
    fresh one is bicubic. Learning does not touch it.
    """

    kernel: Tensor
    offset: Tensor

    def __init__(self, channels: int, scale: int, side: int) -> None:
        super().__init__()
        self.scale, self.side = scale, side
        self.register_buffer("kernel", torch.zeros(2 * scale**2, channels, side, side))
        self.register_buffer("offset", torch.zeros(2 * scale**2))

    def forward(self, frame: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, 2, scale y, scale x) float32.

        Beside cells that were not seen it is bicubic.
        """
        frame = frame.float()
        reach = (self.side // 2,) * 4
        with unrounded(frame):
            padded = F.pad(frame, reach, "replicate")
            correction = F.conv2d(padded, self.kernel, self.offset)
            whole = -F.max_pool2d(-padded[:, 2:3], self.side, stride=1)
            finer = F.pixel_shuffle(correction * whole, self.scale)
        return interpolated(frame, self.scale) + finer

    def fit(self, products: Tensor, targets: Tensor) -> None:
        """Set the filter from normal equations.

        Parameters
        ----------
        products : (n + 1, n + 1) float64, sums of outer products of `neighbourhoods`
        targets : (n + 1, 2 scale^2) float64, sums of their products with what bicubic lacks
        """
        loading = 1e-6 * products.diagonal().mean() * torch.eye(len(products)).to(products)
        weights = torch.linalg.solve(products + loading, targets).float()
        self.kernel.copy_(weights[:-1].T.reshape(self.kernel.shape))
        self.offset.copy_(weights[-1])


def neighbourhoods(frame: Tensor, side: int) -> Tensor:
    """Every cell's surroundings and a one, (1, channel, y, x) -> (cell, channel side^2 + 1)."""
    padded = F.pad(frame.float(), (side // 2,) * 4, "replicate")
    around = F.unfold(padded, side)[0].T
    return torch.cat((around, torch.ones_like(around[:, :1])), dim=1)

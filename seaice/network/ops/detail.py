"""What every super-resolution network has beside its body: a skip, and detail in small units."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.interpolated import FittedInterpolation

__all__ = ["SCALE", "DetailOverInterpolation"]

SCALE = 4
DETAIL = 0.03  # normalized, 3 K: about the size of what interpolation lacks


class DetailOverInterpolation(nn.Module, ABC):
    """The target frame, interpolated as well as a linear filter can, and detail upon it.

    A network of this kind has a `detail` method; at first it tells zeros, so that a fresh one is
    bicubic interpolation.

    Parameters
    ----------
    channels : of a frame
    surroundings : cells along a side that the fitted interpolation looks at
    unit : cells; what `detail` is handed has multiples of it along y and x
    """

    def __init__(self, channels: int, surroundings: int, unit: int) -> None:
        super().__init__()
        self.unit = unit
        self.interpolation = FittedInterpolation(channels, SCALE, surroundings)

    @abstractmethod
    def detail(self, stack: Tensor) -> Tensor:
        """What interpolation lacks, in units of 3 K.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), y and x multiples of `unit`

        Returns
        -------
        (batch, 2, 4 y, 4 x)
        """

    def forward(self, stack: Tensor) -> Tensor:
        """The target day, four times finer.

        Parameters
        ----------
        stack : (batch, frame, channel, y, x), normalized; H and V come first; any y, x

        Returns
        -------
        (batch, 2, 4 y, 4 x) float32, normalized H and V
        """
        rows, columns = stack.shape[3:]
        padding = (0, -columns % self.unit, 0, -rows % self.unit, 0, 0)
        detail = self.detail(F.pad(stack, padding, "replicate"))
        base: Tensor = self.interpolation(stack[:, stack.shape[1] // 2])
        return base + DETAIL * detail[..., : SCALE * rows, : SCALE * columns].float()

"""A skip at the resolution of the input, beside which a decoder's features are read."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.enlarge import from_corners
from seaice.network.ops.precision import unrounded

__all__ = ["FineSkip", "as_concentration"]

Enlarge = Callable[[Tensor, torch.Size], Tensor]


class FineSkip(nn.Module):
    """Decoder features enlarged and read together with the input at its own resolution.

    Without it the sharpest edge is an interpolated 6.25 km one.
    """

    def __init__(
        self,
        in_channels: int,
        decoded: int,
        width: int,
        outputs: int,
        enlarge: Enlarge = from_corners,
    ) -> None:
        super().__init__()
        self.look = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.join = nn.Conv2d(decoded + width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.read = nn.Conv2d(width, outputs, 1)
        self.enlarge = enlarge

    def forward(self, decoded: Tensor, image: Tensor) -> Tensor:
        """(batch, decoded, y/4 or y/2, x/4 or x/2), (batch, in_channels, y, x) -> outputs."""
        seen = F.relu(self.bn1(self.look(image)))
        joined = torch.cat((self.enlarge(decoded, image.shape[2:]), seen), dim=1)
        read = F.relu(self.bn2(self.join(joined)))
        with unrounded(image):  # bfloat16 is too coarse for 0-1
            out: Tensor = self.read(read.float())
        return out


def as_concentration(told: Tensor) -> Tensor:
    """What a decoder read, (batch, 1 or 2, y, x), as concentration 0-1 and log-variance."""
    told = told.float()
    return torch.cat((torch.sigmoid(told[:, :1]), told[:, 1:].clamp(-10.0, 1.0)), dim=1)

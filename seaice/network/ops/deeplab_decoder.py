"""The decoder of DeepLabv3+: deep features joined with low-level ones at a quarter resolution.

Chen et al. 2018, "DeepLabv3+", ECCV, arXiv:1802.02611, section 3.1, with full 3x3 convolutions.
Parameter names are those of jfzhang95/pytorch-deeplab-xception, so that its weights load.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.network.ops.enlarge import from_corners

__all__ = ["Decoder", "DecoderWidths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderWidths:
    """Channels along the decoder."""

    deep: int  #: of the encoder's deep features, and of the two convolutions
    low_level_in: int  #: of the encoder's low-level features
    low_level: int  #: that these are reduced to
    out: int


class Decoder(nn.Module):
    """Low-level features reduced, joined, convolved twice, and read by a 1x1 convolution."""

    def __init__(
        self,
        widths: DecoderWidths,
        dropout: tuple[float, float],
        enlarge: Callable[[Tensor, torch.Size], Tensor] = from_corners,
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.conv1 = nn.Conv2d(widths.low_level_in, widths.low_level, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths.low_level)
        joined = widths.deep + widths.low_level
        self.last_conv = nn.Sequential(
            nn.Conv2d(joined, widths.deep, 3, padding=1, bias=False),
            nn.BatchNorm2d(widths.deep),
            nn.ReLU(),
            nn.Dropout(dropout[0]),
            nn.Conv2d(widths.deep, widths.deep, 3, padding=1, bias=False),
            nn.BatchNorm2d(widths.deep),
            nn.ReLU(),
            nn.Dropout(dropout[1]),
            nn.Conv2d(widths.deep, widths.out, 1),
        )

    def forward(self, deep: Tensor, low_level: Tensor) -> Tensor:
        """(batch, deep, y/16, x/16), (batch, low_level_in, y/4, x/4) -> (batch, out, y/4, x/4)."""
        reduced = F.relu(self.bn1(self.conv1(low_level)))
        joined = torch.cat((self.enlarge(deep, reduced.shape[2:]), reduced), dim=1)
        out: Tensor = self.last_conv(joined)
        return out

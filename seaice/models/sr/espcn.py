"""ESPCN: one frame, convolutions at coarse resolution, sub-pixel convolution at the end.

Shi et al. 2016, CVPR, arXiv:1609.05158: the fast single-frame baseline. Parameter names are those
of the public re-implementation, without its final sigmoid, which is not in the paper. Differences:
a validity channel in addition to H and V, and a skip connection from the interpolated target, so
that an untrained network is bicubic interpolation.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers.dropout import ReflashDropout
from seaice.models.layers.upsampling import bicubic_upsample

__all__ = ["ESPCN", "ESPCNConfig", "SubPixelNetwork"]

SCALE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ESPCNConfig:
    """Sizes of the network."""

    frames: int = 1  #: frames of the input, of which the middle one is used
    channels: int = 11  #: H, V, valid, and both on 3.125 km cells; or the first 3 of these
    width: int = 64  #: channels of the first convolution
    inner: int = 32  #: of the second
    reflash: float = 0.0  #: fraction of channels dropped before the last convolution

    @classmethod
    def compact(cls) -> Self:
        """The size for training on two CPU cores, the published one."""
        return cls()


class SubPixelNetwork(nn.Module):
    """The network of the paper, linear at its end."""

    def __init__(
        self,
        channels: int,
        widths: tuple[int, int],
        outputs: int,
        scale: int,
        reflash: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(channels, widths[0], 5, padding=2)
        self.conv2 = nn.Conv2d(widths[0], widths[1], 3, padding=1)
        self.reflash = ReflashDropout(reflash)
        self.conv3 = nn.Conv2d(widths[1], outputs * scale**2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, output, scale y, scale x)."""
        features = torch.tanh(self.conv2(torch.tanh(self.conv1(image))))
        return F.pixel_shuffle(self.conv3(self.reflash(features)), self.scale)


class ESPCN(nn.Module):
    config_class = ESPCNConfig

    def __init__(self, config: ESPCNConfig) -> None:
        super().__init__()
        self.config = config
        self.body = SubPixelNetwork(
            config.channels, (config.width, config.inner), 2, SCALE, config.reflash
        )
        nn.init.zeros_(self.body.conv3.weight)
        if self.body.conv3.bias is not None:
            nn.init.zeros_(self.body.conv3.bias)

    def forward(self, stack: Tensor) -> Tensor:
        """(batch, frame, channel, y, x) -> (batch, 2, 4 y, 4 x) float32, normalized H and V."""
        target = stack[:, self.config.frames // 2]
        base = bicubic_upsample(target, SCALE)
        residual: Tensor = self.body(target)
        return base + residual.float()

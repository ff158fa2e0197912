"""Atrous spatial pyramid pooling: the same features seen with several reaches.

Chen et al. 2018, "DeepLabv3+", ECCV, arXiv:1802.02611, section 3.1. Parameter names are those of
jfzhang95/pytorch-deeplab-xception, so that its weights load as they are.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ASPP", "ASPPModule", "ImagePool"]


class ASPPModule(nn.Module):
    """One reach: a convolution with spread taps, batch norm, ReLU. Rate 0 is a 1x1 convolution."""

    def __init__(self, inplanes: int, planes: int, rate: int) -> None:
        super().__init__()
        size = 3 if rate else 1
        self.atrous_conv = nn.Conv2d(
            inplanes, planes, size, padding=rate, dilation=max(rate, 1), bias=False
        )
        self.bn = nn.BatchNorm2d(planes)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, y, x)."""
        return F.relu(self.bn(self.atrous_conv(features)))


class ImagePool(nn.Module):
    """The mean over the whole input, as published, or over a square around each cell.

    The mean of the whole differs from tile to tile and so shows the tiles' seams; a mean over
    `context` cells (odd) does not.
    """

    def __init__(self, context: int | None) -> None:
        super().__init__()
        self.context = context

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> the same, or (batch, channel, 1, 1) without `context`."""
        if self.context is None:
            return features.mean(dim=(2, 3), keepdim=True)
        reach = self.context // 2
        return F.avg_pool2d(features, self.context, 1, reach, count_include_pad=False)


class ASPP(nn.Module):
    """A 1x1 convolution, one atrous convolution a rate and an image-level feature, then mixed."""

    def __init__(
        self,
        inplanes: int,
        planes: int,
        rates: tuple[int, int, int],
        context: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.aspp1, self.aspp2, self.aspp3, self.aspp4 = (
            ASPPModule(inplanes, planes, rate) for rate in (0, *rates)
        )
        self.global_avg_pool = nn.Sequential(
            ImagePool(context),
            nn.Conv2d(inplanes, planes, 1, bias=False),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
        )
        self.conv1 = nn.Conv2d(5 * planes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, y, x)."""
        branches = [self.aspp1, self.aspp2, self.aspp3, self.aspp4]
        seen = [branch(features) for branch in branches]
        image = self.global_avg_pool(features).expand_as(seen[0])
        mixed: Tensor = self.conv1(torch.cat([*seen, image], dim=1))
        out: Tensor = self.dropout(F.relu(self.bn1(mixed)))
        return out

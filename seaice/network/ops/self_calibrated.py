"""Self-calibrated convolution: a coarser look at the features decides where they count.

Liu et al. 2020, CVPR, "Improving Convolutional Networks with Self-Calibrated Convolutions",
section 3.2. Parameter names are those of MCG-NKU/SCNet, so that its weights load.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SCConv"]


class SCConv(nn.Module):
    """`k4(k3(x) * sigmoid(x + k2(x)))`, where k2 looks at means of `pooling` x `pooling` cells.

    Each of the three is a 3x3 convolution, batch-normalized, without activation. Cells beyond the
    last whole square are not looked at, as in the official code, so that sizes should be multiples
    of `pooling`; maps narrower than it are looked at as a whole, where the official code fails.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        pooling: int = 4,
    ) -> None:
        super().__init__()
        conv = partial(
            nn.Conv2d, kernel_size=3, padding=dilation, dilation=dilation, groups=groups, bias=False
        )
        self.pooling = pooling
        self.k2 = nn.Sequential(
            nn.Identity(), conv(inplanes, planes), nn.BatchNorm2d(planes)
        )  # after the means
        self.k3 = nn.Sequential(conv(inplanes, planes), nn.BatchNorm2d(planes))
        self.k4 = nn.Sequential(conv(inplanes, planes, stride=stride), nn.BatchNorm2d(planes))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        size = features.shape[2:]
        square = [min(self.pooling, side) for side in size]
        coarse = self.k2(F.avg_pool2d(features, square))
        gate = torch.sigmoid(features + F.interpolate(coarse, size=size))
        out: Tensor = self.k4(self.k3(features) * gate)
        return out

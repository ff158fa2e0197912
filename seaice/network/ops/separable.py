"""Depthwise-separable convolution with padding that does not depend on the input's size.

Chollet 2017, "Xception", CVPR, arXiv:1610.02357; padding as in TensorFlow's DeepLab. Parameter
names are those of jfzhang95/pytorch-deeplab-xception, so that its weights load as they are.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SeparableConv2d", "Taps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """How a square kernel lies on its input."""

    size: int = 3
    stride: int = 1
    dilation: int = 1
    bias: Literal["none", "learned"] = "none"

    @property
    def padding(self) -> int:
        """Zeros before the first cell, and after the last one: in all, reach minus one."""
        return self.dilation * (self.size - 1) // 2

    @property
    def excess(self) -> int:
        """Further zeros after the last cell, which kernels of even size need."""
        return self.dilation * (self.size - 1) - 2 * self.padding


class SeparableConv2d(nn.Module):
    """Each channel convolved by itself, batch norm, then channels mixed; no activation between."""

    def __init__(self, inplanes: int, planes: int, taps: Taps) -> None:
        super().__init__()
        biased = taps.bias == "learned"
        self.excess = taps.excess
        self.conv1 = nn.Conv2d(
            inplanes,
            inplanes,
            taps.size,
            taps.stride,
            taps.padding,
            taps.dilation,
            groups=inplanes,
            bias=biased,
        )
        self.bn = nn.BatchNorm2d(inplanes)
        self.pointwise = nn.Conv2d(inplanes, planes, 1, bias=biased)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, inplanes, y, x) -> (batch, planes, ceil(y / stride), ceil(x / stride))."""
        if self.excess:
            features = F.pad(features, (0, self.excess, 0, self.excess))
        mixed: Tensor = self.pointwise(self.bn(self.conv1(features)))
        return mixed

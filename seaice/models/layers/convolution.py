"""Convolutions: separable, self-calibrated, with batch norm fused, and learned resizing.

Separable: Chollet 2017, "Xception", CVPR, arXiv:1610.02357; padding as in TensorFlow's DeepLab;
parameter names of jfzhang95/pytorch-deeplab-xception. Self-calibrated: Liu et al. 2020, CVPR,
"Improving Convolutional Networks with Self-Calibrated Convolutions", section 3.2; parameter names
of MCG-NKU/SCNet. Learned resizing, DynOPool: Jang et al. 2022, CVPR, "Pooling Revisited: Your
Receptive Field is Suboptimal", arXiv:2205.15254.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from math import floor
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from seaice.errors import SettingsError

__all__ = [
    "DynOPool",
    "KernelConfig",
    "LayerWork",
    "Pooling",
    "SCConv",
    "SeparableConv2d",
    "cell_fractions",
    "check_pooling",
    "dynamic_pool",
    "fuse_conv_bn",
    "gmacs",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelConfig:
    """Size, stride, dilation and bias of a square kernel."""

    size: int = 3
    stride: int = 1
    dilation: int = 1
    bias: Literal["none", "learned"] = "none"

    @property
    def padding(self) -> int:
        """Zeros before the first cell and after the last one."""
        return self.dilation * (self.size - 1) // 2

    @property
    def excess(self) -> int:
        """Additional zeros after the last cell, for kernels of even size."""
        return self.dilation * (self.size - 1) - 2 * self.padding


class SeparableConv2d(nn.Module):
    """Each channel convolved by itself, batch norm, then channels mixed; no activation between."""

    def __init__(self, inplanes: int, planes: int, taps: KernelConfig) -> None:
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


class SCConv(nn.Module):
    """`k4(k3(x) * sigmoid(x + k2(x)))`, where k2 reads means of `pooling` x `pooling` cells.

    Each of the three is a 3x3 convolution with batch norm and without activation. Cells after the
    last complete square are ignored, as in the official code, so that sizes should be multiples of
    `pooling`; a map narrower than `pooling` is averaged as a whole, where the official code fails.
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


MIN_FACTOR, MAX_FACTOR = 1 / 16, 1.0  #: bounds of learned factors

#: downsampling by strides, or by `DynOPool` after layers without stride
Pooling = Literal["strided", "dynopool"]
LayerWork = Iterable[tuple[nn.Module, Tensor]]  #: modules and the fraction of cells each runs on


def dynamic_pool(features: Tensor, ratio: Tensor) -> Tensor:
    """Features resized by a factor along each axis.

    Output sizes are rounded; gradients reach the factor through the sample positions, as if there
    were no rounding (straight-through).

    Parameters
    ----------
    features : (batch, channel, y, x)
    ratio : (2,), factors of y and x

    Returns
    -------
    (batch, channel, round(y * ratio[0]), round(x * ratio[1])), at least one cell each
    """
    axes = [
        _sample_positions(side, factor)
        for side, factor in zip(features.shape[2:], ratio, strict=True)
    ]
    rows, columns = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack((columns, rows), dim=-1).expand(len(features), -1, -1, -1)
    with torch.autocast(features.device.type, enabled=False):
        sampled = F.grid_sample(
            features.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )
    return F.max_pool2d(sampled, 2).to(features.dtype)


def _sample_positions(side: int, factor: Tensor) -> Tensor:
    """Sample positions along an axis, two per output cell; -1 to 1 spans the input."""
    cells = max(floor(side * float(factor.detach()) + 0.5), 1)
    rounded = cells / side
    effective = factor + (rounded - factor).detach()  # straight through the rounding
    middles = torch.arange(2 * cells, device=factor.device) + 0.5
    return middles / (effective * side) - 1


class DynOPool(nn.Module):
    """Resizing by a learned factor along each axis, initially 1/2.

    Each output cell is the maximum of four bilinear samples of the input. There is no official
    code; what the paper leaves open is chosen so that a factor of 1/2 equals `MaxPool2d(2)`:
    samples are a quarter of an output cell from its centre, cells are H_in / H_out wide, halves are
    rounded up, and the border is replicated.
    """

    def __init__(self, start: float = 0.5) -> None:
        super().__init__()
        self.start = start
        self.ratio = nn.Parameter(torch.full((2,), start))

    @property
    def bounded(self) -> Tensor:
        """Factors of y and x, clamped to the bounds."""
        return self.ratio.clamp(MIN_FACTOR, MAX_FACTOR)

    @property
    def cell_fraction(self) -> Tensor:
        """Output cells per input cell."""
        return self.bounded.prod()

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, y, x) -> (batch, channel, round(y * ratio), round(x * ratio))."""
        if self.ratio.is_meta:  # counted, not computed
            return F.max_pool2d(features, round(1 / self.start))
        return dynamic_pool(features, self.bounded)


def check_pooling(pooling: Pooling, window: int | None) -> None:
    """Refuse learned resizing without a window: cell positions depend on the image size.

    Raises
    ------
    SettingsError
        If `window` is None.
    """
    if pooling == "dynopool" and window is None:
        raise SettingsError(
            "pooling = 'dynopool' in a network of any size",
            "one window size: positions of strided cells depend on the tile size",
            "set one, for example window = 384",
        )


def cell_fractions(pools: Iterable[nn.Module], stages: int) -> list[Tensor]:
    """Cells per image cell: 1, then after each stage; without pools each stage halves the sides."""
    one = torch.ones(())
    learned = [pool for pool in pools if isinstance(pool, DynOPool)]
    if not learned:
        return [one / 4**stage for stage in range(stages + 1)]
    fractions = [one]
    for pool in learned:
        fractions.append(fractions[-1].to(pool.ratio.device) * pool.cell_fraction)
    return fractions


def gmacs(work: LayerWork, cells: int) -> Tensor:
    """Multiply-adds of convolutions in units of 1e9 (GMACs), for an image of `cells` cells.

    The penalty of the paper: added to a loss, it reduces factors where that costs little accuracy.
    It is differentiable in the factors, through the fractions of cells.
    """
    each = [
        part.weight.numel() * fraction
        for module, fraction in work
        for part in module.modules()
        if isinstance(part, nn.Conv2d)
    ]
    device = each[-1].device
    return torch.stack([one.to(device) for one in each]).sum() * (cells / 1e9)


def fuse_conv_bn(
    kernel: Tensor, bias: Tensor | None, norm: nn.BatchNorm2d
) -> tuple[Tensor, Tensor]:
    """Kernel and bias equivalent to a convolution and its batch norm in eval mode.

    Parameters
    ----------
    kernel : (out, in, y, x)
    bias : (out,) or None
    norm : of `out` channels

    Returns
    -------
    Both in float64, so that they are rounded once, afterwards; differentiable.

    Raises
    ------
    ValueError
        If the normalization has no running statistics.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch normalization without running statistics cannot be fused")
    return fuse_conv_bn_weights(
        kernel.double(),
        None if bias is None else bias.double(),
        mean.double(),
        variance.double(),
        norm.eps,
        norm.weight,
        norm.bias,
    )

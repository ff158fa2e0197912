"""Modulated deformable convolution (DCNv2) in PyTorch, dispatched to a faster kernel for inference.

Zhu et al. 2019, "Deformable ConvNets v2", CVPR, arXiv:1811.11168, eq. 1. The order of offsets and
masks and the parameter names are those of BasicSR, so that its weights load unchanged.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seaice.models.layers import autocast_disabled
from seaice.models.layers.deformable_kernels import (
    TapGeometry,
    cpu_supports,
    deform_conv_cpu,
    sample_taps_triton,
    triton_supports,
)

__all__ = [
    "ConvGeometry",
    "ModulatedDeformConv",
    "ModulatedDeformConvPack",
    "modulated_deform_conv",
]

Pair = tuple[int, int]  # (y, x)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvGeometry:
    """Where the taps of a deformable convolution lie before they are moved."""

    stride: Pair = (1, 1)
    padding: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1  #: of the convolution
    deformable_groups: int = 1  #: contiguous blocks of input channels that move together

    def taps(self, weight: Tensor) -> TapGeometry:
        """As the kernels want it told."""
        kernel = weight.shape[2], weight.shape[3]
        return kernel, self.stride, self.padding, self.dilation

    def places(self, axis: int, taps: int, like: Tensor) -> Tensor:
        """Unmoved places along y (axis 0) or x (axis 1), (taps, steps), in cells of the input."""
        steps = torch.arange(like.shape[2 + axis], device=like.device, dtype=like.dtype)
        tap = torch.arange(taps, device=like.device, dtype=like.dtype)
        first = steps * self.stride[axis] - self.padding[axis]
        return first + self.dilation[axis] * tap[:, None]


def modulated_deform_conv(
    features: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: ConvGeometry,
) -> Tensor:
    """Convolve with taps that are moved and weighted cell by cell.

    The map is 0 outside, for each of the four corners of a bilinear sample by itself, so that
    values fade to 0 within one cell beyond the border. Places are float32 at least, also under
    autocast: bfloat16 cannot tell cell 256 from cell 257.

    Parameters
    ----------
    features : (batch, in, y, x)
    offset : (batch, 2 * deformable_groups * taps, y', x'), cells; channel 2 (g taps + k) is dy and
        the next one dx of tap k (row-major over the kernel) in deformable group g
    mask : (batch, deformable_groups * taps, y', x'); multiplies the samples
    weight : (out, in / groups, ky, kx)
    bias : (out,) or None; added once, not masked

    Returns
    -------
    (batch, out, y', x')
    """
    one = geometry.groups == 1
    if one and cpu_supports(features, offset, mask, weight):
        taps = geometry.taps(weight)
        return deform_conv_cpu(features, offset, mask, weight, bias, taps)
    by_kernel = one and triton_supports(features, offset, weight)
    convolve = _by_triton if by_kernel else _by_grid_sample
    out = convolve(features, offset, mask, weight, geometry)
    return out if bias is None else out + bias[:, None, None].to(out.dtype)


def _by_grid_sample(
    features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, geometry: ConvGeometry
) -> Tensor:
    """Without a bias, in plain PyTorch, for any device."""
    with autocast_disabled(features):
        precise = torch.promote_types(offset.dtype, torch.float32)
        grid = _sampling_grid(offset.to(precise), features.shape[2:], weight.shape[2:], geometry)
        blocks = features.to(precise).reshape(len(grid), -1, *features.shape[2:])
        masks = mask.to(precise).reshape(len(grid), 1, grid.shape[1], -1)
    out = _convolve_tap_by_tap(blocks, grid, masks, _grouped(weight, geometry.groups))
    return out.reshape(len(offset), len(weight), *offset.shape[2:])


def _by_triton(
    features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, geometry: ConvGeometry
) -> Tensor:
    """The same on CUDA: all taps sampled by one kernel, then one product with the weights."""
    columns = sample_taps_triton(features, offset, mask, geometry.taps(weight)).flatten(
        2
    )  # b cells tap*in
    rows = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
    out = torch.matmul(columns, rows).reshape(len(offset), *offset.shape[2:], len(weight))
    return out.permute(0, 3, 1, 2)


def _sampling_grid(
    offset: Tensor, size: torch.Size, kernel: torch.Size, geometry: ConvGeometry
) -> Tensor:
    """Where to sample, as `grid_sample` wants it: (batch * group, tap, y' * x', 2), x first."""
    moves = offset.reshape(-1, kernel.numel(), 2, *offset.shape[2:])  # b*g tap 2 y' x'
    y = geometry.places(0, kernel[0], offset).repeat_interleave(kernel[1], 0)[:, :, None]
    x = geometry.places(1, kernel[1], offset).repeat(kernel[0], 1)[:, None, :]
    at_y = (moves[:, :, 0] + (y + 0.5)) * (2 / size[0]) - 1
    at_x = (moves[:, :, 1] + (x + 0.5)) * (2 / size[1]) - 1
    return torch.stack((at_x, at_y), dim=-1).flatten(2, 3)


def _grouped(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, ky, kx) -> (groups, out / groups, in / groups, tap)."""
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)


def _convolve_tap_by_tap(blocks: Tensor, grid: Tensor, masks: Tensor, weight: Tensor) -> Tensor:
    """Sample, weight and sum: (batch, groups, out / groups, y' * x').

    One tap at a time, so that what is sampled stays in the cache and no matrix of
    in * taps * y' * x' is ever written.

    Parameters
    ----------
    blocks : (batch * deformable_groups, in / deformable_groups, y, x)
    grid : (batch * deformable_groups, tap, y' * x', 2)
    masks : (batch * deformable_groups, 1, tap, y' * x')
    weight : (groups, out / groups, in / groups, tap)
    """
    out: Tensor | None = None
    taps = zip(grid.unbind(1), masks.unbind(2), weight.unbind(3), strict=True)
    for places, amounts, kernel in taps:
        with autocast_disabled(blocks):
            samples = F.grid_sample(blocks, places[:, None], align_corners=False).squeeze(2)
            weighed = samples * amounts
        columns = weighed.reshape(-1, len(weight), weight.shape[2], weighed.shape[-1])
        part = torch.matmul(kernel, columns)
        out = part if out is None else out.add_(part)
    if out is None:
        raise ValueError(f"a kernel of shape {tuple(weight.shape)} has no taps")
    return out


class ModulatedDeformConv(nn.Module):
    """A deformable convolution whose offsets and masks come from outside.

    Weights start uniform in +-1/sqrt(fan in), biases at 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Pair, geometry: ConvGeometry
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.kernel = kernel
        shape = (out_channels, in_channels // geometry.groups, *kernel)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(out_channels))
        bound = self.weight[0].numel() ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def without_bias(self) -> "ModulatedDeformConv":
        """This layer, its bias taken away."""
        self.bias = None
        return self

    def forward(self, features: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """As `modulated_deform_conv`."""
        return modulated_deform_conv(features, offset, mask, self.weight, self.bias, self.geometry)


class ModulatedDeformConvPack(ModulatedDeformConv):
    """A deformable convolution that predicts its own offsets and masks.

    The predicting convolution starts at 0: every tap in its place, every mask one half.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Pair, geometry: ConvGeometry
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, geometry)
        self.conv_offset = nn.Conv2d(
            in_channels,
            3 * geometry.deformable_groups * kernel[0] * kernel[1],
            kernel,
            geometry.stride,
            geometry.padding,
            geometry.dilation,
        )
        nn.init.zeros_(self.conv_offset.weight)
        if self.conv_offset.bias is not None:
            nn.init.zeros_(self.conv_offset.bias)

    def forward(self, features: Tensor, guide: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """(batch, in, y, x) -> (batch, out, y', x').

        Parameters
        ----------
        features : what is sampled
        guide : what offsets and masks are predicted from; the features themselves where left out
        """
        told: Tensor = self.conv_offset(features if guide is None else guide)
        moves = told.shape[1] // 3 * 2
        precise = told.to(torch.promote_types(told.dtype, torch.float32))
        return super().forward(features, precise[:, :moves], torch.sigmoid(precise[:, moves:]))

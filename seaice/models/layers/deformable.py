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
    """Stride, padding, dilation and groups of a deformable convolution."""

    stride: Pair = (1, 1)
    padding: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1  #: of the convolution
    deformable_groups: int = 1  #: contiguous blocks of input channels with common offsets

    def taps(self, weight: Tensor) -> TapGeometry:
        """The geometry as the kernels take it."""
        kernel = weight.shape[2], weight.shape[3]
        return kernel, self.stride, self.padding, self.dilation

    def positions(self, axis: int, taps: int, like: Tensor) -> Tensor:
        """Tap positions without offsets along y (axis 0) or x (axis 1), (taps, steps), in cells."""
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
    """Convolution whose taps have an offset and a weight (mask) for every cell.

    The map is 0 outside, for each of the four corners of a bilinear sample separately, so that
    values decrease to 0 within one cell beyond the border. Positions are at least float32, also
    under autocast: in bfloat16 cells 256 and 257 are equal.

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
    """By `grid_sample`, without bias, for any device."""
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
    """On CUDA: all taps sampled by one kernel, then one product with the weights."""
    columns = sample_taps_triton(features, offset, mask, geometry.taps(weight)).flatten(
        2
    )  # b cells tap*in
    rows = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
    out = torch.matmul(columns, rows).reshape(len(offset), *offset.shape[2:], len(weight))
    return out.permute(0, 3, 1, 2)


def _sampling_grid(
    offset: Tensor, size: torch.Size, kernel: torch.Size, geometry: ConvGeometry
) -> Tensor:
    """Sample positions for `grid_sample`: (batch * group, tap, y' * x', 2), x first."""
    offsets = offset.reshape(-1, kernel.numel(), 2, *offset.shape[2:])  # b*g tap 2 y' x'
    y = geometry.positions(0, kernel[0], offset).repeat_interleave(kernel[1], 0)[:, :, None]
    x = geometry.positions(1, kernel[1], offset).repeat(kernel[0], 1)[:, None, :]
    at_y = (offsets[:, :, 0] + (y + 0.5)) * (2 / size[0]) - 1
    at_x = (offsets[:, :, 1] + (x + 0.5)) * (2 / size[1]) - 1
    return torch.stack((at_x, at_y), dim=-1).flatten(2, 3)


def _grouped(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, ky, kx) -> (groups, out / groups, in / groups, tap)."""
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)


def _convolve_tap_by_tap(blocks: Tensor, grid: Tensor, masks: Tensor, weight: Tensor) -> Tensor:
    """Sample, weight and sum: (batch, groups, out / groups, y' * x').

    One tap at a time, so that samples stay in the cache and no matrix of in * taps * y' * x' is
    allocated.

    Parameters
    ----------
    blocks : (batch * deformable_groups, in / deformable_groups, y, x)
    grid : (batch * deformable_groups, tap, y' * x', 2)
    masks : (batch * deformable_groups, 1, tap, y' * x')
    weight : (groups, out / groups, in / groups, tap)
    """
    out: Tensor | None = None
    taps = zip(grid.unbind(1), masks.unbind(2), weight.unbind(3), strict=True)
    for positions, weights, kernel in taps:
        with autocast_disabled(blocks):
            samples = F.grid_sample(blocks, positions[:, None], align_corners=False).squeeze(2)
            weighted = samples * weights
        columns = weighted.reshape(-1, len(weight), weight.shape[2], weighted.shape[-1])
        part = torch.matmul(kernel, columns)
        out = part if out is None else out.add_(part)
    if out is None:
        raise ValueError(f"a kernel of shape {tuple(weight.shape)} has no taps")
    return out


class ModulatedDeformConv(nn.Module):
    """A deformable convolution whose offsets and masks are arguments.

    Weights are initialized uniformly in +-1/sqrt(fan in), biases at 0.
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
        """This layer, with its bias removed."""
        self.bias = None
        return self

    def forward(self, features: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """As `modulated_deform_conv`."""
        return modulated_deform_conv(features, offset, mask, self.weight, self.bias, self.geometry)


class ModulatedDeformConvPack(ModulatedDeformConv):
    """A deformable convolution that predicts its own offsets and masks.

    The convolution that predicts them is initialized with 0: offsets 0, masks 1/2.
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
        guide : features that offsets and masks are predicted from; None: `features`
        """
        predicted: Tensor = self.conv_offset(features if guide is None else guide)
        n_offsets = predicted.shape[1] // 3 * 2
        precise = predicted.to(torch.promote_types(predicted.dtype, torch.float32))
        return super().forward(
            features, precise[:, :n_offsets], torch.sigmoid(precise[:, n_offsets:])
        )

"""What a modulated deformable convolution samples, as one Triton kernel for CUDA; inference only.

The kernel reads features channels last, so that the channels that move together lie together, and
writes what every tap sees as rows of a matrix, ready for one product with the weights. Places and
sums are float32 whatever the features are. `sampled_plainly` is its plain twin, and what decides:
`seaice.network.ops.deformable` takes the kernel only where `usable`, and is itself elsewhere.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Taps", "sampled", "sampled_plainly", "usable"]

Taps = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
"""Kernel, stride, padding and dilation of a convolution, each (y, x)."""

BLOCK = 64  # cells of the output to a program
PRESENT = find_spec("triton") is not None
tl: Any = import_module("triton.language") if PRESENT else None


def usable(features: Tensor, offset: Tensor, weight: Tensor) -> bool:
    """Whether the kernel can take this: on CUDA, with Triton, and nothing to be learnt from it."""
    learning = torch.is_grad_enabled() and any(
        given.requires_grad for given in (features, offset, weight)
    )
    return PRESENT and features.is_cuda and not learning and not torch.compiler.is_compiling()


def sampled(features: Tensor, offset: Tensor, mask: Tensor, taps: Taps) -> Tensor:
    """What every tap sees, times its mask, by the kernel.

    Parameters
    ----------
    features : (batch, channel, y, x) on CUDA
    offset, mask, taps : as `sampled_plainly`

    Returns
    -------
    (batch, y' * x', tap, channel), of the features' type
    """
    batch, channels, rows, columns = features.shape
    groups = mask.shape[1] // (taps[0][0] * taps[0][1])
    given = features.permute(0, 2, 3, 1).contiguous()  # no copy where it is channels last already
    cells, each = mask.shape[2] * mask.shape[3], channels // groups
    seen = given.new_empty((batch, cells, taps[0][0] * taps[0][1], channels))
    grid = (-(-cells // BLOCK), mask.shape[1], batch)
    _kernel()[grid](
        given,
        offset.contiguous(),
        mask.contiguous(),
        seen,
        *(rows, columns, mask.shape[3], cells, channels, mask.shape[1]),
        *(value for pair in taps for value in pair),
        CG=each,
        BLOCK_C=1 << (each - 1).bit_length(),
        BLOCK=BLOCK,
    )
    return seen


def sampled_plainly(features: Tensor, offset: Tensor, mask: Tensor, taps: Taps) -> Tensor:
    """The same in plain PyTorch, for any device.

    Parameters
    ----------
    features : (batch, channel, y, x)
    offset : (batch, 2 * group * tap, y', x'), cells; dy, then dx, of each tap of each group of
        channels that move together
    mask : (batch, group * tap, y', x')
    """
    kernel, stride, padding, dilation = taps
    batch, channels, rows, columns = features.shape
    count, shape = kernel[0] * kernel[1], mask.shape[2:]
    groups = mask.shape[1] // count
    moves = offset.float().reshape(batch * groups, count, 2, *shape)
    unmoved = []
    for axis in (0, 1):
        steps = torch.arange(shape[axis], device=features.device) * stride[axis] - padding[axis]
        tap = torch.arange(kernel[axis], device=features.device) * dilation[axis]
        unmoved.append(tap[:, None] + steps)
    y = moves[:, :, 0] + unmoved[0].repeat_interleave(kernel[1], 0)[:, :, None]
    x = moves[:, :, 1] + unmoved[1].repeat(kernel[0], 1)[:, None, :]
    places = torch.stack(((2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1), -1)
    blocks = features.float().reshape(batch * groups, channels // groups, rows, columns)
    seen = F.grid_sample(blocks, places.flatten(2, 3), align_corners=False)  # b*g c tap cell
    seen = seen * mask.float().reshape(batch * groups, 1, count, -1)
    seen = seen.reshape(batch, groups, channels // groups, count, -1).permute(0, 4, 3, 1, 2)
    return seen.flatten(3, 4).to(features.dtype)


def _kernel() -> Any:
    """The kernel, compiled by Triton at its first use."""
    global _jitted
    if _jitted is None:
        _jitted = import_module("triton").jit(sample)
    return _jitted


_jitted: Any = None


def sample(
    features: Any,
    offset: Any,
    mask: Any,
    seen: Any,
    rows: Any,
    columns: Any,
    out_columns: Any,
    cells: Any,
    channels: Any,
    moving: Any,
    taps_y: Any,
    taps_x: Any,
    stride_y: Any,
    stride_x: Any,
    padding_y: Any,
    padding_x: Any,
    dilation_y: Any,
    dilation_x: Any,
    CG: "tl.constexpr",
    BLOCK_C: "tl.constexpr",
    BLOCK: "tl.constexpr",
) -> None:
    """BLOCK cells of the output, one tap of one group of CG channels; in Triton's language."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    move, batch = tl.program_id(1), tl.program_id(2)
    tap, group = move % (taps_y * taps_x), move // (taps_y * taps_x)
    inside = at < cells
    first = (batch * moving + move) * cells
    amount = tl.load(mask + first + at, mask=inside, other=0.0).to(tl.float32)
    first = 2 * first
    y = tl.load(offset + first + at, mask=inside, other=0.0).to(tl.float32)
    x = tl.load(offset + first + cells + at, mask=inside, other=0.0).to(tl.float32)
    y += (at // out_columns) * stride_y - padding_y + (tap // taps_x) * dilation_y
    x += (at % out_columns) * stride_x - padding_x + (tap % taps_x) * dilation_x
    y = tl.minimum(tl.maximum(y, -2.0), rows + 1.0)  # beyond that, all corners are outside
    x = tl.minimum(tl.maximum(x, -2.0), columns + 1.0)
    top, left = tl.floor(y), tl.floor(x)
    channel = tl.arange(0, BLOCK_C)
    own = (channel < CG)[None, :]
    total = tl.zeros((BLOCK, BLOCK_C), dtype=tl.float32)
    for corner in tl.static_range(4):
        row, column = top + corner // 2, left + corner % 2
        weight = (1 - tl.abs(y - row)) * (1 - tl.abs(x - column))
        known = inside & (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        cell = (batch * rows + row.to(tl.int64)) * columns + column.to(tl.int64)
        here = (cell * channels + group * CG)[:, None] + channel[None, :]
        value = tl.load(features + here, mask=known[:, None] & own, other=0.0)
        total += weight[:, None] * value.to(tl.float32)
    total *= amount[:, None]
    onto = ((batch * cells + at).to(tl.int64) * (taps_y * taps_x) + tap) * channels + group * CG
    there = onto[:, None] + channel[None, :]
    tl.store(seen + there, total.to(seen.dtype.element_ty), mask=inside[:, None] & own)

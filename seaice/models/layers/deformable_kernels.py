"""Kernels of modulated deformable convolution for inference: Triton on CUDA, compiled code on CPUs.

The Triton kernel reads features channels last, so that channels of a deformable group are
contiguous, and writes the samples of every tap as rows of a matrix, ready for one product with the
weights. Positions and sums are float32 for features of any type. `sample_taps_reference` computes
the same in plain PyTorch and is what the kernel is tested against.

The CPU kernel reads features channels last, padded with zeros, so that no sample needs a bounds
check; channels of a deformable group fill a vector register. A few rows of samples are computed at
a time, rounded like the weights, and multiplied with the weights while they are in the cache.

`seaice.models.layers.deformable` uses the kernels only where `triton_supports` or `cpu_supports`
is true.
"""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from seaice.compiled import compiled

__all__ = [
    "TapGeometry",
    "cpu_supports",
    "deform_conv_cpu",
    "sample_taps_reference",
    "sample_taps_triton",
    "triton_supports",
]

TapGeometry = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]
"""Kernel, stride, padding and dilation of a convolution, each (y, x)."""

BLOCK = 64  # cells of the output to a program
HAS_TRITON = find_spec("triton") is not None
tl: Any = import_module("triton.language") if HAS_TRITON else None


def triton_supports(features: Tensor, offset: Tensor, weight: Tensor) -> bool:
    """Whether the Triton kernel can be used: on CUDA, Triton installed, no gradient needed."""
    learning = torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (features, offset, weight)
    )
    return HAS_TRITON and features.is_cuda and not learning and not torch.compiler.is_compiling()


def sample_taps_triton(features: Tensor, offset: Tensor, mask: Tensor, taps: TapGeometry) -> Tensor:
    """The sample of every tap times its mask, by the Triton kernel.

    Parameters
    ----------
    features : (batch, channel, y, x) on CUDA
    offset, mask, taps : as for `sample_taps_reference`

    Returns
    -------
    (batch, y' * x', tap, channel), of the features' type
    """
    batch, channels, rows, columns = features.shape
    groups = mask.shape[1] // (taps[0][0] * taps[0][1])
    channels_last = features.permute(0, 2, 3, 1).contiguous()  # no copy if it is channels last
    cells, each = mask.shape[2] * mask.shape[3], channels // groups
    samples = channels_last.new_empty((batch, cells, taps[0][0] * taps[0][1], channels))
    grid = (-(-cells // BLOCK), mask.shape[1], batch)
    _compiled_triton_kernel()[grid](
        channels_last,
        offset.contiguous(),
        mask.contiguous(),
        samples,
        *(rows, columns, mask.shape[3], cells, channels, mask.shape[1]),
        *(value for pair in taps for value in pair),
        CG=each,
        BLOCK_C=1 << (each - 1).bit_length(),
        BLOCK=BLOCK,
    )
    return samples


def sample_taps_reference(
    features: Tensor, offset: Tensor, mask: Tensor, taps: TapGeometry
) -> Tensor:
    """The sample of every tap times its mask, in plain PyTorch, for any device.

    Parameters
    ----------
    features : (batch, channel, y, x)
    offset : (batch, 2 * group * tap, y', x'), cells; dy, then dx, of each tap of each deformable
        group
    mask : (batch, group * tap, y', x')
    """
    kernel, stride, padding, dilation = taps
    batch, channels, rows, columns = features.shape
    count, shape = kernel[0] * kernel[1], mask.shape[2:]
    groups = mask.shape[1] // count
    offsets = offset.float().reshape(batch * groups, count, 2, *shape)
    base = []
    for axis in (0, 1):
        steps = torch.arange(shape[axis], device=features.device) * stride[axis] - padding[axis]
        tap = torch.arange(kernel[axis], device=features.device) * dilation[axis]
        base.append(tap[:, None] + steps)
    y = offsets[:, :, 0] + base[0].repeat_interleave(kernel[1], 0)[:, :, None]
    x = offsets[:, :, 1] + base[1].repeat(kernel[0], 1)[:, None, :]
    positions = torch.stack(((2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1), -1)
    blocks = features.float().reshape(batch * groups, channels // groups, rows, columns)
    samples = F.grid_sample(blocks, positions.flatten(2, 3), align_corners=False)  # b*g c tap cell
    samples = samples * mask.float().reshape(batch * groups, 1, count, -1)
    samples = samples.reshape(batch, groups, channels // groups, count, -1).permute(0, 4, 3, 1, 2)
    return samples.flatten(3, 4).to(features.dtype)


def _compiled_triton_kernel() -> Any:
    """The kernel, compiled by Triton on first use."""
    global _jitted
    if _jitted is None:
        _jitted = import_module("triton").jit(_triton_kernel)
    return _jitted


_jitted: Any = None


def _triton_kernel(
    features: Any,
    offset: Any,
    mask: Any,
    samples: Any,
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
    """BLOCK output cells, one tap of one group of CG channels; in Triton's language."""
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
    y = tl.minimum(tl.maximum(y, -2.0), rows + 1.0)  # farther out, all corners are outside
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
    index = ((batch * cells + at).to(tl.int64) * (taps_y * taps_x) + tap) * channels + group * CG
    target = index[:, None] + channel[None, :]
    tl.store(samples + target, total.to(samples.dtype.element_ty), mask=inside[:, None] & own)


Floats = NDArray[np.float32]
Samples = NDArray[np.float32] | NDArray[np.uint16]  # uint16: bfloat16, the upper half of a float32
CELLS_PER_PRODUCT = 4096  # output cells per matrix product; their samples take 2 to 4 MB
FLOAT_TYPES = (torch.float32, torch.bfloat16)
INT32 = ir.IntType(32)
FAST_MATH = ("contract",)  # allows fused multiply-add


def cpu_supports(features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> bool:
    """Whether the CPU kernel can be used: on the CPU, and no gradient needed."""
    tensors = (features, offset, mask, weight)
    requires_grad = torch.is_grad_enabled() and any(each.requires_grad for each in tensors)
    plain = all(type(each) in (Tensor, torch.nn.Parameter) for each in tensors)
    simple = (
        plain
        and features.device.type == "cpu"
        and all(each.dtype in FLOAT_TYPES for each in tensors)
    )
    return simple and not requires_grad and not torch.compiler.is_compiling()


def deform_conv_cpu(
    features: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    taps: TapGeometry,
) -> Tensor:
    """Modulated deformable convolution, as `seaice.models.layers.deformable.modulated_deform_conv`.

    Parameters
    ----------
    features : (batch, in, y, x) float32 or bfloat16, on the CPU
    offset : (batch, 2 * group * tap, y', x'), cells; dy, then dx, of each tap of each deformable
        group
    mask : (batch, group * tap, y', x')
    weight : (out, in, ky, kx)
    bias : (out,) or None
    taps : kernel, stride, padding and dilation, each (y, x)

    Returns
    -------
    (batch, out, y', x'), channels last; bfloat16 under autocast, or as the weight
    """
    rounded = torch.is_autocast_enabled("cpu")
    kind = torch.get_autocast_dtype("cpu") if rounded else weight.dtype
    products = weight.detach().permute(2, 3, 1, 0).reshape(-1, len(weight)).to(kind)
    added = products.new_zeros(len(weight)) if bias is None else bias.detach().to(kind)
    last = (0, 2, 3, 1)
    offsets, masks = (each.detach().permute(last).float().numpy() for each in (offset, mask))
    groups = masks.shape[3] // (taps[0][0] * taps[0][1])
    blocks = _pad_to_vectors(features.detach().permute(last), groups).numpy()
    lanes = (0,) * (features.shape[1] // groups)
    rows, columns = masks.shape[1:3]
    several = max(CELLS_PER_PRODUCT // columns, 1)
    samples = torch.empty((several * columns, len(products)), dtype=kind)
    out = torch.empty((len(blocks), rows * columns, len(weight)), dtype=kind)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in range(len(blocks)):
            for first in range(0, rows, several):
                part = slice(first, min(first + several, rows))
                here = offsets[batch, part], masks[batch, part]
                block = samples[: len(here[0]) * columns]
                _sample_by_threads(
                    pool, blocks[batch], here, _as_flat_array(block), lanes, first, taps
                )
                cells = slice(part.start * columns, part.stop * columns)
                torch.addmm(added, block, products, out=out[batch, cells])
    return out.reshape(len(blocks), rows, columns, -1).permute(0, 3, 1, 2)


def _pad_to_vectors(features: Tensor, groups: int) -> Tensor:
    """(batch, y, x, channel) -> (batch, y + 3, x + 3, group, lane), padded with zeros.

    Groups are padded with zeros to a full vector of lanes.
    """
    batch, rows, columns, channels = features.shape
    lanes = channels // groups
    shape = batch, rows + 3, columns + 3, groups, _vector_width(lanes)
    padded = features.new_zeros(shape, dtype=torch.float32)
    inside = padded[:, 1 : rows + 1, 1 : columns + 1, :, :lanes]
    inside.copy_(features.reshape(batch, rows, columns, groups, lanes))
    return padded


def _vector_width(lanes: int) -> int:
    return max(4, 1 << (lanes - 1).bit_length())


def _as_flat_array(samples: Tensor) -> Samples:
    """The same memory as a flat array; compiled loops have no bfloat16, hence uint16."""
    flat = samples.reshape(-1)
    bits: Samples = (flat.view(torch.uint16) if flat.dtype == torch.bfloat16 else flat).numpy()
    return bits


def _sample_by_threads(
    pool: ThreadPoolExecutor,
    blocks: Floats,
    offsets: tuple[Floats, Floats],
    samples: Samples,
    lanes: tuple[int, ...],
    first: int,
    taps: TapGeometry,
) -> None:
    """Rows from `first` on, divided among torch's threads; each cell belongs to one thread."""
    offset, mask = offsets
    size = blocks.shape[0] - 3, blocks.shape[1] - 3
    flat, row_of = blocks.reshape(-1), samples.size // len(mask)
    rows_each = -(-len(mask) // torch.get_num_threads())

    def some(row: int) -> None:
        part = slice(row, row + rows_each)
        _sample_rows(
            flat, offset[part], mask[part], samples[row * row_of :], lanes, size, first + row, taps
        )

    parts = range(0, len(mask), rows_each)
    list(pool.map(some, parts) if len(parts) > 1 else map(some, parts))


@compiled
def _clamp(position: np.float32, end: np.float32) -> np.float32:
    """A position clamped to the zero padding; NaN becomes 0."""
    return (position if position > 0 else np.float32(0)) if not position > end else end


def _bilinear_intrinsic(
    context: Any, features: Any, corners: Any, weights: Any, samples: Any, at: Any, lanes: Any
) -> Any:
    """Bilinear sum of four corners for all lanes at once, stored in `samples`.

    Written with vector instructions: the compiler does not vectorize this loop, because it cannot
    prove that features and samples do not overlap in memory.

    Parameters
    ----------
    features : flat; readable as far as `corners` and the vectors that begin there
    corners, weights : indices of the first lanes of four corners, and their factors
    at : index in `samples` of the first lane
    lanes : tuple whose length, the number of lanes stored, is known at compile time
    """
    own, wide = len(lanes), _vector_width(len(lanes))

    def generate(target: Any, build: ir.IRBuilder, _: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), wide)
        source = target.make_array(features)(target, build, args[0]).data
        total = ir.Constant(vector, [0.0] * wide)
        for k in range(4):
            pointer = build.gep(source, [build.extract_value(args[1], k)])
            corner = build.load(build.bitcast(pointer, vector.as_pointer()), align=4)
            weight = build.insert_element(total, build.extract_value(args[2], k), INT32(0))
            weight = build.shuffle_vector(weight, weight, _constant_vector(0, wide))
            part = build.fmul(corner, weight, flags=FAST_MATH)
            total = build.fadd(total, part, flags=FAST_MATH) if k else part
        if isinstance(samples.dtype, types.Integer):
            total = _round_to_bfloat16(build, total, wide)
        first = ir.Constant(ir.VectorType(INT32, own), list(range(own)))
        result = build.shuffle_vector(total, total, first)
        pointer = build.gep(target.make_array(samples)(target, build, args[3]).data, [args[4]])
        build.store(result, build.bitcast(pointer, result.type.as_pointer()), align=2)
        return target.get_dummy_value()

    return types.void(features, corners, weights, samples, at, lanes), generate


def _round_to_bfloat16(build: ir.IRBuilder, total: Any, wide: int) -> Any:
    """Float32 to bfloat16, rounded half to even."""
    bits = build.bitcast(total, ir.VectorType(INT32, wide))
    odd = build.and_(build.lshr(bits, _constant_vector(16, wide)), _constant_vector(1, wide))
    bits = build.add(bits, build.add(odd, _constant_vector(0x7FFF, wide)))
    return build.trunc(
        build.lshr(bits, _constant_vector(16, wide)), ir.VectorType(ir.IntType(16), wide)
    )


def _constant_vector(number: int, wide: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(INT32, wide), [number] * wide)


_bilinear: Any = intrinsic(_bilinear_intrinsic)


@compiled
def _sample_rows(
    features: Floats,
    offset: Floats,
    mask: Floats,
    samples: Samples,
    lanes: tuple[int, ...],
    size: tuple[int, int],
    first_row: int,
    taps: TapGeometry,
) -> None:
    """The sample of every tap times its mask, (cell, tap, channel), stored in `samples`.

    Parameters
    ----------
    features : (rows + 3, columns + 3, group, lane), flat; padded by one zero row and
        column before, two after
    offset, mask : (row, column, 2 * group * tap), (row, column, group * tap)
    lanes : tuple of as many elements as a group has channels
    size : rows and columns of the features
    first_row : of the output
    """
    kernel, stride, padding, dilation = taps
    count = kernel[0] * kernel[1]
    groups = mask.shape[2] // count
    bottom, right = np.float32(size[0] + 1), np.float32(size[1] + 1)
    wide = np.uint64(len(features) // ((size[0] + 3) * (size[1] + 3) * groups))
    width = np.uint64(groups) * wide  # unsigned, so that negative indices need no check
    pitch = np.uint64(size[1] + 3) * width
    at = np.uint64(0)
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            for tap in range(count):
                down = (first_row + row) * stride[0] - padding[0]
                across = column * stride[1] - padding[1]
                unmoved_y = np.float32(down + tap // kernel[1] * dilation[0] + 1)
                unmoved_x = np.float32(across + tap % kernel[1] * dilation[1] + 1)
                for group in range(groups):
                    move = group * count + tap
                    y = _clamp(offset[row, column, 2 * move] + unmoved_y, bottom)
                    x = _clamp(offset[row, column, 2 * move + 1] + unmoved_x, right)
                    top, left = np.uint64(y), np.uint64(x)
                    fraction_y, fraction_x = y - np.float32(top), x - np.float32(left)
                    lower = mask[row, column, move] * fraction_y
                    upper = mask[row, column, move] - lower
                    b, d = upper * fraction_x, lower * fraction_x
                    corner = top * pitch + left * width + np.uint64(group) * wide
                    corners = corner, corner + width, corner + pitch, corner + pitch + width
                    _bilinear(features, corners, (upper - b, b, lower - d, d), samples, at, lanes)
                    at += np.uint64(len(lanes))

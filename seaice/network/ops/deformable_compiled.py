"""A modulated deformable convolution as one compiled pass on processors; inference only.

Features are read channels last, with zeros around them, so that no sample asks whether it lies
inside; those that move together fill a vector of the processor. Some rows of what all taps see are
made at a time, rounded as the weights are, and multiplied with these while they are still in the
cache. `seaice.network.ops.deformable_triton.sampled_plainly` is the plain twin of the sampling;
`seaice.network.ops.deformable` takes this pass only where `usable`.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from seaice.compiled import compiled
from seaice.network.ops.deformable_triton import Taps

__all__ = ["convolved", "usable"]

Floats = NDArray[np.float32]
Seen = NDArray[np.float32] | NDArray[np.uint16]  # 16 bits are the upper ones of a float32: bfloat16
CELLS = 4096  # whose samples are made at a time: 2 to 4 MB of them
ROUNDED = (torch.float32, torch.bfloat16)
NUMBER = ir.IntType(32)
FUSED = ("contract",)  # a product and a sum may be one instruction


def usable(features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> bool:
    """Whether the pass can take this: on a processor, and nothing to be learnt from it."""
    given = (features, offset, mask, weight)
    learning = torch.is_grad_enabled() and any(each.requires_grad for each in given)
    plain = all(type(each) in (Tensor, torch.nn.Parameter) for each in given)
    simple = (
        plain and features.device.type == "cpu" and all(each.dtype in ROUNDED for each in given)
    )
    return simple and not learning and not torch.compiler.is_compiling()


def convolved(
    features: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    taps: Taps,
) -> Tensor:
    """What `seaice.network.ops.deformable.modulated_deform_conv` tells.

    Parameters
    ----------
    features : (batch, in, y, x) float32 or bfloat16, on the CPU
    offset : (batch, 2 * group * tap, y', x'), cells; dy, then dx, of each tap of each group of
        channels that move together
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
    moves, amounts = (each.detach().permute(last).float().numpy() for each in (offset, mask))
    groups = amounts.shape[3] // (taps[0][0] * taps[0][1])
    blocks = _in_vectors(features.detach().permute(last), groups).numpy()
    lanes = (0,) * (features.shape[1] // groups)
    rows, columns = amounts.shape[1:3]
    several = max(CELLS // columns, 1)
    seen = torch.empty((several * columns, len(products)), dtype=kind)
    out = torch.empty((len(blocks), rows * columns, len(weight)), dtype=kind)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in range(len(blocks)):
            for first in range(0, rows, several):
                part = slice(first, min(first + several, rows))
                here = moves[batch, part], amounts[batch, part]
                onto = seen[: len(here[0]) * columns]
                _sample_by_threads(pool, blocks[batch], here, _bits(onto), lanes, first, taps)
                cells = slice(part.start * columns, part.stop * columns)
                torch.addmm(added, onto, products, out=out[batch, cells])
    return out.reshape(len(blocks), rows, columns, -1).permute(0, 3, 1, 2)


def _in_vectors(features: Tensor, groups: int) -> Tensor:
    """(batch, y, x, channel) -> (batch, y + 3, x + 3, group, lane), a ring of zeros around.

    Lanes beyond the channels of a group are zeros: as many as fill a vector.
    """
    batch, rows, columns, channels = features.shape
    moving = channels // groups
    shape = batch, rows + 3, columns + 3, groups, _filling(moving)
    made = features.new_zeros(shape, dtype=torch.float32)
    inside = made[:, 1 : rows + 1, 1 : columns + 1, :, :moving]
    inside.copy_(features.reshape(batch, rows, columns, groups, moving))
    return made


def _filling(lanes: int) -> int:
    return max(4, 1 << (lanes - 1).bit_length())


def _bits(seen: Tensor) -> Seen:
    """The same memory, flat, for compiled loops, which know no bfloat16."""
    flat = seen.reshape(-1)
    bits: Seen = (flat.view(torch.uint16) if flat.dtype == torch.bfloat16 else flat).numpy()
    return bits


def _sample_by_threads(
    pool: ThreadPoolExecutor,
    blocks: Floats,
    moves: tuple[Floats, Floats],
    seen: Seen,
    lanes: tuple[int, ...],
    first: int,
    taps: Taps,
) -> None:
    """Rows from `first` on, shared among torch's threads; every cell is one thread's alone."""
    offset, mask = moves
    size = blocks.shape[0] - 3, blocks.shape[1] - 3
    flat, row_of = blocks.reshape(-1), seen.size // len(mask)
    share = -(-len(mask) // torch.get_num_threads())

    def some(row: int) -> None:
        part = slice(row, row + share)
        _sample(
            flat, offset[part], mask[part], seen[row * row_of :], lanes, size, first + row, taps
        )

    parts = range(0, len(mask), share)
    list(pool.map(some, parts) if len(parts) > 1 else map(some, parts))


@compiled
def _within(place: np.float32, end: np.float32) -> np.float32:
    """A place in the ring of zeros for any beyond it, and for one that is no number."""
    return (place if place > 0 else np.float32(0)) if not place > end else end


def _blending(
    context: Any, features: Any, corners: Any, shares: Any, seen: Any, at: Any, lanes: Any
) -> Any:
    """The sum of four corners by their shares, all lanes at once, laid in `seen`.

    In the processor's vectors, which no compiler finds in such a loop by itself, for it does not
    know that features and what is seen lie apart.

    Parameters
    ----------
    features : flat; readable as far as `corners` and the vectors that begin there
    corners, shares : four first lanes within features, and their factors
    at : where in `seen` the first lane goes
    lanes : as many as are laid; its length is known when this is compiled
    """
    own, wide = len(lanes), _filling(len(lanes))

    def generate(target: Any, build: ir.IRBuilder, _: Any, given: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), wide)
        source = target.make_array(features)(target, build, given[0]).data
        total = ir.Constant(vector, [0.0] * wide)
        for k in range(4):
            place = build.gep(source, [build.extract_value(given[1], k)])
            corner = build.load(build.bitcast(place, vector.as_pointer()), align=4)
            share = build.insert_element(total, build.extract_value(given[2], k), NUMBER(0))
            share = build.shuffle_vector(share, share, _each(0, wide))
            part = build.fmul(corner, share, flags=FUSED)
            total = build.fadd(total, part, flags=FUSED) if k else part
        if isinstance(seen.dtype, types.Integer):
            total = _rounding(build, total, wide)
        first = ir.Constant(ir.VectorType(NUMBER, own), list(range(own)))
        told = build.shuffle_vector(total, total, first)
        place = build.gep(target.make_array(seen)(target, build, given[3]).data, [given[4]])
        build.store(told, build.bitcast(place, told.type.as_pointer()), align=2)
        return target.get_dummy_value()

    return types.void(features, corners, shares, seen, at, lanes), generate


def _rounding(build: ir.IRBuilder, total: Any, wide: int) -> Any:
    """Float32 to bfloat16, halves to even: the upper 16 bits, after half of the last is added."""
    bits = build.bitcast(total, ir.VectorType(NUMBER, wide))
    odd = build.and_(build.lshr(bits, _each(16, wide)), _each(1, wide))
    bits = build.add(bits, build.add(odd, _each(0x7FFF, wide)))
    return build.trunc(build.lshr(bits, _each(16, wide)), ir.VectorType(ir.IntType(16), wide))


def _each(number: int, wide: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(NUMBER, wide), [number] * wide)


_blend: Any = intrinsic(_blending)


@compiled
def _sample(
    features: Floats,
    offset: Floats,
    mask: Floats,
    seen: Seen,
    lanes: tuple[int, ...],
    size: tuple[int, int],
    first_row: int,
    taps: Taps,
) -> None:
    """What every tap sees, times its mask, (cell, tap, channel), laid in `seen`.

    Parameters
    ----------
    features : (rows + 3, columns + 3, group, lane), flat: a ring of zeros before, two after
    offset, mask : (row, column, 2 * group * tap), (row, column, group * tap)
    lanes : as many as channels move together
    size : rows and columns of the features
    first_row : of the output
    """
    kernel, stride, padding, dilation = taps
    count = kernel[0] * kernel[1]
    groups = mask.shape[2] // count
    bottom, right = np.float32(size[0] + 1), np.float32(size[1] + 1)
    wide = np.uint64(len(features) // ((size[0] + 3) * (size[1] + 3) * groups))
    width = np.uint64(groups) * wide  # unsigned: nothing asks whether an index is negative
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
                    y = _within(offset[row, column, 2 * move] + unmoved_y, bottom)
                    x = _within(offset[row, column, 2 * move + 1] + unmoved_x, right)
                    top, left = np.uint64(y), np.uint64(x)
                    below, beside = y - np.float32(top), x - np.float32(left)
                    lower = mask[row, column, move] * below
                    upper = mask[row, column, move] - lower
                    b, d = upper * beside, lower * beside
                    corner = top * pitch + left * width + np.uint64(group) * wide
                    corners = corner, corner + width, corner + pitch, corner + pitch + width
                    _blend(features, corners, (upper - b, b, lower - d, d), seen, at, lanes)
                    at += np.uint64(len(lanes))

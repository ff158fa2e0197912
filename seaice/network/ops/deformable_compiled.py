"""A modulated deformable convolution as one compiled pass on processors; inference only.

Features are read channels last, with zeros around them, so that no sample asks whether it lies
inside. A few rows of what all taps see are made at a time and multiplied with the weights while
they are still in the cache. `seaice.network.ops.deformable_triton.sampled_plainly` is the plain
twin of the sampling; `seaice.network.ops.deformable` takes this pass only where `usable`.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from seaice.compiled import compiled
from seaice.network.ops.deformable_triton import Taps

__all__ = ["convolved", "usable"]

Floats = NDArray[np.float32]
CELLS = 4096  # whose samples are made at a time: about 3 MB of them
ROUNDED = (torch.float32, torch.bfloat16)


def usable(features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> bool:
    """Whether the pass can take this: on a processor, and nothing to be learnt from it."""
    given = (features, offset, mask, weight)
    learning = torch.is_grad_enabled() and any(each.requires_grad for each in given)
    plain = all(type(each) in (Tensor, torch.nn.Parameter) for each in given)
    simple = (
        plain and features.device.type == "cpu" and all(each.dtype in ROUNDED for each in given)
    )
    return simple and not learning and not torch.compiler.is_compiling()


def convolved(features: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, taps: Taps) -> Tensor:
    """What `seaice.network.ops.deformable.modulated_deform_conv` tells, without a bias.

    Parameters
    ----------
    features : (batch, in, y, x) float32 or bfloat16, on the CPU
    offset : (batch, 2 * group * tap, y', x'), cells; dy, then dx, of each tap of each group of
        channels that move together
    mask : (batch, group * tap, y', x')
    weight : (out, in, ky, kx)
    taps : kernel, stride, padding and dilation, each (y, x)

    Returns
    -------
    (batch, out, y', x'), channels last
    """
    last = (0, 2, 3, 1)
    padded = F.pad(features.detach().permute(last).float(), (0, 0, 1, 2, 1, 2)).numpy()
    moves, amounts = (each.detach().permute(last).float().numpy() for each in (offset, mask))
    products = weight.detach().permute(2, 3, 1, 0).reshape(-1, len(weight))
    rows, columns = amounts.shape[1:3]
    several = max(CELLS // columns, 1)
    seen = np.empty((several * columns, len(products)), np.float32)
    out: Tensor | None = None
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in range(len(padded)):
            for first in range(0, rows, several):
                part = slice(first, min(first + several, rows))
                here = moves[batch, part], amounts[batch, part]
                _sample_by_threads(pool, padded[batch], here, seen, first, taps)
                there = torch.from_numpy(seen[: len(here[0]) * columns])
                told = there.to(products.dtype) @ products
                if out is None:
                    out = told.new_empty((len(padded), rows, columns, len(weight)))
                out[batch, part] = told.reshape(-1, columns, len(weight))
    if out is None:
        raise ValueError(f"features of shape {tuple(features.shape)} have no cells")
    return out.permute(0, 3, 1, 2)


def _sample_by_threads(
    pool: ThreadPoolExecutor,
    padded: Floats,
    moves: tuple[Floats, Floats],
    seen: Floats,
    first: int,
    taps: Taps,
) -> None:
    """Rows from `first` on, shared among torch's threads; every cell is one thread's alone."""
    offset, mask = moves
    groups = mask.shape[2] // (taps[0][0] * taps[0][1])
    lanes = (0,) * (padded.shape[2] // groups)
    size = padded.shape[0] - 3, padded.shape[1] - 3
    flat, onto = padded.reshape(-1), seen.reshape(-1)
    share = -(-len(mask) // torch.get_num_threads())

    def some(row: int) -> None:
        part = slice(row, row + share)
        to = onto[row * mask.shape[1] * seen.shape[1] :]
        _sample(flat, offset[part], mask[part], to, lanes, size, first + row, taps)

    list(pool.map(some, range(0, len(mask), share)))


@compiled
def _within(place: np.float32, end: np.float32) -> np.float32:
    """A place in the ring of zeros for any beyond it, and for one that is no number."""
    return (place if place > 0 else np.float32(0)) if not place > end else end


@compiled
def _sample(
    features: Floats,
    offset: Floats,
    mask: Floats,
    seen: Floats,
    lanes: tuple[int, ...],
    size: tuple[int, int],
    first_row: int,
    taps: Taps,
) -> None:
    """What every tap sees, times its mask, (cell, tap, channel), laid in `seen`.

    Parameters
    ----------
    features : (rows + 3, columns + 3, channel), flat: a ring of zeros before, two after
    offset, mask : (row, column, 2 * group * tap), (row, column, group * tap)
    lanes : as many as channels move together; its length is known when this is compiled, so that
        loops over it are unrolled
    size : rows and columns of the features
    first_row : of the output
    """
    kernel, stride, padding, dilation = taps
    count = kernel[0] * kernel[1]
    groups = mask.shape[2] // count
    one, bottom, right = np.float32(1), np.float32(size[0] + 1), np.float32(size[1] + 1)
    width = np.uint64(groups * len(lanes))  # unsigned: nothing asks whether an index is negative
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
                    a, b = upper * (one - beside), upper * beside
                    c, d = lower * (one - beside), lower * beside
                    upper_left = top * pitch + left * width + np.uint64(group * len(lanes))
                    lower_left = upper_left + pitch
                    for lane in range(len(lanes)):
                        channel = np.uint64(lane)
                        seen[at + channel] = (
                            a * features[upper_left + channel]
                            + b * features[upper_left + width + channel]
                            + c * features[lower_left + channel]
                            + d * features[lower_left + width + channel]
                        )
                    at += np.uint64(len(lanes))

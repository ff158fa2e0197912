"""Blocks of cells: the refined grid, the 3.125 km quarters of a cell, means and repeats.

Daily maps are refined to a grid four times finer along each axis. 89 GHz samples are closer than
the cells of a daily map, and their footprints (3 by 5 km) are smaller: averages over the four
quarters of a cell keep detail for super-resolution. They are stored along one more dimension, so
that cropping, stacking or storing a map by y and x does the same to them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled

__all__ = [
    "QUARTERS",
    "SCALE",
    "block_mean",
    "depth_to_space",
    "repeat_to_fine_grid",
    "row_blocks",
    "space_to_depth",
]

SCALE = 4  #: refined cells per cell of the daily map, along each axis
BLOCK_ROWS = 512  #: rows of a block: a whole number of cells of the daily map


def repeat_to_fine_grid(coarse: NDArray[Any], scale: int = SCALE) -> NDArray[Any]:
    """(y, x) -> (scale y, scale x): every refined cell has the value of its coarse cell.

    >>> repeat_to_fine_grid(np.array([[1, 2]]), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return coarse.repeat(scale, 0).repeat(scale, 1)


def block_mean(
    values: NDArray[Any],
    factor: int = SCALE,
    *,
    min_valid: float = 0.0,
    dtype: type[np.float32] | type[np.float64] = np.float32,
) -> NDArray[np.float32]:
    """(..., y, x) -> (..., y // factor, x // factor): means of the finite cells of each block.

    Rows and columns beyond the last whole block are dropped.

    Parameters
    ----------
    values : (..., y, x); NaN where missing
    factor : cells along a block's side
    min_valid : fraction of a block that must be finite, else its mean is NaN; at 0, one cell
    dtype : of the sums

    >>> block_mean(np.array([[1, 3.0], [np.nan, 2]]), 2).tolist()
    [[2.0]]
    >>> block_mean(np.array([[1, 3.0], [np.nan, 2]]), 2, min_valid=1.0).tolist()
    [[nan]]
    """
    *front, rows, columns = values.shape
    fine = np.ascontiguousarray(values, np.float32).reshape(-1, rows, columns)
    total = np.zeros((len(fine), rows // factor, columns // factor), dtype)
    count = np.zeros(total.shape, np.int64)
    _sum_blocks(fine, factor, total, count)
    enough = count >= max(min_valid * factor**2, 1)
    mean = np.where(enough, total / np.maximum(count, 1).astype(dtype), np.nan)
    return mean.astype(np.float32).reshape(*front, *total.shape[1:])


@compiled
def _sum_blocks(
    fine: NDArray[np.float32],
    factor: int,
    total: NDArray[np.floating],
    count: NDArray[np.int64],
) -> None:
    """Add the finite cells of each block to `total`, their number to `count`.

    Sums are made in the order of `numpy.sum` over both axes of a block: along a row in order, from
    8 cells on in eight interleaved partial sums; then over the rows.
    """
    part = np.zeros(8, total.dtype)
    whole = factor - factor % 8
    for layer in range(fine.shape[0]):
        for row in range(total.shape[1]):
            for column in range(total.shape[2]):
                first = column * factor
                for y in range(row * factor, (row + 1) * factor):
                    part[:] = 0
                    for x in range(whole):
                        value = fine[layer, y, first + x]
                        if np.isfinite(value):
                            part[x % 8] += value
                            count[layer, row, column] += 1
                    left = (part[0] + part[1]) + (part[2] + part[3])
                    along = left + ((part[4] + part[5]) + (part[6] + part[7]))
                    for x in range(whole, factor):
                        value = fine[layer, y, first + x]
                        if np.isfinite(value):
                            along += value
                            count[layer, row, column] += 1
                    total[layer, row, column] += along


def row_blocks(rows: int) -> Iterator[slice]:
    """All rows of a refined map in blocks, so that temporary arrays stay small.

    >>> list(row_blocks(600))
    [slice(0, 512, None), slice(512, 600, None)]
    """
    return (slice(first, min(first + BLOCK_ROWS, rows)) for first in range(0, rows, BLOCK_ROWS))


QUARTERS = ("nw", "ne", "sw", "se")  #: in their order along the dimension `quarter`


def space_to_depth(fine: NDArray[Any]) -> NDArray[Any]:
    """(..., 2 y, 2 x) -> (..., 4, y, x).

    >>> space_to_depth(np.array([[1, 2], [3, 4]])).ravel().tolist()
    [1, 2, 3, 4]
    """
    *front, rows, columns = fine.shape
    blocks = fine.reshape(*front, rows // 2, 2, columns // 2, 2)
    lead = range(len(front))
    n = len(front)
    ordered = blocks.transpose(*lead, n + 1, n + 3, n, n + 2)
    return ordered.reshape(*front, 4, rows // 2, columns // 2)


def depth_to_space(quarters: NDArray[Any]) -> NDArray[Any]:
    """(..., 4, y, x) -> (..., 2 y, 2 x), the inverse of `space_to_depth`."""
    *front, _, rows, columns = quarters.shape
    blocks = quarters.reshape(*front, 2, 2, rows, columns)
    lead = range(len(front))
    n = len(front)
    ordered = blocks.transpose(*lead, n + 2, n, n + 3, n + 1)
    return ordered.reshape(*front, 2 * rows, 2 * columns)

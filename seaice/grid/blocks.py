"""Blocks of cells: the refined grid, the 3.125 km quarters of a cell, means and repeats.

Daily maps are refined to a grid four times finer along each axis. 89 GHz samples lie closer than
the cells of a daily map, and their footprints (3 by 5 km) are smaller: averages over the four
quarters of a cell keep detail for super-resolution. They are stored along one more dimension, so
that cropping, stacking or storing a map by y and x does the same to them.
"""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

__all__ = ["QUARTERS", "SCALE", "bands", "joined", "on_refined", "quartered"]

SCALE = 4  #: refined cells to a cell of the daily map, along each axis
BAND = 512  #: rows, whole cells of the daily map


def on_refined(coarse: NDArray[Any], scale: int = SCALE) -> NDArray[Any]:
    """(y, x) -> (scale y, scale x): every refined cell says what its coarse cell says.

    >>> import numpy as np
    >>> on_refined(np.array([[1, 2]]), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return coarse.repeat(scale, 0).repeat(scale, 1)


def bands(rows: int) -> Iterator[slice]:
    """All rows of a refined map, some at a time: what passes between steps stays small.

    >>> list(bands(600))
    [slice(0, 512, None), slice(512, 600, None)]
    """
    return (slice(first, min(first + BAND, rows)) for first in range(0, rows, BAND))


QUARTERS = ("nw", "ne", "sw", "se")  #: in their order along the dimension `quarter`


def quartered(fine: NDArray[Any]) -> NDArray[Any]:
    """(..., 2 y, 2 x) -> (..., 4, y, x).

    >>> import numpy as np
    >>> quartered(np.array([[1, 2], [3, 4]])).ravel().tolist()
    [1, 2, 3, 4]
    """
    *front, rows, columns = fine.shape
    blocks = fine.reshape(*front, rows // 2, 2, columns // 2, 2)
    lead = range(len(front))
    n = len(front)
    ordered = blocks.transpose(*lead, n + 1, n + 3, n, n + 2)
    return ordered.reshape(*front, 4, rows // 2, columns // 2)


def joined(quarters: NDArray[Any]) -> NDArray[Any]:
    """(..., 4, y, x) -> (..., 2 y, 2 x), the inverse of `quartered`."""
    *front, _, rows, columns = quarters.shape
    blocks = quarters.reshape(*front, 2, 2, rows, columns)
    lead = range(len(front))
    n = len(front)
    ordered = blocks.transpose(*lead, n + 2, n, n + 3, n + 1)
    return ordered.reshape(*front, 2 * rows, 2 * columns)

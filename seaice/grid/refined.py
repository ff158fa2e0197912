"""The lattice that daily maps are refined to, four times finer along each axis."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

__all__ = ["SCALE", "bands", "on_refined"]

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

"""The lattice that daily maps are refined to, four times finer along each axis."""

from typing import Any

from numpy.typing import NDArray

__all__ = ["SCALE", "on_refined"]

SCALE = 4  #: refined cells to a cell of the daily map, along each axis


def on_refined(coarse: NDArray[Any], scale: int = SCALE) -> NDArray[Any]:
    """(y, x) -> (scale y, scale x): every refined cell says what its coarse cell says.

    >>> import numpy as np
    >>> on_refined(np.array([[1, 2]]), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return coarse.repeat(scale, 0).repeat(scale, 1)

"""The quarters of a cell: 89 GHz on 3.125 km, kept beside the 6.25 km map and on its y and x.

Samples lie closer than the cells of a daily map, and their footprints (3 by 5 km) see finer: what
averaging over a cell would lose, super-resolution gets from its quarters. They are laid out as one
more dimension, so that whatever cuts, stacks or stores a map by y and x does the same to them.
"""

from typing import Any

from numpy.typing import NDArray

__all__ = ["QUARTERS", "joined", "quartered"]

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

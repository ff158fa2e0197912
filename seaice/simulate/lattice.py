"""Fields moved between lattices of the same ground, and along a drift."""

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled

__all__ = ["enlarge", "shift"]

Array = NDArray[np.float32]


@compiled
def shift(field: Array, dy: Array, dx: Array) -> Array:
    """result[p] = field[p - d(p)], bilinear, edges extended; all (y, x) float32, d in cells."""
    rows, columns = field.shape
    result = np.empty_like(field)
    for i in range(rows):
        for j in range(columns):
            y = min(max(i - dy[i, j], 0.0), rows - 1.001)
            x = min(max(j - dx[i, j], 0.0), columns - 1.001)
            r, c = int(y), int(x)
            fr, fc = np.float32(y - r), np.float32(x - c)
            top = field[r, c] + fc * (field[r, c + 1] - field[r, c])
            low = field[r + 1, c] + fc * (field[r + 1, c + 1] - field[r + 1, c])
            result[i, j] = top + fr * (low - top)
    return result


@compiled
def _enlarge(field: Array, factor: int) -> Array:
    rows, columns = field.shape
    result = np.empty((rows * factor, columns * factor), np.float32)
    for i in range(rows * factor):
        y = min(max((i + 0.5) / factor - 0.5, 0.0), rows - 1.001)
        r = int(y)
        fr = np.float32(y - r)
        for j in range(columns * factor):
            x = min(max((j + 0.5) / factor - 0.5, 0.0), columns - 1.001)
            c = int(x)
            fc = np.float32(x - c)
            top = field[r, c] + fc * (field[r, c + 1] - field[r, c])
            low = field[r + 1, c] + fc * (field[r + 1, c + 1] - field[r + 1, c])
            result[i, j] = top + fr * (low - top)
    return result


def enlarge(field: Array, factor: int) -> Array:
    """Bilinear, (y, x) to a lattice `factor` times finer over the same ground, edges extended."""
    larger: Array = _enlarge(np.ascontiguousarray(field, np.float32), factor)
    return larger

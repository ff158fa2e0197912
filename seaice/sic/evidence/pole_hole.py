"""The disc around the north pole that no orbit shows, told from its rim."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from seaice.grid.blocks import SCALE, block_mean
from seaice.grid.grid import Grid, grid_of, hemisphere_of
from seaice.sic.evidence.filling import missing, put
from seaice.sic.flags import Flag

__all__ = ["WIDEST", "across_the_pole"]

WIDEST = 250_000.0  #: m from the pole; AMSR2 leaves open about 150 km

#: Root mean square error over the standard deviation among the rim: 0.64 in discs of 150 km around
#: the pole, 0.43 in those of all ice, of a year of OSI SAF maps.
UNLIKE = 0.64

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


def across_the_pole(product: xr.Dataset) -> xr.Dataset:
    """Fill the hole at the north pole where all of its rim is known.

    Every 6.25 km cell of it takes the mean of the rim's, weighted by distance to the power of -2.
    One standard deviation is the rim's own and, in quadrature, `UNLIKE` times that among its
    cells: the less the rim's parts are like each other, the less the hole is like them.

    Parameters
    ----------
    product : as `seaice.sic.concentrate.product`; the south, and maps that do not hold the
        pole with 250 km around it, come back as they are

    Returns
    -------
    Dataset
        The same with cells flagged `POLE_HOLE` and `GAP_FILLED`; `sic_raw` is NaN there.
    """
    grid = grid_of(product)
    window = _around_pole(grid)
    if window is None:
        return product
    gone = block_mean(missing(product)[window].astype(np.float32)) == 1
    hole = _enclosed(gone)
    rim = binary_dilation(hole, np.ones((3, 3), bool)) & ~hole
    sic = block_mean(product["sic"].values[window])
    if not hole.any() or not np.isfinite(sic[rim]).all():
        return product
    doubt = block_mean(product["sic_algorithm_uncertainty"].values[window])
    filled = [_laid(grid, window, hole, _spread(values, hole, rim)) for values in (sic, doubt)]
    among = np.hypot(filled[1], UNLIKE * np.std(sic[rim]))
    return put(product, filled[0], among, Flag.POLE_HOLE | Flag.GAP_FILLED)


def _around_pole(grid: Grid) -> tuple[slice, slice] | None:
    """The refined cells within `WIDEST` of the pole; None where a map does not hold them all."""
    row, column = (place // SCALE * SCALE for place in grid.locate(0.0, 0.0))
    reach = int(WIDEST / grid.cell) // SCALE * SCALE
    window = slice(row - reach, row + reach), slice(column - reach, column + reach)
    inside = all(
        part.start >= 0 and part.stop <= size for part, size in zip(window, grid.shape, strict=True)
    )
    return window if inside and hemisphere_of(grid) == "north" else None


def _enclosed(gone: Mask) -> Mask:
    """The part without values that holds the middle, if it ends before the window does."""
    parts, _ = label(gone, np.ones((3, 3), bool))
    middle = parts[tuple(size // 2 for size in gone.shape)]
    hole = (parts == middle) & (middle > 0)
    inner = np.zeros_like(hole)
    inner[1:-1, 1:-1] = True
    return np.asarray(hole if not (hole & ~inner).any() else np.zeros_like(hole))


def _spread(values: Map, hole: Mask, rim: Mask) -> Map:
    """What the rim tells of each cell of the hole, by inverse squared distance."""
    at, known = np.argwhere(hole), np.argwhere(rim)
    weights = 1 / ((at[:, None] - known[None]) ** 2).sum(axis=-1)
    told = np.full(values.shape, np.nan, np.float32)
    told[hole] = weights @ values[rim] / weights.sum(axis=1)
    return told


def _laid(grid: Grid, window: tuple[slice, slice], hole: Mask, told: Map) -> Map:
    """A window's cells on the whole daily map, NaN elsewhere."""
    rows, columns = (slice(part.start // SCALE, part.stop // SCALE) for part in window)
    whole = np.full([size // SCALE for size in grid.shape], np.nan, np.float32)
    whole[rows, columns] = told
    return whole

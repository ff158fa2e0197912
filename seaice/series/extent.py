"""A map of concentration in, its extent and area by sea out, and how sure they are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["BLOCK", "EDGE", "Extent", "extents"]

EDGE = 0.15  #: concentration from which on a cell counts as ice
BLOCK = 100_000.0  #: m, side of the squares within which errors are taken to go together

Array = NDArray[np.floating]


class Extent(NamedTuple):
    """Sums over one sea, km2; NaN where nothing of it was observed."""

    extent: float  #: of cells with 15 % ice or more
    extent_uncertainty: float  #: one standard deviation
    area: float  #: of the ice in all observed cells
    area_uncertainty: float  #: one standard deviation
    observed: float  #: of sea cells with a value
    missing: float  #: of sea cells without


def extents(
    sic: Array,
    deviation: Array | None,
    sea: NDArray[np.bool_],
    areas: Array,
    numbers: NDArray[np.integer],
    cell: float,
) -> list[Extent]:
    """Extent and area of all sea, and of each numbered sea.

    A cell without a value is missing, never open water.

    Parameters
    ----------
    sic : (y, x) 0-1, NaN where nothing is known
    deviation : (y, x) one standard deviation of each cell's error; None: not told
    sea : (y, x) what is sea; values elsewhere do not count
    areas : (y, x) km2 on the ground, `seaice.grid.area.cell_areas`
    numbers : (y, x) 0 in no sea, n in the n-th
    cell : m, side of a cell on the map

    Returns
    -------
    list of Extent
        All sea first, then seas 1, 2, ... up to the greatest number.

    Notes
    -----
    Errors of cells within one square of `BLOCK` are taken to be the same, those of different
    squares to be independent: weather and footprints reach as far. A square's error of area is
    then the sum of its cells' deviations by area; that of extent the sum of sqrt(p (1 - p)), p
    being the chance that a cell lies above 15 % when errors are normal. Squares add in quadrature.
    Errors that all squares share, such as those of a tie point, are not in it.
    """
    known = sea & np.isfinite(sic)
    values, weights = sic[known].astype(np.float64), areas[known]
    side = max(1, round(BLOCK / cell))
    down, across = (-(-size // side) for size in sic.shape)
    row, column = (np.arange(size) // side for size in sic.shape)
    count = int(numbers.max(initial=0)) + 1
    shape = count, down * across
    block = np.add.outer(row * across, column)
    place = numbers[known].astype(np.int64) * shape[1] + block[known]

    def totals(each: Array) -> Array:
        sums = np.bincount(place, each, shape[0] * shape[1]).astype(np.float64)
        return sums.reshape(shape)

    ice = values >= EDGE
    sums = [totals(each) for each in (weights * ice, weights * values, weights)]
    errors = [np.full(shape, np.nan)] * 2
    if deviation is not None:
        told = np.maximum(deviation[known], 1e-6).astype(np.float64)
        above = ndtr((values - EDGE) / told)
        doubtful = np.sqrt(above * (1 - above))
        errors = [totals(weights * each) for each in (doubtful, told)]
    absent = sea & ~np.isfinite(sic)
    missing = np.bincount(numbers[absent], areas[absent], count).astype(np.float64)
    parts = [slice(None), *(slice(n, n + 1) for n in range(1, count))]
    return [_extent(sums, errors, missing, part) for part in parts]


def _extent(sums: list[Array], errors: list[Array], missing: Array, part: slice) -> Extent:
    """Of the seas in `part`; sums and errors are (sea, block)."""
    extent, area, observed = (float(each[part].sum()) for each in sums)
    doubts = [float(np.sqrt((each[part].sum(axis=0) ** 2).sum())) for each in errors]
    if observed == 0:
        extent = area = np.nan
        doubts = [np.nan, np.nan]
    return Extent(extent, doubts[0], area, doubts[1], observed, float(missing[part].sum()))

"""A map of concentration in, its extent and area by sea out, with their uncertainty."""

from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = [
    "AREA",
    "BLOCK",
    "EDGE",
    "EXTENT",
    "Extent",
    "Factors",
    "Parts",
    "extents",
    "parts_of",
    "shown",
]

EDGE = 0.15  #: concentration from which on a cell counts as ice
BLOCK = 100_000.0  #: m, side of the squares within which errors are taken to be fully correlated

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What the parts of an error are multiplied by, as simulated days with known truth require."""

    regional: float  #: of errors that are independent between squares of `BLOCK`
    common: float  #: of errors that all cells of a map share
    share: float  #: of the extent or area itself, for errors where no uncertainty is told


#: `common`, and `share` of the area, are calibrated by `python -m pipelines.evaluate.amounts`.
#: `share` of the extent is by how much the sea of 11 named seas differs between this land mask
#: (GSHHG) and NSIDC's of 6.25 km, root mean square: simulated days share one mask with their truth.
EXTENT = Factors(regional=1.0, common=0.6, share=0.003)
AREA = Factors(regional=1.0, common=0.6, share=0.010)


class Parts(NamedTuple):
    """Sums over one sea, km2."""

    amount: float  #: extent or area
    regional: float  #: error where cells of a square err alike, and squares independently
    common: float  #: error where all cells err alike

    def uncertainty(self, factors: Factors) -> float:
        """One standard deviation."""
        told = (
            factors.regional * self.regional,
            factors.common * self.common,
            factors.share * self.amount,
        )
        return float(np.sqrt(np.square(told).sum()))


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
    areas : (y, x) km2 on the ground, `seaice.grid.projection.cell_areas`
    numbers : (y, x) 0 in no sea, n in the n-th
    cell : m, side of a cell on the map

    Returns
    -------
    list of Extent
        All sea first, then seas 1, 2, ... up to the greatest number.

    Notes
    -----
    The uncertainty has three parts, added in quadrature (`EXTENT`, `AREA`): errors that cells
    within one square of `BLOCK` share and that are independent between squares, as of weather;
    errors that all cells of the map share, as of tie points, of training and of the footprint's
    width at the ice edge; and a share of the amount itself, for leads and coasts where each cell's
    uncertainty is small. See `parts_of`.
    """
    known = sea & np.isfinite(sic)
    count = int(numbers.max(initial=0)) + 1
    observed = _by_sea(np.bincount(numbers[known], areas[known], count))
    missing = _by_sea(np.bincount(numbers[sea & ~known], areas[sea & ~known], count))
    extent, area = parts_of(sic, deviation, sea, areas, numbers, cell)
    return [_extent(*told) for told in zip(extent, area, observed, missing, strict=True)]


def _extent(extent: Parts, area: Parts, observed: float, missing: float) -> Extent:
    if observed == 0:
        return Extent(np.nan, np.nan, np.nan, np.nan, observed, missing)
    return Extent(
        extent=extent.amount,
        extent_uncertainty=extent.uncertainty(EXTENT),
        area=area.amount,
        area_uncertainty=area.uncertainty(AREA),
        observed=observed,
        missing=missing,
    )


def _by_sea(sums: NDArray[Any]) -> list[float]:
    """The sum over all sea, then that of each numbered sea."""
    return [float(sums.sum()), *map(float, sums[1:])]


def parts_of(
    sic: Array,
    deviation: Array | None,
    sea: NDArray[np.bool_],
    areas: Array,
    numbers: NDArray[np.integer],
    cell: float,
) -> tuple[list[Parts], list[Parts]]:
    """The parts of extent and of area, of all sea and of each numbered sea.

    Parameters
    ----------
    sic, deviation, sea, areas, numbers, cell : as of `extents`

    Returns
    -------
    extent, area : list of Parts
        In the order of `extents`; errors are NaN where no deviation is told.

    Notes
    -----
    A cell's error of area is its deviation by its ground; that of extent sqrt(p (1 - p)) by its
    ground, p being the chance that it lies above 15 % when errors are normal.
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

    amounts = totals(weights * (values >= EDGE)), totals(weights * values)
    errors = (np.full(shape, np.nan), np.full(shape, np.nan))
    if deviation is not None:
        told = np.maximum(deviation[known], 1e-6).astype(np.float64)
        above = ndtr((values - EDGE) / told)
        errors = totals(weights * np.sqrt(above * (1 - above))), totals(weights * told)
    seas = [slice(None), *(slice(n, n + 1) for n in range(1, count))]
    extent, area = (
        [_parts(amount, error, part) for part in seas]
        for amount, error in zip(amounts, errors, strict=True)
    )
    return extent, area


def _parts(amount: Array, error: Array, part: slice) -> Parts:
    """Of the seas in `part`; amount and error are (sea, block)."""
    blocks = error[part].sum(axis=0)
    regional = float(np.sqrt((blocks**2).sum()))
    return Parts(float(amount[part].sum()), regional, float(blocks.sum()))


def shown(value: float, uncertainty: float) -> str:
    """A value and its uncertainty, rounded to two significant digits of the uncertainty.

    >>> shown(7_159_142.0, 48_879.0), shown(1234.0, 0.5), shown(5.0, float("nan"))
    ('7,159,000 ± 49,000', '1,234.00 ± 0.50', '5')
    """
    if not isfinite(value):
        return ""
    if not (isfinite(uncertainty) and uncertainty > 0):
        return f"{value:,.0f}"
    digits = 1 - floor(log10(uncertainty))
    if round(uncertainty, digits) >= 10 ** (2 - digits):  # 99.6 is 100
        digits -= 1
    places = max(digits, 0)
    return f"{round(value, digits):,.{places}f} ± {round(uncertainty, digits):,.{places}f}"

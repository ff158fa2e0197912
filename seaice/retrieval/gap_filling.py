"""Gap filling and flags from other days, the season and the place, the same for all methods.

`interpolate_between_days` fills cells that were observed on days before and after, `fill_pole_hole`
the disc around the north pole that no orbit observes; `postprocess` applies both and sets flags.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from seaice.grid.blocks import SCALE, block_mean, repeat_to_fine_grid
from seaice.grid.grid import Grid, grid_of, hemisphere_of
from seaice.grid.masks import lake_mask, outside_climatology
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import EDGE, FILTERED_BY, weather_filter
from seaice.retrieval.classical.uncertainty import asi_uncertainty
from seaice.retrieval.flags import Flag
from seaice.retrieval.uncertainty import smearing

__all__ = [
    "CHANGE_FRACTION",
    "MAX_DAYS",
    "MAX_RADIUS",
    "MIN_INTERPOLATION_ERROR",
    "fill_cells",
    "fill_pole_hole",
    "interpolate_between_days",
    "postprocess",
    "unfilled_cells",
]

Map = NDArray[np.float32]
Values = NDArray[np.floating]
Mask = NDArray[np.bool_]


def unfilled_cells(product: xr.Dataset) -> Mask:
    """Sea cells without a value, (4y, 4x)."""
    return np.asarray((product["status_flag"].values & Flag.NO_INPUT) > 0)


def fill_cells(
    product: xr.Dataset, coarse_sic: Values, uncertainty: Values, flags: Flag
) -> xr.Dataset:
    """Fill unfilled cells where a value is known.

    `sic_raw` stays NaN, and brightness temperatures, counts and times are not changed, because
    nothing was observed.

    Parameters
    ----------
    coarse_sic, uncertainty : (y, x) concentration of 6.25 km cells, and one standard deviation
        without smearing; NaN where unknown
    flags : set instead of `NO_INPUT`
    """
    where = unfilled_cells(product) & repeat_to_fine_grid(np.isfinite(coarse_sic))
    if not where.any():
        return product
    sic = product["sic"].values.copy()
    sic[where] = repeat_to_fine_grid(coarse_sic)[where]
    algorithm, smeared = repeat_to_fine_grid(uncertainty)[where].clip(0, 1), smearing(sic)[where]
    total = np.hypot(algorithm, smeared)
    values_by_name = {
        "sic_algorithm_uncertainty": algorithm,
        "sic_smearing_uncertainty": smeared,
        "sic_uncertainty": total.clip(0, 1),
        "sic_uncertainty_95": (2 * total).clip(0, 1),
        "status_flag": product["status_flag"].values[where] & ~np.uint16(Flag.NO_INPUT) | flags,
    }
    filled = product.assign(sic=product["sic"].copy(data=sic))
    for name, values in values_by_name.items():
        field = product[name].values.copy()
        field[where] = values
        filled[name] = product[name].copy(data=field)
    return filled


MAX_DAYS = 2  #: days

#: Error of linear interpolation between two days: hypot(MIN_INTERPOLATION_ERROR, CHANGE_FRACTION *
#: the change between them). From a year of OSI SAF maps, where there is ice: if the days before and
#: after agree, the error is 0.02, and 0.03 two days away; else a third of their difference.
MIN_INTERPOLATION_ERROR, CHANGE_FRACTION = 0.03, 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _NearestDay:
    """Values of the nearest observed day on one side, (y, x); NaN where there is none."""

    sic: Map
    uncertainty: Map
    days: Map  #: distance of that day


def interpolate_between_days(product: xr.Dataset, maps: Mapping[date, xr.Dataset]) -> xr.Dataset:
    """Fill unfilled sea cells that were observed within two days both before and after.

    The concentration of these days is that of ASI with its weather filters on their 6.25 km maps,
    for products of all methods, because ASI needs no other stacks. The nearest day on each side is
    used, with a weight that decreases linearly with distance in time. One side is not enough.

    Parameters
    ----------
    product : as `seaice.retrieval.concentrate.product`
    maps : daily maps by date; only those of other days are used

    Returns
    -------
    Dataset
        The same with `Flag.GAP_FILLED` cells; `sic_raw` is NaN there.
    """
    if not unfilled_cells(product).any():
        return product
    day = date.fromisoformat(product.attrs["date"])
    before, after = (_nearest_day(maps, day, towards) for towards in (-1, 1))
    if before is None or after is None:
        return product
    late = before.days / (before.days + after.days)  # weight of the day after
    sic = (1 - late) * before.sic + late * after.sic
    known = (1 - late) * before.uncertainty + late * after.uncertainty
    changed = CHANGE_FRACTION * (after.sic - before.sic)
    uncertainty = np.sqrt(known**2 + MIN_INTERPOLATION_ERROR**2 + changed**2)
    return fill_cells(product, sic, uncertainty, Flag.GAP_FILLED)


def _nearest_day(maps: Mapping[date, xr.Dataset], day: date, towards: int) -> _NearestDay | None:
    """The nearest observed day in one direction, cell by cell; None without a map."""
    side = None
    for days in range(MAX_DAYS, 0, -1):  # nearer days overwrite farther ones
        there = maps.get(day + timedelta(days=towards * days))
        if there is None or any(name not in there for name in FILTERED_BY):
            continue
        sic, uncertainty = _concentration(there)
        distance = np.where(np.isfinite(sic), np.float32(days), np.float32("nan"))
        farther = side or _NearestDay(sic=sic, uncertainty=uncertainty, days=distance)
        side = _NearestDay(
            sic=np.where(np.isfinite(sic), sic, farther.sic),
            uncertainty=np.where(np.isfinite(sic), uncertainty, farther.uncertainty),
            days=np.where(np.isfinite(sic), distance, farther.days),
        )
    return side


def _concentration(daily_map: xr.Dataset) -> tuple[Map, Map]:
    """ASI after its filters, and its uncertainty, (y, x); NaN where any channel is missing."""
    low = [daily_map[name].values for name in FILTERED_BY]
    known = np.logical_and.reduce([np.isfinite(channel) for channel in low])
    pd = (daily_map["tb89v"] - daily_map["tb89h"]).values
    sic = np.where(weather_filter(*low), 0.0, asi(pd))
    sic = np.where(known & np.isfinite(pd), sic, np.nan).astype(np.float32)
    return sic, asi_uncertainty(sic, daily_map["n_obs"].values)


MAX_RADIUS = 250_000.0  #: m from the pole; the gap of AMSR2 is about 150 km

#: Root mean square error divided by the standard deviation along the rim: 0.64 in discs of 150 km
#: around the pole, 0.43 in discs elsewhere in the ice, from a year of OSI SAF maps.
RIM_ERROR_RATIO = 0.64


def fill_pole_hole(product: xr.Dataset) -> xr.Dataset:
    """Fill the hole at the north pole if all of its rim is observed.

    Every 6.25 km cell gets the mean of the rim, weighted by distance to the power of -2. The
    standard deviation is that of the rim cells and, in quadrature, `RIM_ERROR_RATIO` times the
    standard deviation along the rim.

    Parameters
    ----------
    product : as `seaice.retrieval.concentrate.product`; the south, and maps without
        all cells within 250 km of the pole, are returned unchanged

    Returns
    -------
    Dataset
        The same with cells flagged `POLE_HOLE` and `GAP_FILLED`; `sic_raw` is NaN there.
    """
    grid = grid_of(product)
    window = _around_pole(grid)
    if window is None:
        return product
    empty = block_mean(unfilled_cells(product)[window].astype(np.float32)) == 1
    hole = _enclosed_hole(empty)
    rim = binary_dilation(hole, np.ones((3, 3), bool)) & ~hole
    sic = block_mean(product["sic"].values[window])
    if not hole.any() or not np.isfinite(sic[rim]).all():
        return product
    uncertainty = block_mean(product["sic_algorithm_uncertainty"].values[window])
    filled = [
        _on_daily_map(grid, window, hole, _inverse_distance_mean(values, hole, rim))
        for values in (sic, uncertainty)
    ]
    uncertainty = np.hypot(filled[1], RIM_ERROR_RATIO * np.std(sic[rim]))
    return fill_cells(product, filled[0], uncertainty, Flag.POLE_HOLE | Flag.GAP_FILLED)


def _around_pole(grid: Grid) -> tuple[slice, slice] | None:
    """The refined cells within `MAX_RADIUS` of the pole; None if the map does not cover them."""
    row, column = (place // SCALE * SCALE for place in grid.locate(0.0, 0.0))
    reach = int(MAX_RADIUS / grid.cell) // SCALE * SCALE
    window = slice(row - reach, row + reach), slice(column - reach, column + reach)
    inside = all(
        part.start >= 0 and part.stop <= size for part, size in zip(window, grid.shape, strict=True)
    )
    return window if inside and hemisphere_of(grid) == "north" else None


def _enclosed_hole(empty: Mask) -> Mask:
    """The connected part without values around the centre, if it is inside the window."""
    parts, _ = label(empty, np.ones((3, 3), bool))
    middle = parts[tuple(size // 2 for size in empty.shape)]
    hole = (parts == middle) & (middle > 0)
    inner = np.zeros_like(hole)
    inner[1:-1, 1:-1] = True
    return np.asarray(hole if not (hole & ~inner).any() else np.zeros_like(hole))


def _inverse_distance_mean(values: Map, hole: Mask, rim: Mask) -> Map:
    """The mean of the rim for each cell of the hole, weighted by inverse squared distance."""
    at, known = np.argwhere(hole), np.argwhere(rim)
    weights = 1 / ((at[:, None] - known[None]) ** 2).sum(axis=-1)
    filled = np.full(values.shape, np.nan, np.float32)
    filled[hole] = weights @ values[rim] / weights.sum(axis=1)
    return filled


def _on_daily_map(grid: Grid, window: tuple[slice, slice], hole: Mask, values: Map) -> Map:
    """Values of a window on the grid of the daily map, NaN elsewhere."""
    rows, columns = (slice(part.start // SCALE, part.stop // SCALE) for part in window)
    daily = np.full([size // SCALE for size in grid.shape], np.nan, np.float32)
    daily[rows, columns] = values
    return daily


def postprocess(
    product: xr.Dataset, maps: Mapping[date, xr.Dataset], fill: Literal["gaps", "none"]
) -> xr.Dataset:
    """Fill gaps if requested, and flag lakes and ice outside the climatology of the month.

    Flags change no value: lakes have none, and ice outside the climatology is not removed.

    Parameters
    ----------
    product : as `seaice.retrieval.concentrate.product`
    maps : daily maps by date, of the days around
    fill : "gaps" for `interpolate_between_days` and `fill_pole_hole`
    """
    if fill == "gaps":
        # one step a line, so that no intermediate product stays in memory
        product = interpolate_between_days(product, maps)
        product = fill_pole_hole(product)
    grid = grid_of(product)
    outside = repeat_to_fine_grid(
        outside_climatology(_coarse_grid(grid), int(product.attrs["date"][5:7]))
    )
    flagged = _with_flag(product, lake_mask(grid), Flag.LAKE)
    return _with_flag(flagged, outside & (product["sic"].values > EDGE), Flag.OUTSIDE_CLIMATOLOGY)


def _with_flag(product: xr.Dataset, where: Mask, flag: Flag) -> xr.Dataset:
    flags = product["status_flag"]
    return product.assign(status_flag=flags.copy(data=flags.values | where * np.uint16(flag)))


def _coarse_grid(grid: Grid) -> Grid:
    """The 6.25 km grid that was refined."""
    rows, columns = (size // SCALE for size in grid.shape)
    return replace(grid, cell=grid.cell * SCALE, shape=(rows, columns))

"""Concentration of cells that a day missed, from the days on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.sic.classical.asi import asi
from seaice.sic.classical.uncertainty import asi_uncertainty
from seaice.sic.classical.weather import weather_filter
from seaice.sic.disagreement import FILTERED_BY
from seaice.sic.evidence.filling import missing, put
from seaice.sic.flags import Flag

__all__ = ["CHANGE", "DRIFT", "REACH", "between_days"]

Map = NDArray[np.float32]

REACH = 2  #: days

#: What a straight line between two days misses: hypot(DRIFT, CHANGE * what changed between them).
#: In a year of OSI SAF maps, where there is ice: neighbours that agree miss the day between them by
#: 0.02, days two away by 0.03; those that differ by a third of their difference.
DRIFT, CHANGE = 0.03, 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """What the nearest day on one side tells of each cell, (y, x); NaN where none does."""

    share: Map
    doubt: Map
    days: Map  #: how far away it is


def between_days(product: xr.Dataset, maps: Mapping[date, xr.Dataset]) -> xr.Dataset:
    """Fill missing sea cells that were seen within two days both before and after.

    The neighbours' concentration is that of ASI with its weather filters on their 6.25 km maps,
    whatever the product's method is: a formula, the same for all, that needs no other stacks. The
    nearest day of either side counts, in proportion to nearness. A day alone fills nothing.

    Parameters
    ----------
    product : as `seaice.sic.concentrate.product`
    maps : daily maps by date; only those of other days are used

    Returns
    -------
    Dataset
        The same with `Flag.GAP_FILLED` cells; `sic_raw` is NaN there.
    """
    if not missing(product).any():
        return product
    day = date.fromisoformat(product.attrs["date"])
    before, after = (_side(maps, day, towards) for towards in (-1, 1))
    if before is None or after is None:
        return product
    late = before.days / (before.days + after.days)  # 0: all of the day before
    share = (1 - late) * before.share + late * after.share
    known = (1 - late) * before.doubt + late * after.doubt
    changed = CHANGE * (after.share - before.share)
    doubt = np.sqrt(known**2 + DRIFT**2 + changed**2)
    return put(product, share, doubt, Flag.GAP_FILLED)


def _side(maps: Mapping[date, xr.Dataset], day: date, towards: int) -> _Side | None:
    """The nearest known days in one direction; None where there is no map."""
    side = None
    for days in range(REACH, 0, -1):  # the nearer overrules
        there = maps.get(day + timedelta(days=towards * days))
        if there is None or any(name not in there for name in FILTERED_BY):
            continue
        share, doubt = _concentration(there)
        apart = np.where(np.isfinite(share), np.float32(days), np.float32("nan"))
        farther = side or _Side(share=share, doubt=doubt, days=apart)
        side = _Side(
            share=np.where(np.isfinite(share), share, farther.share),
            doubt=np.where(np.isfinite(share), doubt, farther.doubt),
            days=np.where(np.isfinite(share), apart, farther.days),
        )
    return side


def _concentration(daily_map: xr.Dataset) -> tuple[Map, Map]:
    """ASI after its filters, and its uncertainty, (y, x); NaN where any channel is absent."""
    low = [daily_map[name].values for name in FILTERED_BY]
    known = np.logical_and.reduce([np.isfinite(channel) for channel in low])
    pd = (daily_map["tb89v"] - daily_map["tb89h"]).values
    share = np.where(weather_filter(*low), 0.0, asi(pd))
    share = np.where(known & np.isfinite(pd), share, np.nan).astype(np.float32)
    return share, asi_uncertainty(share, daily_map["n_obs"].values)

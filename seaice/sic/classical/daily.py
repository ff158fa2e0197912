"""Refined brightness temperatures in, concentration by a formula with its reasons out."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.refined import on_refined
from seaice.sic.classical.asi import asi, asi_uncertainty, weather_filter
from seaice.sic.concentrate import Told, product
from seaice.sic.flags import Flag, everyday
from seaice.sic.smearing import smearing

__all__ = ["by_asi"]

FILTERS = ("tb18v", "tb23v", "tb36v")  #: channels of the weather filters


def by_asi(refined: xr.Dataset, daily_map: xr.Dataset, land: NDArray[np.bool_]) -> xr.Dataset:
    """Concentration of a refined day by ASI, its weather filters on the daily map's cells.

    Parameters
    ----------
    refined, daily_map : of one day
    land : (y, x) bool, on the refined grid

    Returns
    -------
    Dataset
        As `seaice.sic.concentrate.product`; filtered cells are 0 and flagged, cells whose filter
        had no channels are flagged.
    """
    pd = refined["pd"].values
    observed = np.isfinite(pd)
    low = [daily_map[name].values for name in FILTERS]
    water = on_refined(weather_filter(*low)) & observed & ~land
    raw = np.where(land, np.nan, asi(pd)).astype(np.float32)
    sic = np.where(water, 0.0, raw).astype(np.float32)
    doubt = asi_uncertainty(sic, on_refined(daily_map["n_obs"].values))
    timed = on_refined(~np.isnat(daily_map["obs_time"].values))
    reasons = everyday(land, observed, timed, refined.attrs)
    reasons[Flag.OPEN_WATER_FILTERED] = water & (raw > 0)
    missing = np.logical_or.reduce([np.isnan(channel) for channel in low])
    reasons[Flag.LOW_FREQUENCY_MISSING] = on_refined(missing) & observed & ~land
    told = Told(sic=sic, raw=raw, algorithm=doubt, smearing=smearing(sic))
    return product(refined, daily_map, told, reasons)

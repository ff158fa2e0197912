"""Which cells are open water that weather makes look like ice: gradient ratios and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import xarray as xr
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere

__all__ = [
    "FILTERS",
    "SPREEN",
    "Limits",
    "WeatherFilter",
    "gradient_ratio",
    "limits_of",
    "weather_filter",
]

Field = TypeVar("Field", NDArray[Any], xr.DataArray)
WeatherFilter = Literal["spreen", "noaa", "nsidc", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Gradient ratios of vertical polarization at and above which a cell is open water."""

    cloud: float  #: (36.5 - 18.7) / (36.5 + 18.7), answers to cloud liquid
    vapour: float  #: (23.8 - 18.7) / (23.8 + 18.7), answers to water vapour


SPREEN = Limits(cloud=0.045, vapour=0.040)
NOAA = Limits(cloud=0.046, vapour=0.045)
NSIDC_NORTH = Limits(cloud=0.050, vapour=0.045)
NSIDC_SOUTH = Limits(cloud=0.057, vapour=0.045)

#: spreen: Spreen et al. 2008, JGR 113, C02S03, section 3.2. noaa: NOAA ATBD of the GCOM-W1/AMSR2
#: sea-ice product, 2015. nsidc: sea-ice climate data record, CDRP-ATBD-0107, as run on AMSR2.
FILTERS: Mapping[WeatherFilter, Mapping[Hemisphere, Limits]] = {
    "spreen": {"north": SPREEN, "south": SPREEN},
    "noaa": {"north": NOAA, "south": NOAA},
    "nsidc": {"north": NSIDC_NORTH, "south": NSIDC_SOUTH},
}


def limits_of(name: WeatherFilter, hemisphere: Hemisphere) -> Limits | None:
    """The limits of a published filter; None of "none".

    >>> limits_of("nsidc", "south").cloud
    0.057
    """
    return None if name == "none" else FILTERS[name][hemisphere]


def gradient_ratio(higher: Field, lower: Field) -> Field:
    """(higher - lower) / (higher + lower) of two temperatures."""
    ratio: Field = (higher - lower) / (higher + lower)
    return ratio


def weather_filter(tb18v: Field, tb23v: Field, tb36v: Field, *, limits: Limits = SPREEN) -> Field:
    """Which cells are open water by their gradient ratios.

    Thin or wet ice at an edge can pass for it.

    Parameters
    ----------
    tb18v, tb23v, tb36v : any shape, K
    limits : of both ratios

    Returns
    -------
    bool of the same kind and shape; False where a channel is absent, for it accuses nobody

    >>> import numpy as np
    >>> weather_filter(*np.array([[185.0, 250, np.nan], [200, 245, 200], [205, 240, 205]]))
    array([ True, False, False])
    """
    cloud = gradient_ratio(tb36v, tb18v) >= limits.cloud
    vapour = gradient_ratio(tb23v, tb18v) >= limits.vapour
    either: Field = cloud | vapour
    return either

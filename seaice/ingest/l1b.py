"""JAXA AMSR2 level 1B: every band at its own resolution and its own place.

Source: JAXA, "AMSR2 Level 1 Product Format Specification".
"""

import xarray as xr

from seaice.ingest.coregistration import low_positions, parse_parameters
from seaice.ingest.level1 import (
    high_variables,
    kept_scans,
    low_places,
    low_variables,
    swath_attrs,
)
from seaice.ingest.names import COREGISTRATION, L1B_HIGH, L1B_LOW
from seaice.ingest.source import Source
from seaice.instrument import LOW_BANDS

__all__ = ["accepts", "read"]


def accepts(source: Source) -> bool:
    """Whether any dataset is named as L1B names them."""
    return any(source.has(name) for name in (*L1B_HIGH.values(), *L1B_LOW.values()))


def read(source: Source) -> xr.Dataset:
    """The swath of an L1B granule; low-frequency samples at their co-registered positions.

    Raises
    ------
    GranuleError
        If 89 GHz, positions or times are not there, or the file is of another sensor.
    """
    scans = kept_scans(source)
    high = high_variables(source, scans, L1B_HIGH)
    low, missing = low_variables(source, scans, L1B_LOW)
    a1, a2 = (parse_parameters(source.required_text(name)) for name in COREGISTRATION)
    latitude, longitude = (high[name].values[0] for name in ("latitude", "longitude"))
    places = low_positions(latitude, longitude, [(a1[band], a2[band]) for band in LOW_BANDS])
    return xr.Dataset(
        high | low | low_places(*places),
        attrs=swath_attrs(source, high["time"].values, missing) | {"level": "L1B"},
    )

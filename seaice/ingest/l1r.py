"""JAXA AMSR2 level 1R: low frequencies resampled to the positions of horn A.

Each low-frequency channel is taken at the finest footprint the file offers for it (see
`seaice.ingest.names.FINEST`): res06 for 6.9 and 7.3 GHz, res10 for 10.7, res23 for 18.7 and 23.8,
res36 for 36.5. Their points are every second sample of 89A, so no co-registration is needed.

Source: JAXA, "AMSR2 Level 1R Product Format Specification"; Maeda, Taniguchi, Imaoka 2016,
"GCOM-W1 AMSR2 Level 1R product: dataset of brightness temperature modified using the antenna
pattern matching technique", IEEE TGRS 54(2).
"""

import numpy as np
import xarray as xr

from seaice.ingest.level1 import (
    high_variables,
    kept_scans,
    low_places,
    low_variables,
    swath_attrs,
)
from seaice.ingest.names import L1R_HIGH, L1R_LOW
from seaice.ingest.source import Source
from seaice.instrument import LOW_BANDS

__all__ = ["accepts", "read"]


def accepts(source: Source) -> bool:
    """Whether any dataset is named as L1R names them."""
    return any(source.has(name) for name in (*L1R_HIGH.values(), *L1R_LOW.values()))


def read(source: Source) -> xr.Dataset:
    """The swath of an L1R granule.

    Raises
    ------
    GranuleError
        If 89 GHz, positions or times are not there, or the file is of another sensor.
    """
    scans = kept_scans(source)
    high = high_variables(source, scans, L1R_HIGH)
    low, missing = low_variables(source, scans, L1R_LOW)
    even = (high[name].values[0, :, ::2] for name in ("latitude", "longitude"))
    shape = len(LOW_BANDS), *next(iter(low.values())).shape
    places = (np.broadcast_to(values, shape) for values in even)
    return xr.Dataset(
        high | low | low_places(*places),
        attrs=swath_attrs(source, high["time"].values, missing) | {"level": "L1R"},
    )

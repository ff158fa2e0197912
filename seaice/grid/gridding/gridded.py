"""Daily maps of others in, our daily maps out."""

from pathlib import Path

import numpy as np
import xarray as xr

from seaice.errors import NoInputError
from seaice.grid.dataset import coordinates, hemisphere_of
from seaice.grid.definition import HEMISPHERES, Grid
from seaice.grid.gridding.quarters import QUARTERS
from seaice.ingest.au_si6 import read_au_si6
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.vocabulary import attrs

__all__ = ["daily_map_from_au_si6"]


def daily_map_from_au_si6(path: str | Path, grid: Grid) -> xr.Dataset:
    """The daily map that an NSIDC AU_SI6 file holds, on a hemisphere's 6.25 km grid or its crop.

    What such a file does not know is absent: low frequencies, quarters and spread are NaN, times
    NaT; `n_obs` is 1 where there is a temperature, for at least one sample stands behind it.

    Raises
    ------
    GranuleError
        If the file is absent, damaged, of another format, undated, or empty.
    NoInputError
        If it has no temperature on this grid.
    ValueError
        If the grid is no crop of NORTH or SOUTH.
    """
    hemisphere = hemisphere_of(grid)
    rows, columns = grid.within(HEMISPHERES[hemisphere])
    given = read_au_si6(path, hemisphere).isel(y=rows, x=columns)
    seen = np.isfinite(given["tb89h"].values) | np.isfinite(given["tb89v"].values)
    if not seen.any():
        raise NoInputError(
            f"no temperature of {given.attrs['granule']} on the grid asked for",
            "a file that covers it",
            "choose another region or another day",
        )
    absent = np.full(grid.shape, np.nan, np.float32)
    variables = {
        **{name: given[name].values for name in HIGH_CHANNELS},
        **{name: absent for name in LOW_CHANNELS},
        "n_obs": seen.astype(np.uint16),
        "obs_time": np.full(grid.shape, np.datetime64("NaT", "ns")),
        "spread": absent,
    }
    unknown = np.full((len(QUARTERS), *grid.shape), np.nan, np.float32)
    variables |= {f"{name}_quarter": unknown for name in HIGH_CHANNELS}
    maps = {
        name: (("quarter", "y", "x")[-values.ndim :], values, attrs(name))
        for name, values in variables.items()
    }
    date = given.attrs["date"]
    dated = {"time": np.datetime64(f"{date}T12:00", "ns")}
    return xr.Dataset(
        maps,
        coords=coordinates(grid) | dated,
        attrs={
            "crs": grid.crs,
            "hemisphere": hemisphere,
            "date": date,
            "granules": [given.attrs["granule"]],
            "n_granules": 1,
            "rejected": [],
            "missing_channels": list(LOW_CHANNELS),
        },
    )

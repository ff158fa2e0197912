"""Numbers of a product to the digits that mean something, so that its files take half the room.

Noise below what is known fills most of a compressed file. Values are rounded to a power of two, as
netCDF4 does for `least_significant_digit`, whose name the attribute bears: 0, 1/2 and 1 stay what
they are.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["DIGITS", "rounded"]

#: Decimal digits kept: concentration to better than 1e-4 (its doubt is percents), temperature to
#: better than 0.01 K (the sensor's own step).
DIGITS = MappingProxyType(
    {
        **{
            name: 4
            for name in (
                "sic",
                "sic_raw",
                "sic_uncertainty",
                "sic_uncertainty_95",
                "sic_algorithm_uncertainty",
                "sic_smearing_uncertainty",
            )
        },
        **{name: 2 for name in ("tb89h", "tb89v", "pd")},
    }
)


def rounded(product: xr.Dataset) -> xr.Dataset:
    """The product with `DIGITS` in every map, each of which says so; times to whole seconds.

    The polarization difference stays the difference of the temperatures beside it.
    """
    named = sorted(DIGITS.keys() & product.keys())
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        maps = workers.map(lambda name: _rounded(product[name].values, DIGITS[name]), named)
        made = product.assign(
            {name: product[name].copy(data=each) for name, each in zip(named, maps, strict=True)}
        )
    if {"tb89h", "tb89v", "pd"} <= product.keys():
        difference = made["tb89v"].values - made["tb89h"].values
        known = np.isfinite(difference) & np.isfinite(made["pd"].values)
        np.copyto(made["pd"].values, difference, where=known)
    for name in DIGITS.keys() & product.keys():
        made[name].attrs = product[name].attrs | {"least_significant_digit": np.int32(DIGITS[name])}
    if "obs_time" in product:
        time = product["obs_time"]
        made["obs_time"] = time.copy(data=_whole_seconds(time.values))
    return made


def _whole_seconds(times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """The nearest, row by row: whole maps of times are 280 MB each."""
    half = np.timedelta64(500, "ms")
    whole = np.empty_like(times)
    for row, given in zip(whole, times, strict=True):
        row[:] = (given + half).astype("datetime64[s]")
    return whole


def _rounded(values: NDArray[np.floating], digits: int) -> NDArray[np.floating]:
    """To multiples of the power of two next below 10^-digits.

    >>> _rounded(np.array([0.333333, 1.0, 0.0]), 2).tolist()
    [0.3359375, 1.0, 0.0]
    """
    steps = values.dtype.type(2.0 ** math.ceil(digits * math.log2(10)))
    made = np.asarray(values * steps)
    np.rint(made, out=made)
    made /= steps
    return made

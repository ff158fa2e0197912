"""Products as NetCDF-4 files and Zarr v3 stores: rounding, encoding and writing of arrays.

Values are rounded to a power of two before they are written, as netCDF4 does for
`least_significant_digit`: digits below the uncertainty are noise, which fills most of a compressed
file. 0, 1/2 and 1 are exact.
"""

import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec
from zarr.errors import ZarrUserWarning

from seaice.cf import attrs
from seaice.grid.grid import Grid, grid_of
from seaice.product.metadata import to_cf

__all__ = [
    "CHUNK",
    "DECIMAL_DIGITS",
    "cell_positions",
    "encoding",
    "round_values",
    "times_to_seconds",
    "write_cf_zarr",
    "write_netcdf",
    "write_zarr",
]

#: Decimal digits kept: concentration to better than 1e-4 (its doubt is percents), temperature to
#: better than 0.01 K (the sensor's own step).
DECIMAL_DIGITS = MappingProxyType(
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


def round_values(product: xr.Dataset) -> xr.Dataset:
    """The product with `DECIMAL_DIGITS` in every map, each of which says so; times to whole seconds.

    The polarization difference stays the difference of the temperatures beside it.
    """
    named = sorted(DECIMAL_DIGITS.keys() & product.keys())
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        maps = workers.map(
            lambda name: _round_to_digits(product[name].values, DECIMAL_DIGITS[name]), named
        )
        made = product.assign(
            {name: product[name].copy(data=each) for name, each in zip(named, maps, strict=True)}
        )
    if {"tb89h", "tb89v", "pd"} <= product.keys():
        difference = made["tb89v"].values - made["tb89h"].values
        known = np.isfinite(difference) & np.isfinite(made["pd"].values)
        np.copyto(made["pd"].values, difference, where=known)
    for name in DECIMAL_DIGITS.keys() & product.keys():
        made[name].attrs = product[name].attrs | {
            "least_significant_digit": np.int32(DECIMAL_DIGITS[name])
        }
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


def _round_to_digits(values: NDArray[np.floating], digits: int) -> NDArray[np.floating]:
    """To multiples of the power of two next below 10^-digits.

    >>> _round_to_digits(np.array([0.333333, 1.0, 0.0]), 2).tolist()
    [0.3359375, 1.0, 0.0]
    """
    steps = values.dtype.type(2.0 ** math.ceil(digits * math.log2(10)))
    made = np.asarray(values * steps)
    np.rint(made, out=made)
    made /= steps
    return made


CHUNK = 512  #: cells a side: what is read at once


def encoding(values: xr.DataArray | xr.Variable, date: str) -> dict[str, object]:
    """How any store keeps a variable: NaN where there is no number, times as seconds of the day."""
    if np.issubdtype(values.dtype, np.floating):
        return {"_FillValue": values.dtype.type("nan")}
    if np.issubdtype(values.dtype, np.datetime64):
        return {"units": f"seconds since {date}", "dtype": "float64", "_FillValue": np.nan}
    return {}


def times_to_seconds(cf: xr.Dataset, date: str) -> xr.Dataset:
    """Maps of times as the numbers that a store keeps, in seconds since the day began.

    xarray would make the same numbers, but first look for a unit among all of them, sorted.
    """
    begin = np.datetime64(date, "ns")
    numbers = {}
    for name, values in cf.data_vars.items():
        if "y" in values.dims and np.issubdtype(values.dtype, np.datetime64):
            told = {"units": f"seconds since {date}", "calendar": "proleptic_gregorian"}
            seconds = (values.values - begin) / np.timedelta64(1, "s")
            numbers[name] = xr.Variable(values.dims, seconds, dict(values.attrs) | told)
    return cf.assign(numbers)


#: Steps a degree of stored latitudes and longitudes: 1/8192 degree is 14 m of latitude, so rounding
#: moves a position by 7 m at most. Digits below that compress badly and carry no information.
POSITION_STEPS = 2.0**13


def write_netcdf(product: xr.Dataset, path: Path) -> None:
    """Write the product with CF and ACDD metadata, deflated, in chunks of 512 cells a side.

    Latitude and longitude of the cells are written too: programs that know no projection need
    them. x and y with `crs` are exact, these are rounded to 7 m.
    """
    cf = times_to_seconds(to_cf(product), product.attrs["date"])
    for name, degrees in zip(
        ("longitude", "latitude"), cell_positions(grid_of(product)), strict=True
    ):
        told = attrs(name) | {"coverage_content_type": "coordinate"}
        told["valid_range"] = np.array(told["valid_range"], np.float32)
        cf = cf.assign_coords({name: (("y", "x"), degrees, told)})
    cf.to_netcdf(
        path,
        engine="netcdf4",
        format="NETCDF4",
        encoding={
            str(name): _netcdf_encoding(values, product.attrs["date"])
            for name, values in cf.variables.items()
            if {"y", "x"} <= set(values.dims)
        },
    )


def cell_positions(grid: Grid) -> list[NDArray[np.float32]]:
    """Longitude and latitude of the cells, (y, x) degrees; some rows at a time to spare memory."""
    kept = [np.empty(grid.shape, np.float32) for _ in range(2)]
    for top in range(0, grid.shape[0], CHUNK):
        rows = slice(top, min(top + CHUNK, grid.shape[0]))
        for whole, part in zip(kept, grid.crop(rows, slice(None)).lonlat(), strict=True):
            whole[rows] = np.rint(part * POSITION_STEPS) / POSITION_STEPS
    return kept


def _netcdf_encoding(values: xr.Variable, date: str) -> dict[str, object]:
    """Level 1 takes a third of the time of level 4, and 2 % more room."""
    cells = {"y": CHUNK, "x": CHUNK}
    sizes = [min(cells.get(str(axis), 1), size) for axis, size in values.sizes.items()]
    deflate = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": sizes}
    return encoding(values, date) | deflate


def write_zarr(product: xr.Dataset, path: Path) -> None:
    """Write the product with CF metadata; chunks (1, 512, 512), which share one file (shard)
    a variable and day.

    The metadata are gathered in one place as well: xarray asks for that first and warns where it
    is missing.
    """
    write_cf_zarr(to_cf(product), path, product.attrs["date"])


def write_cf_zarr(cf: xr.Dataset, path: Path, epoch: str) -> None:
    """Write what `to_cf` made; times of cells count from `epoch`, a date."""
    cf = times_to_seconds(cf, epoch)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        cf.to_zarr(
            path,
            mode="w",
            zarr_format=3,
            consolidated=True,
            encoding={
                str(name): _zarr_encoding(values, epoch)
                for name, values in cf.items()
                if "y" in values.dims
            },
        )


def _zarr_encoding(values: xr.DataArray, epoch: str) -> dict[str, object]:
    rows, columns = values.sizes["y"], values.sizes["x"]
    return encoding(values, epoch) | {
        "chunks": (1, CHUNK, CHUNK),
        "shards": (1, -(-rows // CHUNK) * CHUNK, -(-columns // CHUNK) * CHUNK),
        # against level 3 and bytes shuffled: two thirds of the time, 4 % more room
        "compressors": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    }

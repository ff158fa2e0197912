"""What a map must say of itself so that programs understand it: CF 1.11 and ACDD 1.3."""

from datetime import UTC, datetime

import numpy as np
import xarray as xr
from pyproj import CRS

from seaice import __version__
from seaice.grid.dataset import grid_of
from seaice.sic.flags import Flag
from seaice.vocabulary import attrs

__all__ = ["described", "flag_attributes", "grid_mapping"]

MAP_VARIABLES = (
    "sic",
    "sic_uncertainty",
    "status_flag",
    "tb89h",
    "tb89v",
    "pd",
    "n_obs",
    "obs_time",
)


def grid_mapping(crs: str) -> dict[str, object]:
    """CF attributes of the map projection, complete.

    `pyproj` leaves out `latitude_of_projection_origin`, which CF appendix F requires of a polar
    stereographic plane: the pole on whose side the standard parallel lies.

    >>> grid_mapping("EPSG:3412")["latitude_of_projection_origin"]
    -90.0
    """
    described: dict[str, object] = dict(CRS(crs).to_cf())
    parallel = described["standard_parallel"]
    if not isinstance(parallel, float):
        raise TypeError(f"standard_parallel={parallel!r} is no latitude.")
    described["latitude_of_projection_origin"] = float(np.copysign(90.0, parallel))
    return described


def flag_attributes() -> dict[str, object]:
    """CF `flag_masks` and `flag_meanings` of the bits of `status_flag`."""
    return {
        "flag_masks": [int(flag) for flag in Flag],
        "flag_meanings": " ".join(str(flag.name).lower() for flag in Flag),
    }


def described(product: xr.Dataset) -> xr.Dataset:
    """The product as a CF dataset: dims time (1), y, x, a grid mapping, and who made it of what.

    Parameters
    ----------
    product : the product of docs/architecture.md, dims y, x

    Returns
    -------
    Dataset
        The same numbers, with `time`, `time_bnds` and `crs`, ready for any writer.
    """
    names = [name for name in MAP_VARIABLES if name in product]
    day = np.datetime64(product.attrs["date"], "ns")
    noon, hours = day + np.timedelta64(12, "h"), np.timedelta64(24, "h")
    cf = product[names].drop_vars("time", errors="ignore").expand_dims(time=[noon])
    for name in names:
        cf[name].attrs = attrs(name) | {"grid_mapping": "crs", "coverage_content_type": "image"}
    cf["sic"].attrs["ancillary_variables"] = "sic_uncertainty status_flag n_obs"
    cf["status_flag"].attrs |= flag_attributes()
    cf["time"].attrs = {"standard_name": "time", "axis": "T", "bounds": "time_bnds"}
    cf["time"].encoding = {"units": "seconds since 1970-01-01", "dtype": "int64"}
    cf["time_bnds"] = ("time", "bnds"), np.array([[day, day + hours]])
    cf["crs"] = (), np.int32(0), grid_mapping(product.attrs["crs"])
    cf.attrs = _global_attributes(product)
    return cf


def _global_attributes(product: xr.Dataset) -> dict[str, object]:
    given = product.attrs
    left, bottom, right, top = grid_of(product).bounds
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"Sea-ice concentration, {given['hemisphere']}, {given['date']}",
        "summary": "Daily sea-ice concentration from AMSR2 89 GHz swaths, super-resolved four "
        "times, with uncertainty and the reason for every cell's value.",
        "keywords": "sea ice concentration, AMSR2, passive microwave, super-resolution",
        "institution": "seaice project",
        "license": "Apache-2.0 for the software; see the provenance for the data",
        "source": f"AMSR2 on GCOM-W1, {given.get('n_granules', 0)} granules on the day",
        "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} seaice {__version__}",
        "processing_level": "L3",
        "product_version": __version__,
        "product_status": given.get("status", "final"),
        "time_coverage_start": f"{given['date']}T00:00:00Z",
        "time_coverage_end": f"{given['date']}T23:59:59Z",
        "geospatial_bounds": f"POLYGON (({left} {bottom}, {left} {top}, {right} {top}, "
        f"{right} {bottom}, {left} {bottom}))",
        "geospatial_bounds_crs": given["crs"],
        "crs": given["crs"],
        "hemisphere": given["hemisphere"],
        "date": given["date"],
        "provenance": given.get("provenance", "{}"),
    }

"""What each variable of a map must say of itself so that programs understand it: CF 1.11."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr
from pyproj import CRS

from seaice.sic.flags import Flag
from seaice.vocabulary import attrs
from seaice.write.metadata.acdd import global_attributes

__all__ = [
    "CHUNK",
    "MAP_VARIABLES",
    "described",
    "encoding",
    "flag_attributes",
    "grid_mapping",
    "in_seconds",
]

CHUNK = 512  #: cells a side: what is read at once

#: The variables of a map, how each cell's value sums up the day (CF, appendix E), and what kind of
#: content it is (ISO 19115-1).
MAP_VARIABLES = MappingProxyType(
    {
        "sic": ("time: mean area: mean", "physicalMeasurement"),
        "sic_uncertainty": ("", "qualityInformation"),
        "sic_uncertainty_95": ("", "qualityInformation"),
        "status_flag": ("", "qualityInformation"),
        "sic_raw": ("time: mean area: mean", "physicalMeasurement"),
        "sic_algorithm_uncertainty": ("", "qualityInformation"),
        "sic_smearing_uncertainty": ("", "qualityInformation"),
        "tb89h": ("time: mean area: mean", "physicalMeasurement"),
        "tb89v": ("time: mean area: mean", "physicalMeasurement"),
        "pd": ("time: mean area: mean", "physicalMeasurement"),
        "n_obs": ("time: sum", "auxiliaryInformation"),
        "real_frames": ("", "auxiliaryInformation"),
        "obs_time": ("time: mean", "auxiliaryInformation"),
    }
)
KEPT = ("least_significant_digit",)  #: attributes that a variable may bring along
ANCILLARY = tuple(
    name
    for name, (_, kind) in MAP_VARIABLES.items()
    if kind != "physicalMeasurement" and name != "obs_time"
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


#: Every day of these clocks has 86400 s.
NO_LEAP_SECONDS: dict[str, object] = {"units_metadata": "leap_seconds: none"}
ON_SCALE: dict[str, object] = {"units_metadata": "temperature: on_scale"}

#: What only one variable has to say.
ONLY: Mapping[str, dict[str, object]] = MappingProxyType(
    {
        "sic_uncertainty_95": {
            "standard_error_multiplier": 1.96,
            "comment": "the multiplier is nominal: errors are not normal, the width is calibrated",
        },
        "status_flag": flag_attributes(),
        "tb89h": ON_SCALE,
        "tb89v": ON_SCALE,
        "pd": {"units_metadata": "temperature: difference"},
        "real_frames": {
            "flag_masks": [1, 2, 4, 8, 16],
            "flag_meanings": "two_days_before day_before day day_after two_days_after",
        },
        "obs_time": NO_LEAP_SECONDS,
    }
)


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
        kept = {key: cf[name].attrs[key] for key in KEPT if key in cf[name].attrs}
        cf[name].attrs = _attributes(name, cf[name].dtype) | kept
    cf["sic"].attrs["ancillary_variables"] = " ".join(n for n in ANCILLARY if n in product)
    cf["time"].attrs = {
        "standard_name": "time",
        "long_name": "noon of the day",
        "axis": "T",
        "bounds": "time_bnds",
        **NO_LEAP_SECONDS,
        "coverage_content_type": "coordinate",
    }
    cf["time_bnds"] = ("time", "bnds"), np.array([[day, day + hours]])
    for name in ("time", "time_bnds"):
        cf[name].encoding = {"units": "seconds since 1970-01-01", "dtype": "int64"}
    cf["crs"] = (), np.int32(0), grid_mapping(product.attrs["crs"])
    cf = cf.assign_coords({axis: _axis(product[axis].variable) for axis in ("y", "x")})
    cf.attrs = global_attributes(product)
    return cf


def _axis(centres: xr.Variable) -> xr.Variable:
    """A coordinate variable, of which no value is ever absent."""
    told = dict(centres.attrs) | {"coverage_content_type": "coordinate"}
    return xr.Variable(centres.dims, centres.values, told, {"_FillValue": None})


def _attributes(name: str, kind: np.dtype) -> dict[str, object]:
    """Those of one variable; CF wants ranges and masks in the variable's own type."""
    methods, content = MAP_VARIABLES[name]
    told = attrs(name) | {"grid_mapping": "crs", "coverage_content_type": content}
    told |= ONLY.get(name, {})
    if methods:
        told["cell_methods"] = methods
    if "valid_range" in told:
        told["valid_range"] = np.array(told["valid_range"], kind)
    if "flag_masks" in told:
        told["flag_masks"] = np.array(told["flag_masks"], kind)
    return told


def encoding(values: xr.DataArray | xr.Variable, date: str) -> dict[str, object]:
    """How any store keeps a variable: NaN where there is no number, times as seconds of the day."""
    if np.issubdtype(values.dtype, np.floating):
        return {"_FillValue": values.dtype.type("nan")}
    if np.issubdtype(values.dtype, np.datetime64):
        return {"units": f"seconds since {date}", "dtype": "float64", "_FillValue": np.nan}
    return {}


def in_seconds(cf: xr.Dataset, date: str) -> xr.Dataset:
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

"""Datasets of concentration, as this project and other services write them, in; a field out."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from seaice.errors import NoInputError
from seaice.evaluate.fields import nsidc, osisaf
from seaice.evaluate.fields.field import Field
from seaice.evaluate.fields.told import as_fraction
from seaice.grid.grid import Grid

__all__ = ["field_of"]

#: Names of concentration: ours and CF's usual one, OSI SAF's, Bremen's (ASI) and older ones.
CONCENTRATION = ("sic", "ice_conc", "z", "sea_ice_concentration", "siconc", "cdr_seaice_conc")
WIDER = "sic_uncertainty_95"  #: half-width that holds 95 % of errors
SIGMA = (
    *("sic_uncertainty", "total_standard_uncertainty", "total_standard_error"),
    "total_uncertainty",
)
AXES = (("x", "y"), ("xc", "yc"), ("xgrid", "ygrid"))
LENGTHS = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "km": 1e3, "kilometers": 1e3}
EPSG = ("EPSG:6931", "EPSG:6932", "EPSG:3411", "EPSG:3412", "EPSG:3413", "EPSG:3976", "EPSG:3408")


def field_of(dataset: xr.Dataset, name: str, day: date | None, told: np.datetime64 | None) -> Field:
    """The field in an open dataset, north up whatever its row order.

    Where rows lie is read from the coordinates only: some files carry a GeoTransform that says the
    opposite.

    Parameters
    ----------
    day : which to take where the dataset holds several
    told : the time that the file's name tells, for files without one

    Raises
    ------
    NoInputError
        If concentration, even axes, the CRS or the day is not to be found.
    """
    dataset = nsidc.plain(dataset)
    sic = _first(dataset, CONCENTRATION)
    if sic is None:
        raise _unusable(f"{name} with variables {', '.join(map(str, dataset.data_vars))}")
    dataset, time = _on_day(dataset, name, day, told)
    dataset, lattice = _north_up(osisaf.observed(nsidc.observed(dataset)), sic, name)
    tb = [dataset[n].values for n in ("tb89h", "tb89v") if n in dataset]
    return Field(
        name=name,
        lattice=lattice,
        sic=_fraction(dataset[sic]),
        time=time,
        doubt=_doubt(dataset),
        tb=np.stack(tb).astype(np.float32) if len(tb) == 2 else None,
    )


def _doubt(dataset: xr.Dataset) -> NDArray[np.float32] | None:
    """Half-widths that hold 68 and 95 % of errors; where only the first is told, twice it."""
    name = _first(dataset, SIGMA)
    if name is None:
        return None
    one = _fraction(dataset[name])
    wider = _fraction(dataset[WIDER]) if WIDER in dataset else 2 * one
    return np.stack([one, wider])


def _first(dataset: xr.Dataset, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in dataset), None)


def _fraction(values: xr.DataArray) -> NDArray[np.float32]:
    found = np.squeeze(np.asarray(values.values, np.float32))
    units = str(values.attrs.get("units", ""))
    if units in ("1", "fraction"):
        return np.where((found >= 0) & (found <= 1), found, np.float32("nan"))
    return as_fraction(found, whole=units in ("%", "percent"))


def _on_day(
    dataset: xr.Dataset, name: str, day: date | None, told: np.datetime64 | None
) -> tuple[xr.Dataset, np.datetime64 | None]:
    """The dataset of one time, and that time."""
    if "time" not in dataset or not np.issubdtype(dataset["time"].dtype, np.datetime64):
        return dataset, told
    times = np.atleast_1d(dataset["time"].values)
    index = 0
    if times.size > 1:
        near = np.flatnonzero(times.astype("datetime64[D]") == np.datetime64(day or "NaT", "D"))
        if not near.size:
            first, last = (np.datetime_as_string(t, "D") for t in (times.min(), times.max()))
            raise NoInputError(
                f"{name} with {times.size} times from {first} to {last}, and none on {day}",
                "a file that holds the day of the product",
                "give a file of that day, or choose a day of this one with --date",
            )
        index = int(near[0])
    if "time" in dataset.dims:
        dataset = dataset.isel(time=index)
    return dataset, _observed(dataset) or times[index]


def _observed(dataset: xr.Dataset) -> np.datetime64 | None:
    """Median time of observation, where each cell tells its own."""
    if "obs_time" not in dataset:
        return None
    times = dataset["obs_time"].values
    known = times[~np.isnat(times)]
    if not known.size:
        return None
    median: np.datetime64 = np.sort(known)[known.size // 2]
    return median


def _north_up(dataset: xr.Dataset, sic: str, name: str) -> tuple[xr.Dataset, Grid]:
    """The dataset with x ascending and y descending, and its lattice."""
    axes = next((pair for pair in AXES if set(pair) <= set(dataset[sic].dims)), None)
    if axes is None or any(axis not in dataset.coords for axis in axes):
        raise _unusable(f"{name} whose {sic} has the dimensions {dataset[sic].dims}")
    along, down = axes
    dataset = dataset.sortby(along).sortby(down, ascending=False)
    x, y = (_metres(dataset[axis]) for axis in axes)
    steps = np.concatenate([np.diff(x), -np.diff(y)])
    if min(x.size, y.size) < 2 or np.ptp(steps) > 1e-3 * abs(steps[0]):
        raise _unusable(f"{name} whose x and y are not evenly spaced")
    step = float((x[-1] - x[0]) / (x.size - 1))
    corner = Affine.translation(float(x[0]) - step / 2, float(y[0]) + step / 2)
    transform = corner @ Affine.scale(step, -step)
    crs = _crs(dataset, sic, name)
    return dataset, Grid.from_affine(crs=crs, transform=transform, shape=(y.size, x.size))


def _metres(axis: xr.DataArray) -> NDArray[np.float64]:
    return np.asarray(axis.values, float) * LENGTHS.get(str(axis.attrs.get("units", "m")), 1.0)


def _crs(dataset: xr.Dataset, sic: str, name: str) -> str:
    """From the attribute `crs`, the grid mapping, or an EPSG code in the title."""
    if "crs" in dataset.attrs:
        return str(dataset.attrs["crs"])
    mapping = dataset[sic].attrs.get("grid_mapping", dataset[sic].encoding.get("grid_mapping"))
    if mapping in dataset.variables:
        try:
            return str(CRS.from_cf(dict(dataset[mapping].attrs)).to_wkt())
        except (CRSError, KeyError) as error:
            raise _unusable(
                f"{name} whose grid mapping {mapping} is not known ({error})"
            ) from error
    title = str(dataset.attrs.get("title", ""))
    found = next((code for code in EPSG if code in title), None)
    if found is None:
        raise _unusable(f"{name} without a grid mapping")
    return found


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        f"concentration under one of the names {', '.join(CONCENTRATION)} on evenly spaced x and y "
        "of a plane that the file names",
        "give a product or truth of this project, a NetCDF of OSI SAF or of Bremen (ASI), or a "
        "GeoTIFF",
    )

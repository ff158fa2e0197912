"""Formats of reference maps: NetCDF of OSI SAF, NSIDC, Bremen and this project, charts, GeoTIFF.

OSI SAF (OSI-450-a, OSI-401, OSI-408): product user manuals; attributes `flag_masks` (or
`flag_values`) and `flag_meanings` of `status_flag`, and `confidence_level` (0 unprocessed, 1
erroneous, 2 unreliable, 3 acceptable, 4 good, 5 excellent) of the operational products.

NOAA/NSIDC's climate data record G02202 and near-real-time G10016: "NOAA/NSIDC Climate Data Record
of Passive Microwave Sea Ice Concentration" (doi 10.7265/efmz-2t65), versions 4 to 6. Version 4 has
dimensions tdim, y, x with positions in `time`, `ygrid`, `xgrid`; codes 251 to 254 (pole hole, lake,
coast, land) among hundredths; and a grid mapping that some readers do not accept.

AI4Arctic/ASIP, a Sentinel-1 scene and an ice service's chart of it: Buus-Hinkler et al. 2022,
"AI4Arctic Sea Ice Challenge Dataset" (doi 10.11583/DTU.c.6244065). The raw files have
`polygon_icechart`, a polygon number for each pixel, and `polygon_codes`, a line of codes joined by
";" for each polygon after a line of their names; positions are tie points at `sar_grid_line`,
`sar_grid_sample`. The ready-to-train files have `SIC` in tenths (255: masked) and evenly spaced tie
points, `sar_grid2d_latitude`. Codes are SIGRID-3's (JCOMM Technical Report 23, table CT).
"""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioIOError

from seaice.errors import NoInputError
from seaice.evaluate.fields.field import Field
from seaice.grid.grid import Grid
from seaice.io.hdf5 import MAX_CELLS

__all__ = [
    "field_from_chart",
    "field_from_dataset",
    "field_from_geotiff",
    "is_chart",
    "parse_time",
    "sigrid_fraction",
    "time_in_name",
    "to_fraction",
]

DAY = re.compile(r"(?<!\d)(19|20)(\d{2})-?([01]\d)-?([0-3]\d)(?:[T_]?([0-2]\d)([0-5]\d))?")


def to_fraction(values: NDArray[np.floating], whole: bool) -> NDArray[np.float32]:
    """Percent or fraction to fraction; other values, such as codes of land, to NaN.

    Parameters
    ----------
    whole : the file has integers, which are percent

    >>> to_fraction(np.array([0, 50, 100, 120.0]), True).tolist()
    [0.0, 0.5, 1.0, nan]
    """
    with np.errstate(invalid="ignore"):
        percent = whole or bool((values > 1.001).any())
        fraction = np.asarray(values / (100 if percent else 1), np.float32)
        return np.where((fraction >= 0) & (fraction <= 1), fraction, np.float32("nan"))


def time_in_name(name: str) -> np.datetime64 | None:
    """The time in a file name: to the minute, or noon of the day.

    >>> time_in_name("asi-AMSR2-n6250-20160417-v5.4.nc")
    np.datetime64('2016-04-17T12:00')
    >>> time_in_name("S1A_EW_20190823T0330.tif")
    np.datetime64('2019-08-23T03:30')
    """
    match = DAY.search(name)
    if match is None:
        return None
    century, year, month, day, hour, minute = match.groups()
    return parse_time(f"{century}{year}-{month}-{day}T{hour or 12}:{minute or '00'}")


def parse_time(text: str) -> np.datetime64 | None:
    """A time from ISO 8601 text, or None."""
    try:
        return np.datetime64(text)
    except ValueError:
        return None


#: Meanings of cells without an observation of the sea on the day. Filtered cells are kept, as 0.
OSISAF_MISSING = frozenset(
    {
        *("land", "lake", "coast", "spatial_interpolation", "temporal_interpolation"),
        *("interpolated", "missing", "missing_data", "no_data", "unprocessed", "erroneous"),
        *("background", "computation_failed"),
    }
)
OSISAF_ERRONEOUS = 1  #: confidence level up to which cells are removed


def _mask_osisaf(dataset: xr.Dataset) -> xr.Dataset:
    """The map of one day without land, lakes, failed and interpolated cells."""
    if "ice_conc" not in dataset:
        return dataset
    kept = np.ones(dataset["ice_conc"].shape, bool)
    if "status_flag" in dataset:
        kept &= ~_flagged_missing(dataset["status_flag"])
    if "confidence_level" in dataset:
        level = dataset["confidence_level"].values.astype(float)
        kept &= ~(level <= OSISAF_ERRONEOUS)
    return dataset.assign(ice_conc=dataset["ice_conc"].where(kept))


def _flagged_missing(flags: xr.DataArray) -> NDArray[np.bool_]:
    """Cells whose flag is in `OSISAF_MISSING`, by bits (`flag_masks`) or by values."""
    meanings = str(flags.attrs.get("flag_meanings", "")).split()
    codes = np.nan_to_num(flags.values.astype(float)).astype(np.int64)
    missing_cells = np.zeros(codes.shape, bool)
    for kind in ("flag_masks", "flag_values"):
        for meaning, code in zip(meanings, _codes(flags.attrs.get(kind, ())), strict=False):
            if meaning in OSISAF_MISSING:
                missing_cells |= (codes & code) != 0 if kind == "flag_masks" else codes == code
    return missing_cells


def _codes(attribute: object) -> list[int]:
    """Codes of an attribute, which is text in some files.

    >>> _codes("1 2, 4"), _codes(np.array([0, 1], "i1"))
    ([1, 2, 4], [0, 1])
    """
    if isinstance(attribute, str):
        return [int(word.rstrip("bBs")) for word in attribute.replace(",", " ").split()]
    return [int(code) for code in np.atleast_1d(np.asarray(attribute))]


NSIDC_SIC = "cdr_seaice_conc"
#: variables of version 4, and of 5 and 6; above 0 where the value is interpolated
NSIDC_INTERPOLATED = (
    *("spatial_interpolation_flag", "temporal_interpolation_flag"),
    *("cdr_seaice_conc_interp_spatial_flag", "cdr_seaice_conc_interp_temporal_flag"),
)
NSIDC_NORTHERN = 4.35e6  #: m, y that only the northern grid reaches


def _normalize_nsidc(dataset: xr.Dataset) -> xr.Dataset:
    """The record with coordinates time, y, x and its CRS; other datasets unchanged."""
    if NSIDC_SIC not in dataset:
        return dataset
    if "tdim" in dataset.dims:
        dataset = dataset.set_coords("time").swap_dims(tdim="time")
    for axis in ("x", "y"):
        if f"{axis}grid" in dataset and axis in dataset.dims:
            centres = dataset[f"{axis}grid"]
            dataset = dataset.assign_coords({axis: (axis, centres.values, centres.attrs)})
    return dataset.assign_attrs(crs=_nsidc_crs(dataset))


def _mask_nsidc(dataset: xr.Dataset) -> xr.Dataset:
    """The record of one day without values interpolated from other cells or days."""
    if NSIDC_SIC not in dataset:
        return dataset
    for name in NSIDC_INTERPOLATED:
        if name in dataset:
            kept = np.nan_to_num(dataset[name].values.astype(float)) == 0
            dataset = dataset.assign({NSIDC_SIC: dataset[NSIDC_SIC].where(kept)})
    return dataset


def _nsidc_crs(dataset: xr.Dataset) -> str:
    """The NSIDC polar stereographic CRS of the file's hemisphere, on the Hughes ellipsoid."""
    for mapping in ("projection", "crs"):
        pole = dataset.get(mapping, xr.DataArray()).attrs.get("latitude_of_projection_origin")
        if pole is not None:
            return "EPSG:3411" if float(pole) > 0 else "EPSG:3412"
    down = next((dataset[name] for name in ("y", "ygrid") if name in dataset.coords), None)
    north = down is None or float(down.max()) > NSIDC_NORTHERN
    return "EPSG:3411" if north else "EPSG:3412"


#: Names of concentration: ours and CF's usual one, OSI SAF's, Bremen's (ASI) and older ones.
CONCENTRATION = ("sic", "ice_conc", "z", "sea_ice_concentration", "siconc", "cdr_seaice_conc")
WIDTH_95 = "sic_uncertainty_95"  #: half-width of the 95 % interval
SIGMA = (
    *("sic_uncertainty", "total_standard_uncertainty", "total_standard_error"),
    "total_uncertainty",
)
AXES = (("x", "y"), ("xc", "yc"), ("xgrid", "ygrid"))
LENGTHS = {"m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "km": 1e3, "kilometers": 1e3}
EPSG = ("EPSG:6931", "EPSG:6932", "EPSG:3411", "EPSG:3412", "EPSG:3413", "EPSG:3976", "EPSG:3408")


def field_from_dataset(
    dataset: xr.Dataset, name: str, day: date | None, named: np.datetime64 | None
) -> Field:
    """The field of an open dataset, north up for any row order.

    Row positions are read from coordinates only: some files have a contradicting GeoTransform.

    Parameters
    ----------
    day : which day to read from a dataset with several
    named : the time in the file name, for files without time

    Raises
    ------
    NoInputError
        If concentration, evenly spaced axes, the CRS or the day is missing.
    """
    dataset = _normalize_nsidc(dataset)
    sic = _first(dataset, CONCENTRATION)
    if sic is None:
        raise _unusable_dataset(f"{name} with variables {', '.join(map(str, dataset.data_vars))}")
    dataset, time = _on_day(dataset, name, day, named)
    dataset, grid = _north_up(_mask_osisaf(_mask_nsidc(dataset)), sic, name)
    tb = [dataset[n].values for n in ("tb89h", "tb89v") if n in dataset]
    return Field(
        name=name,
        grid=grid,
        sic=_fraction(dataset[sic]),
        time=time,
        half_widths=_half_widths(dataset),
        tb=np.stack(tb).astype(np.float32) if len(tb) == 2 else None,
    )


def _half_widths(dataset: xr.Dataset) -> NDArray[np.float32] | None:
    """Half-widths of the 68 and 95 % intervals; the second is twice the first if not given."""
    name = _first(dataset, SIGMA)
    if name is None:
        return None
    one = _fraction(dataset[name])
    wider = _fraction(dataset[WIDTH_95]) if WIDTH_95 in dataset else 2 * one
    return np.stack([one, wider])


def _first(dataset: xr.Dataset, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in dataset), None)


def _fraction(values: xr.DataArray) -> NDArray[np.float32]:
    numbers = np.squeeze(np.asarray(values.values, np.float32))
    units = str(values.attrs.get("units", ""))
    if units in ("1", "fraction"):
        return np.where((numbers >= 0) & (numbers <= 1), numbers, np.float32("nan"))
    return to_fraction(numbers, whole=units in ("%", "percent"))


def _on_day(
    dataset: xr.Dataset, name: str, day: date | None, named: np.datetime64 | None
) -> tuple[xr.Dataset, np.datetime64 | None]:
    """The dataset of one time, and that time."""
    if "time" not in dataset or not np.issubdtype(dataset["time"].dtype, np.datetime64):
        return dataset, named
    times = np.atleast_1d(dataset["time"].values)
    index = 0
    if times.size > 1:
        near = np.flatnonzero(times.astype("datetime64[D]") == np.datetime64(day or "NaT", "D"))
        if not near.size:
            first, last = (np.datetime_as_string(t, "D") for t in (times.min(), times.max()))
            raise NoInputError(
                f"{name} with {times.size} times from {first} to {last}, and none on {day}",
                "a file with the day of the product",
                "give a file of that day, or choose a day of this one with --date",
            )
        index = int(near[0])
    if "time" in dataset.dims:
        dataset = dataset.isel(time=index)
    return dataset, _median_time(dataset) or times[index]


def _median_time(dataset: xr.Dataset) -> np.datetime64 | None:
    """Median observation time, for files with a time for each cell."""
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
        raise _unusable_dataset(f"{name} whose {sic} has the dimensions {dataset[sic].dims}")
    along, down = axes
    dataset = dataset.sortby(along).sortby(down, ascending=False)
    x, y = (_metres(dataset[axis]) for axis in axes)
    steps = np.concatenate([np.diff(x), -np.diff(y)])
    if min(x.size, y.size) < 2 or np.ptp(steps) > 1e-3 * abs(steps[0]):
        raise _unusable_dataset(f"{name} whose x and y are not evenly spaced")
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
            raise _unusable_dataset(
                f"{name} whose grid mapping {mapping} is not supported ({error})"
            ) from error
    title = str(dataset.attrs.get("title", ""))
    epsg = next((code for code in EPSG if code in title), None)
    if epsg is None:
        raise _unusable_dataset(f"{name} without a grid mapping")
    return epsg


def _unusable_dataset(found: str) -> NoInputError:
    return NoInputError(
        found,
        f"concentration under one of the names {', '.join(CONCENTRATION)} on evenly spaced x and y "
        "of a plane that the file names",
        "give a product or truth of this project, a NetCDF of OSI SAF or of Bremen (ASI), or a "
        "GeoTIFF",
    )


CHART_CELL = 390.625  #: m, a quarter of a product cell; doubled until pixels are fine enough
PIXELS_PER_CELL = 4  #: least number of pixels along a cell's side; finer images are subsampled
MASKED = 255
Array = NDArray[np.float64]


class TiePoints(NamedTuple):
    """Tie points: (line,), (sample,), and degrees (line, sample)."""

    line: Array
    sample: Array
    latitude: Array
    longitude: Array


def is_chart(dataset: xr.Dataset) -> bool:
    """Whether a dataset is such a scene."""
    return "polygon_icechart" in dataset or {"SIC", "sar_grid2d_latitude"} <= set(dataset.variables)


def field_from_chart(dataset: xr.Dataset, name: str, named: np.datetime64 | None) -> Field:
    """Concentration of a chart on north-up cells of NSIDC's plane: means of pixels.

    Parameters
    ----------
    named : the time in the file name

    Raises
    ------
    NoInputError
        If no polygon has a concentration, or tie points are missing.
    """
    from scipy.interpolate import RectBivariateSpline  # slow to import, only needed for charts

    sic = _concentration(dataset)
    tie = tie_points(dataset, name, sic.shape)
    if not np.isfinite(sic).any():
        raise _unusable_chart(f"{name}, whose polygons have no concentration")
    crs = "EPSG:3411" if np.nanmean(tie.latitude) > 0 else "EPSG:3412"
    to_plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    corners = to_plane.transform(tie.longitude, tie.latitude)
    x_at, y_at = (RectBivariateSpline(tie.line, tie.sample, each, kx=1, ky=1) for each in corners)
    pixel = float(np.hypot(*(at(0, 1) - at(0, 0) for at in (x_at, y_at))).item())
    cell = CHART_CELL * 2.0 ** max(0, np.ceil(np.log2(PIXELS_PER_CELL * pixel / CHART_CELL)))
    step = max(1, int(cell / PIXELS_PER_CELL / pixel))
    lines, samples = (np.arange(step // 2, size, step) for size in sic.shape)
    x, y = (at(lines, samples) for at in (x_at, y_at))
    grid, means = _average_pixels(sic[np.ix_(lines, samples)], x, y, cell, crs)
    time = named or time_in_name(str(dataset.attrs.get("original_id", "")))
    return Field(name=name, grid=grid, sic=means, time=time)


def sigrid_fraction(code: int) -> float:
    """Concentration of a SIGRID-3 code CT; the mean of a range.

    >>> [sigrid_fraction(code) for code in (0, 1, 2, 55, 10, 46, 81, 91, 92, 99, -9)]
    [0.0, 0.05, 0.0, 0.0, 0.1, 0.5, 0.9, 0.95, 1.0, nan, nan]
    """
    known = {0: 0.0, 1: 0.05, 2: 0.0, 55: 0.0, 92: 1.0}
    low, high = divmod(code, 10)
    if code in known or not 10 <= code <= 91:
        return known.get(code, float("nan"))
    if high == 0:
        return low / 10
    high = 10 if high == 1 and low > 1 else high
    return (low + high) / 20 if high > low else float("nan")


def _concentration(dataset: xr.Dataset) -> NDArray[np.float32]:
    """(line, sample) 0-1, NaN where the chart has no value."""
    if "polygon_icechart" not in dataset:
        tenths = dataset["SIC"].values.astype(np.float32)
        return np.where((tenths >= 0) & (tenths <= 10), tenths / 10, np.float32("nan"))
    fractions = np.array([sigrid_fraction(code) for code in range(-9, 100)], np.float32)
    sic = fractions[np.clip(total_codes(dataset), -9, 99) + 9]
    if "distance_map" in dataset:
        sic = np.where(dataset["distance_map"].values == 0, np.float32("nan"), sic)
    return sic


def total_codes(dataset: xr.Dataset) -> NDArray[np.int16]:
    """SIGRID-3 code CT (total concentration) of every pixel of a raw scene.

    Parameters
    ----------
    dataset : with `polygon_icechart` (line, sample), the number of each pixel's polygon, and
        `polygon_codes`, one line of codes a polygon after a line of column names

    Returns
    -------
    (line, sample) int16; -9 where no polygon of the table covers the pixel
    """
    numbers = np.nan_to_num(dataset["polygon_icechart"].values, nan=-1).astype(np.int64)
    names, *polygons = (str(line).split(";") for line in dataset["polygon_codes"].values.ravel())
    at = {column.strip().lower(): index for index, column in enumerate(names)}
    number, total = at.get("poly_id", at.get("id", 0)), at.get("ct", 1)
    # index -1, the last entry, is for pixels without a polygon
    by_number = np.full(max(int(numbers.max()) + 2, 1), -9, np.int16)
    for codes in polygons:
        if int(codes[number]) < by_number.size - 1:
            by_number[int(codes[number])] = int(codes[total])
    return np.asarray(by_number[numbers])


def tie_points(dataset: xr.Dataset, name: str, shape: tuple[int, ...]) -> TiePoints:
    """Tie points of a scene, raw or ready to train.

    Parameters
    ----------
    name : of the file, for errors
    shape : lines and samples of the image; tie points of ready-to-train files are spread evenly
        from its first to its last pixel

    Raises
    ------
    NoInputError
        If there are none, or they are not a regular grid.
    """
    if "sar_grid2d_latitude" in dataset:
        degrees = [dataset[f"sar_grid2d_{axis}"].values for axis in ("latitude", "longitude")]
        lines, samples = (
            np.linspace(0, size - 1, points)
            for size, points in zip(shape, degrees[0].shape, strict=True)
        )
    elif "sar_grid_line" in dataset:
        lines, samples = (np.unique(dataset[f"sar_grid_{axis}"]) for axis in ("line", "sample"))
        order = np.lexsort((dataset["sar_grid_sample"].values, dataset["sar_grid_line"].values))
        if order.size != lines.size * samples.size:
            raise _unusable_chart(f"{name}, whose tie points are not a regular grid")
        degrees = [
            dataset[f"sar_grid_{axis}"].values[order].reshape(lines.size, samples.size)
            for axis in ("latitude", "longitude")
        ]
    else:
        raise _unusable_chart(f"{name}, which has no tie points")
    return TiePoints(lines, samples, *degrees)


def _average_pixels(
    sic: NDArray[np.float32], x: Array, y: Array, cell: float, crs: str
) -> tuple[Grid, NDArray[np.float32]]:
    """Means of the pixels in each cell; NaN where less than half of them have a value."""
    left, top = np.floor(x.min() / cell) * cell, np.ceil(y.max() / cell) * cell
    column, row = ((x - left) // cell).astype(np.int64), ((top - y) // cell).astype(np.int64)
    shape = int(row.max()) + 1, int(column.max()) + 1
    cell_index, valid = (row * shape[1] + column).ravel(), np.isfinite(sic).ravel()
    size = shape[0] * shape[1]
    pixels, valid_pixels = (
        np.bincount(cell_index, minlength=size),
        np.bincount(cell_index[valid], minlength=size),
    )
    sums = np.bincount(cell_index[valid], sic.ravel()[valid], size)
    covered = (valid_pixels > 0) & (2 * valid_pixels >= pixels)
    means = np.where(covered, sums / np.maximum(valid_pixels, 1), np.nan).astype(np.float32)
    transform = Affine.translation(left, top) @ Affine.scale(cell, -cell)
    return Grid.from_affine(crs=crs, transform=transform, shape=shape), means.reshape(shape)


def _unusable_chart(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a scene of AI4Arctic/ASIP with SIC or polygon_icechart, and tie points",
        "give a file as it was published",
    )


def field_from_geotiff(path: Path) -> Field:
    """The first band of a raster, 0-1.

    Whole numbers, and anything that reaches above 1, are percent; values outside 0 to 100 % and the
    file's `nodata`, is NaN. The time is that of the tag `TIFFTAG_DATETIME` or of the
    file's name.

    Raises
    ------
    NoInputError
        If it is not a raster, has no CRS, or has no concentration.
    """
    try:
        with rasterio.open(path) as raster:
            if raster.width * raster.height > MAX_CELLS:
                raise _unusable_raster(f"{path} of {raster.width} x {raster.height} cells")
            band = raster.read(1, masked=True)
            scale, offset = raster.scales[0], raster.offsets[0]
            crs, transform, tags = raster.crs, raster.transform, raster.tags()
    except RasterioIOError as error:
        raise _unusable_raster(f"{path}, which is not a raster ({error})") from error
    if crs is None:
        raise _unusable_raster(f"{path}, without CRS")
    whole = np.issubdtype(band.dtype, np.integer) and scale == 1
    sic = to_fraction(band.astype(np.float32).filled(np.nan) * scale + offset, whole)
    if not np.isfinite(sic).any():
        raise _unusable_raster(f"{path}, without values between 0 and 100 %")
    return Field(
        name=path.stem,
        grid=Grid.from_affine(crs=crs.to_wkt(), transform=transform, shape=sic.shape),
        sic=sic,
        time=_tiff_time(tags.get("TIFFTAG_DATETIME", "")) or time_in_name(path.name),
    )


def _tiff_time(text: str) -> np.datetime64 | None:
    """The time of a TIFF tag, such as 2019:08:23 03:30:00."""
    day, _, clock = text.partition(" ")
    return parse_time(f"{day.replace(':', '-')}T{clock}") if clock else None


def _unusable_raster(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a GeoTIFF whose first band is sea-ice concentration, percent or fraction, with a CRS",
        "give another file, or write its CRS into it with `gdal_edit -a_srs`",
    )

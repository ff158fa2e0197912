"""Scenes of AI4Arctic/ASIP, a Sentinel-1 image and an ice service's chart over it, as a map.

Source of the layout: Buus-Hinkler et al. 2022, "AI4Arctic Sea Ice Challenge Dataset" (doi
10.11583/DTU.c.6244065): the raw files hold `polygon_icechart`, a polygon's number for each pixel,
and `polygon_codes`, a line of codes joined by ";" for each polygon after a line of their names;
positions are tie points at `sar_grid_line`, `sar_grid_sample`. The ready-to-train files hold `SIC`
in tenths (255: masked) and tie points evenly spread, `sar_grid2d_latitude`. Codes are SIGRID-3's
(JCOMM Technical Report 23, table CT).
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.errors import NoInputError
from seaice.evaluate.fields.field import Field
from seaice.evaluate.fields.told import day_in_name
from seaice.grid.grid import Grid

__all__ = ["TiePoints", "chart_field", "fraction_of", "is_chart", "tie_points", "total_codes"]

CELL = 390.625  #: m, a quarter of a product's; twice, four times ... where pixels are coarser
POINTS = 4  #: pixels along a cell's side, at least; of finer images not every pixel is read
MASKED = 255
Array = NDArray[np.float64]


class TiePoints(NamedTuple):
    """Positions of a radar image: (line,), (sample,), and degrees (line, sample)."""

    line: Array
    sample: Array
    latitude: Array
    longitude: Array


def is_chart(dataset: xr.Dataset) -> bool:
    """Whether a dataset is such a scene."""
    return "polygon_icechart" in dataset or {"SIC", "sar_grid2d_latitude"} <= set(dataset.variables)


def chart_field(dataset: xr.Dataset, name: str, told: np.datetime64 | None) -> Field:
    """The chart's concentration on north-up cells of NSIDC's plane: means of the pixels in each.

    Parameters
    ----------
    told : the time that the file's name tells

    Raises
    ------
    NoInputError
        If no polygon has a concentration, or tie points are absent.
    """
    from scipy.interpolate import RectBivariateSpline  # takes a second, and only charts need it

    sic = _concentration(dataset)
    tie = tie_points(dataset, name, sic.shape)
    if not np.isfinite(sic).any():
        raise _unusable(f"{name}, whose polygons tell no concentration")
    crs = "EPSG:3411" if np.nanmean(tie.latitude) > 0 else "EPSG:3412"
    to_plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    corners = to_plane.transform(tie.longitude, tie.latitude)
    x_at, y_at = (RectBivariateSpline(tie.line, tie.sample, each, kx=1, ky=1) for each in corners)
    pixel = float(np.hypot(*(at(0, 1) - at(0, 0) for at in (x_at, y_at))).item())
    cell = CELL * 2.0 ** max(0, np.ceil(np.log2(POINTS * pixel / CELL)))
    step = max(1, int(cell / POINTS / pixel))
    lines, samples = (np.arange(step // 2, size, step) for size in sic.shape)
    x, y = (at(lines, samples) for at in (x_at, y_at))
    lattice, means = _gathered(sic[np.ix_(lines, samples)], x, y, cell, crs)
    time = told or day_in_name(str(dataset.attrs.get("original_id", "")))
    return Field(name=name, lattice=lattice, sic=means, time=time)


def fraction_of(code: int) -> float:
    """Concentration of a SIGRID-3 code CT; of a range its middle.

    >>> [fraction_of(code) for code in (0, 1, 2, 55, 10, 46, 81, 91, 92, 99, -9)]
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
    """(line, sample) 0-1, NaN where the chart tells nothing."""
    if "polygon_icechart" not in dataset:
        tenths = dataset["SIC"].values.astype(np.float32)
        return np.where((tenths >= 0) & (tenths <= 10), tenths / 10, np.float32("nan"))
    fractions = np.array([fraction_of(code) for code in range(-9, 100)], np.float32)
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
    heads, *polygons = (str(line).split(";") for line in dataset["polygon_codes"].values.ravel())
    at = {head.strip().lower(): place for place, head in enumerate(heads)}
    number, total = at.get("poly_id", at.get("id", 0)), at.get("ct", 1)
    # index -1, the last entry, is for pixels without a polygon
    found = np.full(max(int(numbers.max()) + 2, 1), -9, np.int16)
    for codes in polygons:
        if int(codes[number]) < found.size - 1:
            found[int(codes[number])] = int(codes[total])
    return np.asarray(found[numbers])


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
        If there are none, or they are no lattice.
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
            raise _unusable(f"{name}, whose tie points are no lattice")
        degrees = [
            dataset[f"sar_grid_{axis}"].values[order].reshape(lines.size, samples.size)
            for axis in ("latitude", "longitude")
        ]
    else:
        raise _unusable(f"{name}, which has no tie points")
    return TiePoints(lines, samples, *degrees)


def _gathered(
    sic: NDArray[np.float32], x: Array, y: Array, cell: float, crs: str
) -> tuple[Grid, NDArray[np.float32]]:
    """Means of the pixels in each cell; NaN where less than half of them tell something."""
    left, top = np.floor(x.min() / cell) * cell, np.ceil(y.max() / cell) * cell
    column, row = ((x - left) // cell).astype(np.int64), ((top - y) // cell).astype(np.int64)
    shape = int(row.max()) + 1, int(column.max()) + 1
    place, known = (row * shape[1] + column).ravel(), np.isfinite(sic).ravel()
    size = shape[0] * shape[1]
    pixels, told = np.bincount(place, minlength=size), np.bincount(place[known], minlength=size)
    sums = np.bincount(place[known], sic.ravel()[known], size)
    enough = (told > 0) & (2 * told >= pixels)
    means = np.where(enough, sums / np.maximum(told, 1), np.nan).astype(np.float32)
    transform = Affine.translation(left, top) @ Affine.scale(cell, -cell)
    return Grid.from_affine(crs=crs, transform=transform, shape=shape), means.reshape(shape)


def _unusable(found: str) -> NoInputError:
    return NoInputError(
        found,
        "a scene of AI4Arctic/ASIP with SIC or polygon_icechart, and tie points",
        "give a file as it was published",
    )

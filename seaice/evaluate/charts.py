"""Ice charts on the cells of a scene: concentration and its uncertainty.

Three kinds of file are read:

- NetCDF on the scene's own cells: `sic` (or `sic_chart`) in percent, optionally `known` (charted
  fraction of each cell) and `sic_uncertainty` (percent, one standard deviation);
- GeoTIFF: concentration in the first band, percent or fraction; a second band, if there is one, is
  the uncertainty in the same unit. With a CRS it may lie on any grid, without one it must have the
  scene's rows and columns;
- SIGRID-3: polygons (shapefile or GeoPackage) with the code CT of total concentration and,
  optionally, POLY_TYPE. Source: JCOMM Technical Report 23, "SIGRID-3: a vector archive format for
  sea ice georeferenced information and data", version 3.0 (2014), tables of codes CT and POLY_TYPE.

What a chart does not cover is NaN, never open water.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.features import rasterize

from seaice.errors import NoInputError
from seaice.evaluate.fields.formats import sigrid_fraction, time_in_name, to_fraction
from seaice.io.hdf5 import MAX_CELLS, open_netcdf, translate_errors

__all__ = [
    "ANALYST",
    "Cells",
    "Chart",
    "chart_in",
    "find_chart",
    "read_chart",
    "sigrid_concentration",
]

Array = NDArray[np.floating]
Codes = NDArray[np.int16]

ANALYST = 0.1
"""Standard deviation of an analyst's concentration between open water and 10/10, an assumption: one
step of the code."""
CERTAIN = (0, 55, 92)  #: CT of ice free (two codes) and of 10/10: no range, no uncertainty
OPEN_WATER = (1, 2)  #: CT of less than 1/10, and of bergy water
NOT_CHARTED = ("L", "N", "S")  #: POLY_TYPE of land, no data, ice shelf
CHARTED_FRACTION = 0.5  #: of a cell, from which on the cell counts as charted
PARTS = 4  #: points along each side of a cell at which polygons and rasters are read
LONGEST = np.timedelta64(36, "h")  #: between a scene and a chart paired by date
SUFFIXES = (".nc", ".tif", ".tiff", ".shp", ".gpkg")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Concentration on the cells of a scene."""

    sic: Array  #: (row, column) 0-1, NaN where not charted
    uncertainty: Array  #: (row, column) 0-1, one standard deviation; 0 where not stated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Centres of the cells of a scene on a projected plane; rows and columns may be rotated."""

    x: Array  #: (row, column) m
    y: Array  #: (row, column) m
    crs: str

    @property
    def side(self) -> float:
        """Median side of a cell, m."""
        return float(np.nanmedian(np.hypot(np.diff(self.x, axis=1), np.diff(self.y, axis=1))))

    def points(self, parts: int) -> Iterator[tuple[Array, Array]]:
        """The centres of `parts` x `parts` equal parts of every cell, (row, column) m each."""
        steps = (np.arange(parts) + 0.5) / parts - 0.5
        x_down, x_right = np.gradient(self.x)
        y_down, y_right = np.gradient(self.y)
        for down in steps:
            for right in steps:
                yield (
                    self.x + down * x_down + right * x_right,
                    self.y + down * y_down + right * y_right,
                )


def sigrid_concentration(code: int) -> tuple[float, float]:
    """Concentration and standard deviation of a SIGRID-3 code CT.

    A range stands for its middle. Its standard deviation is that of a uniform distribution over
    the range, to which `ANALYST` is added in quadrature between 1/10 and 9/10.

    Parameters
    ----------
    code : CT; anything that the table does not have gives NaN

    Returns
    -------
    (concentration, standard deviation) : 0-1 each

    >>> sigrid_concentration(92), sigrid_concentration(55)
    ((1.0, 0.0), (0.0, 0.0))
    >>> [round(value, 3) for value in sigrid_concentration(46)]
    [0.5, 0.115]
    >>> [round(value, 3) for value in sigrid_concentration(91)]
    [0.95, 0.029]
    """
    value = sigrid_fraction(code)
    if np.isnan(value) or code in CERTAIN:
        return value, 0.0 if code in CERTAIN else float("nan")
    tens, ones = divmod(code, 10)
    if code in OPEN_WATER or code == 91 or ones == 0:
        width = 0.1
    else:
        width = ((10 if ones == 1 else ones) - tens) / 10
    analyst = 0.0 if code in OPEN_WATER or code == 91 else ANALYST
    return value, float(np.hypot(width / np.sqrt(12), analyst))


def find_chart(
    scene: Path, moment: np.datetime64, charts: Path | None
) -> tuple[list[Path], list[list[Path]]]:
    """Files that may be the chart of a scene.

    Parameters
    ----------
    scene : path of the scene's file
    moment : UTC, of the scene
    charts : folder of charts, searched with its subfolders; None: only the scene's own folder

    Returns
    -------
    by_name : files whose name is the scene's with `chart` (or `sar_chart`) in the place of
        `amsr2_scene`, `amsr2` or `scene`, or, in `charts`, the scene's own name
    by_date : the others below `charts` whose names hold a date at most 36 hours from the scene's,
        nearest first, those of one time together
    """
    own = [path for path in sorted(scene.parent.iterdir()) if path.suffix in SUFFIXES]
    others = [] if charts is None else sorted(charts.rglob("*"))
    others = [path for path in others if path.suffix in SUFFIXES and path != scene]
    names = {
        scene.stem.replace(word, "chart")
        for word in ("amsr2_scene", "amsr2", "scene")
        if word in scene.stem
    }
    by_name = [p for p in (*own, *others) if p.stem.replace("sar_chart", "chart") in names]
    by_name += [path for path in others if path.stem == scene.stem]
    by_time: dict[np.timedelta64, list[Path]] = {}
    for path in others:
        time = time_in_name(path.name)
        if time is not None and path not in by_name and abs(time - moment) <= LONGEST:
            by_time.setdefault(abs(time - moment), []).append(path)
    return list(dict.fromkeys(by_name)), [by_time[away] for away in sorted(by_time)]


def read_chart(path: Path, cells: Cells) -> Chart:
    """A chart file on the cells of a scene.

    Raises
    ------
    NoInputError
        If it cannot be read, lacks concentration or a CRS, or, on the scene's own cells, has other
        rows and columns.
    """
    if path.suffix in (".shp", ".gpkg"):
        return _read_sigrid(path, cells)
    if path.suffix in (".tif", ".tiff"):
        return _read_geotiff(path, cells)
    with translate_errors(path), open_netcdf(path, decode_times=False) as file:
        chart = chart_in(file)
    if chart is None:
        raise _unusable(f"{path}, without sic or sic_chart", "sic in percent on the scene's cells")
    return _of_shape(path, chart, cells)


def chart_in(file: xr.Dataset) -> Chart | None:
    """The chart among the variables of a NetCDF file, on its own cells; None if there is none."""
    name = next((name for name in ("sic_chart", "sic") if name in file.variables), None)
    if name is None:
        return None
    percent = np.asarray(file[name].values, float)
    charted = (percent >= 0) & (percent <= 100)
    if "known" in file.variables:
        charted &= file["known"].values > CHARTED_FRACTION
    uncertainty = np.zeros(percent.shape)
    if "sic_uncertainty" in file.variables:
        uncertainty = np.nan_to_num(np.asarray(file["sic_uncertainty"].values, float) / 100)
    return Chart(sic=np.where(charted, percent / 100, np.nan), uncertainty=uncertainty)


def _of_shape(path: Path, chart: Chart, cells: Cells) -> Chart:
    if chart.sic.shape != cells.x.shape:
        raise _unusable(
            f"{path} of {chart.sic.shape} cells", f"the scene's {cells.x.shape} rows and columns"
        )
    return chart


def _read_geotiff(path: Path, cells: Cells) -> Chart:
    try:
        with warnings.catch_warnings():
            # a chart on the scene's own cells needs no position
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(path)
        with raster:
            if raster.width * raster.height > MAX_CELLS:
                raise _unusable(
                    f"{path} of {raster.width} x {raster.height} cells", "a radar scene"
                )
            bands = raster.read([1, 2] if raster.count > 1 else [1], masked=True)
            crs, transform = raster.crs, raster.transform
    except RasterioIOError as error:
        raise _unusable(f"{path}, which is no raster ({error})", "a GeoTIFF") from error
    integer = np.issubdtype(bands.dtype, np.integer)
    values = bands.astype(np.float64).filled(np.nan)
    sic = to_fraction(values[0], integer).astype(np.float64)
    percent = integer or bool(np.nanmax(values[0], initial=0) > 1)
    uncertainty = np.zeros(sic.shape)
    if len(values) > 1:
        uncertainty = np.nan_to_num(values[1] / (100 if percent else 1))
    if crs is None:
        return _of_shape(path, Chart(sic=sic, uncertainty=uncertainty), cells)
    return _averaged(sic, uncertainty, transform, crs.to_wkt(), cells)


def _read_sigrid(path: Path, cells: Cells) -> Chart:
    """Polygons drawn on squares a quarter of a cell wide, then averaged over each cell."""
    try:
        crs, polygons, codes = _polygons(path)
    except pyogrio.errors.DataSourceError as error:
        raise _unusable(
            f"{path}, which cannot be read ({error})", "a SIGRID-3 shapefile"
        ) from error
    to_plane = Transformer.from_crs(crs, cells.crs, always_xy=True)
    # straight edges in degrees are curves on the plane: vertices at most 0.1 degrees or 5 km apart
    dense = shapely.segmentize(polygons, 0.1 if CRS.from_user_input(crs).is_geographic else 5000.0)
    on_plane = shapely.transform(
        dense, lambda points: np.stack(to_plane.transform(*points.T), axis=1)
    )
    side = cells.side / PARTS
    left = float(np.nanmin(cells.x)) - cells.side
    top = float(np.nanmax(cells.y)) + cells.side
    width = int(np.ceil((np.nanmax(cells.x) + cells.side - left) / side))
    height = int(np.ceil((top - np.nanmin(cells.y) + cells.side) / side))
    transform = Affine.translation(left, top) @ Affine.scale(side, -side)
    shapes = [
        (polygon, index)
        for index, polygon in enumerate(on_plane, start=1)
        if not polygon.is_empty and np.isfinite(polygon.bounds).all()
    ]
    index = np.zeros((height, width), np.int32)
    if shapes:
        index = rasterize(shapes, index.shape, transform=transform, fill=0, dtype="int32")
    table = np.array([(np.nan, np.nan), *map(sigrid_concentration, codes.tolist())])
    values = table[index]
    return _averaged(values[..., 0], np.nan_to_num(values[..., 1]), transform, cells.crs, cells)


def _polygons(path: Path) -> tuple[str, NDArray[np.object_], Codes]:
    """CRS, polygons and codes CT of a SIGRID-3 file; -9 where a polygon is not charted sea."""
    meta, _, geometry, values = pyogrio.raw.read(path)
    fields = {name.upper(): column for name, column in zip(meta["fields"], values, strict=True)}
    if "CT" not in fields or geometry is None:
        raise _unusable(
            f"{path} with the fields {', '.join(meta['fields']) or 'none'}",
            "SIGRID-3 polygons with the field CT",
        )
    if not meta["crs"]:
        raise _unusable(f"{path} without a CRS", "a .prj file of the same name")
    codes = np.array([_code(value) for value in fields["CT"]], np.int16)
    if "POLY_TYPE" in fields:
        kinds = np.array([str(kind).strip().upper() for kind in fields["POLY_TYPE"]])
        codes[(kinds == "W") & (codes < 0)] = 0
        codes[np.isin(kinds, NOT_CHARTED)] = -9
    return meta["crs"], shapely.from_wkb(geometry), codes


def _code(value: object) -> int:
    """CT as a number; -9 where it is empty or no number.

    >>> _code("01"), _code(" 92 "), _code(None), _code(46.0)
    (1, 92, -9, 46)
    """
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return -9


def _averaged(sic: Array, uncertainty: Array, transform: Affine, crs: str, cells: Cells) -> Chart:
    """Means over each cell of a raster's nearest values; NaN where less than half is charted."""
    to_raster = Transformer.from_crs(cells.crs, crs, always_xy=True)
    inverse = ~transform
    total, spread, count = (np.zeros(cells.x.shape) for _ in range(3))
    for x, y in cells.points(PARTS):
        column, row = inverse @ to_raster.transform(x, y)
        with np.errstate(invalid="ignore"):
            inside = (row >= 0) & (row < sic.shape[0]) & (column >= 0) & (column < sic.shape[1])
        rows = np.where(inside, row, 0).astype(np.intp)
        columns = np.where(inside, column, 0).astype(np.intp)
        known = inside & np.isfinite(sic[rows, columns])
        total += np.where(known, sic[rows, columns], 0.0)
        spread += np.where(known, uncertainty[rows, columns], 0.0)
        count += known
    charted = count >= CHARTED_FRACTION * PARTS**2
    count = np.maximum(count, 1)
    return Chart(sic=np.where(charted, total / count, np.nan), uncertainty=spread / count)


def _unusable(found: str, expected: str) -> NoInputError:
    return NoInputError(
        f"the ice chart {found}",
        expected,
        "see docs/howto/real_scenes.md for the layouts that are read",
    )

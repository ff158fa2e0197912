"""Real scenes with an ice chart: reading them, and scores of a retrieval against the chart.

A scene is a NetCDF file of AMSR2 channels on an image grid, as `seaice.ingest.scene` reads it. Its
chart is found, in this order: a variable `sic_chart` (percent) in the file itself; a variable `SIC`
(tenths, 255 where not charted); a file beside it whose name is the scene's with `chart` in the
place of `amsr2`, `scene` or `amsr2_scene` (NetCDF with `sic` in percent and optionally `known`, the
charted fraction of each cell; or a GeoTIFF in percent on the same cells). `sic_uncertainty`
(percent) beside it is the chart's own uncertainty.

Scenes without positions (decoded from figures) are placed on a plane of their own; what their
chart does not know is then taken for land.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage
from scipy.spatial import cKDTree

from seaice.errors import NoInputError
from seaice.grid.definition import NORTH, Grid
from seaice.grid.gridding.registration import displacement, registered
from seaice.grid.masks.land import land_mask
from seaice.grid.refined import SCALE
from seaice.grid.regions import covering_points
from seaice.ingest.netcdf import open_netcdf
from seaice.ingest.scene import read_scene, scene_swath
from seaice.ingest.source import translated

__all__ = [
    "CLASSES",
    "DISTANCES",
    "SMOOTHED",
    "ChartedScene",
    "open_scenes",
    "scene_scores",
    "smoothed",
]

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
CLASSES = (0.0, 0.005, 0.15, 0.5, 0.85, 1.01)  #: bounds of the chart's concentration, 0-1
DISTANCES = (0.0, 10.0, 25.0, 50.0, np.inf)  #: km, bounds of the distance to land
SMOOTHED = (5.0, 10.0, 25.0)  #: km, widths of the square means scores are also given for
LEAST_KNOWN = 0.5  #: charted fraction of a cell from which on it counts
FREE_CORNER = (600_000.0, -600_000.0)  #: m, where scenes without positions are placed
TENTH = 0.1  #: uncertainty of charts in tenths where they have neither 0 nor 100 %
FLOOR = 0.15  #: concentration above which a cell counts as ice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChartedScene:
    """One real scene with its chart."""

    name: str
    swath: xr.Dataset  #: as `read_scene` gives it, low frequencies registered
    grid: Grid  #: 6.25 km cells that cover it
    land: Mask  #: (4y, 4x), on the refined grid
    chart: Array  #: (row, column) of the scene's own cells, 0-1, NaN where not charted
    chart_uncertainty: Array  #: (row, column) 0-1, one standard deviation; 0 where not stated
    x: Array  #: (row, column) m on the plane of the grid
    y: Array  #: (row, column) m
    cell: float  #: km, side of the scene's own cells
    land_distance: Array  #: (row, column) km to the nearest land

    def on_native(self, fine: Array) -> Array:
        """A map of the refined grid on the scene's own cells, (row, column).

        Each cell is the mean of the refined cells at its centre or, where it is much larger than
        they are, at its quarters' centres.
        """
        refined = self.grid.refine(SCALE)
        parts = 1 if 1000 * self.cell < 1.5 * refined.cell else 2
        steps = (np.arange(parts) + 0.5) / parts - 0.5
        total, count = np.zeros_like(self.x), np.zeros_like(self.x)
        for down in steps:
            for right in steps:
                x = (
                    self.x
                    + down * np.gradient(self.x, axis=0)
                    + right * np.gradient(self.x, axis=1)
                )
                y = (
                    self.y
                    + down * np.gradient(self.y, axis=0)
                    + right * np.gradient(self.y, axis=1)
                )
                rows = np.floor((refined.top - y) / refined.cell).astype(int)
                columns = np.floor((x - refined.left) / refined.cell).astype(int)
                values = fine[
                    rows.clip(0, refined.shape[0] - 1), columns.clip(0, refined.shape[1] - 1)
                ]
                known = np.isfinite(values)
                total += np.where(known, values, 0.0)
                count += known
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def chart_on_fine(self, values: Array) -> Array:
        """Values of the scene's own cells on the refined grid: the nearest cell's, NaN beyond."""
        refined = self.grid.refine(SCALE)
        known = np.isfinite(self.x) & np.isfinite(self.y)
        tree = cKDTree(np.stack([self.x[known], self.y[known]], axis=1))
        x, y = np.meshgrid(refined.x, refined.y)
        reach = max(750.0 * self.cell, 0.75 * refined.cell)
        distance, index = tree.query(
            np.stack([x.ravel(), y.ravel()], axis=1), distance_upper_bound=reach
        )
        padded = np.append(values[known], np.nan)
        found = np.where(np.isfinite(distance), padded[np.minimum(index, known.sum())], np.nan)
        return np.asarray(found.reshape(refined.shape))


def open_scenes(folder: Path) -> list[ChartedScene]:
    """All charted scenes below a folder, in order of their names.

    Raises
    ------
    NoInputError
        If there is none.
    """
    if not folder.is_dir():
        raise NoInputError(
            f"no folder {folder}", "a folder of scenes with charts", "check the path"
        )
    found = []
    for path in sorted(folder.rglob("*.nc")):
        chart = _chart_of(path)
        if chart is not None:
            found.append(_open(path, *chart))
    if not found:
        raise NoInputError(
            f"no scene with a chart below {folder}",
            "NetCDF scenes with sic_chart or SIC inside, or a chart file beside each",
            "see docs/howto/real_scenes.md for the layouts that are read",
        )
    return found


def _open(path: Path, chart: Array, uncertainty: Array) -> ChartedScene:
    swath, cell = _swath_of(path, chart.shape)
    latitude, longitude = swath["latitude"].values[0], swath["longitude"].values[0]
    _, grid = covering_points(latitude, longitude)
    to_plane = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = to_plane.transform(longitude.astype(float), latitude.astype(float))
    refined = grid.refine(SCALE)
    if cell is None:
        land = land_mask(refined)
        cell = float(np.median(np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)))) / 1000
        swath = registered(swath, displacement(swath, grid, land), grid.crs)
    else:
        rows, columns = _native_of(refined, x, y)
        land = np.isnan(chart)[rows, columns]
    away = ndimage.distance_transform_edt(~land) * refined.cell / 1000
    scene = ChartedScene(
        name=path.stem,
        swath=swath,
        grid=grid,
        land=land,
        chart=chart,
        chart_uncertainty=uncertainty,
        x=x,
        y=y,
        cell=cell,
        land_distance=np.zeros_like(x),
    )
    distance = scene.on_native(away)
    return replace(scene, land_distance=distance)


def _native_of(refined: Grid, x: Array, y: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the scene under every refined cell, for a scene aligned with the plane."""
    rows, columns = x.shape
    down, right = (y[0, 0] - y[-1, 0]) / (rows - 1), (x[0, -1] - x[0, 0]) / (columns - 1)
    row = np.round((y[0, 0] - refined.y) / down).clip(0, rows - 1).astype(int)
    column = np.round((refined.x - x[0, 0]) / right).clip(0, columns - 1).astype(int)
    at = np.broadcast_arrays(row[:, None], column[None, :])
    return at[0], at[1]


def _swath_of(path: Path, shape: tuple[int, ...]) -> tuple[xr.Dataset, float | None]:
    """The scene as a swath; the side of its cells in km where it had to be placed."""
    with translated(path), open_netcdf(path, decode_times=False) as file:
        scene = file.load()
    if "latitude" in scene.variables:
        return read_scene(path), None
    cell = _stated_cell(scene)
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    back = Transformer.from_crs(NORTH.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(
        FREE_CORNER[0] + 1000 * cell * columns, FREE_CORNER[1] - 1000 * cell * rows
    )
    dims = next(iter(scene.data_vars.values())).dims
    placed = scene.assign_coords(
        latitude=(dims, latitude.astype(np.float32)), longitude=(dims, longitude.astype(np.float32))
    )
    return scene_swath(path, placed), cell


def _stated_cell(scene: xr.Dataset) -> float:
    """Side of the cells, km: attribute `cell_m`, or the words `cells of N m` in the comment."""
    if "cell_m" in scene.attrs:
        return float(scene.attrs["cell_m"]) / 1000
    words = str(scene.attrs.get("comment", "")).split()
    for before, value in pairwise(words):
        if before == "of" and value.isdecimal():
            return float(value) / 1000
    raise NoInputError(
        "a scene without positions that does not state the size of its cells",
        "latitude and longitude, or an attribute cell_m (metres)",
        "add one of them to the file",
    )


def _chart_of(path: Path) -> tuple[Array, Array] | None:
    """Concentration and uncertainty, 0-1, of the chart of a scene; None where there is none."""
    with translated(path), open_netcdf(path, decode_times=False) as file:
        inside = file.load()
    if "sic_chart" in inside:
        chart = np.asarray(inside["sic_chart"].values / 100, float)
        return chart, _stated_uncertainty(inside, chart)
    if "SIC" in inside:
        tenths = inside["SIC"].values.astype(float)
        chart = np.where((tenths >= 0) & (tenths <= 10), tenths / 10, np.nan)
        return chart, np.where((chart > 0) & (chart < 1), TENTH, 0.0)
    for word in ("amsr2_scene", "amsr2", "scene"):
        if word not in path.stem:
            continue
        for other in sorted(path.parent.iterdir()):
            stem = other.stem.replace("sar_chart", "chart")
            if stem == path.stem.replace(word, "chart") and other.suffix in (".nc", ".tif"):
                return _chart_file(other)
    return None


def _stated_uncertainty(file: xr.Dataset, chart: Array) -> Array:
    """`sic_uncertainty`, percent, where the file has it; else 0."""
    if "sic_uncertainty" not in file:
        return np.zeros(chart.shape)
    return np.nan_to_num(file["sic_uncertainty"].values.astype(float) / 100)


def _chart_file(path: Path) -> tuple[Array, Array]:
    if path.suffix == ".tif":
        with rasterio.open(path) as raster:
            percent = raster.read(1, masked=True).astype(float).filled(np.nan)
        known = (percent >= 0) & (percent <= 100)
        return np.where(known, percent / 100, np.nan), np.zeros(percent.shape)
    with translated(path), open_netcdf(path, decode_times=False) as file:
        chart = file.load()
    percent = chart["sic"].values.astype(float)
    known = chart["known"].values > LEAST_KNOWN if "known" in chart else np.isfinite(percent)
    sic = np.where(known & np.isfinite(percent), percent / 100, np.nan)
    return sic, _stated_uncertainty(chart, sic)


def smoothed(field: Array, valid: Mask, cells: int) -> Array:
    """Mean over the valid cells of the square of `cells` cells around each cell; NaN elsewhere."""
    if cells <= 1:
        return np.where(valid, field, np.nan)
    weight = ndimage.uniform_filter(valid.astype(float), cells, mode="constant")
    total = ndimage.uniform_filter(np.where(valid, field, 0.0), cells, mode="constant")
    return np.where(valid, total / np.maximum(weight, 1e-9), np.nan)


def scene_scores(
    scene: ChartedScene, sic: Array, half_widths: tuple[Array, Array] | None = None
) -> dict[str, float]:
    """Scores of a retrieval against the chart, in percent; `cells` is the number compared.

    Parameters
    ----------
    scene : with its chart
    sic : (4y, 4x) on the refined grid, 0-1
    half_widths : half-widths of the 68 and 95 % intervals on the refined grid

    Returns
    -------
    dict
        `rmse`, `mae`, `bias` at native cells, and with a suffix `_5km`, `_10km`, `_25km`, by class
        of the chart (`_chart_0` ... ) and by distance to land (`_land_0` ...); `false_ice`: share
        above 15 % where the chart has 0; `ice_bias`: bias where the chart has more than 15 %;
        `within_68`, `within_95`: share of errors within the interval where the chart has 5 to 95 %.
    """
    own = scene.on_native(sic)
    chart = scene.chart
    valid = np.isfinite(own) & np.isfinite(chart)
    error = np.where(valid, own - chart, np.nan)
    scores: dict[str, float] = {"cells": float(valid.sum())}
    scores |= _errors(error[valid], "")
    for km in SMOOTHED:
        cells = max(round(km / scene.cell), 1)
        coarse = smoothed(own, valid, cells) - smoothed(chart, valid, cells)
        scores |= _errors(coarse[valid], f"_{km:.0f}km")
    groups: Mapping[str, tuple[Array, tuple[float, ...]]] = {
        "chart": (chart, CLASSES),
        "land": (scene.land_distance, DISTANCES),
    }
    for name, (values, bounds) in groups.items():
        for number, (low, high) in enumerate(pairwise(bounds)):
            here = valid & (values >= low) & (values < high)
            scores |= _errors(error[here], f"_{name}_{number}")
            scores[f"cells_{name}_{number}"] = float(here.sum())
    scores["false_ice"] = _percent((own > FLOOR)[valid & (chart <= 0)])
    scores["ice_bias"] = _percent(error[valid & (chart > FLOOR)])
    if half_widths is not None:
        middle = valid & (chart >= 0.05) & (chart <= 0.95)
        for share, width in zip((68, 95), half_widths, strict=True):
            within = np.abs(error) <= scene.on_native(width)
            scores[f"within_{share}"] = _percent(within[middle])
    return scores


def _errors(error: Array, suffix: str) -> dict[str, float]:
    if not error.size:
        return {}
    return {
        f"rmse{suffix}": 100 * float(np.sqrt(np.mean(error**2))),
        f"mae{suffix}": 100 * float(np.mean(np.abs(error))),
        f"bias{suffix}": 100 * float(np.mean(error)),
    }


def _percent(values: NDArray[np.floating] | Mask) -> float:
    return 100 * float(np.mean(values)) if values.size else float("nan")

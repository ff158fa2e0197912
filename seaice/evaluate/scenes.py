"""Real scenes with an ice chart: reading them, and scores of a retrieval against the chart.

A scene is a NetCDF file of AMSR2 channels on an image grid, as `seaice.io.scene` or
`seaice.evaluate.ai4arctic` reads it. Its chart is looked for in this order: in the file itself
(`sic_chart` in percent, or `SIC` in tenths and 255 where not charted), in a file whose name
matches, and, in a folder of charts, by the date in the file's name (`seaice.evaluate.charts`).

Scenes without positions (decoded from figures) are placed on a plane of their own; cells that
their chart does not cover are taken for land.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage
from scipy.spatial import cKDTree

from seaice.errors import NoInputError
from seaice.evaluate.ai4arctic import class_concentrations, is_ai4arctic, read_ai4arctic
from seaice.evaluate.charts import Cells, Chart, chart_in, find_chart, read_chart
from seaice.grid.blocks import SCALE
from seaice.grid.grid import NORTH, Grid
from seaice.grid.masks import land_mask
from seaice.grid.regions import grid_around_points
from seaice.grid.registration import apply_displacement, estimate_displacement
from seaice.io.hdf5 import open_netcdf, translate_errors
from seaice.io.scene import scene_swath

__all__ = [
    "CLASSES",
    "DISTANCES",
    "SMOOTHED",
    "CellErrors",
    "ChartedScene",
    "cell_errors",
    "iter_scenes",
    "open_scenes",
    "scene_scores",
    "smoothed",
]

logger = logging.getLogger(__name__)

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
CLASSES = (0.0, 0.005, 0.15, 0.5, 0.85, 1.01)  #: bounds of the chart's concentration, 0-1
DISTANCES = (0.0, 10.0, 25.0, 50.0, np.inf)  #: km, bounds of the distance to land
SMOOTHED = (5.0, 10.0, 25.0)  #: km, widths of the squares over which errors are averaged too
FREE_CORNER = (600_000.0, -600_000.0)  #: m, where scenes without positions are placed
FLOOR = 0.15  #: concentration above which a cell counts as ice
PARTIAL = (0.05, 0.95)  #: chart concentration of cells on which coverage of intervals is counted


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
        cells = Cells(x=self.x, y=self.y, crs=self.grid.crs)
        total, count = np.zeros_like(self.x), np.zeros_like(self.x)
        for x, y in cells.points(parts):
            rows = np.floor((refined.top - y) / refined.cell).astype(int)
            columns = np.floor((x - refined.left) / refined.cell).astype(int)
            values = fine[rows.clip(0, refined.shape[0] - 1), columns.clip(0, refined.shape[1] - 1)]
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
        nearest = np.where(np.isfinite(distance), padded[np.minimum(index, known.sum())], np.nan)
        return np.asarray(nearest.reshape(refined.shape))


def open_scenes(folder: Path, charts: Path | None = None) -> list[ChartedScene]:
    """All charted scenes below a folder, in order of their names; parameters as `iter_scenes`."""
    return list(iter_scenes(folder, charts))


def iter_scenes(folder: Path, charts: Path | None = None) -> Iterator[ChartedScene]:
    """Charted scenes below a folder, one at a time, in order of their names.

    Files without AMSR2 channels are passed over; scenes without a chart are too, with a warning
    in the log.

    Parameters
    ----------
    folder : of scenes, searched with its subfolders
    charts : another folder of charts, see `seaice.evaluate.charts.find_chart`

    Raises
    ------
    NoInputError
        If a folder does not exist, or no scene has a chart.
    """
    for place, what in ((folder, "scenes with charts"), (charts, "charts")):
        if place is not None and not place.is_dir():
            raise NoInputError(f"no folder {place}", f"a folder of {what}", "check the path")
    count = 0
    for path in sorted(folder.rglob("*.nc")):
        scene = _open(path, charts)
        if scene is not None:
            count += 1
            yield scene
    if not count:
        raise NoInputError(
            f"no scene with a chart below {folder}",
            "NetCDF scenes with sic_chart or SIC inside, or a chart whose name or date matches",
            "see docs/howto/real_scenes.md for the layouts that are read",
        )


def _open(path: Path, charts: Path | None) -> ChartedScene | None:
    """One scene with its chart; None where the file is no scene or has no chart."""
    file = _scene_file(path, charts)
    if file is None:
        return None
    placed, cell = _placed(file)
    swath = scene_swath(path, placed)
    latitude, longitude = swath["latitude"].values[0], swath["longitude"].values[0]
    _, grid = grid_around_points(latitude, longitude)
    to_plane = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = to_plane.transform(longitude.astype(float), latitude.astype(float))
    moment = swath["time"].values[0]
    chart = _chart_of(path, file, moment, Cells(x=x, y=y, crs=grid.crs), charts)
    if chart is None:
        logger.warning("%s: a scene without a chart, which is not used", path)
        return None
    refined = grid.refine(SCALE)
    if cell is None:
        land = land_mask(refined)
        cell = float(np.median(np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)))) / 1000
        swath = apply_displacement(swath, estimate_displacement(swath, grid, land), grid.crs)
    else:
        rows, columns = _native_of(refined, x, y)
        land = np.isnan(chart.sic)[rows, columns]
    away = ndimage.distance_transform_edt(~land) * refined.cell / 1000
    scene = ChartedScene(
        name=path.stem,
        swath=swath,
        grid=grid,
        land=land,
        chart=chart.sic,
        chart_uncertainty=chart.uncertainty,
        x=x,
        y=y,
        cell=cell,
        land_distance=np.zeros_like(x),
    )
    return replace(scene, land_distance=scene.on_native(away))


def _scene_file(path: Path, charts: Path | None) -> xr.Dataset | None:
    """A scene in the layout of `seaice.io.scene`; None if the file has no image at 89 GHz."""
    with translate_errors(path), open_netcdf(path, decode_times=False) as file:
        if is_ai4arctic(file):
            return read_ai4arctic(path, charts)
        names = [name for name in ("tb89h", "tb89p0h") if name in file.variables]
        if not any(file[name].ndim == 2 for name in names):
            return None
        return file.load()


def _chart_of(
    path: Path, file: xr.Dataset, moment: np.datetime64, cells: Cells, charts: Path | None
) -> Chart | None:
    """The scene's chart; of several with the same time, the one that covers most of it."""
    inside = chart_in(file)
    if inside is None and "SIC" in file:
        table = {float(number): pair for number, pair in class_concentrations().items()}
        values, inverse = np.unique(file["SIC"].values, return_inverse=True)
        pairs = np.array([table.get(float(value), (np.nan, 0.0)) for value in values])
        sic, uncertainty = np.moveaxis(pairs[inverse.reshape(file["SIC"].shape)], -1, 0)
        inside = Chart(sic=sic, uncertainty=uncertainty)
    if inside is not None:
        return inside
    by_name, by_date = find_chart(path, moment, charts)
    for paths in (*([other] for other in by_name), *by_date):
        read = [read_chart(other, cells) for other in paths]
        best = max(read, key=lambda chart: np.isfinite(chart.sic).sum())
        if np.isfinite(best.sic).any():
            return best
    return None


def _native_of(refined: Grid, x: Array, y: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the scene under every refined cell, for a scene aligned with the plane."""
    rows, columns = x.shape
    down, right = (y[0, 0] - y[-1, 0]) / (rows - 1), (x[0, -1] - x[0, 0]) / (columns - 1)
    row = np.round((y[0, 0] - refined.y) / down).clip(0, rows - 1).astype(int)
    column = np.round((refined.x - x[0, 0]) / right).clip(0, columns - 1).astype(int)
    at = np.broadcast_arrays(row[:, None], column[None, :])
    return at[0], at[1]


def _placed(scene: xr.Dataset) -> tuple[xr.Dataset, float | None]:
    """The scene with positions, and the side of its cells in km where it had none."""
    if "latitude" in scene.variables:
        return scene, None
    cell = _stated_cell(scene)
    layer = scene["tb89h" if "tb89h" in scene else "tb89p0h"]
    rows, columns = layer.shape
    right, down = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    back = Transformer.from_crs(NORTH.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(
        FREE_CORNER[0] + 1000 * cell * right, FREE_CORNER[1] - 1000 * cell * down
    )
    positions = {
        "latitude": (layer.dims, latitude.astype(np.float32)),
        "longitude": (layer.dims, longitude.astype(np.float32)),
    }
    return scene.assign_coords(positions), cell


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


def smoothed(field: Array, valid: Mask, cells: int) -> Array:
    """Mean over the valid cells of the square of `cells` cells around each cell; NaN elsewhere."""
    if cells <= 1:
        return np.where(valid, field, np.nan)
    weight = ndimage.uniform_filter(valid.astype(float), cells, mode="constant")
    total = ndimage.uniform_filter(np.where(valid, field, 0.0), cells, mode="constant")
    return np.where(valid, total / np.maximum(weight, 1e-9), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellErrors:
    """Retrieval minus chart on the cells of one or more scenes, (cell,) each.

    Scores of several scenes are those of their cells together: see `joined`.
    """

    chart: Array  #: concentration of the chart, 0-1
    error: Array  #: retrieved minus charted concentration
    smooth: Mapping[float, Array]  #: km -> error of means over squares of that width
    ice: Mask  #: retrieved concentration is above `FLOOR`
    land_distance: Array  #: km
    within: (
        tuple[Mask, Mask] | None
    )  #: error within the 68 and 95 % intervals; None: the method has none

    @classmethod
    def joined(cls, parts: Sequence["CellErrors"]) -> "CellErrors":
        """The cells of several scenes; at least one."""
        within = None
        if all(part.within is not None for part in parts):
            pairs = [part.within for part in parts if part.within is not None]
            within = (
                np.concatenate([one for one, _ in pairs]),
                np.concatenate([two for _, two in pairs]),
            )
        return cls(
            chart=np.concatenate([part.chart for part in parts]),
            error=np.concatenate([part.error for part in parts]),
            smooth={
                km: np.concatenate([part.smooth[km] for part in parts]) for km in parts[0].smooth
            },
            ice=np.concatenate([part.ice for part in parts]),
            land_distance=np.concatenate([part.land_distance for part in parts]),
            within=within,
        )

    def scores(self) -> dict[str, float]:
        """Scores in percent, and numbers of cells; what no cell tells is left out.

        Returns
        -------
        dict
            `cells`; `rmse`, `mae`, `bias` at native cells, and with a suffix `_5km`, `_10km`,
            `_25km`, by class of the chart (`_chart_0` ... ) and by distance to land (`_land_0`
            ...), with `cells_chart_0` ... and `cells_land_0` ...; `false_ice`: fraction of cells
            above 15 % where the chart has 0; `ice_bias`: bias where the chart has more than 15 %;
            `within_68`, `within_95`: fraction of errors within the interval where the chart has
            5 to 95 %, with `cells_within`, their number.
        """
        scores: dict[str, float] = {"cells": float(self.error.size)}
        scores |= _errors(self.error, "")
        for km, error in self.smooth.items():
            scores |= _errors(error, f"_{km:.0f}km")
        groups = {"chart": (self.chart, CLASSES), "land": (self.land_distance, DISTANCES)}
        for name, (values, bounds) in groups.items():
            for number, (low, high) in enumerate(pairwise(bounds)):
                here = (values >= low) & (values < high)
                scores |= _errors(self.error[here], f"_{name}_{number}")
                scores[f"cells_{name}_{number}"] = float(here.sum())
        scores["false_ice"] = _percent(self.ice[self.chart <= 0])
        scores["ice_bias"] = _percent(self.error[self.chart > FLOOR])
        if self.within is not None:
            partial = (self.chart >= PARTIAL[0]) & (self.chart <= PARTIAL[1])
            scores["cells_within"] = float(partial.sum())
            for fraction, within in zip((68, 95), self.within, strict=True):
                scores[f"within_{fraction}"] = _percent(within[partial])
        return scores


def cell_errors(
    scene: ChartedScene,
    sic: Array,
    half_widths: tuple[Array, Array] | None = None,
    cells: Mask | None = None,
) -> CellErrors:
    """Errors of a retrieval on a scene's cells.

    Parameters
    ----------
    scene : with its chart
    sic : (4y, 4x) on the refined grid, 0-1
    half_widths : half-widths of the 68 and 95 % intervals on the refined grid
    cells : (row, column) cells to compare, for instance those that all methods have; None: those
        that this retrieval and the chart have
    """
    own = scene.on_native(sic)
    valid = np.isfinite(own) & np.isfinite(scene.chart)
    if cells is not None:
        valid &= cells
    error = np.where(valid, own - scene.chart, np.nan)
    smooth = {}
    for km in SMOOTHED:
        size = max(round(km / scene.cell), 1)
        smooth[km] = (smoothed(own, valid, size) - smoothed(scene.chart, valid, size))[valid]
    within = None
    if half_widths is not None:
        one, two = (np.abs(error) <= scene.on_native(width) for width in half_widths)
        within = one[valid], two[valid]
    return CellErrors(
        chart=scene.chart[valid],
        error=error[valid],
        smooth=smooth,
        ice=(own > FLOOR)[valid],
        land_distance=scene.land_distance[valid],
        within=within,
    )


def scene_scores(
    scene: ChartedScene, sic: Array, half_widths: tuple[Array, Array] | None = None
) -> dict[str, float]:
    """Scores of a retrieval against the chart: `cell_errors`, then `CellErrors.scores`."""
    return cell_errors(scene, sic, half_widths).scores()


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

"""Real scenes or days of granules, with charts, as training samples.

Each scene or day is gridded, cut into tiles and written to a Zarr group in the layout of simulated
sets, which `seaice.train.samples` describes, with three more arrays: `land`, `weight`, which falls
with the chart's own uncertainty, and `scene`, the number of the scene that a sample comes from.
docs/howto/real_scenes.md describes every array.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from seaice.config import Settings
from seaice.errors import NoInputError
from seaice.evaluate.charts import Cells, read_chart
from seaice.evaluate.fields.formats import time_in_name
from seaice.evaluate.scenes import ChartedScene, iter_scenes
from seaice.files import atomic_folder
from seaice.grid.blocks import SCALE, depth_to_space
from seaice.grid.masks import land_mask
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.stack import five_frames
from seaice.train.samples import FRAMES, LAND_COUNT, MISSING_COUNT
from seaice.workflow.day import daily_maps
from seaice.workflow.evaluation.real_scenes import gridded
from seaice.workflow.plan import Plan, plan
from seaice.workflow.stages import silent

__all__ = ["SIDE", "chart_weight", "tiles_of", "write_day_samples", "write_scene_samples"]

logger = logging.getLogger(__name__)

SIDE = 64  #: coarse cells of a tile
LEAST_CHARTED = 0.02  #: fraction of a tile that its chart must cover
TRUSTED = 0.1  #: chart uncertainty at which a cell weighs half
ON_ANY_GRID = (".tif", ".tiff", ".shp", ".gpkg")  #: charts that tell where they lie
Sample = dict[str, NDArray[np.generic]]


def write_scene_samples(
    folder: Path,
    store: Path,
    split: str = "train",
    side: int = SIDE,
    charts: Path | None = None,
) -> Iterator[tuple[int, str]]:
    """Turn every charted scene of a folder into samples; one scene is in memory at a time.

    Parameters
    ----------
    folder : of scenes, as `seaice.evaluate.scenes.iter_scenes` reads them
    store : Zarr group that is written; one that exists is replaced when all scenes are done
    split : what the set is for: "train" or "valid"
    side : coarse cells of a tile
    charts : another folder of charts

    Yields
    ------
    (int, str) : samples so far, and the scene they came from

    Raises
    ------
    NoInputError
        If no scene gives a tile with a chart.
    """
    tiles = ((scene.name, tiles_of(scene, side)) for scene in iter_scenes(folder, charts))
    yield from _written(tiles, store, split, f"scenes below {folder}")


def write_day_samples(
    granules: Path,
    charts: Path,
    store: Path,
    split: str = "train",
    side: int = SIDE,
    *,
    region: str = "all",
    hemisphere: Literal["north", "south"] = "north",
) -> Iterator[tuple[int, str]]:
    """Turn days of granules with charts into samples, with all five frames of each day.

    Parameters
    ----------
    granules : folder of L1B or L1R granules; a chart whose day has none is passed over, with a
        warning in the log
    charts : folder of charts with a CRS (SIGRID-3 or GeoTIFF), a date in the name of each
    region, hemisphere : that is gridded, as of `seaice daily`
    store, split, side : as `write_scene_samples`

    Yields
    ------
    (int, str) : samples so far, and the chart they came from

    Raises
    ------
    NoInputError
        If a folder does not exist, a chart cannot be read, or no chart gives a tile.
    SettingsError, UnknownNameError
        If there is no such region.
    """
    for folder, what in ((granules, "granules"), (charts, "charts")):
        if not folder.is_dir():
            raise NoInputError(f"no folder {folder}", f"a folder of {what}", "check the path")
    tiles = _day_tiles(granules, charts, side, {"region": region, "hemisphere": hemisphere})
    yield from _written(tiles, store, split, f"days of {granules}")


def _day_tiles(
    granules: Path, charts: Path, side: int, run: dict[str, str]
) -> Iterator[tuple[str, list[Sample]]]:
    """Name and tiles of every chart whose day has granules."""
    for path in sorted(charts.rglob("*")):
        moment = time_in_name(path.name) if path.suffix in ON_ANY_GRID else None
        if moment is None:
            continue
        day = moment.astype("datetime64[D]").item()
        with tempfile.TemporaryDirectory() as stages:
            settings = run | {"date": day, "granules": granules, "out": Path(stages)}
            try:
                planned = plan(Settings.from_table({"run": settings}))
                maps = daily_maps(planned, silent)
            except NoInputError as error:
                logger.warning("%s: no samples of %s (%s)", path, day, error.found)
                continue
            yield path.stem, _tiles_of_day(maps, planned, path, side)


def _tiles_of_day(
    maps: Mapping[date, xr.Dataset], planned: Plan, chart: Path, side: int
) -> list[Sample]:
    """Tiles of a day's region whose chart covers enough of them."""
    rows, columns = planned.region_grid.within(planned.grid)
    here = {"y": rows, "x": columns}
    stack = five_frames(maps, planned.day).isel(here)
    low = maps[planned.day].isel(here)
    refined = planned.region_grid.refine(SCALE)
    x, y = np.meshgrid(refined.x, refined.y)
    sic = read_chart(chart, Cells(x=x, y=y, crs=refined.crs))
    quarters = np.stack([stack[f"{name}_quarter"].values for name in HIGH_CHANNELS], axis=1)
    return _tiles(
        tb=np.stack([stack[name].values for name in HIGH_CHANNELS], axis=1),
        half=depth_to_space(quarters),
        low=np.stack([low[name].values for name in LOW_CHANNELS]),
        chart=sic.sic,
        uncertainty=sic.uncertainty,
        land=land_mask(refined),
        side=side,
    )


def _written(
    scenes: Iterable[tuple[str, list[Sample]]], store: Path, split: str, what: str
) -> Iterator[tuple[int, str]]:
    """Write the tiles of scenes to a set, and yield the number of samples after each scene."""
    with atomic_folder(store) as place:
        group = zarr.open_group(place, mode="w", zarr_format=3)
        names: list[str] = []
        count = 0
        for name, tiles in scenes:
            for tile in tiles:
                _append(group, {**tile, "scene": np.array(len(names), np.uint16)}, count)
                count += 1
            if tiles:
                names.append(name)
            yield count, name
        if not count:
            raise NoInputError(
                f"{what} whose charts cover none of them",
                f"a tile of which the chart covers {LEAST_CHARTED:.0%} or more",
                "give charts of the same places and days",
            )
        done = group.create_array("done", shape=(count,), chunks=(1,), dtype="uint8")
        done[:] = 1
        group.attrs.update({"split": split, "physics": "observed", "scenes": names})


def _append(group: zarr.Group, sample: Sample, index: int) -> None:
    """Write one sample behind the others, one a chunk."""
    for name, values in sample.items():
        if name not in group:
            group.create_array(
                name,
                shape=(0, *values.shape),
                chunks=(1, *values.shape),
                dtype=str(values.dtype),
            )
        array = group[name]
        if isinstance(array, zarr.Array):
            array.resize((index + 1, *values.shape))
            array[index] = values


def chart_weight(uncertainty: NDArray[np.floating]) -> NDArray[np.floating]:
    """Weight of a cell in the loss, from the standard deviation of its chart (0-1 both).

    `1 / (1 + (u / 0.1)^2)`: 1 where the chart is exact, one half at an uncertainty of 10 %.

    >>> chart_weight(np.array([0.0, 0.1, 0.2])).round(3).tolist()
    [1.0, 0.5, 0.2]
    """
    return np.asarray(1 / (1 + (uncertainty / TRUSTED) ** 2))


def tiles_of(scene: ChartedScene, side: int = SIDE) -> list[Sample]:
    """Tiles of one scene whose chart covers enough of them; its one overpass fills all frames."""
    daily_map = gridded(scene)[1]
    tb = np.stack([daily_map[name].values for name in HIGH_CHANNELS])
    half = depth_to_space(np.stack([daily_map[f"{name}_quarter"].values for name in HIGH_CHANNELS]))
    return _tiles(
        tb=np.repeat(tb[None], FRAMES, axis=0),
        half=np.repeat(half[None], FRAMES, axis=0),
        low=np.stack([daily_map[name].values for name in LOW_CHANNELS]),
        chart=scene.chart_on_fine(scene.chart),
        uncertainty=scene.chart_on_fine(scene.chart_uncertainty),
        land=scene.land,
        side=side,
    )


def _tiles(
    *,
    tb: NDArray[np.floating],
    half: NDArray[np.floating],
    low: NDArray[np.floating],
    chart: NDArray[np.floating],
    uncertainty: NDArray[np.floating],
    land: NDArray[np.bool_],
    side: int,
) -> list[Sample]:
    """Tiles of a map of which the chart covers `LEAST_CHARTED` or more.

    Parameters
    ----------
    tb : (5, 2, y, x) K, 89 GHz
    half : (5, 2, 2y, 2x) K, 89 GHz on cells half as wide
    low : (12, y, x) K
    chart, uncertainty : (4y, 4x) 0-1; the chart is NaN where it covers nothing
    land : (4y, 4x) bool
    side : coarse cells of a tile
    """
    weight = chart_weight(np.nan_to_num(uncertainty))
    tiles: list[Sample] = []
    for row in _starts(tb.shape[-2], side):
        for column in _starts(tb.shape[-1], side):
            place = row, column, side
            charted = _cut(chart, *place, SCALE, np.nan)
            if np.isfinite(charted).mean() < LEAST_CHARTED:
                continue
            tiles.append(
                {
                    "tb89": _counts(_cut(tb, *place, 1, np.nan)),
                    "tb89_half": _counts(_cut(half, *place, 2, np.nan)),
                    "low": _counts(_cut(low, *place, 1, np.nan)),
                    "truth_tb": np.full((2, SCALE * side, SCALE * side), MISSING_COUNT, np.uint16),
                    "truth_sic": np.where(
                        np.isfinite(charted), np.round(200 * np.nan_to_num(charted)), LAND_COUNT
                    ).astype(np.uint8),
                    "land": _cut(land, *place, SCALE, 1).astype(np.uint8),
                    "weight": np.round(255 * _cut(weight, *place, SCALE, 0)).astype(np.uint8),
                }
            )
    return tiles


def _starts(size: int, side: int) -> Sequence[int]:
    """First cells of as few tiles as cover a length, evenly spaced."""
    count = -(-size // side)
    return [round(k * max(size - side, 0) / max(count - 1, 1)) for k in range(count)]


def _cut(
    values: NDArray[np.generic], row: int, column: int, side: int, factor: int, beyond: float
) -> NDArray[np.floating]:
    """A tile of (..., y, x) at `factor` cells per coarse cell, filled beyond the map."""
    part = values[
        ...,
        factor * row : factor * (row + side),
        factor * column : factor * (column + side),
    ].astype(np.float64)
    missing = [(0, 0)] * (part.ndim - 2) + [
        (0, factor * side - length) for length in part.shape[-2:]
    ]
    return np.pad(part, missing, constant_values=beyond)


def _counts(tb: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Kelvin to hundredths, absent to `MISSING_COUNT`."""
    hundredths = np.round(np.nan_to_num(tb) * 100).clip(0, MISSING_COUNT - 1)
    return np.where(np.isfinite(tb), hundredths, MISSING_COUNT).astype(np.uint16)

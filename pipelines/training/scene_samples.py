"""Real scenes with charts as training samples, in the layout of simulated ones.

Each scene is gridded as a daily map, cut into tiles and written to a Zarr group as
`seaice.sr.samples` describes it, with three arrays that simulated sets do not have: `land`,
`weight`, which falls with the chart's own uncertainty, and `scene`, the number of the scene that a
sample comes from. docs/howto/real_scenes.md describes every array.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from pipelines.evaluate.real_scenes import gridded
from seaice.errors import NoInputError
from seaice.evaluate.scenes import ChartedScene, iter_scenes
from seaice.files import atomic_folder
from seaice.grid.gridding.quarters import joined
from seaice.grid.refined import SCALE
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.sr.samples import ABSENT, FRAMES, LAND

__all__ = ["SIDE", "chart_weight", "tiles_of", "write_scene_samples"]

SIDE = 64  #: coarse cells of a tile
LEAST_CHARTED = 0.02  #: fraction of a tile that its chart must cover
TRUSTED = 0.1  #: chart uncertainty at which a cell weighs half
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
    with atomic_folder(store) as place:
        group = zarr.open_group(place, mode="w", zarr_format=3)
        names: list[str] = []
        count = 0
        for scene in iter_scenes(folder, charts):
            tiles = tiles_of(scene, side)
            for tile in tiles:
                _append(group, {**tile, "scene": np.array(len(names), np.uint16)}, count)
                count += 1
            if tiles:
                names.append(scene.name)
            yield count, scene.name
        if not count:
            raise NoInputError(
                f"scenes below {folder} whose charts cover none of them",
                f"tiles of {side} cells of which the chart covers {LEAST_CHARTED:.0%} or more",
                "give charts of the same places and days as the scenes",
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
    """Tiles of one scene whose chart covers enough of them."""
    daily_map = gridded(scene)[1]
    tb = np.stack([daily_map[name].values for name in HIGH_CHANNELS])
    half = joined(np.stack([daily_map[f"{name}_quarter"].values for name in HIGH_CHANNELS]))
    low = np.stack([daily_map[name].values for name in LOW_CHANNELS])
    chart = scene.chart_on_fine(scene.chart)
    weight = chart_weight(np.nan_to_num(scene.chart_on_fine(scene.chart_uncertainty)))
    tiles: list[Sample] = []
    for row in _starts(tb.shape[1], side):
        for column in _starts(tb.shape[2], side):
            place = row, column, side
            charted = _cut(chart, *place, SCALE, np.nan)
            if np.isfinite(charted).mean() < LEAST_CHARTED:
                continue
            tiles.append(
                {
                    "tb89": _frames(_counts(_cut(tb, *place, 1, np.nan))),
                    "tb89_half": _frames(_counts(_cut(half, *place, 2, np.nan))),
                    "low": _counts(_cut(low, *place, 1, np.nan)),
                    "truth_tb": np.full((2, SCALE * side, SCALE * side), ABSENT, np.uint16),
                    "truth_sic": np.where(
                        np.isfinite(charted), np.round(200 * np.nan_to_num(charted)), LAND
                    ).astype(np.uint8),
                    "land": _cut(scene.land, *place, SCALE, 1).astype(np.uint8),
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
    """Kelvin to hundredths, absent to `ABSENT`."""
    hundredths = np.round(np.nan_to_num(tb) * 100).clip(0, ABSENT - 1)
    return np.where(np.isfinite(tb), hundredths, ABSENT).astype(np.uint16)


def _frames(tb: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The scene's one frame in the place of all five."""
    return np.repeat(tb[None], FRAMES, axis=0)

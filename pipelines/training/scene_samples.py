"""Real scenes with charts as training samples, in the layout of simulated ones.

Each scene is gridded as a daily map, cut into tiles and written to a Zarr group as described in
`seaice.train.samples`, with the two arrays that simulated sets do not need: `land`, and `weight`,
which falls with the chart's own uncertainty.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from pipelines.evaluate.real_scenes import gridded
from seaice.errors import NoInputError
from seaice.evaluate.scenes import ChartedScene, open_scenes
from seaice.grid.gridding.quarters import joined
from seaice.grid.refined import SCALE
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.train.samples import FRAMES, LAND_COUNT, MISSING_COUNT

__all__ = ["SIDE", "tiles_of", "write_scene_samples"]

SIDE = 64  #: coarse cells of a tile
LEAST_CHARTED = 0.02  #: fraction of a tile that its chart must know
TRUSTED = 0.1  #: chart uncertainty at which a cell weighs half
Sample = dict[str, NDArray[np.generic]]


def write_scene_samples(
    folder: Path, store: Path, split: str = "train", side: int = SIDE
) -> Iterator[tuple[int, str]]:
    """Turn every charted scene of a folder into samples.

    Parameters
    ----------
    folder : of scenes, as `seaice.evaluate.scenes` reads them
    store : Zarr group that is written; one that is there is replaced
    split : what the set is for: "train" or "valid"
    side : coarse cells of a tile

    Yields
    ------
    (int, str) : samples so far, and the scene they came from

    Raises
    ------
    NoInputError
        If no scene gives a tile with a chart.
    """
    samples: list[Sample] = []
    scenes = open_scenes(folder)
    for scene in scenes:
        samples += tiles_of(scene, side)
        yield len(samples), scene.name
    if not samples:
        raise NoInputError(
            f"{len(scenes)} scenes below {folder} whose charts know nothing",
            f"tiles of {side} cells of which charts know {LEAST_CHARTED:.0%} or more",
            "give scenes whose charts lie on them",
        )
    group = zarr.open_group(store, mode="w", zarr_format=3)
    for name, first in samples[0].items():
        shape = (len(samples), *first.shape)
        array = group.create_array(
            name, shape=shape, chunks=(1, *first.shape), dtype=str(first.dtype)
        )
        for index, sample in enumerate(samples):
            array[index] = sample[name]
    done = group.create_array("done", shape=(len(samples),), chunks=(1,), dtype="uint8")
    done[:] = 1
    names = [scene.name for scene in scenes]
    group.attrs.update({"split": split, "physics": "observed", "scenes": names})


def tiles_of(scene: ChartedScene, side: int = SIDE) -> list[Sample]:
    """Tiles of one scene whose chart knows enough of them."""
    daily_map = gridded(scene)[1]
    tb = np.stack([daily_map[name].values for name in HIGH_CHANNELS])
    half = joined(np.stack([daily_map[f"{name}_quarter"].values for name in HIGH_CHANNELS]))
    low = np.stack([daily_map[name].values for name in LOW_CHANNELS])
    chart = scene.chart_on_fine(scene.chart)
    doubtful = np.nan_to_num(scene.chart_on_fine(scene.chart_uncertainty))
    weight = 1 / (1 + (doubtful / TRUSTED) ** 2)
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
                    "truth_tb": np.full((2, SCALE * side, SCALE * side), MISSING_COUNT, np.uint16),
                    "truth_sic": np.where(
                        np.isfinite(charted), np.round(200 * np.nan_to_num(charted)), LAND_COUNT
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
    """Kelvin to hundredths, absent to `MISSING_COUNT`."""
    hundredths = np.round(np.nan_to_num(tb) * 100).clip(0, MISSING_COUNT - 1)
    return np.where(np.isfinite(tb), hundredths, MISSING_COUNT).astype(np.uint16)


def _frames(tb: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The scene's one frame in the place of all five."""
    return np.repeat(tb[None], FRAMES, axis=0)

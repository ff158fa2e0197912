"""Reading files of real observations: samples by surface, and maps."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pipelines.research.reality.figures import Maps
from pipelines.research.reality.points import Points, joined
from seaice.instrument import CHANNELS
from seaice.retrieval.classical.corrections import weather_filter

__all__ = ["concentration_maps", "read_points", "real_points", "scene_maps"]

#: How the files spell the bands.
LABEL = {
    **{"6": "6p9", "7": "7p3", "10": "10p7", "18": "18p7"},
    **{"23": "23p8", "36": "36p5", "89": "89p0"},
}
BLOCK = 3  #: cells of the scene that make one of about the daily grid's size
LANDLESS = 95.0  #: K of 6.9 GHz H; open water has 75 to 90, and land in its footprint more


def read_points(path: Path) -> tuple[Points, xr.Dataset]:
    """All samples of the Round Robin Data Package, and the table they are from."""
    with xr.open_dataset(path) as file:
        table = file.load()
    names = [f"tb{LABEL[name[2:-1]]}{name[-1]}" for name in CHANNELS]
    points = Points(
        tb=np.stack([table[name].values for name in names]).astype(float),
        vapour=table.era_tcwv.values,
        liquid=table.era_tclw.values,
        month=table.time.dt.month.values,
        weight=np.ones(table.sizes["sample"]),
    )
    return points, table


def real_points(path: Path) -> dict[str, Points]:
    """The samples of the Round Robin Data Package by surface and hemisphere.

    Returns
    -------
    dict
        `water`, `water north`, `water south`, `ice north`, `ice south`
    """
    every, table = read_points(path)
    found = {}
    for surface, sic in (("water", 0), ("ice", 1)):
        for half, letter in (("north", "N"), ("south", "S")):
            chosen = (table.sic.values == sic) & (table.hemisphere.values.astype(str) == letter)
            found[f"{surface} {half}"] = every[chosen]
    return found | {"water": joined([found["water north"], found["water south"]])}


def scene_maps(path: Path) -> Maps:
    """Open water of a scene of all channels on cells of 2 km, in blocks of 6 km.

    Water is where the weather filters say so and no land reaches into the 6.9 GHz footprint.
    """
    with xr.open_dataset(path) as file:
        tb = {name: _blocks(file[name].values) for name in file if str(name).startswith("tb")}
    water = weather_filter(tb["tb18p7v"], tb["tb23p8v"], tb["tb36p5v"]) & (tb["tb6p9h"] < LANDLESS)
    pair = np.stack([tb["tb89p0v"], tb["tb89p0h"]])
    return Maps(sea=[np.where(water, pair, np.nan)], sea_cell=2.0 * BLOCK)


def concentration_maps(paths: list[Path]) -> Maps:
    """Concentration of Bremen ASI files, percent on 6.25 km cells."""
    return Maps(sic=[xr.open_dataset(path).z.values / 100 for path in paths])


def _blocks(field: NDArray[np.floating]) -> NDArray[np.floating]:
    rows, columns = (n // BLOCK for n in field.shape)
    cut = field[: rows * BLOCK, : columns * BLOCK].astype(float)
    mean: NDArray[np.floating] = cut.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    return mean

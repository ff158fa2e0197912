"""Real samples in, as `Points` by surface."""

from pathlib import Path

import numpy as np
import xarray as xr

from pipelines.reality.points import Points
from seaice.instrument import CHANNELS

__all__ = ["real_points"]

LABEL = {"6": "6p9", "7": "7p3", "10": "10p7", "18": "18p7", "23": "23p8", "36": "36p5", "89": "89p0"}


def real_points(path: Path) -> dict[str, Points]:
    """The samples of the Round Robin Data Package by surface and hemisphere.

    Returns
    -------
    dict
        `water north`, `water south`, `ice north`, `ice south`
    """
    with xr.open_dataset(path) as file:
        table = file.load()
    names = [f"tb{LABEL[name[2:-1]]}{name[-1]}" for name in CHANNELS]
    every = Points(
        tb=np.stack([table[name].values for name in names]).astype(float),
        vapour=table.era_tcwv.values,
        liquid=table.era_tclw.values,
        month=table.time.dt.month.values,
        weight=np.ones(table.sizes["sample"]),
    )
    found = {}
    for surface, sic in (("water", 0), ("ice", 1)):
        for half, letter in (("north", "N"), ("south", "S")):
            chosen = (table.sic.values == sic) & (table.hemisphere.values.astype(str) == letter)
            found[f"{surface} {half}"] = every[chosen]
    return found

"""The table of figures of each side: the real one kept as a small file, the simulated made new."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.reality.figures import Maps, alike, map_figures, point_figures
from pipelines.reality.points import Figures, Points, joined
from pipelines.reality.real import concentration_maps, real_points, scene_maps
from pipelines.reality.simulated import Kind, samples_of, worlds
from pipelines.reality.simulated_maps import ice_maps, sea_maps
from seaice.files import atomic_file

__all__ = ["TABLE", "real_figures", "renew", "simulated_map_figures", "simulated_point_figures"]

TABLE = Path(str(files("pipelines.reality").joinpath("data/reality.json")))
SEED = 20
SUMMER = (
    7,
    8,
    9,
)  #: months of simulated open water whose spectrum is compared with an August scene
COLD = (1, 4)  #: months of the real maps of concentration
KINDS: Mapping[Kind, int] = {"edge": 2, "pack": 1}  #: how many times `each`
SOURCES = {
    "samples": "Round Robin Data Package, doi 10.6084/m9.figshare.6626549, derived statistics",
    "scene": "AMSR2 L1B of 2019-08-23 03:30 UTC around Franz Josef Land (JAXA), statistics only",
    "concentration": "University of Bremen ASI 6.25 km v5.4 of 2016-04-17 and 2020-01-01 "
    "(Spreen et al. 2008, doi 10.1029/2005JC003384), spectra only",
}


def real_figures() -> dict[str, Any]:
    """The figures of the real observations that come with the project."""
    table: dict[str, Any] = json.loads(TABLE.read_text())
    return table


def renew(rrdp: Path | None, scene: Path | None, maps: Sequence[Path]) -> None:
    """Derive the figures of the real side anew from the files that are given.

    Parameters
    ----------
    rrdp : samples of the Round Robin Data Package, NetCDF
    scene : one scene of all channels on 2 km cells, NetCDF
    maps : Bremen ASI maps of 6.25 km, NetCDF
    """
    table = real_figures() if TABLE.exists() else {}
    table["sources"] = SOURCES
    if rrdp:
        table |= point_figures(real_points(rrdp))
    if scene:
        table |= map_figures(scene_maps(scene))
    if maps:
        table |= map_figures(concentration_maps(list(maps)))
    with atomic_file(TABLE) as path:
        path.write_text(json.dumps(table) + "\n")


def simulated_point_figures(real: dict[str, Any], each: int) -> Figures:
    """Figures of simulated samples, weighted to stand for the months and vapour of the real ones.

    Parameters
    ----------
    real : of `real_figures`
    each : worlds for each month that the real samples have
    """
    rng = np.random.default_rng(SEED)
    months = tuple(month for month, share in enumerate(real["months"], start=1) if share > 0)
    water: list[Points] = []
    ice: list[Points] = []
    for world in worlds("pack", months, each * len(months), SEED):
        ice.append(samples_of(world, rng)[1])
    for world in worlds("sea", tuple(range(1, 13)), each * 12, SEED):
        water.append(samples_of(world, rng)[0])
    return point_figures(alike({"ice north": joined(ice), "water": joined(water)}, real))


def simulated_map_figures(each: int) -> Figures:
    """Spectra of simulated maps, from `each` worlds of a kind and month."""
    rng = np.random.default_rng(SEED)
    sea = sea_maps(worlds("sea", SUMMER, each * len(SUMMER), SEED + 1), rng)
    kinds = [
        ice_maps(worlds(kind, COLD, share * each * len(COLD), SEED + 1), rng)
        for kind, share in KINDS.items()
    ]
    sic = [one for maps in kinds for one in maps.sic]
    asi = [one for maps in kinds for one in maps.asi]
    return map_figures(sea) | map_figures(Maps(sic=sic, asi=asi))

"""Maps of simulated worlds: open water as one pass shows it, concentration as ASI finds it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.figures import Maps
from seaice.grid.blocks import block_mean
from seaice.grid.gridding import Accumulator
from seaice.instrument import CHANNELS, HIGH_CHANNELS
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import weather_filter
from seaice.simulate.ice import FINE
from seaice.simulate.observe import Pass, observe, passes_over
from seaice.simulate.world import World

__all__ = ["ice_maps", "sea_maps"]

Array = NDArray[np.floating]
BORDER = 2  #: coarse cells that a footprint over the border reaches


def sea_maps(worlds: Iterable[World], rng: np.random.Generator) -> Maps:
    """Open water as one pass shows it, V and H at 89 GHz gridded."""
    found = []
    for world in worlds:
        cover = block_mean(world.ice.at(0.0).concentration, FINE)
        hidden = _land(world) | (cover > 0.001)
        daily = Accumulator(world.grid, HIGH_CHANNELS)
        daily.add(observe(world, world.brightness(0.0), _passes(world)[0], rng, ()))
        daily_map = daily.daily_map(world.day)
        pair = np.stack([daily_map["tb89v"].values, daily_map["tb89h"].values])
        found.append(_inside(np.where(hidden, np.nan, pair)))
    return Maps(sea=found)


def ice_maps(worlds: Iterable[World], rng: np.random.Generator) -> Maps:
    """Concentration on 6.25 km cells: the truth's block means, and what filtered ASI finds."""
    truth, found = [], []
    for world in worlds:
        land = _land(world)
        cover = block_mean(world.ice.at(0.0).concentration, FINE)
        truth.append(np.where(land, np.nan, cover))
        daily = Accumulator(world.grid, CHANNELS)
        for one in _passes(world):
            seen = world.brightness(world.hours(one.middle))
            daily.add(observe(world, seen, one, rng, ("18", "23", "36")))
        daily_map = daily.daily_map(world.day)
        water = weather_filter(*(daily_map[name].values for name in ("tb18v", "tb23v", "tb36v")))
        sic = np.where(water, 0, asi((daily_map["tb89v"] - daily_map["tb89h"]).values))
        found.append(_inside(np.where(land, np.nan, sic)))
    return Maps(sic=truth, asi=found)


def _passes(world: World) -> list[Pass]:
    start = np.datetime64(f"{world.day.isoformat()}T00:00", "ms")
    return list(passes_over(world.grid, start, start + np.timedelta64(1, "D"), 0))[:3]


def _land(world: World) -> NDArray[np.bool_]:
    return np.asarray(block_mean(world.land, FINE) > 0)


def _inside(field: Array) -> Array:
    return field[..., BORDER:-BORDER, BORDER:-BORDER]

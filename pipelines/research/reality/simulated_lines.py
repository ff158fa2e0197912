"""Figures of simulated worlds for every line of the reality check.

Worlds follow `seaice.simulate.settings.USUAL`, the rules of the demo. Each group of lines has
worlds like its real data: the months of the samples, the boxes and days of SAR charts, Franz Josef
Land in August, the coast of East Greenland in September and April.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.estimators import (
    BINS,
    SCENE_CHANNELS,
    GriddedScene,
    chart_fractions,
    closed_ice_slopes,
    coastal_regression,
    from_daily_map,
    interior_land,
    mixture_regression,
)
from pipelines.research.reality.figures import Maps
from pipelines.research.reality.lines import key
from pipelines.research.reality.points import Points, joined
from pipelines.research.reality.real_lines import CHART_SEASONS, LEAST_VALID, SCENE_SEASONS
from pipelines.research.reality.simulated import samples_of, worlds
from pipelines.research.reality.spectra import pack_or_edge, spectrum_scalars, windows
from pipelines.research.reality.surfaces import (
    ICE,
    VAPOUR_CLASSES,
    Season,
    class_weights,
    ice_scalars,
    water_scalars,
)
from seaice.grid.grid import NORTH, Grid
from seaice.grid.gridding import Accumulator
from seaice.grid.masks import land_mask
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.simulate.ice import FINE
from seaice.simulate.observe import observe, sightings, slot
from seaice.simulate.world import World, make_world

__all__ = [
    "box_worlds",
    "chart_lines",
    "coast_lines",
    "map_lines",
    "sample_lines",
    "simulated_samples",
]

Array = NDArray[np.floating]
Scalars = dict[str, float]
Deviating = dict[str, tuple[float, float, int]]  #: median, standard deviation, worlds
SEED = 20
SIDE = 72  #: coarse cells of a world in the box of a chart, 450 km
MONTHS = np.arange(1.0, 14.0)  #: bounds of the months
SEA_MONTHS = 16  #: worlds of open water, times those of each month of ice
LEAST_MONTHS = 3  #: months' worth of worlds of every season: worlds of one month differ by 12 K
ROUNDING = 0.005  #: concentration that a chart in whole percent does not tell from 0 or 1
#: Upper-left corner (row, column) of the northern grid and shape, by place: 550 x 550 km around
#: Franz Josef Land, 500 x 500 km of the coast of East Greenland at 71 to 74 degrees north.
PLACES: Mapping[str, tuple[int, int, int, date]] = {
    "Franz Josef Land, August 2019": (840, 748, 88, date(2019, 8, 23)),
    "East Greenland, September 2018": (1184, 696, 80, date(2018, 9, 16)),
    "East Greenland, April 2023": (1184, 696, 80, date(2023, 4, 19)),
}


def simulated_samples(each: int) -> tuple[dict[str, Points], Points]:
    """Samples of closed ice by place and season, and of open water, as footprints of 6.9 GHz.

    Parameters
    ----------
    each : worlds for each month of a season; of open water 16 times as many
    """
    rng = np.random.default_rng(SEED)
    ice = {
        season.place: joined([samples_of(world, rng)[1] for world in _pack(season, each)])
        for season in ICE
    }
    months = tuple(range(1, 13))
    count = each * SEA_MONTHS
    sea = joined([samples_of(w, rng)[0] for w in worlds("sea", months, count, SEED)])
    return ice, sea


def sample_lines(
    ice: Mapping[str, Points], sea: Points, shares: Mapping[str, Sequence[float]]
) -> Scalars:
    """Figures of simulated samples, weighted to the months and water vapour of the real ones.

    Parameters
    ----------
    ice, sea : of `simulated_samples`
    shares : of the judged real samples: `vapour` over open water by class, months by place
    """
    found: Scalars = {}
    for season in ICE:
        points = ice[season.place]
        weight = class_weights(points.month, np.asarray(shares[season.place]), MONTHS)
        found |= ice_scalars(points.weighted(weight), season)
    weight = class_weights(sea.vapour, np.asarray(shares["vapour"]), VAPOUR_CLASSES)
    return found | water_scalars(sea.weighted(weight))


def _pack(season: Season, each: int) -> Iterator[World]:
    """Worlds in the pack of a season; seasons of one month get as many as others."""
    count = each * max(len(season.months), LEAST_MONTHS)
    return worlds("pack", season.months, count, SEED, season.hemisphere)


def box_worlds(charts: Sequence[Mapping[str, Any]]) -> Iterator[World]:
    """A world in the middle of each chart's box, on its day of the year.

    Parameters
    ----------
    charts : each `day` (ISO), `x`, `y` (m, EPSG:3411) of the middle of the box
    """
    for number, chart in enumerate(charts):
        row = round((NORTH.top - chart["y"]) / NORTH.cell) - SIDE // 2
        column = round((chart["x"] - NORTH.left) / NORTH.cell) - SIDE // 2
        row = min(max(row, 0), NORTH.shape[0] - SIDE)
        column = min(max(column, 0), NORTH.shape[1] - SIDE)
        grid = NORTH.crop(slice(row, row + SIDE), slice(column, column + SIDE))
        yield _world(grid, date.fromisoformat(chart["day"]), SEED + number)


def _world(grid: Grid, day: date, seed: int) -> World:
    return make_world(grid, day, seed, land_mask(grid.refine(FINE)))


def chart_lines(charts: Sequence[Mapping[str, Any]]) -> tuple[Scalars, dict[str, Array]]:
    """Distribution of concentration, and scene-mean TB against it, in worlds in charts' boxes.

    Returns
    -------
    figures : by `lines.key`
    counts : by season, cells of all its worlds in the 12 classes of the charts' histograms
    """
    counts: list[Array] = []
    fractions: list[Array] = []
    means: list[Array] = []
    month: list[int] = []
    for world in box_worlds(charts):
        sea = world.land < 0.5
        sic = world.ice.at(0.0).concentration
        counts.append(_histogram(sic[sea]))
        ice = float(sic[sea].mean()) if sea.any() else 0.0
        valid = float(sea.mean())
        fractions.append(np.array([valid * (1 - ice), valid * ice, 1 - valid]))
        means.append(_scene_means(world))
        month.append(world.day.month)
    months, rows, tb = np.array(month), np.stack(fractions), np.stack(means)
    found: Scalars = {}
    by_season: dict[str, Array] = {}
    for season, its_months in CHART_SEASONS.items():
        chosen = np.isin(months, its_months)
        if chosen.any():
            by_season[season] = np.stack(counts)[chosen].sum(axis=0)
            parts = chart_fractions(np.stack(counts)[chosen])
            found |= {key("distribution", season, name, "1"): x for name, x in parts.items()}
    for season, of in SCENE_SEASONS.items():
        chosen = np.isin(months, of) & (1 - rows[:, 2] > LEAST_VALID)
        parts = mixture_regression(rows[chosen], tb[chosen])
        found |= {key("scene statistics", season, name, "K"): x for name, x in parts.items()}
    return found, by_season


def map_lines(maps: Maps) -> Scalars:
    """Spectra of open-water V - H, and of the concentration that ASI finds in the pack and edge."""
    sea = (piece for tb in maps.sea for piece in windows(tb[0] - tb[1], 4))
    found = spectrum_scalars(sea, maps.sea_cell, "brightness spectra")
    pieces = [piece for field in maps.asi for piece in windows(field, 16)]
    for kind in ("pack", "edge"):
        of = [piece for piece in pieces if pack_or_edge(piece) == kind]
        found |= spectrum_scalars(of, 6.25, f"concentration spectra {kind}")
    return found


def _histogram(sic: Array) -> Array:
    """Cells in the classes of the charts' histograms, (12,); half a percent counts as none."""
    inner, _ = np.histogram(sic[(sic >= ROUNDING) & (sic <= 1 - ROUNDING)], BINS)
    return np.array([(sic < ROUNDING).sum(), *inner, (sic > 1 - ROUNDING).sum()], float)


def _scene_means(world: World) -> Array:
    seen = world.brightness(0.0)
    fields = dict(zip(LOW_CHANNELS, seen.low, strict=True))
    fields |= dict(zip(HIGH_CHANNELS, seen.high, strict=True))
    return np.array([float(fields[name].mean()) for name in SCENE_CHANNELS])


def coast_lines(each: int) -> Deviating:
    """Land, coasts and thin ice of gridded passes over worlds at the places of the real scenes.

    Parameters
    ----------
    each : worlds of a place

    Returns
    -------
    dict
        By key: median over the worlds, their standard deviation (half of the 16th to
        84th percentile, which a single world hardly changes), and how many gave the figure.
    """
    values: dict[str, list[float]] = {}
    for number, (place, (row, column, side, day)) in enumerate(PLACES.items()):
        grid = NORTH.crop(slice(row, row + side), slice(column, column + side))
        for k in range(each):
            scene = _observed(_world(grid, day, SEED + 100 * number + k), SEED + k)
            for name, value in _coast_figures(scene, place).items():
                values.setdefault(name, []).append(value)
    return {
        name: (float(np.median(of)), _deviation(np.array(of)), len(of))
        for name, of in values.items()
    }


def _deviation(values: Array) -> float:
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


def _coast_figures(scene: GriddedScene, place: str) -> Scalars:
    found: Scalars = {}
    for name, value in coastal_regression(scene).items():
        found[key("land" if name.endswith(" land") else "coasts", place, name, "K")] = value
    for name, value in interior_land(scene).items():
        found[key("land", place, name, "K")] = value
    for name, value in closed_ice_slopes(scene).items():
        found[key("thin ice", place, name, "K/K" if "slope" in name else "K")] = value
    return found


def _observed(world: World, seed: int) -> GriddedScene:
    """The pass of the world's day that sees most of it, on the world's grid."""
    rng = np.random.default_rng(seed)
    start = np.datetime64(f"{world.day.isoformat()}T00:00", "ms")
    best = max(
        sightings(world.grid, start, start + np.timedelta64(1, "D")), key=lambda one: one.seen
    ).observed()
    hours = slot(world.hours(best.middle))
    daily = Accumulator(world.grid, CHANNELS)
    daily.add(observe(world, world.brightness(hours), best, rng, LOW_BANDS))
    sic = world.ice.at(hours).concentration
    return from_daily_map(daily.daily_map(world.day), world.land > 0.5, sic)

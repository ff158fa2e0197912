"""Samples, maps and figures of simulated worlds.

Each group of lines has worlds like its real data: the months of the samples, the boxes and days of
SAR charts, Franz Josef Land in August, the coast of East Greenland in September and April.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.research.reality.comparison import figure_key
from pipelines.research.reality.observations import CHART_SEASONS, LEAST_VALID, SCENE_SEASONS
from pipelines.research.reality.samples import (
    ICE,
    VAPOUR_CLASSES,
    Points,
    Season,
    class_weights,
    concatenate_samples,
    ice_scalars,
    water_scalars,
)
from pipelines.research.reality.statistics import (
    BINS,
    SCENE_CHANNELS,
    GriddedScene,
    Maps,
    chart_fractions,
    closed_ice_slopes,
    coastal_regression,
    from_daily_map,
    interior_land,
    mixture_regression,
    pack_or_edge,
    spectrum_scalars,
    windows,
)
from seaice.grid.blocks import block_mean
from seaice.grid.grid import HEMISPHERES, NORTH, Grid
from seaice.grid.gridding import Accumulator
from seaice.grid.masks import land_mask
from seaice.instrument import BANDS, CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import weather_filter
from seaice.simulate.atmosphere import DRIER
from seaice.simulate.ice import FINE, LOW, coarse_concentration
from seaice.simulate.observe import Pass, observe, passes_over, sightings, slot
from seaice.simulate.world import World, make_world

__all__ = [
    "Kind",
    "box_worlds",
    "chart_lines",
    "coast_lines",
    "ice_maps",
    "map_lines",
    "sample_lines",
    "samples_of",
    "sea_maps",
    "simulated_samples",
    "worlds",
]

Kind = Literal["pack", "sea", "edge"]
Array = NDArray[np.floating]
Array32 = NDArray[np.float32]
SAMPLE_SIDE = 96  #: coarse cells of a world
STRIDE = 5  #: coarse cells between samples, half a footprint
HOURS = (-30.0, 30.0)  #: from noon of the world's day: two weathers a world
SPACING = {"low": 100.0, "89": 25.0}  #: km2 of ground per sample
#: The package holds L1R resampled to the 6.9 GHz footprint, at every channel: see docs/reality.md.
BEAM = BANDS["6"]
NOTHING, CLOSED_FOOTPRINT = (
    0.0005,
    0.985,
)  #: shares of a footprint: no ice or land; as good as all ice
TRIES = 300  #: places that are looked at for a world
#: Share of a world that must be of its kind.
ENOUGH: Mapping[Kind, float] = {"pack": 0.5, "sea": 0.5, "edge": 0.1}
ROUGH = 4  #: coarse cells per axis of the map on which places are sought


def worlds(
    kind: Kind, months: tuple[int, ...], count: int, seed: int, hemisphere: str = "north"
) -> Iterator[World]:
    """Worlds in the pack, on the open sea or at the ice edge, month after month.

    Parameters
    ----------
    kind : what most of the world is
    months : cycled through
    count : worlds
    seed : everything random follows from it
    hemisphere : `north` or `south`
    """
    whole = HEMISPHERES[hemisphere]
    rng = np.random.default_rng([seed, len(kind)])
    for k in range(count):
        day = date(2018, months[k % len(months)], int(rng.integers(1, 28)))
        grid = _place(kind, day, rng, whole)
        yield make_world(grid, day, int(rng.integers(2**31)), _fine_land(grid))


def _fine_land(grid: Grid) -> NDArray[np.bool_]:
    """Land at 1.5625 km on the ground of a coarse grid."""
    return land_mask(grid.refine(FINE))


def _place(kind: Kind, day: date, rng: np.random.Generator, whole: Grid) -> Grid:
    """The best of some random places: not every month has 600 km of each kind."""
    land, ice = _rough(day, whole)
    side = SAMPLE_SIDE // ROUGH
    suits = {"pack": ice > 0.96, "sea": ice < 0.01, "edge": (ice > 0.1) & (ice < 0.9)}[kind] & ~land
    rows = rng.integers(20, land.shape[0] - side - 20, TRIES)
    columns = rng.integers(4, land.shape[1] - side - 4, TRIES)
    fractions = [
        suits[r : r + side, c : c + side].mean() for r, c in zip(rows, columns, strict=True)
    ]
    good = np.flatnonzero(np.array(fractions) >= min(ENOUGH[kind], max(fractions)))
    first = int(good[0])
    row, column = int(rows[first]) * ROUGH, int(columns[first]) * ROUGH
    return whole.crop(slice(row, row + SAMPLE_SIDE), slice(column, column + SAMPLE_SIDE))


def _rough(day: date, whole: Grid) -> tuple[NDArray[np.bool_], Array32]:
    """Land and concentration of a hemisphere on cells of 25 km."""
    rows, columns = (n // ROUGH for n in whole.shape)
    coarse = replace(whole, cell=whole.cell * ROUGH, shape=(rows, columns))
    land = land_mask(whole)[: rows * ROUGH, : columns * ROUGH]
    fraction = land.reshape(rows, ROUGH, columns, ROUGH).mean(axis=(1, 3))
    return fraction > 0, coarse_concentration(coarse, day)


def samples_of(world: World, rng: np.random.Generator) -> tuple[Points, Points]:
    """Samples over open water and over closed ice, as 6.9 GHz footprints of every channel.

    Returns
    -------
    open water, closed ice : months are the world's, every weight 1
    """
    parts = [_at(world, hours, rng) for hours in HOURS]
    water, ice = zip(*parts, strict=True)
    return concatenate_samples(water), concatenate_samples(ice)


def _at(world: World, hours: float, rng: np.random.Generator) -> tuple[Points, Points]:
    seen, cover, air = world.brightness(hours), world.ice.at(hours), world.atmosphere.at(hours)
    along_x = bool(rng.random() < 0.5)
    fields = np.concatenate([block_mean(seen.low, LOW), block_mean(seen.high, FINE)])
    tb = np.stack([_footprints(field, along_x) for field in fields])
    tb += _noise(rng, tb.shape)
    sic, thick, land = (
        _footprints(block_mean(x, FINE), along_x)
        for x in (cover.concentration, cover.emitting, world.land)
    )
    over_water = air.vapour, air.liquid
    over_ice = DRIER * air.vapour, air.liquid_over_ice
    chosen_by_surface = (
        (sic < NOTHING) & (land < NOTHING),
        (thick > CLOSED_FOOTPRINT) & (land < NOTHING),
    )
    water, ice = (
        _points(tb, [_footprints(x, along_x) for x in weather], world.day.month)[chosen]
        for weather, chosen in zip((over_water, over_ice), chosen_by_surface, strict=True)
    )
    return water, ice


def _points(tb: Array32, weather: list[Array32], month: int) -> Points:
    vapour, liquid = weather
    count = vapour.size
    return Points(
        tb=tb, vapour=vapour, liquid=liquid, month=np.full(count, month), weight=np.ones(count)
    )


def _footprints(field: Array32, along_x: bool) -> Array32:
    """(sample,) means under the beam, on a lattice that stays a beam away from the border."""
    sigma = np.array([BEAM.across, BEAM.along]) / 6.25 / np.sqrt(8 * np.log(2))
    blurred = ndimage.gaussian_filter(field, sigma if along_x else sigma[::-1], truncate=3)
    inner = blurred[2 * STRIDE : -2 * STRIDE : STRIDE, 2 * STRIDE : -2 * STRIDE : STRIDE]
    return np.asarray(inner.ravel(), np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Array32:
    """NEDT over the square root of the number of samples in a footprint."""
    area = np.pi / (2 * np.log(2)) * BEAM.across * BEAM.along
    levels = []
    for name in CHANNELS:
        band = BANDS[name[2:-1]]
        nedt = band.nedt_v if name[-1] == "v" else band.nedt_h
        levels.append(nedt * np.sqrt(SPACING.get(band.name, SPACING["low"]) / area))
    noise = np.array(levels, np.float32)[:, None] * rng.standard_normal(shape, np.float32)
    return np.asarray(noise, np.float32)


BORDER = 2  #: coarse cells that a footprint over the border reaches


def sea_maps(worlds: Iterable[World], rng: np.random.Generator) -> Maps:
    """Open water as one pass shows it, V and H at 89 GHz gridded."""
    result = []
    for world in worlds:
        cover = block_mean(world.ice.at(0.0).concentration, FINE)
        hidden = _land(world) | (cover > 0.001)
        daily = Accumulator(world.grid, HIGH_CHANNELS)
        daily.add(observe(world, world.brightness(0.0), _passes(world)[0], rng, ()))
        daily_map = daily.daily_map(world.day)
        pair = np.stack([daily_map["tb89v"].values, daily_map["tb89h"].values])
        result.append(_inside(np.where(hidden, np.nan, pair)))
    return Maps(sea=result)


def ice_maps(worlds: Iterable[World], rng: np.random.Generator) -> Maps:
    """Concentration on 6.25 km cells: the truth's block means, and what filtered ASI finds."""
    truth, result = [], []
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
        result.append(_inside(np.where(land, np.nan, sic)))
    return Maps(sic=truth, asi=result)


def _passes(world: World) -> list[Pass]:
    start = np.datetime64(f"{world.day.isoformat()}T00:00", "ms")
    return list(passes_over(world.grid, start, start + np.timedelta64(1, "D"), 0))[:3]


def _land(world: World) -> NDArray[np.bool_]:
    return np.asarray(block_mean(world.land, FINE) > 0)


def _inside(field: Array) -> Array:
    return field[..., BORDER:-BORDER, BORDER:-BORDER]


Scalars = dict[str, float]
FiguresWithDeviation = dict[str, tuple[float, float, int]]  #: median, standard deviation, worlds
SEED = 20
CHART_SIDE = 72  #: coarse cells of a world in the box of a chart, 450 km
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
        season.place: concatenate_samples(
            [samples_of(world, rng)[1] for world in _pack(season, each)]
        )
        for season in ICE
    }
    months = tuple(range(1, 13))
    count = each * SEA_MONTHS
    sea = concatenate_samples([samples_of(w, rng)[0] for w in worlds("sea", months, count, SEED)])
    return ice, sea


def sample_lines(
    ice: Mapping[str, Points], sea: Points, fractions: Mapping[str, Sequence[float]]
) -> Scalars:
    """Figures of simulated samples, weighted to the months and water vapour of the real ones.

    Parameters
    ----------
    ice, sea : of `simulated_samples`
    fractions : of the held-out real samples: `vapour` over open water by class, months by place
    """
    result: Scalars = {}
    for season in ICE:
        points = ice[season.place]
        weight = class_weights(points.month, np.asarray(fractions[season.place]), MONTHS)
        result |= ice_scalars(points.weighted(weight), season)
    weight = class_weights(sea.vapour, np.asarray(fractions["vapour"]), VAPOUR_CLASSES)
    return result | water_scalars(sea.weighted(weight))


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
        row = round((NORTH.top - chart["y"]) / NORTH.cell) - CHART_SIDE // 2
        column = round((chart["x"] - NORTH.left) / NORTH.cell) - CHART_SIDE // 2
        row = min(max(row, 0), NORTH.shape[0] - CHART_SIDE)
        column = min(max(column, 0), NORTH.shape[1] - CHART_SIDE)
        grid = NORTH.crop(slice(row, row + CHART_SIDE), slice(column, column + CHART_SIDE))
        yield _world(grid, date.fromisoformat(chart["day"]), SEED + number)


def _world(grid: Grid, day: date, seed: int) -> World:
    return make_world(grid, day, seed, land_mask(grid.refine(FINE)))


def chart_lines(charts: Sequence[Mapping[str, Any]]) -> tuple[Scalars, dict[str, Array]]:
    """Distribution of concentration, and scene-mean TB against it, in worlds in charts' boxes.

    Returns
    -------
    figures : by `comparison.figure_key`
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
    result: Scalars = {}
    by_season: dict[str, Array] = {}
    for season, its_months in CHART_SEASONS.items():
        chosen = np.isin(months, its_months)
        if chosen.any():
            by_season[season] = np.stack(counts)[chosen].sum(axis=0)
            parts = chart_fractions(np.stack(counts)[chosen])
            result |= {
                figure_key("distribution", season, name, "1"): x for name, x in parts.items()
            }
    for season, of in SCENE_SEASONS.items():
        chosen = np.isin(months, of) & (1 - rows[:, 2] > LEAST_VALID)
        parts = mixture_regression(rows[chosen], tb[chosen])
        result |= {
            figure_key("scene statistics", season, name, "K"): x for name, x in parts.items()
        }
    return result, by_season


def map_lines(maps: Maps) -> Scalars:
    """Spectra of open-water V - H, and of the concentration that ASI finds in the pack and edge."""
    sea = (piece for tb in maps.sea for piece in windows(tb[0] - tb[1], 4))
    result = spectrum_scalars(sea, maps.sea_cell, "brightness spectra")
    pieces = [piece for field in maps.asi for piece in windows(field, 16)]
    for kind in ("pack", "edge"):
        of = [piece for piece in pieces if pack_or_edge(piece) == kind]
        result |= spectrum_scalars(of, 6.25, f"concentration spectra {kind}")
    return result


def _histogram(sic: Array) -> Array:
    """Cells in the classes of the charts' histograms, (12,); half a percent counts as none."""
    inner, _ = np.histogram(sic[(sic >= ROUNDING) & (sic <= 1 - ROUNDING)], BINS)
    return np.array([(sic < ROUNDING).sum(), *inner, (sic > 1 - ROUNDING).sum()], float)


def _scene_means(world: World) -> Array:
    seen = world.brightness(0.0)
    fields = dict(zip(LOW_CHANNELS, seen.low, strict=True))
    fields |= dict(zip(HIGH_CHANNELS, seen.high, strict=True))
    return np.array([float(fields[name].mean()) for name in SCENE_CHANNELS])


def coast_lines(each: int) -> FiguresWithDeviation:
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
    result: Scalars = {}
    for name, value in coastal_regression(scene).items():
        result[figure_key("land" if name.endswith(" land") else "coasts", place, name, "K")] = value
    for name, value in interior_land(scene).items():
        result[figure_key("land", place, name, "K")] = value
    for name, value in closed_ice_slopes(scene).items():
        result[figure_key("thin ice", place, name, "K/K" if "slope" in name else "K")] = value
    return result


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

"""Samples of simulated worlds as the Round Robin Data Package has them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.research.reality.points import Points, joined
from seaice.grid.blocks import block_mean
from seaice.grid.grid import HEMISPHERES, Grid
from seaice.grid.masks import land_mask
from seaice.instrument import BANDS, CHANNELS
from seaice.simulate.atmosphere import DRIER
from seaice.simulate.ice import FINE, LOW, coarse_concentration
from seaice.simulate.world import World, make_world

__all__ = ["Kind", "samples_of", "worlds"]

Kind = Literal["pack", "sea", "edge"]
Array = NDArray[np.float32]
SIDE = 96  #: coarse cells of a world
STRIDE = 5  #: coarse cells between samples, half a footprint
HOURS = (-30.0, 30.0)  #: from noon of the world's day: two weathers a world
SPACING = {"low": 100.0, "89": 25.0}  #: km2 of ground per sample
#: The package holds L1R resampled to the 6.9 GHz footprint, at every channel: see docs/reality.md.
BEAM = BANDS["6"]
NOTHING, CLOSED = 0.0005, 0.985  #: shares of a footprint: no ice or land; as good as all ice
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
        yield make_world(grid, day, int(rng.integers(2**31)), _land_of(grid))


def _land_of(grid: Grid) -> NDArray[np.bool_]:
    """Land at 1.5625 km on the ground of a coarse grid."""
    return land_mask(grid.refine(FINE))


def _place(kind: Kind, day: date, rng: np.random.Generator, whole: Grid) -> Grid:
    """The best of some random places: not every month has 600 km of each kind."""
    land, ice = _rough(day, whole)
    side = SIDE // ROUGH
    suits = {"pack": ice > 0.96, "sea": ice < 0.01, "edge": (ice > 0.1) & (ice < 0.9)}[kind] & ~land
    rows = rng.integers(20, land.shape[0] - side - 20, TRIES)
    columns = rng.integers(4, land.shape[1] - side - 4, TRIES)
    shares = [suits[r : r + side, c : c + side].mean() for r, c in zip(rows, columns, strict=True)]
    good = np.flatnonzero(np.array(shares) >= min(ENOUGH[kind], max(shares)))
    first = int(good[0])
    row, column = int(rows[first]) * ROUGH, int(columns[first]) * ROUGH
    return whole.crop(slice(row, row + SIDE), slice(column, column + SIDE))


def _rough(day: date, whole: Grid) -> tuple[NDArray[np.bool_], Array]:
    """Land and concentration of a hemisphere on cells of 25 km."""
    rows, columns = (n // ROUGH for n in whole.shape)
    coarse = replace(whole, cell=whole.cell * ROUGH, shape=(rows, columns))
    land = land_mask(whole)[: rows * ROUGH, : columns * ROUGH]
    share = land.reshape(rows, ROUGH, columns, ROUGH).mean(axis=(1, 3))
    return share > 0, coarse_concentration(coarse, day)


def samples_of(world: World, rng: np.random.Generator) -> tuple[Points, Points]:
    """Samples over open water and over closed ice, as 6.9 GHz footprints of every channel.

    Returns
    -------
    open water, closed ice : months are the world's, every weight 1
    """
    parts = [_at(world, hours, rng) for hours in HOURS]
    water, ice = zip(*parts, strict=True)
    return joined(water), joined(ice)


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
    chosen_by_surface = (sic < NOTHING) & (land < NOTHING), (thick > CLOSED) & (land < NOTHING)
    water, ice = (
        _points(tb, [_footprints(x, along_x) for x in weather], world.day.month)[chosen]
        for weather, chosen in zip((over_water, over_ice), chosen_by_surface, strict=True)
    )
    return water, ice


def _points(tb: Array, weather: list[Array], month: int) -> Points:
    vapour, liquid = weather
    count = vapour.size
    return Points(
        tb=tb, vapour=vapour, liquid=liquid, month=np.full(count, month), weight=np.ones(count)
    )


def _footprints(field: Array, along_x: bool) -> Array:
    """(sample,) means under the beam, on a lattice that stays a beam away from the border."""
    sigma = np.array([BEAM.across, BEAM.along]) / 6.25 / np.sqrt(8 * np.log(2))
    blurred = ndimage.gaussian_filter(field, sigma if along_x else sigma[::-1], truncate=3)
    inner = blurred[2 * STRIDE : -2 * STRIDE : STRIDE, 2 * STRIDE : -2 * STRIDE : STRIDE]
    return np.asarray(inner.ravel(), np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """NEDT over the square root of the number of samples in a footprint."""
    area = np.pi / (2 * np.log(2)) * BEAM.across * BEAM.along
    levels = []
    for name in CHANNELS:
        band = BANDS[name[2:-1]]
        nedt = band.nedt_v if name[-1] == "v" else band.nedt_h
        levels.append(nedt * np.sqrt(SPACING.get(band.name, SPACING["low"]) / area))
    noise = np.array(levels, np.float32)[:, None] * rng.standard_normal(shape, np.float32)
    return np.asarray(noise, np.float32)

"""A world and the instrument's geometry in, swaths out: beams, noise and missing scans included."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.cf import attrs
from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid
from seaice.grid.projection import project
from seaice.instrument import (
    BANDS,
    CHANNELS,
    HIGH_CHANNELS,
    HORNS,
    LOW_BANDS,
    LOW_CHANNELS,
)
from seaice.io.coregistration import low_positions
from seaice.simulate.antenna import footprint_mean
from seaice.simulate.ice import FINE, LOW
from seaice.simulate.orbit import SCAN_SECONDS, HalfOrbit, ScanGeometry, half_orbits, looks
from seaice.simulate.world import Brightness, World

__all__ = [
    "COREGISTRATION",
    "Pass",
    "Sighting",
    "coverage",
    "observe",
    "passes_over",
    "sightings",
    "slot",
]

#: (A1, A2) per band, as the file attributes CoRegistrationParameterA1/A2 carry them.
COREGISTRATION = {
    "6": (-1.5182, 0.0318),
    "7": (-1.4754, 0.0270),
    "10": (-1.3945, -0.0151),
    "18": (-1.4138, -0.0041),
    "23": (-1.4057, -0.0126),
    "36": (-1.4004, -0.0038),
}
#: Cells of the low lattice averaged before a band's footprint is integrated over them: broad beams
#: are integrated with wide steps, which must not skip what lies between.
BLOCK = {"6": 4, "7": 4, "10": 2, "18": 2, "23": 2, "36": 1}
SLOT_HOURS = 4.0  #: the world stands still this long; a pass sees the slot it falls into
LOST_SCAN_CHANCE = 0.003  #: share of scans that never reach the ground station

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The part of one half orbit that sees a region, with its geometry."""

    half_orbit: HalfOrbit
    looks: ScanGeometry

    @property
    def middle(self) -> np.datetime64:
        """Time of the middle scan."""
        time: np.datetime64 = self.looks.time[len(self.looks.time) // 2]
        return time


def slot(hours: float) -> float:
    """Middle of the slot that holds an hour: the world stands still within it."""
    return float((np.floor(hours / SLOT_HOURS) + 0.5) * SLOT_HOURS)


def _scan_times(orbit: HalfOrbit, first: int, count: int) -> NDArray[np.datetime64]:
    steps = (first + np.arange(count)) * round(SCAN_SECONDS * 1000)
    return orbit.start + steps.astype("timedelta64[ms]")


def _inside(grid: Grid, geometry: ScanGeometry, reach: float) -> NDArray[np.bool_]:
    """(scan, pixel) whether samples of horn A fall within the grid widened by `reach` metres."""
    x, y = project(geometry.latitude[0], geometry.longitude[0], grid.crs)
    left, bottom, right, top = grid.bounds
    hit = (x > left - reach) & (x < right + reach) & (y > bottom - reach) & (y < top + reach)
    return np.asarray(hit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The scans of one half orbit that see a region."""

    half_orbit: HalfOrbit
    begin: int
    end: int
    seen: float  #: fraction of the region that it sees, roughly

    def observed(self, padding: int = 0) -> Pass:
        """The pass with its geometry, `padding` scans longer at either end."""
        count = self.end - self.begin + 2 * padding
        times = _scan_times(self.half_orbit, self.begin - padding, count)
        return Pass(half_orbit=self.half_orbit, looks=looks(times))


def sightings(grid: Grid, first: np.datetime64, last: np.datetime64) -> Iterator[Sighting]:
    """Every half orbit between two times that sees the grid."""
    for orbit in half_orbits(first, last):
        every = 20
        rough = looks(_scan_times(orbit, 0, orbit.scans)[::every], every=27)
        inside = _inside(grid, rough, 20_000.0)
        seeing = np.flatnonzero(inside.any(axis=1)) * every
        if seeing.size:
            begin = max(int(seeing[0]) - every, 0)
            end = min(int(seeing[-1]) + every, orbit.scans)
            ground = every * 10.0 * 27 * 4.5  # km2 that a rough sample stands for
            area = np.prod(grid.shape) * (grid.cell / 1000) ** 2
            seen = float(inside.sum() * ground / area)
            yield Sighting(half_orbit=orbit, begin=begin, end=end, seen=seen)


def passes_over(
    grid: Grid, first: np.datetime64, last: np.datetime64, padding: int
) -> Iterator[Pass]:
    """Every half orbit between two times that sees the grid, with the scans that do.

    Parameters
    ----------
    grid : region
    first, last : UTC
    padding : scans added before the first and after the last seeing scan (the overlap of files)
    """
    for sighting in sightings(grid, first, last):
        yield sighting.observed(padding)


def _placed(
    grid: Grid, latitude: NDArray[np.floating], longitude: NDArray[np.floating], nadir: ScanGeometry
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Row, column (coarse cells from the outer corner) and look heading, each (sample,)."""
    x, y = project(latitude, longitude, grid.crs)
    x0, y0 = project(nadir.nadir_latitude, nadir.nadir_longitude, grid.crs)
    heading = np.arctan2(y - y0[:, None], x - x0[:, None])
    return (
        ((grid.top - y) / grid.cell).ravel(),
        ((x - grid.left) / grid.cell).ravel(),
        heading.ravel(),
    )


def coverage(grid: Grid, geometry: ScanGeometry) -> Array:
    """How many 89 GHz samples fall into each cell of a grid, (y, x) float32."""
    x, y = project(geometry.latitude, geometry.longitude, grid.crs)
    rows, columns = (grid.top - y) / grid.cell, (x - grid.left) / grid.cell
    inside = (rows >= 0) & (rows < grid.shape[0]) & (columns >= 0) & (columns < grid.shape[1])
    cells = rows[inside].astype(np.int64) * grid.shape[1] + columns[inside].astype(np.int64)
    counts = np.bincount(cells, minlength=grid.shape[0] * grid.shape[1])
    return counts.reshape(grid.shape).astype(np.float32)


def _beam(
    world: World,
    fields: Array,
    place: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    name: str,
    factor: float,
) -> Array:
    """Footprint means, (field, sample), as the world's instrument has them.

    Parameters
    ----------
    fields : (field, y, x), `factor` cells per coarse cell along each axis
    place : row and column in coarse cells and heading of each sample
    name : of the band
    """
    row, column, heading = place
    cell, band = world.grid.cell / factor, BANDS[name]
    x, y = world.instrument.displaced[name]
    row, column = row - y / world.grid.cell, column + x / world.grid.cell
    width = world.instrument.widths[name]
    band = replace(band, across=band.across * width, along=band.along * width)
    centred = row * factor - 0.5, column * factor - 0.5, heading
    return footprint_mean(fields, centred, band, cell)


def _calibrated(world: World, tb: Array, name: str) -> Array:
    """TB with the gain and offset error of the channel."""
    index = CHANNELS.index(name)
    gain, offset = world.instrument.gains[index], world.instrument.offsets[index]
    return np.asarray(200 + np.float32(gain) * (tb - 200) + np.float32(offset), np.float32)


def _noise(rng: np.random.Generator, channel: str, shape: tuple[int, ...]) -> Array:
    band = BANDS[channel[2:-1]]
    level = band.nedt_v if channel[-1] == "v" else band.nedt_h
    return np.float32(level) * rng.standard_normal(shape, dtype=np.float32)


def observe(
    world: World,
    seen: Brightness,
    one: Pass,
    rng: np.random.Generator,
    bands: tuple[str, ...] = LOW_BANDS,
) -> xr.Dataset:
    """The swath AMSR2 would deliver from one pass over the world.

    Parameters
    ----------
    world : gives grid and land
    seen : brightness of the world at the time of the pass
    one : the pass
    rng : noise and lost scans
    bands : low-frequency bands wanted

    Returns
    -------
    Dataset
        The swath of docs/architecture.md; samples beyond the world are NaN.
    """
    geometry = one.looks
    shape = geometry.latitude.shape[1:]
    louder = np.float32(world.physics.noise)
    high = np.empty((len(HORNS), len(HIGH_CHANNELS), *shape), np.float32)
    land = np.empty((len(HORNS), *shape), np.float32)
    fields = np.concatenate([seen.high, world.land[None]])
    for horn in range(len(HORNS)):
        place = _placed(world.grid, geometry.latitude[horn], geometry.longitude[horn], geometry)
        mean = _beam(world, fields, place, "89", FINE).reshape(-1, *shape)
        land[horn] = mean[2]
        for k, name in enumerate(HIGH_CHANNELS):
            high[horn, k] = _calibrated(world, mean[k], name) + louder * _noise(rng, name, shape)
    lost = np.asarray(rng.random(shape[0]) < LOST_SCAN_CHANCE)
    high[:, :, lost] = np.nan
    low = _observe_low(world, seen, geometry, bands, rng)
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.generic]]] = {
        name: (("horn", "scan", "pixel"), high[:, k]) for k, name in enumerate(HIGH_CHANNELS)
    }
    variables |= {n: (("scan", "pixel_low"), _without(tb, lost)) for n, tb in low[0].items()}
    variables["latitude"] = (("horn", "scan", "pixel"), geometry.latitude.astype(np.float32))
    variables["longitude"] = (("horn", "scan", "pixel"), geometry.longitude.astype(np.float32))
    variables["land_fraction"] = (("horn", "scan", "pixel"), land)
    variables["latitude_low"] = (("band", "scan", "pixel_low"), low[1])
    variables["longitude_low"] = (("band", "scan", "pixel_low"), low[2])
    return xr.Dataset(
        {
            n: (dims, values, attrs(n.removesuffix("_low")))
            for n, (dims, values) in variables.items()
        },
        coords={
            "horn": list(HORNS),
            "band": list(bands),
            "time": ("scan", geometry.time.astype("datetime64[ns]")),
        },
        attrs={"granule": one.half_orbit.name.format(), "lost_scans": int(lost.sum())},
    )


def _without(tb: Array, lost: NDArray[np.bool_]) -> Array:
    tb[lost] = np.nan
    return tb


def _observe_low(
    world: World,
    seen: Brightness,
    geometry: ScanGeometry,
    bands: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[dict[str, Array], Array, Array]:
    """Low-frequency channels and where they are."""
    tb: dict[str, Array] = {}
    positions = low_positions(
        geometry.latitude[0], geometry.longitude[0], [COREGISTRATION[band] for band in bands]
    )
    for band, latitude, longitude in zip(bands, *positions, strict=True):
        place = _placed(world.grid, latitude, longitude, geometry)
        index = [LOW_CHANNELS.index(f"tb{band}{pol}") for pol in "hv"]
        fields = block_mean(seen.low[index], BLOCK[band])
        factor = LOW / BLOCK[band]
        mean = _beam(world, fields, place, band, factor)
        for k, pol in enumerate("hv"):
            name = f"tb{band}{pol}"
            noise = np.float32(world.physics.noise) * _noise(rng, name, latitude.shape)
            tb[name] = _calibrated(world, mean[k].reshape(latitude.shape), name) + noise
    return tb, *positions

"""Ice, sea, air and land put together: the brightness of a world at any hour, and its truth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid, hemisphere_of
from seaice.instrument import BANDS, CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.simulate.atmosphere import DRIER, Air, Atmosphere, make_atmosphere
from seaice.simulate.emission import absorption, water_table, weather_terms
from seaice.simulate.ice import FINE, LOW, IceCover, make_ice
from seaice.simulate.land import land_brightness
from seaice.simulate.lattice import enlarge
from seaice.simulate.settings import (
    USUAL,
    Climate,
    Instrument,
    Physics,
    draw_climate,
    draw_instrument,
)

__all__ = ["Brightness", "Truth", "World", "make_world"]

Array = NDArray[np.float32]
#: Which of `IceCover.low_emitting` a low-frequency channel sees.
SEEN_BY = tuple(0 if BANDS[name[2:-1]].ghz < 15 else 1 for name in LOW_CHANNELS)
SIDE_LOBES = 4.0  #: widths of the main lobe over which the side lobes are spread
#: kg m-2 in winter, and how much more where all ice melts: the median air over real samples of
#: closed ice, which is in them already (reanalysis, Round Robin Data Package).
TYPICAL_VAPOUR, TYPICAL_LIQUID = (3.0, 9.0), (0.004, 0.083)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """What the main lobe sees at one moment, K; the part of the side lobes is in it already."""

    high: Array  #: (2, y, x) 89 GHz H and V at 1.5625 km
    low: Array  #: (12, y, x) low-frequency channels at 3.125 km; empty where not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the retrieval of one day should find, each place when and as it was seen."""

    sic: Array  #: (y, x) 0-1 at 1.5625 km
    tb: Array  #: (2, y, x) 89 GHz H, V at 1.5625 km, K
    kinds: Array  #: (2, y, x) at 1.5625 km: how much the ice melts, how much of it is thin, 0-1
    vapour: Array  #: (y, x) at 6.25 km, kg m-2
    liquid: Array  #: (y, x) at 6.25 km, kg m-2 of cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A few days of one region, known exactly."""

    grid: Grid  #: coarse, 6.25 km
    day: date  #: central day; hours count from its noon
    climate: Climate
    physics: Physics
    ice: IceCover
    atmosphere: Atmosphere
    instrument: Instrument
    land: Array  #: (y, x) share of land at 1.5625 km
    land_tb: Array  #: (channel, y, x) K, coarse
    sst: Array  #: (y, x) K, coarse

    def hours(self, time: np.datetime64) -> float:
        """Hours from noon of the central day to a moment."""
        noon = np.datetime64(f"{self.day.isoformat()}T12:00")
        return float((time - noon) / np.timedelta64(1, "s")) / 3600

    def brightness(self, hours: float, *, low: bool = True) -> Brightness:
        """Brightness of everything at one hour; of 89 GHz alone without `low`."""
        air = self.atmosphere.at(hours)
        water = self._water(air)
        high = self._high(*self.ice.high_at(hours), air, water)
        broad = self._low(hours, air, water) if low else np.zeros((0, 0, 0), np.float32)
        return Brightness(
            high=self._with_side_lobes(high, ("89",), FINE),
            low=self._with_side_lobes(broad, LOW_BANDS, LOW) if low else broad,
        )

    def _with_side_lobes(self, fields: Array, bands: Sequence[str], factor: int) -> Array:
        """Fields, H and V of each band, of which a fraction is spread over the side lobes."""
        fraction = np.float32(self.instrument.side_lobes)
        if fraction == 0:
            return fields
        for number, name in enumerate(bands):
            width = math.sqrt(BANDS[name].across * BANDS[name].along)
            sigma = SIDE_LOBES * 1000 * width * factor / self.grid.cell / 2.355
            block = max(b for b in (1, 2, 4, 8) if 2 * b <= max(sigma, 2))
            for field in fields[2 * number : 2 * number + 2]:
                coarse = block_mean(field, block)
                spread = ndimage.gaussian_filter(coarse, sigma / block, mode="nearest", truncate=2)
                field += fraction * (enlarge(spread, block) - field)
        return fields

    def truth(self, watched: Mapping[float, Array]) -> Truth:
        """What the retrieval should find in a day's map: each place when and as it was seen.

        A day's map is the mean over its passes, which come at other hours in other places. So
        the ice is where it was at the place's mean time of observation, and the air is the mean
        of the airs that the place was seen through.

        Parameters
        ----------
        watched : for each hour of observation, how many samples fell into each coarse cell, (y, x)
        """
        counts = np.stack([ndimage.uniform_filter(n, 5, mode="nearest") for n in watched.values()])
        fraction = (counts + np.float32(1e-6)) / (counts + np.float32(1e-6)).sum(axis=0)
        when = np.tensordot(np.array(list(watched), np.float32), fraction, axes=1)
        ice = self.ice.at(when)
        seen = np.zeros((len(HIGH_CHANNELS), *ice.concentration.shape), np.float32)
        vapour, liquid = np.zeros((2, *self.grid.shape), np.float32)
        for hours, part in zip(watched, fraction, strict=True):
            air = self.atmosphere.at(hours)
            tb = self._high(ice.emitting, ice.tb89, air, self._water(air))
            seen += enlarge(part, FINE) * tb
            vapour += part * air.vapour
            liquid += part * air.liquid
        return Truth(
            sic=ice.concentration,
            tb=seen,
            kinds=self.ice.kinds_at(when),
            vapour=vapour,
            liquid=liquid,
        )

    def _water(self, air: Air) -> Array:
        terms = weather_terms(air.vapour, air.liquid, air.wind, self.sst)
        rest = air.unexplained * np.float32(self.physics.unexplained)
        return _polarized(water_table().brightness(terms, rest))

    def _over_ice(self, name: str, air: Air) -> Array:
        """Extra share of the ice's emission that this air swallows beyond the typical."""
        melt = self.climate.melt
        vapour, liquid = (low + more * melt**2 for low, more in (TYPICAL_VAPOUR, TYPICAL_LIQUID))
        typical = absorption(name, np.float32(vapour), np.float32(liquid))  # type: ignore[arg-type]
        now = absorption(name, DRIER * air.vapour, air.liquid_over_ice)
        return np.asarray(1 - (1 - now) / (1 - typical), np.float32)

    def _high(self, emitting: Array, tb89: Array, air: Air, water: Array) -> Array:
        layers = []
        warm = np.float32(self.climate.air_temperature)
        land = self.land
        for i, name in enumerate(HIGH_CHANNELS):
            index = CHANNELS.index(name)
            veil = enlarge(self._over_ice(name, air), FINE)
            solid = tb89[i] + land * (enlarge(self.land_tb[index], FINE) - tb89[i])
            solid += veil * (warm - solid)
            fraction = np.maximum(land, emitting * (1 - land))
            open_sea = enlarge(water[index], FINE)
            layers.append(open_sea + fraction * (solid - open_sea))
        return np.stack(layers)

    def _low(self, hours: float, air: Air, water: Array) -> Array:
        land = block_mean(self.land, FINE // LOW)
        warm = np.float32(self.climate.air_temperature)
        emitting, low_ice = self.ice.low_at(hours)
        layers = []
        for i, name in enumerate(LOW_CHANNELS):
            veil = enlarge(self._over_ice(name, air), LOW)
            fraction = emitting[SEEN_BY[i]] * (1 - land) + land
            solid = low_ice[i] * (1 - land) + land * enlarge(self.land_tb[i], LOW)
            solid += veil * (warm * fraction - solid)
            layers.append(solid + (1 - fraction) * enlarge(water[i], LOW))
        return np.stack(layers)


def _polarized(tb: Array) -> Array:
    """Open water never shows more H than V: thick cloud only closes the difference."""
    for h in range(0, len(CHANNELS), 2):
        excess = (tb[h + 1] - tb[h] - 3) / 4
        tb[h] = tb[h + 1] - 3 - 4 * np.logaddexp(0, excess)
    return tb


def make_world(
    grid: Grid, day: date, seed: int, land: NDArray[np.bool_], physics: Physics = USUAL
) -> World:
    """Draw a world.

    Parameters
    ----------
    grid : coarse grid, 6.25 km
    day : central day
    seed : everything random follows from it and the day
    land : (4y, 4x) bool, land at 1.5625 km
    physics : the rules it follows
    """
    rng = np.random.default_rng([seed, day.toordinal()])
    climate = draw_climate(day, rng, hemisphere_of(grid), physics.fields)
    solid = block_mean(land.astype(np.float32), FINE)
    ice = make_ice(grid, day, solid, climate, physics, rng)
    distance = (
        ndimage.distance_transform_edt(block_mean(ice.concentration, FINE) < 0.15) * grid.cell
    )
    warming = climate.sst_warming * (1 - np.exp(-distance / 250_000))
    return World(
        grid=grid,
        day=day,
        climate=climate,
        physics=physics,
        ice=ice,
        atmosphere=make_atmosphere(climate, grid.shape, grid.cell, rng, cells=physics.cells),
        instrument=draw_instrument(rng, physics.errors),
        land=land.astype(np.float32),
        land_tb=land_brightness(solid, grid.cell, climate, physics, rng),
        sst=(271.6 + warming).astype(np.float32),
    )

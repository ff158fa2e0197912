"""Ice, sea, air and land put together: the brightness of a world at any hour, and its truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seaice.grid.dataset import hemisphere_of
from seaice.grid.definition import Grid
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_CHANNELS
from seaice.simulate.atmosphere import DRIER, Air, Atmosphere, make_atmosphere
from seaice.simulate.emission import Kind, absorption, ice_table, water_table, weather_terms
from seaice.simulate.ice import FINE, LOW, WET, IceCover, make_ice
from seaice.simulate.lattice import enlarge, shrink
from seaice.simulate.random_fields import gaussian_field, uniform
from seaice.simulate.settings import USUAL, Climate, Physics, draw_climate

__all__ = ["Brightness", "Truth", "World", "make_world"]

Array = NDArray[np.float32]
#: How far dry snow and glacier ice close the polarization difference, per band: the shorter the
#: wave, the shallower the layer it comes from.
SNOW_LAND = {"18": 0.3, "23": 0.5, "36": 0.8, "89": 1.0}
#: kg m-2 in winter, and how much more where all ice melts: the median air over real samples of
#: closed ice, which is in them already (reanalysis, Round Robin Data Package).
TYPICAL_VAPOUR, TYPICAL_LIQUID = (3.0, 9.0), (0.004, 0.083)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """What a perfect antenna would see at one moment, K."""

    high: Array  #: (2, y, x) 89 GHz H and V at 1.5625 km
    low: Array  #: (12, y, x) low-frequency channels at 3.125 km


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
    land: Array  #: (y, x) share of land at 1.5625 km
    land_tb: Array  #: (channel, y, x) K, coarse
    sst: Array  #: (y, x) K, coarse

    def hours(self, time: np.datetime64) -> float:
        """Hours from noon of the central day to a moment."""
        noon = np.datetime64(f"{self.day.isoformat()}T12:00")
        return float((time - noon) / np.timedelta64(1, "s")) / 3600

    def brightness(self, hours: float) -> Brightness:
        """Brightness of everything at one hour."""
        air = self.atmosphere.at(hours)
        return self._seen(self.ice.at(hours), air)

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
        share = (counts + np.float32(1e-6)) / (counts + np.float32(1e-6)).sum(axis=0)
        when = np.tensordot(np.array(list(watched), np.float32), share, axes=1)
        ice = self.ice.at(when)
        seen = np.zeros((len(HIGH_CHANNELS), *ice.concentration.shape), np.float32)
        vapour, liquid = np.zeros((2, *self.grid.shape), np.float32)
        for hours, part in zip(watched, share, strict=True):
            air = self.atmosphere.at(hours)
            seen += enlarge(part, FINE) * self._high(ice, air, self._water(air))
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

    def _high(self, ice: IceCover, air: Air, water: Array) -> Array:
        layers = []
        warm = np.float32(self.climate.air_temperature)
        land = self.land
        for i, name in enumerate(HIGH_CHANNELS):
            index = CHANNELS.index(name)
            veil = enlarge(self._over_ice(name, air), FINE)
            solid = ice.tb89[i] + land * (enlarge(self.land_tb[index], FINE) - ice.tb89[i])
            solid = solid + veil * (warm - solid)
            share = np.maximum(land, ice.concentration * (1 - land))
            open_sea = enlarge(water[index], FINE)
            layers.append(open_sea + share * (solid - open_sea))
        return np.stack(layers)

    def _seen(self, ice: IceCover, air: Air) -> Brightness:
        water = self._water(air)
        land = shrink(self.land, FINE // LOW)
        warm = np.float32(self.climate.air_temperature)
        layers = []
        for i, name in enumerate(LOW_CHANNELS):
            veil = enlarge(self._over_ice(name, air), LOW)
            cover = ice.low_concentration * (1 - land)
            solid = ice.low_ice[i] * (1 - land) + land * enlarge(self.land_tb[i], LOW)
            share = cover + land
            solid = solid + veil * (warm * share - solid)
            layers.append(solid + (1 - share) * enlarge(water[i], LOW))
        return Brightness(high=self._high(ice, air, water), low=np.stack(layers))


def _polarized(tb: Array) -> Array:
    """Open water never shows more H than V: thick cloud only closes the difference."""
    for h in range(0, len(CHANNELS), 2):
        excess = (tb[h + 1] - tb[h] - 3) / 4
        tb[h] = tb[h + 1] - 3 - 4 * np.logaddexp(0, excess)
    return tb


def _glacier(grid: Grid, kind: Kind, rng: np.random.Generator) -> Array:
    """TB of land under ice of some kind, (channel, y, x) K."""
    table = ice_table(kind)
    scores = [
        table.scores(k, uniform(gaussian_field(rng, grid.shape, 2.6, 30)))
        for k in range(table.axes.shape[0])
    ]
    return table.brightness(np.stack(scores), CHANNELS)


def _land_brightness(grid: Grid, climate: Climate, rng: np.random.Generator) -> Array:
    """TB of land, (channel, y, x) K: glacier and snow like old ice, bare wet ground in summer.

    Where it melts, glaciers are like melting ice, more or less so from world to world; some coasts
    are all glacier, others all bare.
    """
    cold, offset = _glacier(grid, "north", rng), np.float32(rng.normal(4, 5))
    patches = uniform(gaussian_field(rng, grid.shape, 2.6, 40))
    soaked = np.float32(climate.melt * rng.uniform())
    wet = _glacier(grid, "melting", rng) + np.float32(rng.normal(0, 6))
    snow = cold + offset + soaked * (wet - cold - offset)
    for band, share in SNOW_LAND.items():
        h, v = CHANNELS.index(f"tb{band}h"), CHANNELS.index(f"tb{band}v")
        snow[h] += np.float32(share * climate.snow_land) * (snow[v] - snow[h])
    bare = np.clip(patches + np.float32(rng.uniform(-1, 1)), 0, 1) * np.float32(climate.melt)
    ground = np.stack(
        [
            np.full(grid.shape, 277 * (WET[name[2:-1]][name[-1] == "h"] - 0.01), np.float32)
            for name in CHANNELS
        ]
    )
    mixed: Array = snow + bare * (ground - snow)
    return mixed


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
    climate = draw_climate(day, rng, hemisphere_of(grid))
    solid = shrink(land.astype(np.float32), FINE)
    ice = make_ice(grid, (day, solid), (climate, physics), rng)
    distance = ndimage.distance_transform_edt(shrink(ice.concentration, FINE) < 0.15) * grid.cell
    warming = climate.sst_warming * (1 - np.exp(-distance / 250_000))
    return World(
        grid=grid,
        day=day,
        climate=climate,
        physics=physics,
        ice=ice,
        atmosphere=make_atmosphere(climate, grid.shape, grid.cell, rng),
        land=land.astype(np.float32),
        land_tb=_land_brightness(grid, climate, rng),
        sst=(271.6 + warming).astype(np.float32),
    )

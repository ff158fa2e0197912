"""A real coarse map and a seed in, a drifting ice cover with fine structure out."""

from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage, special

from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid, hemisphere_of
from seaice.instrument import BANDS, CHANNELS, HIGH_CHANNELS, LOW_CHANNELS
from seaice.simulate.emission import IceTable, Kind, ice_table
from seaice.simulate.lattice import enlarge, shift
from seaice.simulate.random_fields import gaussian_field, uniform
from seaice.simulate.settings import Climate, Physics
from seaice.simulate.southern import southern_concentration

__all__ = ["FINE", "LOW", "THIN", "IceCover", "coarse_concentration", "make_ice"]

Array = NDArray[np.float32]
FINE = 4  #: cells of the truth per cell of the coarse grid, along each axis
LOW = 2  #: cells of the lattice that low-frequency footprints see, per coarse cell
#: Calm, clear open water, K: what thin ice and ponds show.
CALM = {
    **{"tb6h": 80, "tb6v": 160, "tb7h": 81, "tb7v": 161, "tb10h": 87, "tb10v": 168},
    **{"tb18h": 108, "tb18v": 187, "tb23h": 134, "tb23v": 202, "tb36h": 141, "tb36v": 210},
    **{"tb89h": 194, "tb89v": 243},
}


#: How far thin ice is from ice to water: times `IceCover.thin`, at up to 10.7, up to 36.5 and at
#: 89 GHz. Long waves see through less of the contrast of new ice, 89 GHz of more.
THIN = (0.9, 1.0, 1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCover:
    """Concentration and the brightness of its ice, at one moment."""

    concentration: Array  #: (y, x) fine, 0-1
    emitting: Array  #: (y, x) fine, what 89 GHz sees of it: less than all of thin ice
    tb89: Array  #: (2, y, x) fine, H and V of the ice, K
    low_concentration: Array  #: (y, x) low lattice
    low_emitting: Array  #: (2, y, x) low lattice, as `emitting`: up to 10.7 GHz, up to 36.5 GHz
    low_ice: Array  #: (12, y, x) low lattice, what a channel sees of it times the TB of the ice, K
    kinds: Array  #: (2, y, x) fine, at noon: how much the ice melts, how much of it is thin, 0-1
    drift: Array  #: (2, 2, y, x) coarse: two modes of velocity (y, x), coarse cells per day

    def at(self, hours: float | Array) -> "IceCover":
        """The cover after it has drifted for some hours (negative: before).

        Parameters
        ----------
        hours : one for all, or (y, x) on the coarse grid, each place at its own time
        """
        fine, low = self._moved(hours, FINE), self._moved(hours, LOW)
        emitting, tb89 = self.high_at(hours)
        low_emitting, low_ice = self.low_at(hours)
        return replace(
            self,
            concentration=shift(self.concentration, *fine),
            emitting=emitting,
            tb89=tb89,
            low_concentration=shift(self.low_concentration, *low),
            low_emitting=low_emitting,
            low_ice=low_ice,
        )

    def high_at(self, hours: float | Array) -> tuple[Array, Array]:
        """`emitting` and `tb89` after they have drifted as in `at`."""
        moved = self._moved(hours, FINE)
        return shift(self.emitting, *moved), np.stack([shift(tb, *moved) for tb in self.tb89])

    def low_at(self, hours: float | Array) -> tuple[Array, Array]:
        """`low_emitting` and `low_ice` after they have drifted as in `at`."""
        moved = self._moved(hours, LOW)
        emitting = np.stack([shift(part, *moved) for part in self.low_emitting])
        return emitting, np.stack([shift(tb, *moved) for tb in self.low_ice])

    def kinds_at(self, hours: float | Array) -> Array:
        """`kinds` after it has drifted as in `at`."""
        fine = self._moved(hours, FINE)
        return np.stack([shift(kind, *fine) for kind in self.kinds])

    def _moved(self, hours: float | Array, cells: int) -> list[Array]:
        """How far every place has drifted, (y, x) each, on `cells` cells per coarse cell."""
        days = np.asarray(hours, np.float32) / np.float32(24)
        moved = self.drift[0] * days + self.drift[1] * (days * abs(days) / 2)
        return [cells * enlarge(m, cells) for m in moved]


@cache
def _osisaf() -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    with xr.open_dataset(
        str(files("seaice.simulate").joinpath("data/osisaf_north_2018.nc")), mask_and_scale=False
    ) as year:
        return year.ice_conc.values, year.xc.values * 1000, year.yc.values * 1000


@cache
def _to_ease2() -> Transformer:
    return Transformer.from_crs("EPSG:4326", "EPSG:6931", always_xy=True)


def coarse_concentration(grid: Grid, day: date) -> Array:
    """Concentration of the day of year on a coarse grid, (y, x) 0-1.

    In the north OSI SAF's of 2018; land and lakes take the value of the nearest sea cell, so that
    coasts have ice up to them. In the south a mean.
    """
    if hemisphere_of(grid) == "south":
        return southern_concentration(grid, day)
    percent, xc, yc = _osisaf()
    position = (day.timetuple().tm_yday - 1) / 5
    before = min(int(position), len(percent) - 1)
    after, fraction = min(before + 1, len(percent) - 1), position - before
    known = percent[before] != 255
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    pair = [percent[i].astype(np.float32)[tuple(nearest)] for i in (before, after)]
    pair = [np.where(p > 100, 0, p) for p in pair]
    field = ((1 - fraction) * pair[0] + fraction * pair[1]) / 100
    longitude, latitude = grid.lonlat()
    x, y = _to_ease2().transform(longitude, latitude)
    rows, columns = (yc[0] - y) / 25_000, (x - xc[0]) / 25_000
    sampled: Array = ndimage.map_coordinates(
        field.astype(np.float32), [rows, columns], order=1, mode="nearest"
    )
    return sampled


def _coastal_ice(coarse: Array, land: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """Ice along coasts that 25 km maps and their filters do not show, (y, x) 0-1.

    Densest in straits and bays. Within some 60 km of ice in the map; where `Climate.remnants` says
    so, also along coasts that the pack has left.
    """
    if climate.coastal <= 0:
        return np.zeros_like(coarse)
    patches = gaussian_field(rng, coarse.shape, 2.8, 30) - np.float32(rng.uniform(1.0, 3.0))
    near = ndimage.gaussian_filter(coarse, 8, mode="nearest") > 0.03
    away = ndimage.distance_transform_edt(land < 0.5).astype(np.float32)
    shelter = np.where(near | climate.remnants, np.exp(-away / 3), 0)
    density = np.float32(rng.uniform(0.3, 1.0))
    patches = patches + np.float32(climate.coastal) * shelter
    extra = density * np.clip(patches / 0.5, 0, 1) * (shelter > 0.05)
    return np.asarray(extra, np.float32)


def _level(coarse: Array, coastal: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """Mean of the concentration field before the logistic function, (y, x) on the fine grid.

    From the map: its log-odds, less than all the way, so that texture opens and closes it.
    """
    if climate.place == "map":
        level = _odds(np.maximum(coarse, coastal), climate)
    else:
        level = np.full(coarse.shape, -40, np.float32)
        if climate.place == "anywhere":
            tilt = gaussian_field(rng, coarse.shape, 4.0, 200)
            level = np.float32(climate.level) + np.float32(0.7) * tilt
        level = np.where(coastal > 0.02, np.maximum(level, _odds(coastal, climate)), level)
    return enlarge(level.astype(np.float32), FINE)


def _odds(coarse: Array, climate: Climate) -> Array:
    """Log-odds of a coarse concentration, less than all the way."""
    odds = special.logit(np.clip(coarse, 0.02, 0.98)) / 1.6
    closed = 0.96 - 0.06 * (1 - climate.melt)  # in winter, what is less than all is mostly noise
    odds = np.where(coarse > closed, 4.0, np.where(coarse < 0.02, -8.0, odds))
    return np.asarray(odds, np.float32)


def _concentration(
    coarse: Array, coastal: Array, climate: Climate, rng: np.random.Generator
) -> Array:
    """Fine structure around the coarse map: marginal zones, bands, eddies, brash, leads.

    A logistic function of a Gaussian field: mostly 0 or 1 with smooth transitions between, as
    charts have it. How wide these are is `Climate.softness`.
    """
    shape = (coarse.shape[0] * FINE, coarse.shape[1] * FINE)
    texture = gaussian_field(rng, shape, climate.texture_slope, float(rng.uniform(150, 500)))
    streaks = gaussian_field(rng, shape, 3.0, float(rng.uniform(8, 25)), stretch=3.0)
    streaks = streaks.T if shape[0] == shape[1] and rng.random() < 0.5 else streaks
    swirl = [6 * enlarge(gaussian_field(rng, coarse.shape, 4, 20), FINE) for _ in range(2)]
    fraction = np.float32(climate.bands)
    texture = np.sqrt(1 - fraction) * texture + np.sqrt(fraction) * shift(streaks, *swirl)
    odds = (_level(coarse, coastal, climate, rng) + texture) / np.float32(climate.softness)
    grain = gaussian_field(rng, shape, 2.2, 8.0)
    cover = special.expit(odds + np.float32(climate.brash) * grain).astype(np.float32)
    cover = np.where(cover > 0.97, np.float32(1), cover)
    if climate.clean:
        cover = np.where(cover < 0.05, np.float32(0), cover)
    if climate.lead_width > 0:
        cover = cover * (1 - _leads(shape, climate, rng))
    return np.asarray(cover, np.float32)


def _floes(coarse: Array, coastal: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """Another generator, for the sealed worlds: floes of power-law sizes fill the coarse map.

    Nested thresholds of white noise smoothed at floe sizes of 2 to 40 km: each size closes its
    part of what the map asks for. Nothing of `_concentration` is used.
    """
    shape = (coarse.shape[0] * FINE, coarse.shape[1] * FINE)
    needed = enlarge(np.maximum(coarse, coastal), FINE)
    warped = [4 * enlarge(gaussian_field(rng, coarse.shape, 3.5, 12), FINE) for _ in range(2)]
    needed = shift(needed, *warped)
    cover = np.zeros(shape, np.float32)
    sizes = np.geomspace(1.2, 25, 5)  # fine cells
    parts = rng.dirichlet(np.full(len(sizes), 2.0))
    for size, part in zip(sizes, parts, strict=True):
        noise = rng.standard_normal(shape, dtype=np.float32)
        floes = ndimage.gaussian_filter(noise, size, mode="wrap")
        floes /= floes.std()
        edge = special.ndtri(np.clip(1 - needed, 1e-4, 1 - 1e-4)).astype(np.float32)
        cover += np.float32(part) * special.expit((floes - edge) * 12).astype(np.float32)
    cover = np.where(needed > 0.97, 1.0, np.where(needed < 0.01, 0.0, cover))
    blur = float(rng.uniform(0.3, 1.5))
    cover = ndimage.gaussian_filter(cover.astype(np.float32), blur, mode="nearest")
    if climate.lead_width > 0:
        cover = cover * (1 - _leads(shape, climate, rng))
    return np.asarray(np.clip(cover, 0, 1), np.float32)


def _leads(shape: tuple[int, int], climate: Climate, rng: np.random.Generator) -> Array:
    """Open share of each fine cell in leads: thin, long, with two preferred directions."""
    ridge = np.minimum(
        np.abs(gaussian_field(rng, shape, 3.2, 120, stretch=3.0)),
        np.abs(gaussian_field(rng, shape[::-1], 3.2, 120, stretch=3.0)).T,
    )
    density = np.exp(0.8 * gaussian_field(rng, shape, 3.5, 200))
    width = climate.lead_width * density
    opening = np.clip(1 - ridge / np.maximum(width, 1e-6), 0, 1)
    return np.asarray(opening * np.float32(climate.lead_open), np.float32)


def _ice_scores(shape: tuple[int, int], table: IceTable, rng: np.random.Generator) -> Array:
    """Scores on each principal axis of the samples of closed ice, (component, y, x) K.

    Drawn on cells of 3.125 km (broad structure: 6.25 km) and interpolated: samples of closed ice
    know nothing of smaller cells.
    """
    half, quarter = ((shape[0] // n, shape[1] // n) for n in (2, 4))
    scores = []
    for component in range(table.axes.shape[0]):
        broad = enlarge(gaussian_field(rng, quarter, 3.2, 30), 2)
        fine = gaussian_field(rng, half, 3.0, 12)
        mixed = np.float32(0.7) * broad + np.float32(0.38) * fine
        offset = np.float32(0.6 * rng.standard_normal())
        scores.append(enlarge(table.scores(component, uniform(mixed + offset)), 2))
    return np.stack(scores)


def _thin(shape: tuple[int, int], climate: Climate, rng: np.random.Generator) -> Array:
    """How much of the contrast to water thin ice has lost, (y, x) 0-1."""
    if climate.thin_amount <= 0:
        return np.zeros(shape, np.float32)
    field = gaussian_field(rng, shape, 3.2, float(rng.uniform(30, 200)))
    odds = (field + np.float32(climate.thin_level)) / np.float32(0.4)
    return np.asarray(np.float32(climate.thin_amount) * special.expit(odds), np.float32)


def _washed_over(cover: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """Contrast to water that flooded floes and brash of the marginal zone have lost, (y, x) 0-1.

    Grows as concentration falls, smoothed over 10 km: from none in the pack to all of
    `Climate.edge_loss` where less than half of the sea is ice.
    """
    if climate.edge_loss <= 0:
        return np.zeros(cover.shape, np.float32)
    wide = ndimage.gaussian_filter(block_mean(cover, FINE), 1.5, mode="nearest")
    open_share = enlarge(np.clip(2 * (1 - wide), 0, 1).astype(np.float32), FINE)
    patches = enlarge(uniform(gaussian_field(rng, wide.shape, 3.0, 20)), FINE)
    return np.asarray(np.float32(climate.edge_loss) * open_share * (0.5 + 0.5 * patches))


class _Skin(NamedTuple):
    """State of the ice surface, each (..., y, x)."""

    cold: Array  #: (component, y, x) K, on the principal axes of cold ice
    snow: Array | None  #: (component, y, x) K, on those of wet snow; None where none is needed
    bare: Array | None  #: (component, y, x) K, on those of bare melting ice
    melting: Array  #: fraction that melts, 0-1
    exposed: Array  #: fraction of what melts that is bare ice, 0-1
    pond: Array  #: fraction of what melts that is open pond, 0-1


def _skin(cover: Array, climate: Climate, table: IceTable, rng: np.random.Generator) -> _Skin:
    """Draw the surface of the ice on the fine grid of `cover`."""
    shape = cover.shape[0] // FINE, cover.shape[1] // FINE
    melting = np.zeros(cover.shape, np.float32)
    exposed, snow, bare = melting, None, None
    if climate.melt > 0 or climate.edge_melt > 0:
        field = enlarge(gaussian_field(rng, shape, 3.5, 100), FINE)
        melting = special.ndtr((field + special.ndtri(np.clip(climate.melt, 1e-4, 0.9999))) / 0.5)
        soft_edge = np.float32(climate.edge_melt) * np.clip(2 * (1 - cover), 0, 1)
        melting = np.maximum(melting, soft_edge).astype(np.float32)
        field = enlarge(gaussian_field(rng, shape, 3.5, 100), FINE)
        exposed = special.ndtr((field + special.ndtri(np.clip(climate.bare, 1e-4, 0.9999))) / 0.5)
        exposed = exposed.astype(np.float32)
        snow = _ice_scores(cover.shape, ice_table("wet snow"), rng) if climate.bare < 1 else None
        bare = _ice_scores(cover.shape, ice_table("bare ice"), rng) if climate.bare > 0 else None
    variation = enlarge(gaussian_field(rng, shape, 2.6, 15), FINE)
    return _Skin(
        cold=_ice_scores(cover.shape, table, rng),
        snow=snow,
        bare=bare,
        melting=melting,
        exposed=exposed,
        pond=np.float32(climate.pond) * special.ndtr(0.3 - 0.7 * variation).astype(np.float32),
    )


def _surface(channels: tuple[str, ...], skin: _Skin, climate: Climate, table: IceTable) -> Array:
    """TB of the ice for some channels: cold and melting ice together, (channel, y, x) K."""
    index = [CHANNELS.index(name) for name in channels]
    spread = np.array(climate.ice_spread, np.float32)[index, None, None]
    cold = table.brightness(skin.cold, channels) + np.float32(climate.ice_offset) + spread
    kinds: tuple[tuple[Kind, Array | None], ...] = (
        ("wet snow", skin.snow),
        ("bare ice", skin.bare),
    )
    parts = [ice_table(kind).brightness(s, channels) for kind, s in kinds if s is not None]
    if not parts:
        return cold
    wet = parts[0] if len(parts) == 1 else parts[0] + skin.exposed * (parts[1] - parts[0])
    wet += np.array(climate.melt_spread, np.float32)[index, None, None]
    calm = np.array([CALM[name] for name in channels], np.float32)[:, None, None]
    wet += skin.pond * (calm - wet)
    return np.asarray(cold + skin.melting * (wet - cold), np.float32)


def make_ice(
    grid: Grid, day: date, land: Array, climate: Climate, physics: Physics, rng: np.random.Generator
) -> IceCover:
    """Draw the ice of one world at noon of its central day.

    Parameters
    ----------
    grid : coarse grid of the world, 6.25 km
    day : gives season and geography from the OSI SAF map of that day of the year
    land : (y, x) fraction of land on the coarse grid
    climate, physics : what this world draws beside its fields, and the rules it follows
    rng : generator
    """
    table = ice_table("south" if hemisphere_of(grid) == "south" else physics.ice)
    coarse = coarse_concentration(grid, day)
    coastal = _coastal_ice(coarse, land, climate, rng)
    draw = _floes if physics.fields == "floes" else _concentration
    cover = draw(coarse, coastal, climate, rng)
    thin = _thin(cover.shape, climate, rng)
    thin = 1 - (1 - thin) * (1 - _washed_over(cover, climate, rng))
    skin = _skin(cover, climate, table, rng)
    low_cover = block_mean(cover, FINE // LOW)
    mean = np.maximum(low_cover, np.float32(1e-3))

    def at_low(field: Array | None) -> Array | None:
        if field is None:
            return None
        return np.asarray(block_mean(field * cover, FINE // LOW) / mean, np.float32)

    weighted = _Skin(**{name: at_low(field) for name, field in skin._asdict().items()})  # type: ignore[arg-type]
    seen = np.stack([block_mean(cover * (1 - factor * thin), FINE // LOW) for factor in THIN[:2]])
    parts = np.array([0 if BANDS[name[2:-1]].ghz < 15 else 1 for name in LOW_CHANNELS])
    return IceCover(
        concentration=cover,
        emitting=cover * (1 - np.float32(THIN[2]) * thin),
        tb89=_surface(HIGH_CHANNELS, skin, climate, table),
        low_concentration=low_cover,
        low_emitting=seen.astype(np.float32),
        low_ice=_surface(LOW_CHANNELS, weighted, climate, table) * seen[parts].astype(np.float32),
        kinds=np.stack([skin.melting, thin]),
        drift=_drift(grid, climate, physics, rng),
    )


def _drift(grid: Grid, climate: Climate, physics: Physics, rng: np.random.Generator) -> Array:
    """Two modes of velocity (mode, axis, y, x), coarse cells per day."""
    per_cell = np.float32(1000 / grid.cell * climate.drift * physics.drift)
    modes = [
        [gaussian_field(rng, grid.shape, 4, 150) * 0.8 + rng.standard_normal() * 0.6 for _ in "yx"]
        for _ in range(2)
    ]
    return np.asarray(modes, np.float32) * per_cell

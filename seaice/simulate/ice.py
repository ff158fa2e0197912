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

from seaice.grid.dataset import hemisphere_of
from seaice.grid.definition import Grid
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.simulate.emission import IceTable, ice_table
from seaice.simulate.lattice import enlarge, shift, shrink
from seaice.simulate.random_fields import gaussian_field, uniform
from seaice.simulate.settings import Climate, Physics
from seaice.simulate.southern import southern_concentration

__all__ = ["FINE", "LOW", "WET", "IceCover", "coarse_concentration", "make_ice"]

Array = NDArray[np.float32]
FINE = 4  #: cells of the truth per cell of the coarse grid, along each axis
LOW = 2  #: cells of the lattice that low-frequency footprints see, per coarse cell
#: Emissivity of bare wet ground, (vertical, horizontal) per band.
WET = {
    "6": (0.945, 0.86),
    "7": (0.945, 0.86),
    "10": (0.95, 0.875),
    "18": (0.96, 0.895),
    "23": (0.962, 0.90),
    "36": (0.965, 0.91),
    "89": (0.957, 0.921),
}
#: Calm, clear open water, K: what thin ice and ponds show.
CALM = {
    **{"tb6h": 80, "tb6v": 160, "tb7h": 81, "tb7v": 161, "tb10h": 87, "tb10v": 168},
    **{"tb18h": 108, "tb18v": 187, "tb23h": 134, "tb23v": 202, "tb36h": 141, "tb36v": 210},
    **{"tb89h": 194, "tb89v": 243},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCover:
    """Concentration and the brightness of its ice, at one moment."""

    concentration: Array  #: (y, x) fine, 0-1
    tb89: Array  #: (2, y, x) fine, H and V of the ice, K
    low_concentration: Array  #: (y, x) low lattice
    low_ice: Array  #: (12, y, x) low lattice, concentration times the TB of the ice, K
    kinds: Array  #: (2, y, x) fine, at noon: how much the ice melts, how much of it is thin, 0-1
    drift: Array  #: (2, 2, y, x) coarse: two modes of velocity (y, x), coarse cells per day

    def at(self, hours: float | Array) -> "IceCover":
        """The cover after it has drifted for some hours (negative: before).

        Parameters
        ----------
        hours : one for all, or (y, x) on the coarse grid, each place at its own time
        """
        fine, low = self._moved(hours, FINE), self._moved(hours, LOW)
        return replace(
            self,
            concentration=shift(self.concentration, *fine),
            tb89=np.stack([shift(tb, *fine) for tb in self.tb89]),
            low_concentration=shift(self.low_concentration, *low),
            low_ice=np.stack([shift(tb, *low) for tb in self.low_ice]),
        )

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
    after, share = min(before + 1, len(percent) - 1), position - before
    known = percent[before] != 255
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    pair = [percent[i].astype(np.float32)[tuple(nearest)] for i in (before, after)]
    pair = [np.where(p > 100, 0, p) for p in pair]
    field = ((1 - share) * pair[0] + share * pair[1]) / 100
    longitude, latitude = grid.lonlat()
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:6931", always_xy=True).transform(
        longitude, latitude
    )
    rows, columns = (yc[0] - y) / 25_000, (x - xc[0]) / 25_000
    sampled: Array = ndimage.map_coordinates(
        field.astype(np.float32), [rows, columns], order=1, mode="nearest"
    )
    return sampled


def _with_remnants(coarse: Array, land: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """The coarse map with patches of ice that 25 km maps and their filters do not show.

    Where there is ice in the neighbourhood it stays longest along coasts and between islands, fast
    or caught, and densest there.
    """
    level = float(rng.uniform(1.3, 4.0))
    patches = gaussian_field(rng, coarse.shape, 2.8, 30) - level
    near = ndimage.gaussian_filter(coarse, 16, mode="nearest") > 0.01
    away = ndimage.distance_transform_edt(land < 0.5).astype(np.float32)
    shelter = np.where(near, np.exp(-away / 4), 0)
    density = np.float32(rng.uniform(0.3, 1.0))
    density = density + (1 - density) * np.minimum(2 * shelter, 1)
    patches = patches + np.float32(climate.coastal) * shelter
    return np.asarray(np.maximum(coarse, density * np.clip(patches / 0.5, 0, 1)), np.float32)


def _concentration(coarse: Array, climate: Climate, rng: np.random.Generator) -> Array:
    """Fine structure that keeps the coarse mean: floes, brash, eddies at the edge, leads inside."""
    shape = (coarse.shape[0] * FINE, coarse.shape[1] * FINE)
    swirl = [6 * enlarge(gaussian_field(rng, coarse.shape, 4, 20), FINE) for _ in range(2)]
    texture = shift(gaussian_field(rng, shape, float(rng.uniform(2.7, 3.3)), 30), *swirl)
    softness = climate.diffuseness * np.exp(
        0.5 * enlarge(gaussian_field(rng, coarse.shape, 3.5, 60), FINE)
    )
    score = special.ndtri(np.clip(coarse, 0.0005, 0.9995)).astype(np.float32)
    closed = 0.96 - 0.06 * (1 - climate.melt)  # in winter, what is less than all is mostly noise
    score = np.where(coarse > closed, 4.0, np.where(coarse < 0.02, -6.0, score * climate.edge_gain))
    level = enlarge(score.astype(np.float32), FINE) * np.sqrt(1 + softness**2)
    cover = special.ndtr((level + texture) / softness)
    return np.asarray(cover * (1 - _leads(shape, climate, rng)), np.float32)


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
    """Where along each principal axis of real closed ice the surface is, (component, y, x) K."""
    scores = []
    for component in range(table.axes.shape[0]):
        broad = gaussian_field(rng, shape, 3.2, 120)
        fine = gaussian_field(rng, shape, 3.0, 24)
        mixed = np.float32(0.7) * broad + np.float32(0.38) * fine
        offset = np.float32(0.6 * rng.standard_normal())
        scores.append(table.scores(component, uniform(mixed + offset)))
    return np.stack(scores)


class _Skin(NamedTuple):
    """What the surface of the ice is like, each (..., y, x)."""

    cold: Array  #: (component, y, x) K, along the principal axes of cold ice
    wet: Array  #: (component, y, x) K, along those of melting ice
    melting: Array  #: share that melts, 0-1
    pond: Array  #: share of what melts that is open pond, 0-1
    thinness: Array  #: share that is thin, 0-1


def _surface(
    channels: tuple[str, ...],
    skin: _Skin,
    climate: Climate,
    table: IceTable,
) -> Array:
    """TB of the ice for some channels: cold ice, melt and thin ice together, (channel, y, x) K."""
    cold = table.brightness(skin.cold, channels) + np.float32(climate.ice_offset)
    wet = ice_table("melting").brightness(skin.wet, channels)
    layers = []
    for tb, melted, name in zip(cold, wet, channels, strict=True):
        calm = np.float32(CALM[name])
        surface = tb + skin.melting * (melted + skin.pond * (calm - melted) - tb)
        layers.append(surface + skin.thinness * (calm - surface))
    return np.stack(layers)


def make_ice(
    grid: Grid, place: tuple[date, Array], nature: tuple[Climate, Physics], rng: np.random.Generator
) -> IceCover:
    """Draw the ice of one world at noon of its central day.

    Parameters
    ----------
    grid : coarse grid of the world, 6.25 km
    place : the day, which gives season and geography from the OSI SAF map of that day of the year,
        and the share of land (y, x) on the coarse grid
    nature : what this world draws beside its fields, and the rules it follows
    rng : generator
    """
    (day, land), (climate, physics) = place, nature
    table = ice_table("south" if hemisphere_of(grid) == "south" else physics.ice)
    coarse = _with_remnants(coarse_concentration(grid, day), land, climate, rng)
    cover = _concentration(coarse, climate, rng)
    scores = _ice_scores(cover.shape, table, rng)
    melt_field = enlarge(gaussian_field(rng, grid.shape, 3.5, 100), FINE)
    melting = special.ndtr((melt_field + special.ndtri(np.clip(climate.melt, 1e-4, 0.9999))) / 0.5)
    variation = gaussian_field(rng, cover.shape, 2.6, 60)
    thin_field = gaussian_field(rng, cover.shape, 2.8, 50)
    thin_level = special.ndtri(np.clip(climate.thin_share, 1e-5, 0.999))
    thinness = 0.5 * special.ndtr((thin_field + thin_level) / 0.3)
    wet_rng = rng.spawn(1)[0]
    skin = _Skin(
        cold=scores,
        wet=_ice_scores(cover.shape, ice_table("melting"), wet_rng),
        melting=melting.astype(np.float32),
        pond=np.float32(climate.pond) * special.ndtr(0.3 - 0.7 * variation).astype(np.float32),
        thinness=thinness.astype(np.float32),
    )
    per_cell = 1000 / grid.cell * climate.drift * physics.drift
    drift = [
        [gaussian_field(rng, grid.shape, 4, 150) * 0.8 + rng.standard_normal() * 0.6 for _ in "yx"]
        for _ in range(2)
    ]
    low_cover = shrink(cover, FINE // LOW)
    mean = np.maximum(low_cover, np.float32(1e-3))
    weighted = _Skin(*(np.asarray(shrink(f * cover, FINE // LOW) / mean, np.float32) for f in skin))
    low_ice = _surface(LOW_CHANNELS, weighted, climate, table)
    return IceCover(
        concentration=cover,
        tb89=_surface(HIGH_CHANNELS, skin, climate, table),
        low_concentration=low_cover,
        low_ice=low_ice * low_cover,
        kinds=np.stack([skin.melting, skin.thinness]),
        drift=np.asarray(drift, np.float32) * np.float32(per_cell),
    )

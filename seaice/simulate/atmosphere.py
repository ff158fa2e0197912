"""Air over a coarse grid: vapour, cloud, wind and sea temperature at any hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice.simulate.random_fields import gaussian_field
from seaice.simulate.settings import Climate

__all__ = ["DRIER", "Air", "Atmosphere", "make_atmosphere"]

Array = NDArray[np.float32]
SPAN = 400  #: coarse cells; weather repeats beyond this distance, or beyond the world if larger
LIFE_HOURS = 60.0  #: a quarter turn of the slow change of every weather field
#: Median cloud liquid by water vapour, both kg m-2, and the spread of its logarithm: reanalysis
#: over the open-water samples of the Round Robin Data Package, a quarter more in wet air, so that
#: the polarization difference falls with vapour as it really does.
WETNESS = (2.5, 4.0, 7.2, 12.0, 17.0, 23.0, 30.0)
LIQUID = (0.0012, 0.004, 0.0155, 0.108, 0.285, 0.44, 0.55)
LIQUID_SPREAD = (1.66, 1.6, 1.44, 1.21, 1.02, 0.96, 0.96)
DRIER = 0.75  #: vapour over ice, of that over the sea of the same day (same source)
UNEXPLAINED = 6  #: fields for what reanalysis weather does not explain of open-water TB


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """The state of the air at one moment, all (y, x) on the coarse grid."""

    vapour: Array  #: kg m-2
    liquid: Array  #: kg m-2
    liquid_over_ice: Array  #: kg m-2; `DRIER` air over ice holds less
    wind: Array  #: m s-1
    unexplained: Array  #: (component, y, x), unit normal


@dataclass(frozen=True, slots=True, kw_only=True)
class Atmosphere:
    """Weather that drifts over the world and changes as it goes."""

    climate: Climate
    shape: tuple[int, int]
    cell: float  #: m
    early: Array  #: (field, Y, X) periodic
    late: Array  #: (field, Y, X) periodic
    offsets: NDArray[np.float64]  #: (field,) world-wide departures

    def at(self, hours: float) -> Air:
        """The air `hours` after noon of the central day."""
        angle = np.pi / 2 * hours / LIFE_HOURS
        shift = [round(hours * 3600 * v / self.cell) for v in self.climate.air_speed]
        fields = np.float32(np.cos(angle)) * self.early + np.float32(np.sin(angle)) * self.late
        fields = np.roll(fields, (-shift[1], shift[0]), axis=(1, 2))
        fields = fields[:, : self.shape[0], : self.shape[1]]
        z = 0.85 * fields + 0.53 * self.offsets[:, None, None].astype(np.float32)
        c = self.climate
        vapour = np.clip(c.vapour * np.exp(0.35 * z[0]), 0.5, 30)
        return Air(
            vapour=vapour.astype(np.float32),
            liquid=_liquid(vapour, z[1], c.cloud),
            liquid_over_ice=_liquid(DRIER * vapour, z[1], c.cloud),
            wind=np.clip(c.wind + 3.5 * z[2], 0.5, 24).astype(np.float32),
            unexplained=fields[3:],
        )


def _liquid(vapour: Array, score: Array, usual: float) -> Array:
    """Cloud liquid, kg m-2: wet air holds more of it, and more surely."""
    median = np.interp(np.log(vapour), np.log(WETNESS), np.log(LIQUID))
    spread = np.interp(vapour, WETNESS, LIQUID_SPREAD)
    return np.exp(median + spread * score + usual).clip(max=0.8).astype(np.float32)


def _patches(broad: Array, grain: Array) -> Array:
    """A field of cloud cells: nearly constant inside, a sharp border, mean 0 and variance 1."""
    cells = np.tanh(4 * (broad + np.float32(0.7) * grain)) + np.float32(0.3) * broad
    return np.asarray((cells - cells.mean()) / cells.std(), np.float32)


def make_atmosphere(
    climate: Climate,
    shape: tuple[int, int],
    cell: float,
    rng: np.random.Generator,
    *,
    cells: bool = False,
) -> Atmosphere:
    """Draw the weather of a few days over a coarse grid of this shape and cell size (m).

    Parameters
    ----------
    cells : clouds as patches with sharp borders instead of smooth fields
    """
    span = (max(SPAN, shape[0]), max(SPAN, shape[1]))
    stretch = float(np.exp(rng.uniform(0, 0.7)))

    def draw() -> Array:
        slopes = (3.4, climate.cloud_slope, 3.2)
        broad = [gaussian_field(rng, span, slope, 200, stretch) for slope in slopes]
        if cells:
            broad[1] = _patches(broad[1], gaussian_field(rng, span, 2.0, 30))
        fine = [gaussian_field(rng, span, 3.2, 60) for _ in range(UNEXPLAINED)]
        return np.stack(broad + fine)

    return Atmosphere(
        climate=climate,
        shape=shape,
        cell=cell,
        early=draw(),
        late=draw(),
        offsets=rng.standard_normal(3 + UNEXPLAINED),
    )

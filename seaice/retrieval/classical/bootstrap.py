"""Bootstrap: concentration from where a cell lies between open water and the line of closed ice.

Comiso 1986, J. Geophys. Res. 91(C1), doi 10.1029/JC091iC01p00975; Comiso, Nishio 2008, JGR 113,
C02S07. Constants: NSIDC's for AMSR2 (sea-ice climate data record, CDRP-ATBD-0107).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere

__all__ = ["PUBLISHED", "Bootstrap", "Plane", "bootstrap"]

Array = NDArray[np.floating]
BELOW = 5.0  #: K below the ice line of 37 GHz V and H at which 19 and 37 GHz V take over


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Two channels, x and y: open water is a point, closed ice a line y = slope x + offset."""

    water: tuple[float, float]  #: K
    ice: tuple[float, float]  #: K, a point near the line, of the ice that resembles water most
    slope: float
    offset: float  #: K

    def height(self, x: Array | float, y: Array | float) -> Array:
        """How far above the ice line, along y, K."""
        return np.asarray(y - self.slope * x - self.offset)

    def concentration(self, x: Array, y: Array) -> Array:
        """Distance from open water as a share of the distance to the ice line, along one ray.

        Below the ray to the ice point, the length of that ray is the measure (as NSIDC's code
        has it): there, no ice lies on the line.

        Parameters
        ----------
        x, y : same shape, K; NaN where absent

        Returns
        -------
        Same shape, 0-1; NaN where a channel is absent
        """
        depth = float(self.height(*self.water))
        share = 1 - self.height(x, y) / depth
        toward = self.ice[0] - self.water[0], self.ice[1] - self.water[1]
        reach = np.hypot(*toward) / (1 - float(self.height(*self.ice)) / depth)
        dx, dy = x - self.water[0], y - self.water[1]
        away = np.hypot(dx, dy) * np.sign(dx * toward[0] + dy * toward[1])
        beneath = dy * toward[0] < dx * toward[1]
        return np.where(beneath, away / reach, share).clip(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Both planes of one hemisphere."""

    polarization: Plane  #: 36.5 GHz V and H
    frequency: Plane  #: 36.5 and 18.7 GHz V


PUBLISHED: Mapping[Hemisphere, Bootstrap] = {
    "north": Bootstrap(
        polarization=Plane(water=(207.2, 131.9), ice=(256.3, 241.2), slope=1.20, offset=-71.99),
        frequency=Plane(water=(207.2, 182.4), ice=(256.3, 258.9), slope=0.8048, offset=48.26),
    ),
    "south": Bootstrap(
        polarization=Plane(water=(207.6, 131.9), ice=(259.4, 247.3), slope=1.2759, offset=-90.62),
        frequency=Plane(water=(207.6, 182.7), ice=(259.4, 261.6), slope=0.7618, offset=62.89),
    ),
}


def bootstrap(tb18v: Array, tb36v: Array, tb36h: Array, points: Bootstrap) -> Array:
    """Concentration by Bootstrap.

    Cells on the ice line of 36.5 GHz V and H, down to 5 K below it, are told by that plane; all
    others by 18.7 and 36.5 GHz V, which old ice and layered snow mislead less.

    Parameters
    ----------
    tb18v, tb36v, tb36h : same shape, K; NaN where absent
    points : tie points, as `PUBLISHED`

    Returns
    -------
    Same shape, 0-1; NaN where a channel is absent

    >>> north = PUBLISHED["north"]
    >>> bootstrap(*np.array([[182.4, 258.9], [207.2, 256.3], [131.9, 241.2]]), north).tolist()
    [0.0, 1.0]
    """
    polarization = points.polarization.concentration(tb36v, tb36h)
    frequency = points.frequency.concentration(tb36v, tb18v)
    near = points.polarization.height(tb36v, tb36h) > -BELOW
    told = np.where(near, polarization, frequency)
    return np.where(np.isfinite(tb18v + tb36v + tb36h), told, np.nan)

"""Published concentration algorithms: ASI, Bootstrap and NASA Team.

ASI, from the polarization difference at 89 GHz: Spreen, Kaleschke, Heygster 2008, "Sea ice remote
sensing using AMSR-E 89-GHz channels", J. Geophys. Res. 113, C02S03, doi 10.1029/2005JC003384,
equations 6 to 9.

Bootstrap, from the position of a cell between open water and the line of closed ice: Comiso 1986,
J. Geophys. Res. 91(C1), doi 10.1029/JC091iC01p00975; Comiso, Nishio 2008, JGR 113, C02S07.
Constants: NSIDC's for AMSR2 (sea-ice climate data record, CDRP-ATBD-0107).

NASA Team, first-year ice, multi-year ice and open water from ratios at 18.7 and 36.5 GHz:
Cavalieri, Gloersen, Campbell 1984, J. Geophys. Res. 89(D4), doi 10.1029/JD089iD04p05355.
Tie points: NSIDC's for AMSR2, by regression of AMSR2 on DMSP F17 (nsidc/pm_icecon, 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere

__all__ = [
    "ASI_TIE_POINTS",
    "BOOTSTRAP_TIE_POINTS",
    "NASA_TEAM_TIE_POINTS",
    "Bootstrap",
    "NasaTeam",
    "Plane",
    "Surface",
    "TiePoints",
    "asi",
    "bootstrap",
    "nasa_team",
]

Field = TypeVar("Field", NDArray[Any], xr.DataArray)

#: Slope conditions: P0 C'(P0) and P1 C'(P1).
SLOPE_WATER, SLOPE_ICE = -1.14, -0.14


@dataclass(frozen=True, slots=True, kw_only=True)
class TiePoints:
    """Polarization differences of pure surfaces, K."""

    water: float = 47.0  #: P0
    ice: float = 11.7  #: P1

    def __post_init__(self) -> None:
        if not 0 < self.ice < self.water:
            raise ValueError(
                f"tie points water={self.water} K, ice={self.ice} K; "
                "open water polarizes more than ice, and both are above 0 K."
            )

    @property
    def cubic(self) -> NDArray[np.float64]:
        """d3, d2, d1, d0 of C(P) = d3 P^3 + d2 P^2 + d1 P + d0.

        >>> [float(f"{d:.9g}") for d in TiePoints().cubic]
        [1.64001739e-05, -0.00161810765, 0.0191628476, 0.971030707]
        """
        p = np.array([self.water, self.ice])
        value = np.stack([p**3, p**2, p, p**0], -1)
        slope = np.stack([3 * p**3, 2 * p**2, p, 0 * p], -1)
        conditions = np.array([0.0, 1.0, SLOPE_WATER, SLOPE_ICE])
        return np.linalg.solve(np.concatenate([value, slope]), conditions)

    def slope(self, sic: NDArray[np.floating]) -> NDArray[np.float64]:
        """|dC/dP| at a concentration, 1/K: the cubic falls all the way between the tie points."""
        pd = np.linspace(self.ice, self.water, 1001)
        concentration = np.polyval(self.cubic, pd)
        steepness = np.abs(np.polyval(np.polyder(self.cubic), pd))
        return np.asarray(np.interp(sic, concentration[::-1], steepness[::-1]))


ASI_TIE_POINTS = TiePoints()


def asi(pd: Field, tie_points: TiePoints = ASI_TIE_POINTS) -> Field:
    """Concentration from the polarization difference V - H at 89 GHz.

    Parameters
    ----------
    pd : any shape, K; NaN where absent
    tie_points : P0 and P1; the published 47 and 11.7 K

    Returns
    -------
    of the same kind and shape, 0-1; NaN where `pd` is

    >>> (100 * asi(np.array([11.7, 15, 20, 25, 30, 35, 40, 45, 47]))).round(2)
    array([100.  ,  94.97,  83.82,  69.5 ,  53.24,  36.27,  19.82,   5.12,   0.  ])
    """
    within = pd.clip(tie_points.ice, tie_points.water)
    d3, d2, d1, d0 = (float(d) for d in tie_points.cubic)
    sic: Field = (((d3 * within + d2) * within + d1) * within + d0).clip(0.0, 1.0)
    return sic


Array = NDArray[np.floating]
ICE_LINE_MARGIN = 5.0  #: K below the ice line of 37 GHz V and H at which 19 and 37 GHz V take over


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
        fraction = 1 - self.height(x, y) / depth
        toward = self.ice[0] - self.water[0], self.ice[1] - self.water[1]
        reach = np.hypot(*toward) / (1 - float(self.height(*self.ice)) / depth)
        dx, dy = x - self.water[0], y - self.water[1]
        away = np.hypot(dx, dy) * np.sign(dx * toward[0] + dy * toward[1])
        beneath = dy * toward[0] < dx * toward[1]
        return np.where(beneath, away / reach, fraction).clip(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Both planes of one hemisphere."""

    polarization: Plane  #: 36.5 GHz V and H
    frequency: Plane  #: 36.5 and 18.7 GHz V


BOOTSTRAP_TIE_POINTS: Mapping[Hemisphere, Bootstrap] = {
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

    Cells on the ice line of 36.5 GHz V and H, down to 5 K below it, are estimated in that
    plane; all others from 18.7 and 36.5 GHz V, which old ice and layered snow mislead less.

    Parameters
    ----------
    tb18v, tb36v, tb36h : same shape, K; NaN where absent
    points : tie points, as `BOOTSTRAP_TIE_POINTS`

    Returns
    -------
    Same shape, 0-1; NaN where a channel is absent

    >>> north = BOOTSTRAP_TIE_POINTS["north"]
    >>> bootstrap(*np.array([[182.4, 258.9], [207.2, 256.3], [131.9, 241.2]]), north).tolist()
    [0.0, 1.0]
    """
    polarization = points.polarization.concentration(tb36v, tb36h)
    frequency = points.frequency.concentration(tb36v, tb18v)
    near = points.polarization.height(tb36v, tb36h) > -ICE_LINE_MARGIN
    told = np.where(near, polarization, frequency)
    return np.where(np.isfinite(tb18v + tb36v + tb36h), told, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Brightness temperatures of a pure surface, K."""

    tb18h: float
    tb18v: float
    tb36v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NasaTeam:
    """The three surfaces of one hemisphere; in the south, the ice types are A and B."""

    water: Surface
    first_year: Surface
    multi_year: Surface


NASA_TEAM_TIE_POINTS: Mapping[Hemisphere, NasaTeam] = {
    "north": NasaTeam(
        water=Surface(tb18h=109.60, tb18v=190.55, tb36v=211.20),
        first_year=Surface(tb18h=234.73, tb18v=253.07, tb36v=244.16),
        multi_year=Surface(tb18h=196.75, tb18v=225.80, tb36v=193.78),
    ),
    "south": NasaTeam(
        water=Surface(tb18h=110.20, tb18v=190.79, tb36v=211.90),
        first_year=Surface(tb18h=242.83, tb18v=258.78, tb36v=249.25),
        multi_year=Surface(tb18h=215.22, tb18v=249.71, tb36v=217.10),
    ),
}


def nasa_team(tb18h: Array, tb18v: Array, tb36v: Array, points: NasaTeam) -> Array:
    """Total concentration by NASA Team.

    A cell mixes three surfaces, TB = sum C_i TB_i, sum C_i = 1. Its polarization ratio PR and
    gradient ratio GR say that sum C_i a_i = sum C_i b_i = 0, with a_i = V_i - H_i - PR (V_i + H_i)
    and b_i likewise of GR: so C is along a x b. This is Cavalieri's quotient of polynomials,
    without their coefficients.

    Parameters
    ----------
    tb18h, tb18v, tb36v : same shape, K; NaN where absent
    points : tie points, as `NASA_TEAM_TIE_POINTS`

    Returns
    -------
    Same shape, 0-1; NaN where a channel is absent

    >>> nasa_team(*np.array([[109.60, 196.75], [190.55, 225.80], [211.20, 193.78]]),
    ...           NASA_TEAM_TIE_POINTS["north"]).round(9).tolist()
    [0.0, 1.0]
    """
    pr = (tb18v - tb18h) / (tb18v + tb18h)
    gr = (tb36v - tb18v) / (tb36v + tb18v)
    surfaces = points.water, points.first_year, points.multi_year
    a = [s.tb18v - s.tb18h - pr * (s.tb18v + s.tb18h) for s in surfaces]
    b = [s.tb36v - s.tb18v - gr * (s.tb36v + s.tb18v) for s in surfaces]
    water = a[1] * b[2] - a[2] * b[1]
    ice = a[2] * b[0] - a[0] * b[2] + a[0] * b[1] - a[1] * b[0]
    return np.asarray(ice / (ice + water)).clip(0, 1)

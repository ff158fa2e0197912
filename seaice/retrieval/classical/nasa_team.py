"""NASA Team: first-year ice, multi-year ice and open water from ratios at 18.7 and 36.5 GHz.

Cavalieri, Gloersen, Campbell 1984, J. Geophys. Res. 89(D4), doi 10.1029/JD089iD04p05355.
Tie points: NSIDC's for AMSR2, by regression of AMSR2 on DMSP F17 (nsidc/pm_icecon, 2022).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere

__all__ = ["PUBLISHED", "NasaTeam", "Surface", "nasa_team"]

Array = NDArray[np.floating]


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


PUBLISHED: Mapping[Hemisphere, NasaTeam] = {
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
    points : tie points, as `PUBLISHED`

    Returns
    -------
    Same shape, 0-1; NaN where a channel is absent

    >>> nasa_team(*np.array([[109.60, 196.75], [190.55, 225.80], [211.20, 193.78]]),
    ...           PUBLISHED["north"]).round(9).tolist()
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

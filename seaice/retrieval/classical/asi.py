"""ASI: concentration from the polarization difference at 89 GHz.

Spreen, Kaleschke, Heygster 2008, "Sea ice remote sensing using AMSR-E 89-GHz channels",
J. Geophys. Res. 113, C02S03, doi 10.1029/2005JC003384, equations 6 to 9.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["PUBLISHED", "TiePoints", "asi"]

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


PUBLISHED = TiePoints()


def asi(pd: Field, tie_points: TiePoints = PUBLISHED) -> Field:
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

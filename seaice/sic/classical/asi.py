"""ASI: concentration from the polarization difference at 89 GHz, with its weather filters.

Spreen, Kaleschke, Heygster 2008, "Sea ice remote sensing using AMSR-E 89-GHz channels",
J. Geophys. Res. 113, C02S03, doi 10.1029/2005JC003384, equations 6 to 9 and section 3.2.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.splat import HIGH_BEAM
from seaice.instrument import BANDS

__all__ = ["PUBLISHED", "TiePoints", "asi", "asi_uncertainty", "weather_filter"]

Field = TypeVar("Field", NDArray[Any], xr.DataArray)

#: Slope conditions: P0 C'(P0) and P1 C'(P1).
SLOPE_WATER, SLOPE_ICE = -1.14, -0.14

#: Gradient ratios at and above which a cell is open water under weather.
GR_CLOUD = 0.045  #: (36.5 - 18.7) / (36.5 + 18.7), answers to cloud liquid
GR_VAPOUR = 0.040  #: (23.8 - 18.7) / (23.8 + 18.7), answers to water vapour

#: Spread of P, K, over open water of one weather (Round Robin samples: about 9 K within each class
#: of water vapour) and over closed ice (percentiles 5 to 95 span 6.5 to 14.4 K).
SPREAD_WATER, SPREAD_ICE = 9.0, 2.4

#: Of samples counted out to the beam's radius, the share that equal weights would need to be as
#: sure: (sum w)^2 / (n sum w^2) for a Gaussian over evenly spread samples.
EFFECTIVE = 2 * (HIGH_BEAM.sigma / HIGH_BEAM.radius) ** 2


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


def weather_filter(tb18v: Field, tb23v: Field, tb36v: Field) -> Field:
    """Which cells are open water that weather makes look like ice.

    Gradient ratios of vertical polarization: 36.5 over 18.7 GHz at least 0.045 (cloud liquid) or
    23.8 over 18.7 GHz at least 0.04 (water vapour). Thin or wet ice at an edge can pass for it.

    Parameters
    ----------
    tb18v, tb23v, tb36v : any shape, K

    Returns
    -------
    bool of the same kind and shape; False where a channel is absent, for it accuses nobody

    >>> weather_filter(*np.array([[185.0, 250, np.nan], [200, 245, 200], [205, 240, 205]]))
    array([ True, False, False])
    """
    cloud = (tb36v - tb18v) / (tb36v + tb18v) >= GR_CLOUD
    vapour = (tb23v - tb18v) / (tb23v + tb18v) >= GR_VAPOUR
    either: Field = cloud | vapour
    return either


def asi_uncertainty(
    sic: NDArray[np.floating], n_obs: NDArray[np.integer], tie_points: TiePoints = PUBLISHED
) -> NDArray[np.float32]:
    """One standard deviation of ASI, split as OSI SAF does it.

    Algorithm: (1 - C)^2 s_water^2 + C^2 s_ice^2, where s is the spread of P over the pure surface
    times |dC/dP| there. Sensor: NEDT of V and H through |dC/dP|, less by the square root of the
    effective number of samples.

    Parameters
    ----------
    sic : (y, x) 0-1
        As retrieved, also where a weather filter then set it to 0: pass 0 there.
    n_obs : (y, x) samples within the beam's radius
    tie_points : as for `asi`

    Returns
    -------
    (y, x) float32, 0-1; NaN where `sic` is, or where there is no sample

    Notes
    -----
    Lavergne et al. 2019, "Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice concentration
    climate data records", The Cryosphere 13, equation 9 for the algorithm's part.
    """
    water, ice = tie_points.slope(np.array([0.0, 1.0])) * (SPREAD_WATER, SPREAD_ICE)
    nedt = np.hypot(BANDS["89"].nedt_v, BANDS["89"].nedt_h)
    effective = np.maximum(EFFECTIVE * n_obs, 1.0)
    sensor = (tie_points.slope(sic) * nedt) ** 2 / effective
    variance = ((1 - sic) * water) ** 2 + (sic * ice) ** 2 + sensor
    return np.where(np.asarray(n_obs) > 0, np.sqrt(variance), np.nan).astype(np.float32)

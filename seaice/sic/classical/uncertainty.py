"""How far formulas are wrong: one standard deviation, split as OSI SAF does it.

Lavergne et al. 2019, "Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice concentration climate
data records", The Cryosphere 13, section 3.6: an algorithm's part, (1 - C)^2 s_water^2 +
C^2 s_ice^2 with sensor noise, and a part for smearing, `seaice.sic.smearing`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice.grid.splat import HIGH_BEAM
from seaice.instrument import BANDS
from seaice.sic.classical.asi import PUBLISHED, TiePoints

__all__ = ["SPREADS", "Spreads", "algorithm_uncertainty", "asi_uncertainty"]

#: Spread of P, K, over open water of one weather (Round Robin samples: about 9 K within each class
#: of water vapour) and over closed ice (percentiles 5 to 95 span 6.5 to 14.4 K).
SPREAD_WATER, SPREAD_ICE = 9.0, 2.4

#: Of samples counted out to the beam's radius, the share that equal weights would need to be as
#: sure: (sum w)^2 / (n sum w^2) for a Gaussian over evenly spread samples.
EFFECTIVE = 2 * (HIGH_BEAM.sigma / HIGH_BEAM.radius) ** 2


class Spreads(NamedTuple):
    """Standard deviations of concentration over pure surfaces, 0-1, sensor noise included."""

    water: float
    ice: float


#: Of Round Robin samples of both hemispheres, see docs/classical.md.
SPREADS: Mapping[str, Spreads] = {
    "bootstrap": Spreads(water=0.10, ice=0.02),
    "nasa_team": Spreads(water=0.04, ice=0.065),
}


def algorithm_uncertainty(sic: NDArray[np.floating], spreads: Spreads) -> NDArray[np.float32]:
    """The algorithm's part where a pure surface spreads alike in all cells.

    Parameters
    ----------
    sic : (y, x) 0-1, NaN where absent

    Returns
    -------
    (y, x) float32, 0-1
    """
    both = np.hypot((1 - sic) * spreads.water, sic * spreads.ice)
    return np.asarray(both, np.float32)


def asi_uncertainty(
    sic: NDArray[np.floating], n_obs: NDArray[np.integer], tie_points: TiePoints = PUBLISHED
) -> NDArray[np.float32]:
    """The algorithm's part for ASI: spreads of P through |dC/dP|, and sensor noise.

    The noise is NEDT of V and H, less by the square root of the effective number of samples.

    Parameters
    ----------
    sic : (y, x) 0-1
        As retrieved, also where a weather filter then set it to 0: pass 0 there.
    n_obs : (y, x) samples within the beam's radius
    tie_points : as for `seaice.sic.classical.asi.asi`

    Returns
    -------
    (y, x) float32, 0-1; NaN where `sic` is, or where there is no sample
    """
    water, ice = tie_points.slope(np.array([0.0, 1.0])) * (SPREAD_WATER, SPREAD_ICE)
    nedt = np.hypot(BANDS["89"].nedt_v, BANDS["89"].nedt_h)
    effective = np.maximum(EFFECTIVE * n_obs, 1.0)
    sensor = (tie_points.slope(sic) * nedt) ** 2 / effective
    variance = ((1 - sic) * water) ** 2 + (sic * ice) ** 2 + sensor
    return np.where(np.asarray(n_obs) > 0, np.sqrt(variance), np.nan).astype(np.float32)

"""How far formulas are wrong: one standard deviation, split as OSI SAF does it.

Lavergne et al. 2019, "Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice concentration climate
data records", The Cryosphere 13, section 3.6: an algorithm's part, (1 - C)^2 s_water^2 +
C^2 s_ice^2 with sensor noise, and a part for smearing, `seaice.sic.smearing`.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice.grid.splat import HIGH_BEAM
from seaice.instrument import BANDS
from seaice.sic.calibration import Factors, calibrated
from seaice.sic.classical.asi import PUBLISHED, TiePoints

__all__ = [
    "AS_STATED",
    "HELD",
    "SPREADS",
    "Held",
    "Spreads",
    "algorithm_uncertainty",
    "asi_uncertainty",
    "shipped",
    "widths",
]

#: factors of every formula, made by `pipelines.classical_calibration` on truth-known worlds
HELD = Path(str(files("seaice.sic.classical"))) / "data" / "held.json"

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


class Held(NamedTuple):
    """Factors that make doubts hold, as `seaice.sic.calibration.calibration` finds them.

    Cells set to 0 have factors of their own, of their smearing: what a filter decided is right
    almost everywhere, and wrong near ice.
    """

    ice: tuple[
        Factors, Factors
    ]  #: where ice was told: of the half-widths for 68 and 95 % of errors
    zero: tuple[Factors, Factors]  #: where none was


AS_STATED = Held(((), ()), ((), ()))  #: no factors: doubts as the parametrization has them


@cache
def shipped(name: str) -> Held:
    """The factors of a formula that come with the package."""
    made = json.loads(HELD.read_text())[name]
    return Held(*((_table(made[kind]["68"]), _table(made[kind]["95"])) for kind in Held._fields))


def _table(lines: list[list[float]]) -> Factors:
    return tuple(tuple(line) for line in lines)


def widths(
    sic: NDArray[np.floating],
    parts: tuple[NDArray[np.floating], NDArray[np.floating]],
    held: Held,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Both parts of the doubt so that their sum holds 68 % of errors, and a half-width for 95 %.

    Parameters
    ----------
    sic : (y, x) 0-1, NaN where absent
    parts : algorithm and smearing, (y, x), as parametrized
    held : factors

    Returns
    -------
    algorithm, smearing, half-width for 95 %; twice the total where there are no factors
    """
    total = np.hypot(*parts)
    one, two = total.copy(), 2 * total
    if held != AS_STATED:
        zero = (sic == 0) & np.isfinite(total)
        for where, doubt, factors in ((zero, parts[1], held.zero), (sic > 0, total, held.ice)):
            for width, table in zip((one, two), factors, strict=True):
                width[where] = calibrated(sic[where], doubt[where], table)
    one, two = one.clip(0, 1), np.maximum(two, one).clip(0, 1)
    share = np.divide(one, total, out=np.zeros_like(total), where=total > 0)
    algorithm, smeared = (np.asarray(part * share, np.float32) for part in parts)
    return algorithm, smeared, np.asarray(two, np.float32)

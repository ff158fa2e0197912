"""How far formulas are wrong: one standard deviation, split as OSI SAF does it.

Lavergne et al. 2019, "Version 2 of the EUMETSAT OSI SAF and ESA CCI sea-ice concentration climate
data records", The Cryosphere 13, section 3.6: an algorithm's part, (1 - C)^2 s_water^2 +
C^2 s_ice^2 with sensor noise, and a part for smearing, `seaice.retrieval.uncertainty`. Their sum is
then scaled to half-widths found on truth-known worlds: by uncertainty, by how far formulas
differ from each other, which they do in weather and on melting ice, and by how near land is.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from seaice.grid.blocks import SCALE, repeat_to_fine_grid, row_blocks
from seaice.grid.gridding import HIGH_BEAM
from seaice.instrument import BANDS
from seaice.retrieval.calibration import boxes
from seaice.retrieval.classical.algorithms import ASI_TIE_POINTS, TiePoints

__all__ = [
    "AS_STATED",
    "HELD",
    "ICE",
    "SPREADS",
    "ZERO",
    "IntervalTables",
    "Spreads",
    "UncertaintyPredictors",
    "algorithm_uncertainty",
    "asi_uncertainty",
    "axes_of_ice",
    "axes_of_zero",
    "beside",
    "shipped",
    "widths",
]

Array = NDArray[np.floating]
#: half-widths of every formula, made by `pipelines.research.calibration` on truth-known worlds
HELD = Path(str(files("seaice.retrieval.classical"))) / "data" / "held.json"

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
    sic: NDArray[np.floating], n_obs: NDArray[np.integer], tie_points: TiePoints = ASI_TIE_POINTS
) -> NDArray[np.float32]:
    """The algorithm's part for ASI: spreads of P through |dC/dP|, and sensor noise.

    The noise is NEDT of V and H, less by the square root of the effective number of samples.

    Parameters
    ----------
    sic : (y, x) 0-1
        As retrieved, also where a weather filter then set it to 0: pass 0 there.
    n_obs : (y, x) samples within the beam's radius
    tie_points : as for `seaice.retrieval.classical.algorithms.asi`

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


class UncertaintyPredictors(NamedTuple):
    """What tells how far a formula may be wrong, beside its own answer: (y, x) of its cells."""

    spread: Array  #: among the formulas, the most less the least; NaN where one lacks a channel
    land: Array  #: distance to land, cells of 6.25 km


class IntervalTables(NamedTuple):
    """Half-widths that hold, for 68 and for 95 % of errors (the first axis of each table).

    Cells set to 0 have their own: what a filter decided is right almost everywhere, and wrong near
    ice.
    """

    ice: Array  #: (2, boxes of `ICE`)
    zero: Array  #: (2, boxes of `ZERO`)


_MIDDLE = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9]
LAND = np.array([0.5, 1.5, 2.5, 4.5, 8.5])
#: bounds of concentration, spread among formulas, distance to land; cells set to 1 are a box alone
ICE = (
    np.array([0.02, 0.05, 0.1, 0.15, *_MIDDLE, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0]),
    np.array([0.02, 0.04, 0.08, 0.12, 0.18, 0.3]),
    LAND,
)
#: bounds of smearing, distance to land
ZERO = np.array([0.001, 0.005, 0.02, 0.05, 0.1]), LAND
NOTHING_KNOWN = 1.0  #: spread where not all formulas have an answer
AS_STATED = IntervalTables(
    np.empty(0), np.empty(0)
)  #: no tables: doubts as the parametrization has them


def beside(fine: Array, coarse: Sequence[Array], land: NDArray[np.bool_]) -> UncertaintyPredictors:
    """The spread of several formulas' answers, and how far away land is.

    Parameters
    ----------
    fine : (4y, 4x), an answer before any filter
    coarse : (y, x) each, the others'
    land : (y, x) cells of 6.25 km

    Returns
    -------
    (4y, 4x) each
    """
    most, least = np.maximum.reduce(coarse), np.minimum.reduce(coarse)  # NaN where any is
    spread = np.empty(fine.shape)
    for rows in row_blocks(len(fine)):
        here = slice(rows.start // SCALE, rows.stop // SCALE)
        above = np.maximum(fine[rows], repeat_to_fine_grid(most[here]))
        spread[rows] = above - np.minimum(fine[rows], repeat_to_fine_grid(least[here]))
    away = distance_transform_edt(~land) if land.any() else np.full(land.shape, np.inf)
    return UncertaintyPredictors(
        spread=spread, land=repeat_to_fine_grid(np.asarray(away, np.float32))
    )


@cache
def shipped(name: str) -> IntervalTables:
    """The half-widths of a formula that come with the package."""
    result = json.loads(HELD.read_text())[name]
    return IntervalTables(
        *(np.array([result[kind]["68"], result[kind]["95"]]) for kind in IntervalTables._fields)
    )


def widths(
    sic: Array, parts: tuple[Array, Array], held: IntervalTables, near: UncertaintyPredictors
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Both parts of the doubt so that their sum holds 68 % of errors, and a half-width for 95 %.

    Parameters
    ----------
    sic : (y, x) 0-1, NaN where absent
    parts : algorithm and smearing, (y, x), as parametrized
    held : tables of half-widths
    near : of the same cells

    Returns
    -------
    algorithm, smearing, half-width for 95 %; twice the total where there are no tables
    """
    total = np.hypot(*parts)
    one, two = total.copy(), 2 * total
    if held is not AS_STATED:
        zero, ice = (sic == 0) & np.isfinite(total), (sic > 0) & np.isfinite(total)
        at_zero = boxes(axes_of_zero(parts[1], near, zero), ZERO)
        at_ice = boxes(axes_of_ice(sic, near, ice), ICE)
        for width, none, some in zip((one, two), held.zero, held.ice, strict=True):
            width[zero], width[ice] = none[at_zero], some[at_ice]
    one, two = one.clip(0, 1), np.maximum(two, one).clip(0, 1)
    fraction = np.divide(one, total, out=np.zeros_like(total), where=total > 0)
    algorithm, smeared = (np.asarray(part * fraction, np.float32) for part in parts)
    return algorithm, smeared, np.asarray(two, np.float32)


def axes_of_ice(sic: Array, near: UncertaintyPredictors, here: NDArray[np.bool_]) -> list[Array]:
    """What says in which box of `ICE` some cells lie."""
    spread = np.nan_to_num(near.spread[here], nan=NOTHING_KNOWN)
    return [sic[here], spread, near.land[here]]


def axes_of_zero(
    smearing: Array, near: UncertaintyPredictors, here: NDArray[np.bool_]
) -> list[Array]:
    """What says in which box of `ZERO` some cells lie."""
    return [smearing[here], near.land[here]]

"""What one simulated world is: its season, its ice and its weather, drawn once from a seed."""

from dataclasses import dataclass
from datetime import date

import numpy as np

__all__ = ["Climate", "draw_climate"]

#: Mean water vapour over the Arctic ocean by month, kg m-2 (order of magnitude of reanalyses).
VAPOUR = (3.5, 3.5, 4.0, 5.0, 8.0, 11.5, 14.0, 13.0, 9.5, 6.5, 4.5, 3.5)
#: Chance-weighted share of melting ice surface by month.
MELT = (0.0, 0.0, 0.0, 0.0, 0.15, 0.6, 0.9, 0.8, 0.25, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """The numbers that differ from world to world; everything else is physics."""

    vapour: float  #: kg m-2, median over the world
    cloud_log_mean: float  #: natural log of kg m-2
    cloud_log_spread: float
    wind: float  #: m s-1, median
    air_speed: tuple[float, float]  #: m s-1 towards +x and +y, how fast weather moves
    sst_warming: float  #: K above freezing far from the ice
    melt: float  #: share of ice surface that melts, 0-1
    pond: float  #: share of melting surface that is open pond
    air_temperature: float  #: K, effective
    edge_gain: float  #: how much sharper than the coarse map the ice edge is
    diffuseness: float  #: 0 floes with sharp borders ... 1 brash
    lead_share: float  #: share of the pack's area in open leads
    thin_share: float  #: share of ice that is new and thin
    drift: float  #: km per day, standard deviation of ice drift
    ice_offset: float  #: K, day-scale offset of ice temperature


def draw_climate(day: date, rng: np.random.Generator) -> Climate:
    """Season from the calendar, everything else from the generator."""
    month = day.month - 1
    melt = float(np.clip(MELT[month] + 0.25 * (MELT[month] > 0) * rng.standard_normal(), 0, 1))
    winter = 1.0 - MELT[month]
    return Climate(
        vapour=VAPOUR[month] * float(np.exp(0.35 * rng.standard_normal())),
        cloud_log_mean=-3.75 + 0.5 * float(rng.standard_normal()),
        cloud_log_spread=float(rng.uniform(1.5, 2.1)),
        wind=float(np.clip(9.0 + 2.5 * rng.standard_normal(), 3, 16)),
        air_speed=(float(rng.normal(0, 9)), float(rng.normal(0, 9))),
        sst_warming=float(rng.uniform(2.0, 8.0)),
        melt=melt,
        pond=float(rng.uniform(0.0, 0.4)) if melt > 0 else 0.0,
        air_temperature=float(256 + 12 * (1 - winter) + rng.normal(0, 3)),
        edge_gain=float(np.exp(rng.uniform(0.0, 1.3))),
        diffuseness=float(rng.uniform(0.1, 1.0)),
        lead_share=float(rng.uniform(0.0, 0.05)),
        thin_share=float(rng.uniform(0.0, 0.25)) * winter,
        drift=float(rng.uniform(3.0, 14.0)),
        ice_offset=float(rng.normal(0, 3)),
    )

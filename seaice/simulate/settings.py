"""What one simulated world is: its season, its ice and its weather, drawn once from a seed."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

__all__ = ["UNSEEN", "USUAL", "Climate", "Physics", "draw_climate", "draw_physics"]

#: Mean water vapour over the Arctic ocean by month, kg m-2 (order of magnitude of reanalyses).
VAPOUR = (3.5, 3.5, 4.0, 5.0, 8.0, 11.5, 14.0, 13.0, 9.5, 6.5, 4.5, 3.5)
#: Chance-weighted share of melting ice surface by month.
MELT = (0.0, 0.0, 0.0, 0.0, 0.15, 0.6, 0.9, 0.8, 0.25, 0.0, 0.0, 0.0)
#: How much of it southern ice has: its snow stays, and hardly any ponds form.
SOUTHERN_MELT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """What may differ between the worlds that networks learn from and those that judge them."""

    ice: Literal["north", "south"] = "north"  #: whose real samples closed ice is drawn from
    unexplained: float = 1.0  #: times what weather leaves unexplained of open water
    noise: float = 1.0  #: times the instrument's NEDT
    drift: float = 1.0  #: times the speed of the ice


USUAL = Physics()
#: Ice of the other hemisphere that drifts faster, rougher water, a noisier instrument.
UNSEEN = Physics(ice="south", unexplained=1.15, noise=1.2, drift=1.25)


def draw_physics(rng: np.random.Generator) -> Physics:
    """Rules that nobody knows beforehand: ice of either hemisphere, all else from less to more."""
    return Physics(
        ice="north" if rng.random() < 0.5 else "south",
        unexplained=float(rng.uniform(0.9, 1.3)),
        noise=float(rng.uniform(0.9, 1.4)),
        drift=float(rng.uniform(0.8, 1.5)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """The numbers that differ from world to world; everything else is physics."""

    vapour: float  #: kg m-2, median over the world
    cloud: float  #: natural log of how much more liquid its clouds hold than usual ones
    wind: float  #: m s-1, median
    air_speed: tuple[float, float]  #: m s-1 towards +x and +y, how fast weather moves
    sst_warming: float  #: K above freezing far from the ice
    melt: float  #: share of ice surface that melts, 0-1
    pond: float  #: largest share of melting surface that is open pond
    air_temperature: float  #: K, effective
    edge_gain: float  #: how much sharper than the coarse map the ice edge is
    diffuseness: float  #: 0 floes with sharp borders ... 1 brash
    lead_width: float  #: of leads, relative to the distance between them
    lead_open: float  #: share of a lead that is open water; the rest is frozen over
    thin_share: float  #: share of ice that is new and thin
    coastal: float  #: how readily ice stays along coasts and between islands
    snow_land: float  #: share of the polarization difference that snow and ice on land lack
    drift: float  #: km per day, standard deviation of ice drift
    ice_offset: float  #: K, day-scale offset of ice temperature


def draw_climate(
    day: date, rng: np.random.Generator, hemisphere: Literal["north", "south"] = "north"
) -> Climate:
    """Season from the calendar, everything else from the generator."""
    month = (day.month - 1 + (6 if hemisphere == "south" else 0)) % 12
    usual = MELT[month] * (SOUTHERN_MELT if hemisphere == "south" else 1.0)
    melt = float(np.clip(usual + 0.25 * (usual > 0) * rng.standard_normal(), 0, 1))
    winter = 1.0 - usual
    return Climate(
        vapour=VAPOUR[month] * float(np.exp(0.2 * rng.standard_normal())),
        cloud=0.4 * float(rng.standard_normal()),
        wind=float(np.clip(9.0 + 2.5 * rng.standard_normal(), 3, 16)),
        air_speed=(float(rng.normal(0, 9)), float(rng.normal(0, 9))),
        sst_warming=float(rng.uniform(2.0, 8.0)),
        melt=melt,
        pond=melt * float(min(rng.exponential(0.1), 0.5)),
        air_temperature=float(256 + 12 * (1 - winter) + rng.normal(0, 3)),
        edge_gain=float(np.exp(rng.uniform(0.0, 1.3))),
        diffuseness=float(rng.uniform(0.2, 1.3)),
        lead_width=float(min(rng.exponential(0.012), 0.06)),
        lead_open=float(rng.uniform(0.1, 0.6)) * winter + 0.9 * (1 - winter),
        thin_share=float(min(rng.exponential(0.03), 0.2)) * winter,
        coastal=float(rng.uniform(0.0, 3.0)),
        snow_land=float(rng.uniform(0.0, 0.9)),
        drift=float(rng.uniform(2.0, 11.0)),
        ice_offset=float(rng.normal(0, 3)),
    )

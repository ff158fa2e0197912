"""What one simulated world is: its season, its ice and its weather, drawn once from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from seaice.instrument import BANDS

__all__ = [
    "SEALED",
    "TRAINING",
    "UNSEEN",
    "USUAL",
    "Climate",
    "Instrument",
    "Physics",
    "draw_climate",
    "draw_instrument",
    "draw_physics",
]

#: Mean water vapour over the Arctic ocean by month, kg m-2 (order of magnitude of reanalyses).
VAPOUR = (3.5, 3.5, 4.0, 5.0, 8.0, 11.5, 14.0, 13.0, 9.5, 6.5, 4.5, 3.5)
#: Chance-weighted share of melting ice surface by month.
MELT = (0.0, 0.0, 0.0, 0.0, 0.15, 0.6, 0.9, 0.8, 0.25, 0.0, 0.0, 0.0)
#: Fraction of it that is bare ice: samples of July are wet snow, those of August bare ice.
BARE = (0.0, 0.0, 0.0, 0.0, 0.05, 0.1, 0.1, 0.7, 0.9, 0.9, 0.0, 0.0)
#: How much of it southern ice has: its snow stays, and hardly any ponds form.
SOUTHERN_MELT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """Rules that worlds follow; training, validation and test worlds follow different ones."""

    ice: Literal["north", "south"] = "north"  #: whose real samples closed ice is drawn from
    unexplained: float = 1.0  #: times what weather leaves unexplained of open water
    noise: float = 1.0  #: times the instrument's NEDT
    drift: float = 1.0  #: times the speed of the ice
    fields: Literal["map", "mixed", "floes"] = "map"
    """Where concentration lies: as the map of that day of the year, that or anywhere, or as floes
    of power-law sizes around that map (the sealed test worlds)."""
    errors: float = 0.3  #: times the usual errors of the instrument: see `draw_instrument`
    land: Literal["spectra", "samples"] = (
        "spectra"  #: how land is drawn: see `seaice.simulate.land`
    )
    cells: bool = False  #: clouds end sharply, as convective cells do


USUAL = Physics()
#: What networks are trained on: everything differs from world to world.
TRAINING = Physics(fields="mixed", errors=1.0)
#: Ice of the other hemisphere that drifts faster, rougher water, a noisier instrument.
UNSEEN = Physics(ice="south", unexplained=1.15, noise=1.2, drift=1.25)
#: The sealed test worlds: other textures, land, clouds and noise than training and validation.
SEALED = Physics(
    ice="south",
    unexplained=1.1,
    noise=1.1,
    drift=1.2,
    fields="floes",
    errors=1.0,
    land="samples",
    cells=True,
)


def draw_physics(rng: np.random.Generator) -> Physics:
    """Rules that nobody knows beforehand: ice of either hemisphere, all else from less to more."""
    return Physics(
        ice="north" if rng.random() < 0.5 else "south",
        unexplained=float(rng.uniform(0.9, 1.3)),
        noise=float(rng.uniform(0.9, 1.4)),
        drift=float(rng.uniform(0.8, 1.5)),
        fields="mixed",
        errors=1.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """The numbers that differ from world to world."""

    vapour: float  #: kg m-2, median over the world
    cloud: float  #: natural log of how much more liquid its clouds hold than usual ones
    cloud_slope: float  #: spectral slope of cloud liquid; small: structure down to a few kilometres
    wind: float  #: m s-1, median
    air_speed: tuple[float, float]  #: m s-1 towards +x and +y, how fast weather moves
    sst_warming: float  #: K above freezing far from the ice
    melt: float  #: fraction of ice surface that melts, 0-1
    edge_melt: float  #: melting fraction that is added where concentration is low
    bare: float  #: fraction of melting ice that is bare; the rest carries wet snow
    pond: float  #: largest fraction of melting surface that is open pond
    air_temperature: float  #: K, effective
    place: Literal["map", "anywhere", "nowhere"]  #: where the ice lies
    level: float  #: mean of the concentration field before the logistic function, if anywhere
    softness: float  #: width of the transition from water to ice: 0.05 sharp ... 1 diffuse
    texture_slope: float  #: spectral slope of the concentration field
    bands: float  #: fraction of its variance in bands and streamers of 10 to 40 km
    brash: float  #: strength of the structure of single cells where ice is neither open nor closed
    clean: bool  #: concentration below 5 % is set to 0
    lead_width: float  #: of leads, relative to the distance between them; 0: no leads
    lead_open: float  #: fraction of a lead that is open water; the rest is frozen over
    thin_amount: float  #: largest loss of brightness of thin ice towards water, 0-1
    thin_level: float  #: mean of the field of thin ice before the logistic function
    edge_loss: float  #: largest loss of brightness of flooded floes and brash at the edge, 0-1
    coastal: float  #: how readily ice stays along coasts and between islands
    remnants: bool  #: it stays there also where the pack is far away
    drift: float  #: km per day, standard deviation of ice drift
    ice_offset: float  #: K, day-scale offset of ice temperature
    ice_spread: tuple[float, ...]  #: K, offsets of cold ice, one a channel
    melt_spread: tuple[float, ...]  #: K, offsets of melting ice, one a channel


def draw_climate(
    day: date,
    rng: np.random.Generator,
    hemisphere: Literal["north", "south"] = "north",
    fields: Literal["map", "mixed", "floes"] = "map",
) -> Climate:
    """Season from the calendar, everything else from the generator.

    Amounts of thin ice, softness and slopes follow a pilot that ranked generators by the error of
    a small network on real scenes (docs/simulation.md): thin ice in 70 % of worlds, twice as much
    made it worse; a transition width that is log-uniform from 0.05 to 0.7.
    """
    month = (day.month - 1 + (6 if hemisphere == "south" else 0)) % 12
    usual = MELT[month] * (SOUTHERN_MELT if hemisphere == "south" else 1.0)
    melt = float(np.clip(usual + 0.25 * (usual > 0) * rng.standard_normal(), 0, 1))
    winter = 1.0 - usual
    mixed = fields == "mixed"
    place = _drawn_place(rng) if mixed else "map"
    thin = rng.random() < (0.7 if mixed else 0.5) * (0.4 + 0.6 * winter)
    return Climate(
        vapour=VAPOUR[month] * float(np.exp(0.25 * rng.standard_normal())),
        cloud=0.4 * float(rng.standard_normal()),
        cloud_slope=float(rng.uniform(2.3, 3.2)),
        wind=float(np.clip(9.0 + 2.5 * rng.standard_normal(), 3, 16)),
        air_speed=(float(rng.normal(0, 9)), float(rng.normal(0, 9))),
        sst_warming=float(rng.uniform(2.0, 8.0)),
        melt=melt,
        edge_melt=float(rng.uniform(0.2, 1.0)) * float(rng.random() < (0.35 if mixed else 0.15)),
        bare=_bare(BARE[month], rng),
        pond=melt * float(min(rng.exponential(0.1), 0.5)),
        air_temperature=float(256 + 12 * (1 - winter) + rng.normal(0, 3)),
        place=place,
        level=float(rng.normal(0, 1.2)),
        softness=float(np.exp(rng.uniform(np.log(0.05), np.log(0.7)))),
        texture_slope=float(rng.uniform(3.4, 4.8)),
        bands=float(rng.uniform(0.0, 0.15)),
        brash=float(rng.uniform(0.0, 0.6)),
        clean=bool(rng.random() < 0.6),
        lead_width=float(min(rng.exponential(0.012), 0.06)) * float(rng.random() < 0.5),
        lead_open=float(rng.uniform(0.1, 0.6)) * winter + 0.9 * (1 - winter),
        thin_amount=float(rng.uniform(0.1, 0.7)) * float(thin),
        thin_level=float(rng.normal(-0.6, 0.8)),
        edge_loss=_edge_loss(usual, rng),
        coastal=float(rng.uniform(0.0, 3.0)) * float(rng.random() < (0.7 if mixed else 0.3)),
        remnants=bool(mixed and rng.random() < 0.5),
        drift=float(rng.uniform(2.0, 11.0)),
        ice_offset=float(rng.normal(0, 3)),
        ice_spread=_spread(rng, 2.0, 0.7),
        melt_spread=_spread(rng, 4.0, 2.0),
    )


def _bare(usual: float, rng: np.random.Generator) -> float:
    """Around the month's usual fraction; exactly 0 or 1 where nearly so, which saves a table."""
    drawn = float(np.clip(usual + 0.25 * rng.standard_normal(), 0, 1))
    return drawn if 0.05 < drawn < 0.95 else float(round(drawn))


def _edge_loss(melt: float, rng: np.random.Generator) -> float:
    """Flooded floes while ice melts; grease and pancake ice while it freezes, less often."""
    chance, amounts = (0.6, (0.2, 0.9)) if melt > 0 else (0.15, (0.1, 0.5))
    return float(rng.uniform(*amounts) * (rng.random() < chance))


def _spread(rng: np.random.Generator, band: float, channel: float) -> tuple[float, ...]:
    """Offsets of 14 channels, K: one a band, and a smaller one of each polarization."""
    offsets = np.repeat(rng.normal(0, band, 7), 2) + rng.normal(0, channel, 14)
    return tuple(offsets.tolist())


def _drawn_place(rng: np.random.Generator) -> Literal["map", "anywhere", "nowhere"]:
    """Half of all training worlds have ice where that day's map has it, an eighth have none."""
    drawn = rng.random()
    return "map" if drawn < 0.5 else "anywhere" if drawn < 0.88 else "nowhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Errors of one world's instrument, constant over its days."""

    widths: Mapping[str, float]  #: factor of the footprint's widths, by band
    displaced: Mapping[str, tuple[float, float]]  #: m towards +x and +y, by band
    side_lobes: float  #: fraction of the power received from four times the main lobe's width
    gains: tuple[float, ...]  #: of each channel, around 200 K
    offsets: tuple[float, ...]  #: K, of each channel


def draw_instrument(rng: np.random.Generator, errors: float) -> Instrument:
    """Footprint widths within 10 %, registration within 3 km, side lobes, gain and offset.

    Parameters
    ----------
    errors : times the usual size of each; 0 gives the nominal instrument
    """
    names = tuple(BANDS)
    away = errors * rng.uniform(0, 3000, len(names)) * (rng.random() < 0.7)
    turn = rng.uniform(0, 2 * np.pi)
    turns = turn + rng.normal(0, 0.3, len(names))
    widths = np.exp(errors * rng.uniform(-0.1, 0.1, len(names)))
    return Instrument(
        widths=dict(zip(names, widths.tolist(), strict=True)),
        displaced={
            name: (float(d * np.cos(a)), float(d * np.sin(a)))
            for name, d, a in zip(names, away, turns, strict=True)
        },
        side_lobes=float(errors * rng.uniform(0, 0.06)),
        gains=tuple((1 + errors * rng.normal(0, 0.01, 14)).tolist()),
        offsets=tuple((errors * rng.normal(0, 1.5, 14)).tolist()),
    )

"""Figures of both sides in, each agreement with its size and its allowance out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.reality.points import CLOUD, LEVELS, VAPOUR
from pipelines.reality.spectra import BANDS_KM

__all__ = ["Check", "checks"]

Table = Mapping[str, Any]
SURFACES = ("water", "ice north", "ice winter", "ice spring", "ice summer")
#: Simulated maps and the real ones they are held against: those of ASI, and the truth below them.
SPECTRA = {
    "sea": "sea",
    "sic pack": "sic pack",
    "sic edge": "sic edge",
    "asi pack": "sic pack",
    "asi edge": "sic edge",
}
PD_ALLOWED = {"water": 2.0, "ice north": 2.0}  #: K; seasons of few samples are allowed more
SEASON_ALLOWED = 3.0  #: K
CURVE_ALLOWED = 4.0  #: K, mean V - H in a class of weather
TB_ALLOWED = 8.0  #: K, medians of V and H at 89 GHz
SLOPE_ALLOWED = 0.6
RATIO_ALLOWED = 1.6  #: times, spread in a band of wavelengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One number of both sides."""

    topic: str
    what: str
    real: float
    simulated: float
    low: float  #: least simulated value that counts as agreement
    high: float  #: largest

    @property
    def agrees(self) -> bool:
        """Whether the simulated value is within what is allowed."""
        return self.low <= self.simulated <= self.high


def checks(real: Table, simulated: Table) -> Iterator[Check]:
    """Every number that is compared.

    Parameters
    ----------
    real, simulated : tables of `figures.point_figures` and `figures.map_figures` joined
    """
    for name in SURFACES:
        if name in simulated:
            yield from _percentiles(name, real[name], simulated[name])
    yield from _curves(real["water"], simulated["water"])
    yield from _filters(real, simulated)
    for name, its_real in SPECTRA.items():
        if real.get(its_real) and simulated.get(name):
            yield from _spectrum(name, real[its_real], simulated[name])


def _near(topic: str, what: str, pair: tuple[float, float], allowed: float) -> Check:
    real, simulated = pair
    return Check(
        topic=topic,
        what=what,
        real=real,
        simulated=simulated,
        low=real - allowed,
        high=real + allowed,
    )


def _percentiles(name: str, real: Table, simulated: Table) -> Iterator[Check]:
    allowed = PD_ALLOWED.get(name, SEASON_ALLOWED)
    ours, theirs = simulated["percentiles"], real["percentiles"]
    for level, a, b in zip(LEVELS, theirs["pd"], ours["pd"], strict=True):
        yield _near("P percentiles", f"{name}, {level} %", (a, b), allowed)
    for channel in ("tb89v", "tb89h"):
        middle = LEVELS.index(50)
        pair = theirs[channel][middle], ours[channel][middle]
        yield _near("medians", f"{name}, {channel}", pair, TB_ALLOWED)
    yield _near("V-H correlation", name, (real["correlation"], simulated["correlation"]), 0.1)


def _curves(real: Table, simulated: Table) -> Iterator[Check]:
    for kind, edges in (("vapour", VAPOUR), ("cloud", CLOUD)):
        rows = zip(edges, edges[1:], real[kind], simulated[kind], strict=False)
        for low, high, a, b in rows:
            if a and b:
                what = f"{kind} {low:g} to {high:g} kg m-2"
                yield _near("P and weather", what, (a["mean"], b["mean"]), CURVE_ALLOWED)


def _filters(real: Table, simulated: Table) -> Iterator[Check]:
    limits = {"water": (0.99, 1.0)} | {name: (0.0, 0.01) for name in SURFACES[1:]}
    for name, (low, high) in limits.items():
        if name in simulated:
            pair = real[name]["filtered"], simulated[name]["filtered"]
            yield Check(
                topic="weather filters",
                what=f"{name}, share called water",
                real=pair[0],
                simulated=pair[1],
                low=low,
                high=high,
            )


def _spectrum(name: str, real: Table, simulated: Table) -> Iterator[Check]:
    yield _near("spectra", f"{name}, slope", (real["slope"], simulated["slope"]), SLOPE_ALLOWED)
    for band, a, b in zip(BANDS_KM, real["spread"], simulated["spread"], strict=True):
        blurred = name.startswith("sic") and band == min(BANDS_KM)
        yield Check(
            topic="spectra",
            what=f"{name}, spread near {band:g} km",
            real=a,
            simulated=b,
            low=a if blurred else a / RATIO_ALLOWED,  # truth is at least as strong as a blurred map
            high=a * RATIO_ALLOWED,
        )

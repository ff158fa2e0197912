"""What AMSR2 is: bands, footprints, sampling and noise.

Sources: JAXA, "AMSR2 Level 1 Product Format Specification"; Imaoka et al. 2010, "Global Change
Observation Mission (GCOM) for monitoring carbon, water cycles, and climate change",
Proc. IEEE 98(5), table II.
"""

from dataclasses import dataclass

__all__ = [
    "BANDS",
    "CHANNELS",
    "HIGH_CHANNELS",
    "HORNS",
    "LOW_BANDS",
    "LOW_CHANNELS",
    "Band",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One frequency of AMSR2, observed in V and H."""

    name: str  #: short name used in variable names: tb{name}v, tb{name}h
    ghz: float
    label: str  #: spelling in JAXA L1B dataset names
    across: float  #: km, half-power width across the scan
    along: float  #: km, half-power width along the look direction
    nedt_v: float  #: K, noise of one sample, vertical polarization
    nedt_h: float  #: K, noise of one sample, horizontal polarization


BANDS: dict[str, Band] = {
    band.name: band
    for band in (
        Band(name="6", ghz=6.925, label="6.9", across=35, along=62, nedt_v=0.3, nedt_h=0.3),
        Band(name="7", ghz=7.3, label="7.3", across=35, along=62, nedt_v=0.3, nedt_h=0.3),
        Band(name="10", ghz=10.65, label="10.7", across=24, along=42, nedt_v=0.6, nedt_h=0.6),
        Band(name="18", ghz=18.7, label="18.7", across=14, along=22, nedt_v=0.6, nedt_h=0.6),
        Band(name="23", ghz=23.8, label="23.8", across=11, along=19, nedt_v=0.6, nedt_h=0.6),
        Band(name="36", ghz=36.5, label="36.5", across=7, along=12, nedt_v=0.6, nedt_h=0.6),
        Band(name="89", ghz=89.0, label="89.0", across=3, along=5, nedt_v=1.2, nedt_h=1.4),
    )
}
LOW_BANDS: tuple[str, ...] = ("6", "7", "10", "18", "23", "36")
HORNS: tuple[str, ...] = ("A", "B")

HIGH_CHANNELS: tuple[str, ...] = ("tb89h", "tb89v")
LOW_CHANNELS: tuple[str, ...] = tuple(f"tb{band}{pol}" for band in LOW_BANDS for pol in "hv")
CHANNELS: tuple[str, ...] = LOW_CHANNELS + HIGH_CHANNELS

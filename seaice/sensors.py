"""The sensors of the AMSR family as data: bands, footprints, noise and scan geometry.

Sources: AMSR2: JAXA, "AMSR2 Level 1 Product Format Specification"; Imaoka et al. 2010, "Global
Change Observation Mission (GCOM) for monitoring carbon, water cycles, and climate change",
Proc. IEEE 98(5), table II. The azimuth span of AMSR2's samples is measured: Earth azimuth against
pixel number of 42 639 real samples (Round Robin Data Package, doi 10.6084/m9.figshare.6626549)
rises by 0.624 degrees a low-frequency pixel, +-75.5 degrees over 243 pixels; the nominal +-61
degrees are those of AMSR-E's 196. AMSR-E: Kawanishi et al. 2003, IEEE TGRS 41(2), tables I and II.
AMSR3: altitude and footprints of AMSR2 until its specification is published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["AMSR2", "SENSORS", "Band", "Sensor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One frequency, observed in V and H."""

    name: str  #: short name used in variable names: tb{name}v, tb{name}h
    ghz: float
    label: str  #: spelling in JAXA L1B dataset names
    across: float  #: km, half-power width across the scan
    along: float  #: km, half-power width along the look direction
    nedt_v: float  #: K, noise of one sample, vertical polarization
    nedt_h: float  #: K, noise of one sample, horizontal polarization


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """One conically scanning radiometer."""

    name: str
    platform: str  #: PlatformShortName in the files
    altitude: float  #: km
    half_azimuth: float  #: degrees, scan azimuth of the outermost samples from the flight direction
    pixels: int  #: 89 GHz samples of a scan and horn; the other bands have half as many
    horns: tuple[str, ...]  #: feeds of 89 GHz
    nadir_angles: tuple[float, ...]  #: degrees, one a horn
    scan_seconds: float  #: between the starts of two scans
    bands: Mapping[str, Band]


def _bands(
    rows: tuple[tuple[str, float, str, float, float, float, float], ...],
) -> Mapping[str, Band]:
    return MappingProxyType(
        {
            name: Band(
                name=name,
                ghz=ghz,
                label=label,
                across=across,
                along=along,
                nedt_v=nedt_v,
                nedt_h=nedt_h,
            )
            for name, ghz, label, across, along, nedt_v, nedt_h in rows
        }
    )


AMSR2 = Sensor(
    name="AMSR2",
    platform="GCOM-W1",
    altitude=699.6,
    half_azimuth=75.5,
    pixels=486,
    horns=("A", "B"),
    nadir_angles=(47.5, 47.055),  # B looks 1.5 scans of track behind A, so that they interleave
    scan_seconds=1.5,
    bands=_bands(
        (
            ("6", 6.925, "6.9", 35, 62, 0.3, 0.3),
            ("7", 7.3, "7.3", 35, 62, 0.3, 0.3),
            ("10", 10.65, "10.7", 24, 42, 0.6, 0.6),
            ("18", 18.7, "18.7", 14, 22, 0.6, 0.6),
            ("23", 23.8, "23.8", 11, 19, 0.6, 0.6),
            ("36", 36.5, "36.5", 7, 12, 0.6, 0.6),
            ("89", 89.0, "89.0", 3, 5, 1.2, 1.4),
        )
    ),
)

AMSRE = Sensor(
    name="AMSR-E",
    platform="AQUA",
    altitude=705.0,
    half_azimuth=61.0,
    pixels=392,
    horns=("A", "B"),
    nadir_angles=(47.4, 47.0),
    scan_seconds=1.5,
    bands=_bands(
        (
            ("6", 6.925, "6.9", 43, 75, 0.3, 0.3),
            ("10", 10.65, "10.7", 29, 51, 0.6, 0.6),
            ("18", 18.7, "18.7", 16, 27, 0.6, 0.6),
            ("23", 23.8, "23.8", 18, 32, 0.6, 0.6),
            ("36", 36.5, "36.5", 8, 14, 0.6, 0.6),
            ("89", 89.0, "89.0", 4, 6, 1.1, 1.1),
        )
    ),
)

AMSR3 = Sensor(
    name="AMSR3",
    platform="GOSAT-GW",
    altitude=666.0,
    half_azimuth=AMSR2.half_azimuth,
    pixels=AMSR2.pixels,
    horns=AMSR2.horns,
    nadir_angles=AMSR2.nadir_angles,
    scan_seconds=AMSR2.scan_seconds,
    bands=AMSR2.bands,
)

SENSORS: Mapping[str, Sensor] = MappingProxyType(
    {sensor.name: sensor for sensor in (AMSR2, AMSRE, AMSR3)}
)

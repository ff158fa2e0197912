"""How JAXA spells files, datasets and attributes of AMSR2 level 1.

Source: JAXA, "AMSR2 Level 1 Product Format Specification" and "AMSR2 Level 1R Product Format
Specification"; spellings as in real files, spaces included.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from seaice.errors import GranuleError
from seaice.instrument import BANDS, HIGH_CHANNELS, HORNS, LOW_BANDS

__all__ = [
    "COREGISTRATION",
    "L1B_HIGH",
    "L1B_LOW",
    "L1R_HIGH",
    "L1R_LOW",
    "LAND_HIGH",
    "LAND_LOW",
    "LATITUDE",
    "LONGITUDE",
    "OVERLAP",
    "QUALITY_HIGH",
    "QUALITY_LOW",
    "QUALITY_SCAN",
    "SCALE",
    "SCAN_TIME",
    "GranuleName",
]

LATITUDE = MappingProxyType({h: f"Latitude of Observation Point for 89{h}" for h in HORNS})
LONGITUDE = MappingProxyType({h: f"Longitude of Observation Point for 89{h}" for h in HORNS})
SCAN_TIME = "Scan Time"
LAND_HIGH = "Land_Ocean Flag 89"
LAND_LOW = "Land_Ocean Flag 6 to 36"
QUALITY_HIGH = "Pixel Data Quality 89"
QUALITY_LOW = "Pixel Data Quality 6 to 36"  #: two bytes a sample
QUALITY_SCAN = "Scan Data Quality"  #: 512 bytes a scan

#: attributes
SCALE = "SCALE FACTOR"
OVERLAP = "OverlapScans"
COREGISTRATION = ("CoRegistrationParameterA1", "CoRegistrationParameterA2")

#: L1R keeps low frequencies smoothed to several footprints ("res"). Each band is taken at the
#: finest that exists for it: its own, or for 18.7 GHz that of 23.8 GHz, the nearest offered.
FINEST = MappingProxyType(
    {"6": "res06", "7": "res06", "10": "res10", "18": "res23", "23": "res23", "36": "res36"}
)


def _low(template: str) -> MappingProxyType[str, str]:
    return MappingProxyType(
        {
            f"tb{band}{pol}": template.format(
                label=BANDS[band].label, pol=pol.upper(), res=FINEST[band]
            )
            for band in LOW_BANDS
            for pol in "hv"
        }
    )


def _high(template: str) -> MappingProxyType[tuple[str, str], str]:
    return MappingProxyType(
        {
            (channel, horn): template.format(horn=horn, pol=channel[-1].upper())
            for channel in HIGH_CHANNELS
            for horn in HORNS
        }
    )


#: (channel, horn) -> dataset
L1B_HIGH = _high("Brightness Temperature (89.0GHz-{horn},{pol})")
L1R_HIGH = _high("Brightness Temperature (original,89GHz-{horn},{pol})")
#: channel -> dataset
L1B_LOW = _low("Brightness Temperature ({label}GHz,{pol})")
L1R_LOW = _low("Brightness Temperature ({res},{label}GHz,{pol})")

_PATTERN = re.compile(
    r"GW1AM2_(?P<start>\d{12})_(?P<path>\d{3})(?P<direction>[AD])"
    r"_L1(?P<receipt>[A-Z]{2})(?P<level>[BR])TBR_(?P<version>\d{7})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GranuleName:
    """What the name of a level 1 file says.

    >>> name = GranuleName.parse("GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5")
    >>> name.start, name.path, name.level
    (datetime.datetime(2013, 7, 1, 9, 42), 35, 'L1B')
    >>> name.format()
    'GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5'
    """

    start: datetime  #: UTC, to the minute
    path: int  #: of the 233 paths of a 16-day cycle
    direction: Literal["A", "D"]  #: ascending, descending
    level: Literal["L1B", "L1R"]
    version: str  #: seven digits; a higher number is a later processing
    receipt: str = "SG"  #: "SG" standard product, "DL" direct receipt

    @classmethod
    def parse(cls, name: str | Path) -> Self:
        """Read a file name, with or without folder and suffix.

        Raises
        ------
        GranuleError
            If it is no name of an AMSR2 level 1 brightness temperature file.
        """
        stem = Path(name).name.removesuffix(".h5")
        match = _PATTERN.fullmatch(stem)
        if match is None:
            raise _misnamed(stem)
        try:
            start = datetime.strptime(match["start"], "%Y%m%d%H%M")
        except ValueError:
            raise _misnamed(stem) from None
        return cls(
            start=start,
            path=int(match["path"]),
            direction="A" if match["direction"] == "A" else "D",
            level="L1B" if match["level"] == "B" else "L1R",
            version=match["version"],
            receipt=match["receipt"],
        )

    def format(self) -> str:
        """The file name, with suffix; `parse` takes it back."""
        return (
            f"GW1AM2_{self.start:%Y%m%d%H%M}_{self.path:03d}{self.direction}"
            f"_L1{self.receipt}{self.level[-1]}TBR_{self.version}.h5"
        )


def _misnamed(stem: str) -> GranuleError:
    return GranuleError(
        f"a file called {stem!r}",
        "a level 1 name such as GW1AM2_201307010942_035A_L1SGBTBR_2220220.h5",
        "give files under the names JAXA gave them",
    )

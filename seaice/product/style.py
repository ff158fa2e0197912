"""Colours and legends of products, shared by rasters, pictures, the browser and QGIS."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from seaice.retrieval.flags import Flag

__all__ = [
    "LAND",
    "NO_DATA",
    "PD_RAMP",
    "PERCENT_RAMP",
    "TB_RAMP",
    "Colour",
    "ColourStop",
    "Ramp",
    "Style",
    "colour_of",
    "colour_table",
    "flags_style",
    "fraction_style",
    "kelvin_style",
    "percent_style",
    "uncertainty_style",
]

LAND = 254  #: in the byte raster
NO_DATA = 255  #: in the byte raster
LAND_COLOUR = (150, 148, 143)
NO_DATA_COLOUR = (239, 227, 200)  #: sand; white could be taken for ice
ABOVE_ALL_VALUES = 2.0  #: above every fraction: legend entry of missing values
RGB = tuple[int, int, int]
Colour = tuple[int, int, int, int]
Ramp = tuple[tuple[float, RGB], ...]

#: Percent and colour: dark blue water to white ice, as ice services draw it.
PERCENT_RAMP = (
    (0, (8, 41, 88)),
    (15, (19, 88, 150)),
    (40, (61, 142, 196)),
    (65, (133, 188, 220)),
    (85, (200, 224, 239)),
    (100, (255, 255, 255)),
)

#: One standard deviation and colour: violets, used for nothing else.
UNCERTAINTY_RAMP = (
    (0.0, (250, 247, 253)),
    (0.05, (222, 210, 238)),
    (0.1, (186, 164, 220)),
    (0.2, (147, 101, 189)),
    (0.3, (128, 45, 153)),
    (0.5, (92, 10, 105)),
    (1.0, (40, 0, 40)),
)

#: Kelvin and colour of brightness temperatures: matplotlib's "cividis", suited to colour-blind
#: readers.
TB_RAMP = (
    (140.0, (0, 34, 78)),
    (160.0, (33, 59, 110)),
    (180.0, (76, 85, 108)),
    (200.0, (108, 110, 114)),
    (220.0, (142, 137, 120)),
    (240.0, (177, 165, 112)),
    (260.0, (217, 197, 92)),
    (280.0, (254, 232, 56)),
)

#: Kelvin and colour of V - H: matplotlib's "magma" reversed, so that ice is light.
PD_RAMP = (
    (0.0, (252, 253, 191)),
    (10.0, (254, 187, 129)),
    (20.0, (248, 118, 92)),
    (30.0, (211, 67, 110)),
    (40.0, (152, 45, 128)),
    (50.0, (95, 24, 127)),
    (60.0, (34, 17, 80)),
    (70.0, (0, 0, 4)),
)

#: Colour of each flag; the flag with the largest effect on a value comes first.
FLAG_COLOURS = MappingProxyType(
    {
        Flag.LAND: LAND_COLOUR,
        Flag.NO_INPUT: NO_DATA_COLOUR,
        Flag.LAKE: (64, 160, 170),
        Flag.POLE_HOLE: (240, 130, 190),
        Flag.GAP_FILLED: (197, 27, 125),
        Flag.OUT_OF_RANGE: (150, 0, 60),
        Flag.CLASSICAL_FALLBACK: (90, 90, 90),
        Flag.WEATHER_DISAGREEMENT: (230, 75, 53),
        Flag.OPEN_WATER_FILTERED: (33, 102, 172),
        Flag.OUTSIDE_CLIMATOLOGY: (255, 200, 0),
        Flag.LAND_SPILLOVER_CORRECTED: (140, 81, 10),
        Flag.COAST: (230, 120, 30),
        Flag.SUBSTITUTED_FRAME: (128, 70, 170),
        Flag.LOW_FREQUENCY_MISSING: (120, 190, 90),
        Flag.SINGLE_OVERPASS: (160, 205, 240),
    }
)
UNFLAGGED = (250, 252, 253)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourStop:
    """A value with its colour and its legend label."""

    value: float
    colour: RGB
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a raster is drawn: colours interpolated ("ramp") or one for each value ("classes")."""

    kind: Literal["ramp", "classes"]
    stops: tuple[ColourStop, ...]
    no_data: RGB | None  #: colour of cells without a value; None where every cell has one


def colour_of(percent: float) -> RGB:
    """Colour of a concentration, interpolated linearly between the stops of the ramp.

    >>> colour_of(0), colour_of(100)
    ((8, 41, 88), (255, 255, 255))
    """
    stops, colours = zip(*PERCENT_RAMP, strict=True)
    red, green, blue = (
        int(np.rint(np.interp(percent, stops, channel))) for channel in np.transpose(colours)
    )
    return red, green, blue


def colour_table() -> dict[int, Colour]:
    """Colour of every value of the byte raster: 0-100 % and land; other values are transparent."""
    table: dict[int, Colour] = dict.fromkeys(range(256), (0, 0, 0, 0))
    table |= {percent: (*colour_of(percent), 255) for percent in range(101)}
    table[LAND] = (*LAND_COLOUR, 255)
    return table


def percent_style() -> Style:
    """Style of the percent raster: tenths as on ice charts, the ice edge, land, no data."""
    stops = [_stop(percent, colour_of(percent), f"{percent} %") for percent in _legend_percents()]
    stops.append(_stop(LAND, LAND_COLOUR, "land"))
    stops.append(_stop(NO_DATA, NO_DATA_COLOUR, "no data"))
    return Style(kind="ramp", stops=tuple(stops), no_data=NO_DATA_COLOUR)


def fraction_style() -> Style:
    """Style of a fraction from 0 to 1; land and no data share one colour."""
    stops = [
        _stop(percent / 100, colour_of(percent), f"{percent / 100:g}")
        for percent in _legend_percents()
    ]
    return Style(kind="ramp", stops=(*stops, _no_data_stop()), no_data=NO_DATA_COLOUR)


def uncertainty_style() -> Style:
    """Style of one standard deviation; small values are pale."""
    stops = [_stop(value, colour, f"± {value:g}") for value, colour in UNCERTAINTY_RAMP]
    return Style(kind="ramp", stops=(*stops, _no_data_stop()), no_data=NO_DATA_COLOUR)


def kelvin_style(ramp: Ramp) -> Style:
    """Style of a temperature or temperature difference; the end colours apply beyond the ramp."""
    stops = tuple(_stop(value, colour, f"{value:g} K") for value, colour in ramp)
    return Style(kind="ramp", stops=stops, no_data=NO_DATA_COLOUR)


def flags_style(values: Iterable[int]) -> Style:
    """One class for each combination of flags in `values`, single flags first.

    >>> [stop.label for stop in flags_style([514, 0, 2]).stops]
    ['no flag', 'coast', 'coast + single overpass']
    """
    ordered = sorted(map(int, values), key=lambda bits: (bits.bit_count(), bits))
    stops = tuple(_stop(bits, _flags_colour(bits), _flags_label(bits)) for bits in ordered)
    return Style(kind="classes", stops=stops, no_data=None)


def _flags_colour(bits: int) -> RGB:
    """Colour of the most important flag, mixed with the others so that combinations differ."""
    colours = [colour for flag, colour in FLAG_COLOURS.items() if flag & bits]
    if not colours:
        return UNFLAGGED
    weights = 5.0 ** -np.arange(len(colours))
    red, green, blue = np.rint(np.average(colours, axis=0, weights=weights)).astype(int).tolist()
    return red, green, blue


def _flags_label(bits: int) -> str:
    names = [str(flag.name).lower().replace("_", " ") for flag in FLAG_COLOURS if flag & bits]
    return " + ".join(names) or "no flag"


def _legend_percents() -> list[int]:
    """Legend values in percent: tenths and the ice edge, where the ramp changes slope."""
    return sorted({*range(0, 101, 10), 15})


def _no_data_stop() -> ColourStop:
    return _stop(ABOVE_ALL_VALUES, NO_DATA_COLOUR, "land or no data")


def _stop(value: float, colour: RGB, label: str) -> ColourStop:
    return ColourStop(value=value, colour=colour, label=label)

"""The seas that extent and area are told of: `data/seas.csv`, outlines a person can read.

`sea_km2` is what the land mask leaves of each. An outline is a ring of "longitude latitude"
corners, straight between them on a chart whose axes are degrees. Where outlines overlap, the sea
that stands first in the table has the cell.

North: the seas of NSIDC's regional series (Meier, Stroeve and Fetterer 2007, Annals of Glaciology
46), with limits near those of the International Hydrographic Organization (1953, Special
Publication 23), drawn anew for this table. South: the five sectors of Zwally et al. 1983 (NASA
SP-459), which every Antarctic series since has kept.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import shapely.affinity
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from seaice.grid.grid import Grid, Hemisphere, hemisphere_of
from seaice.grid.projection import polar_stereographic, project

__all__ = ["Sea", "sea_numbers", "seas"]

STEP = 0.05  #: degrees, of the chart that outlines are drawn on: at most 5.6 km
CHART = (3600, 7200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sea:
    """A named sea."""

    name: str  #: in tables
    label: str  #: for people
    km2: float  #: of sea at 1.5625 km, on the whole grid of its hemisphere
    outline: shapely.Polygon  #: degrees, longitude first; may reach beyond 180; empty: all of it


@cache
def seas(hemisphere: Hemisphere) -> tuple[Sea, ...]:
    """All sea of a hemisphere, then its seas in the order in which they claim cells.

    >>> [sea.name for sea in seas("south")][:3]
    ['all', 'weddell', 'indian']
    """
    text = (files("seaice.series") / "data" / "seas.csv").read_text("utf-8")
    lines = csv.DictReader(text.splitlines())
    return tuple(
        Sea(
            name=line["name"],
            label=line["label"],
            km2=float(line["sea_km2"]),
            outline=shapely.Polygon(_corners(line["outline"])),
        )
        for line in lines
        if line["hemisphere"] == hemisphere
    )


def sea_numbers(grid: Grid) -> NDArray[np.uint8]:
    """Which sea each cell's centre lies in.

    Returns
    -------
    (y, x) uint8
        Place in `seas(hemisphere)`; 0 in no named one. Land is not told from sea.

    >>> from seaice.grid.grid import NORTH
    >>> pole = NORTH.crop(slice(936, 937), slice(616, 617))
    >>> seas("north")[int(sea_numbers(pole)[0, 0])].name
    'central_arctic'
    """
    longitude, latitude = _degrees(grid)
    row = np.floor((90 - latitude) / STEP).astype(np.int32).clip(0, CHART[0] - 1)
    column = np.floor((longitude + 180) / STEP).astype(np.int32) % CHART[1]
    numbers: NDArray[np.uint8] = _chart(hemisphere_of(grid))[row, column]
    return numbers


def _degrees(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of cells on a polar stereographic plane, to metres: round the pole a
    meridian is straight, and latitude depends on the distance alone."""
    plane = polar_stereographic(grid.crs)
    latitudes = np.linspace(90.0, 0.0, 8192)
    x, y = project(plane.pole * latitudes, np.degrees(plane.meridian), grid.crs)
    away = np.hypot.outer(grid.y, grid.x)
    latitude = plane.pole * np.interp(away, np.hypot(x, y), latitudes)
    angle = np.arctan2(grid.x[None, :], -plane.pole * grid.y[:, None])
    return np.degrees(angle + plane.meridian), latitude


@cache
def _chart(hemisphere: Hemisphere) -> NDArray[np.uint8]:
    """The numbers of the seas on a chart of degrees, from 180 west and 90 north."""
    shapes = [
        (shapely.affinity.translate(sea.outline, shift), number)
        for number, sea in reversed(list(enumerate(seas(hemisphere)))[1:])
        for shift in (0, -360)
    ]
    onto = Affine(STEP, 0, -180, 0, -STEP, 90)
    chart: NDArray[np.uint8] = rasterize(shapes, CHART, transform=onto, dtype="uint8")
    return chart


def _corners(text: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, corner.split())) for corner in text.split(";") if corner]

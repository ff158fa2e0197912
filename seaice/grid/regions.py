"""Regions of a hemisphere by name or by bounds of longitude and latitude."""

from difflib import get_close_matches
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.errors import NoInputError, SettingsError, UnknownNameError
from seaice.grid.grid import HEMISPHERES, Grid, Hemisphere
from seaice.grid.projection import project

__all__ = [
    "MAX_REGION_WIDTH",
    "REGION_NAMES",
    "grid_around_points",
    "longitude_span",
    "pad_region",
    "region_grid",
]

#: degrees of longitude; in a wider box west and east are probably swapped
MAX_REGION_WIDTH = 180.0
SNAP = 16  #: cells; region borders are multiples of it, so that networks and tiles need no padding
POINTS_SNAP = 4  #: cells; borders and least margin of regions around scattered points

Box = tuple[float, float, float, float]

#: west, south, east, north in degrees
BOXES = MappingProxyType(
    {
        "north": MappingProxyType(
            {
                "barents": (15.0, 68.0, 60.0, 82.0),
                "fram": (-20.0, 76.0, 20.0, 83.0),
                "greenland": (-40.0, 66.0, 5.0, 82.0),
                "kara": (55.0, 66.0, 100.0, 82.0),
                "laptev": (95.0, 70.0, 145.0, 82.0),
                "beaufort": (-160.0, 68.0, -120.0, 80.0),
                "baffin": (-82.0, 60.0, -45.0, 80.0),
                "hudson": (-96.0, 51.0, -64.0, 66.0),
                "bering": (160.0, 52.0, -155.0, 67.0),
                "okhotsk": (135.0, 43.0, 165.0, 62.0),
                "baltic": (8.0, 53.0, 32.0, 67.0),
            }
        ),
        "south": MappingProxyType(
            {
                "lazarev": (-15.0, -72.0, 25.0, -60.0),
                "weddell": (-65.0, -80.0, -10.0, -60.0),
                "ross": (160.0, -79.0, -140.0, -60.0),
                "amundsen": (-140.0, -76.0, -70.0, -62.0),
                "indian": (20.0, -72.0, 90.0, -55.0),
            }
        ),
    }
)

#: Region of the demo, a sixth of the northern grid: x from -950 to 2350 km, y from -2650 to 1650
#: km; Norwegian, Greenland, Barents, Kara and Laptev seas, the islands between, and the pole.
SVALBARD = HEMISPHERES["north"].crop(slice(672, 1360), slice(464, 992))

#: all names of a hemisphere
REGION_NAMES = MappingProxyType(
    {
        "north": ("north", "svalbard", *BOXES["north"]),
        "south": ("south", *BOXES["south"]),
    }
)


def region_grid(name_or_bounds: str, hemisphere: Hemisphere) -> Grid:
    """The part of the 6.25 km grid that a region covers, snapped outwards to 16 cells.

    Parameters
    ----------
    name_or_bounds : one of `REGION_NAMES`, or "west,south,east,north" in degrees
        A box may cross the date line: "170,60,-160,70".

    Raises
    ------
    UnknownNameError
        If no region of that hemisphere has this name.
    SettingsError
        If the bounds are not valid, or the box lies outside the grid.

    >>> region_grid("svalbard", "north").shape
    (688, 528)
    >>> region_grid("10,76,30,81", "north").shape
    (112, 128)
    """
    whole = HEMISPHERES[hemisphere]
    name = name_or_bounds.strip().lower()
    if name == hemisphere:
        return whole
    if (hemisphere, name) == ("north", "svalbard"):
        return SVALBARD
    if name in BOXES[hemisphere]:
        return _grid_around_box(BOXES[hemisphere][name], whole)
    if "," in name:
        return _grid_around_box(_box(name_or_bounds), whole)
    near = get_close_matches(name, REGION_NAMES[hemisphere], n=1)
    raise UnknownNameError(
        f"a region called {name_or_bounds!r}",
        f"one of {', '.join(REGION_NAMES[hemisphere])} ({hemisphere})",
        f"did you mean {near[0]!r}?" if near else 'use a name, or "west,south,east,north"',
    )


def pad_region(region: Grid, cells: int, hemisphere: Hemisphere) -> Grid:
    """A region padded by at least this many cells on each side, clipped to the hemisphere's grid.

    >>> region = region_grid("10,76,30,81", "north")
    >>> pad_region(region, 10, "north").shape
    (144, 160)
    """
    whole = HEMISPHERES[hemisphere]
    more = -(-cells // SNAP) * SNAP
    rows, columns = (
        slice(max(span.start - more, 0), span.stop + more) for span in region.within(whole)
    )
    return whole.crop(rows, columns)


def grid_around_points(
    latitude: NDArray[np.floating], longitude: NDArray[np.floating]
) -> tuple[Hemisphere, Grid]:
    """Hemisphere and the part of its 6.25 km grid that contains all points, with a margin.

    Parameters
    ----------
    latitude, longitude : degrees, same shape; NaN where unknown

    Raises
    ------
    NoInputError
        If they lie outside the grid of their hemisphere.
    """
    hemisphere: Hemisphere = "north" if np.nanmean(latitude) > 0 else "south"
    whole = HEMISPHERES[hemisphere]
    to_plane = Transformer.from_crs("EPSG:4326", whole.crs, always_xy=True)
    x, y = to_plane.transform(longitude.ravel(), latitude.ravel())
    rows = _snapped_around((whole.top - y) / whole.cell, whole.shape[0])
    columns = _snapped_around((x - whole.left) / whole.cell, whole.shape[1])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise NoInputError(
            "a scene outside the polar grids",
            "a scene north of 31 degrees north or south of 39 degrees south",
            "choose a scene of polar seas",
        )
    return hemisphere, whole.crop(rows, columns)


def _snapped_around(position: NDArray[np.float64], size: int) -> slice:
    """From below the least to above the greatest position, at multiples of POINTS_SNAP."""
    known = position[np.isfinite(position)]
    first = int(np.floor(known.min() / POINTS_SNAP) - 1) * POINTS_SNAP
    last = int(np.ceil(known.max() / POINTS_SNAP) + 1) * POINTS_SNAP
    return slice(max(first, 0), min(last, size))


def longitude_span(region: str) -> float | None:
    """Degrees of longitude that a box spans, eastwards from its western edge; None for a name.

    >>> longitude_span("24,79,10,82"), longitude_span("170,60,-160,70"), longitude_span("kara")
    (346.0, 30.0, None)
    """
    if "," not in region:
        return None
    west, _, east, _ = _box(region)
    return (east - west) % 360 or 360.0


def _box(text: str) -> Box:
    """West, south, east, north in degrees, checked."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise _bad_box(text) from None
    if not (-90 <= south < north <= 90 and -360 <= west <= 360 and -360 <= east <= 360):
        raise _bad_box(text)
    return west, south, east, north


def _grid_around_box(box: Box, whole: Grid) -> Grid:
    """The smallest snapped crop that contains a box of longitudes and latitudes."""
    west, south, east, north = box
    steps = np.linspace(0, 1, 721)
    longitude = west + steps * ((east - west) % 360 or 360)
    latitude = south + steps * (north - south)
    # x and y have their extremes on the rim of the box, also where the box contains the pole
    rim = (
        np.concatenate([longitude, longitude, 0 * steps + longitude[0], 0 * steps + longitude[-1]]),
        np.concatenate([0 * steps + south, 0 * steps + north, latitude, latitude]),
    )
    x, y = project(rim[1], rim[0], whole.crs)
    on_plane = np.isfinite(x)
    if not on_plane.any():
        raise _box_outside_grid(box)
    columns = _snapped((x[on_plane] - whole.left) / whole.cell, whole.shape[1])
    rows = _snapped((whole.top - y[on_plane]) / whole.cell, whole.shape[0])
    if columns.start >= columns.stop or rows.start >= rows.stop:
        raise _box_outside_grid(box)
    return whole.crop(rows, columns)


def _snapped(cells: np.ndarray[tuple[int], np.dtype[np.float64]], size: int) -> slice:
    """Outwards to multiples of SNAP, within the grid."""
    first, last = float(cells.min()) // SNAP, -(-float(cells.max()) // SNAP)
    return slice(max(int(first) * SNAP, 0), min(int(last) * SNAP, size))


def _bad_box(text: str) -> SettingsError:
    return SettingsError(
        f"bounds {text!r}",
        "west,south,east,north in degrees with south below north",
        'write for example "10,76,30,81"',
    )


def _box_outside_grid(box: Box) -> SettingsError:
    return SettingsError(
        f"bounds {','.join(f'{edge:g}' for edge in box)} outside the grid",
        "a box that touches the hemisphere's grid",
        "check the signs, and HEMISPHERE",
    )

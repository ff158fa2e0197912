"""A grid in, its meridians and parallels as lines on its plane out."""

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.grid.grid import Grid

__all__ = ["degrees", "graticule"]

OUTERMOST = 30  #: degrees of latitude; no map of polar ice reaches further
SMALL, MIDDLE = 1.5e6, 4e6  #: m; how wide maps of dense and of middling graticules are


def graticule(grid: Grid) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Meridians and parallels inside a map, as dense as its size asks for.

    Returns
    -------
    lines, labels
        (n,) shapely lines on the grid's plane, m, cut at the map's edges; (n,) their degrees, as
        "75°N".
    """
    left, bottom, right, top = grid.bounds
    wide = max(right - left, top - bottom)
    step, turn = (2, 10) if wide < SMALL else (5, 15) if wide < MIDDLE else (10, 30)
    pole = 90.0 if grid.crs == "EPSG:3411" else -90.0
    along, around = np.linspace(OUTERMOST, 90 - step / 2, 300), np.arange(-180, 180.1, 0.5)
    drawn = [
        (np.full_like(along, longitude), np.copysign(along, pole), degrees(longitude, "EW"))
        for longitude in range(-180, 180, turn)
    ]
    for latitude in range(90 - step, OUTERMOST, -step):
        level = int(np.copysign(latitude, pole))
        drawn.append((around, np.full_like(around, level), degrees(level, "NS")))
    plane = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    whole = [
        shapely.LineString(np.transpose(plane.transform(longitude, latitude)))
        for longitude, latitude, _ in drawn
    ]
    cut = shapely.clip_by_rect(whole, left, bottom, right, top)
    parts, owners = shapely.get_parts(cut, return_index=True)
    labels = np.array([label for _, _, label in drawn], object)[owners]
    return parts, labels


def degrees(angle: int, sides: str) -> str:
    """An angle as a chart writes it.

    >>> degrees(-15, "EW"), degrees(180, "EW")
    ('15°W', '180°')
    """
    return f"{abs(angle)}°{sides[angle < 0] if angle % 180 else ''}"

"""The polar stereographic projection in compiled code, and the true area of grid cells.

pyproj takes arrays only; gridding projects one point at a time inside its own loop. pyproj is the
oracle of the tests.
"""

import math
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seaice.compiled import compiled
from seaice.errors import UnknownNameError
from seaice.grid.grid import Grid

__all__ = [
    "PROJECTIONS",
    "PolarStereographic",
    "cell_areas",
    "polar_stereographic",
    "project",
    "project_point",
]


class PolarStereographic(NamedTuple):
    """Constants of a polar stereographic projection, as a tuple for compiled code."""

    pole: float  #: +1 north, -1 south
    meridian: float  #: radians, the one that points down (north) or up (south)
    radius: float  #: m, semi-major axis
    eccentricity: float
    factor: float  #: m_c / t_c of Snyder (21-34): makes the scale true at the standard parallel


def _nsidc_projection(pole: float, meridian: float) -> PolarStereographic:
    """NSIDC's projection: Hughes 1980 ellipsoid, true scale at 70 degrees."""
    flattening = 1 / 298.279411123064
    e = math.sqrt(flattening * (2 - flattening))
    sine, cosine = math.sin(math.radians(70)), math.cos(math.radians(70))
    m = cosine / math.sqrt(1 - (e * sine) ** 2)
    t = cosine / (1 + sine) * math.exp(e * math.atanh(e * sine))
    return PolarStereographic(pole, math.radians(meridian), 6_378_273.0, e, m / t)


PROJECTIONS = MappingProxyType(
    {"EPSG:3411": _nsidc_projection(1.0, -45.0), "EPSG:3412": _nsidc_projection(-1.0, 0.0)}
)


def polar_stereographic(crs: str) -> PolarStereographic:
    """The constants of a CRS.

    Raises
    ------
    UnknownNameError
        If the CRS is not one of `PROJECTIONS`.
    """
    if crs not in PROJECTIONS:
        raise UnknownNameError(
            f"the CRS {crs!r}",
            f"one of {', '.join(PROJECTIONS)}",
            "use a grid made from NORTH or SOUTH",
        )
    return PROJECTIONS[crs]


@compiled
def project_point(
    latitude: float, longitude: float, plane: PolarStereographic
) -> tuple[float, float, float]:
    """One point in degrees to (x, y) m and the scale, plane length per ground length.

    Ellipsoidal polar stereographic projection, Snyder 1987, "Map projections: a working manual",
    USGS Professional Paper 1395, equations 15-9, 21-30 to 21-34. t is written as
    cos / (1 + sin) * exp(e atanh(e sin)), so that position and scale are exact at the pole too.
    """
    phi = math.radians(latitude) * plane.pole
    sine, cosine = math.sin(phi), math.cos(phi)
    e_sine = plane.eccentricity * sine
    growth = plane.factor * math.exp(plane.eccentricity * math.atanh(e_sine)) / (1 + sine)
    rho = plane.radius * growth * cosine
    angle = math.radians(longitude) - plane.meridian
    scale = growth * math.sqrt(1 - e_sine * e_sine)
    return rho * math.sin(angle), -plane.pole * rho * math.cos(angle), scale


@compiled
def _project_all(
    latitude: NDArray[np.float64],
    longitude: NDArray[np.float64],
    plane: PolarStereographic,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> None:
    for i in range(latitude.size):
        if latitude[i] * plane.pole >= 0:
            x[i], y[i], _ = project_point(latitude[i], longitude[i], plane)
        else:
            x[i] = y[i] = np.nan


def project(
    latitude: ArrayLike, longitude: ArrayLike, crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees to metres in the projection of `crs`; NaN beyond the equator and where missing.

    Parameters
    ----------
    latitude, longitude : any shape, degrees
    crs : a key of `PROJECTIONS`

    Returns
    -------
    x, y : float64 of the same shape, m

    Raises
    ------
    UnknownNameError
        If the CRS is not one of `PROJECTIONS`.

    >>> x, y = project([90.0, 70.0, -70.0], [0.0, -45.0, 0.0], "EPSG:3411")
    >>> y.round()
    array([      -0., -2187974.,       nan])
    """
    plane = polar_stereographic(crs)
    degrees = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(longitude, float))
    shape = degrees[0].shape
    flat = [np.ascontiguousarray(values).reshape(-1) for values in degrees]
    x, y = np.empty(flat[0].size), np.empty(flat[0].size)
    _project_all(flat[0], flat[1], plane, x, y)
    return x.reshape(shape), y.reshape(shape)


#: latitudes of the table from the pole to the equator; interpolation errors of the scale are < 1e-8
NODES = 8192


def cell_areas(grid: Grid) -> NDArray[np.float64]:
    """The true area of each cell on the ellipsoid.

    The area in the projection divided by the square of the scale at the cell's centre (Snyder 1987,
    USGS Professional Paper 1395, equation 21-32). The scale depends on the distance from the pole
    alone, so it is interpolated from a table over distance.

    Returns
    -------
    (y, x) float64, m2

    Raises
    ------
    UnknownNameError
        If the grid's CRS is not one of `PROJECTIONS`.

    >>> from seaice.grid.grid import NORTH
    >>> pole = NORTH.crop(slice(935, 937), slice(615, 617))  # the four cells around it
    >>> (cell_areas(pole) / NORTH.cell**2).round(3).tolist()
    [[1.063, 1.063], [1.063, 1.063]]
    """
    latitudes = np.linspace(90.0, 0.0, NODES)
    distance, scale = _distance_and_scale(latitudes, polar_stereographic(grid.crs))
    away = np.add.outer(grid.y**2, grid.x**2)
    areas: NDArray[np.float64] = np.interp(away, distance**2, (grid.cell / scale) ** 2)
    return areas


@compiled
def _distance_and_scale(
    latitudes: NDArray[np.float64], plane: PolarStereographic
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from the pole in the projection, m, and scale, by degrees of latitude."""
    distance, scale = np.empty(latitudes.size), np.empty(latitudes.size)
    for i in range(latitudes.size):
        x, y, scale[i] = project_point(latitudes[i] * plane.pole, 0.0, plane)
        distance[i] = np.hypot(x, y)
    return distance, scale

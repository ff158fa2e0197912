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
    """A polar stereographic plane. A tuple, because compiled code takes nothing else."""

    pole: float  #: +1 north, -1 south
    meridian: float  #: radians, the one that points down (north) or up (south)
    radius: float  #: m, semi-major axis
    eccentricity: float
    factor: float  #: m_c / t_c of Snyder (21-34): makes the scale true at the standard parallel


def _nsidc_projection(pole: float, meridian: float) -> PolarStereographic:
    """NSIDC's plane: Hughes 1980 ellipsoid, true at 70 degrees."""
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
        If the CRS is no plane of this package.
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
    cos / (1 + sin) * exp(e atanh(e sin)), so that neither position nor scale suffers at the pole.
    """
    phi = math.radians(latitude) * plane.pole
    sine, cosine = math.sin(phi), math.cos(phi)
    e_sine = plane.eccentricity * sine
    grown = plane.factor * math.exp(plane.eccentricity * math.atanh(e_sine)) / (1 + sine)
    rho = plane.radius * grown * cosine
    angle = math.radians(longitude) - plane.meridian
    scale = grown * math.sqrt(1 - e_sine * e_sine)
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
    """Degrees to metres on the plane of `crs`; beyond the equator, or where absent, NaN.

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
        If the CRS is no plane of this package.

    >>> x, y = project([90.0, 70.0, -70.0], [0.0, -45.0, 0.0], "EPSG:3411")
    >>> y.round()
    array([      -0., -2187974.,       nan])
    """
    plane = polar_stereographic(crs)
    given = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(longitude, float))
    shape = given[0].shape
    flat = [np.ascontiguousarray(values).reshape(-1) for values in given]
    x, y = np.empty(flat[0].size), np.empty(flat[0].size)
    _project_all(flat[0], flat[1], plane, x, y)
    return x.reshape(shape), y.reshape(shape)


NODES = 8192  #: latitudes from the pole to the equator; between them the scale errs by < 1e-8


def cell_areas(grid: Grid) -> NDArray[np.float64]:
    """The true area of each cell on the ellipsoid of its plane.

    The plane's area over the square of the scale at the cell's centre (Snyder 1987, USGS
    Professional Paper 1395, equation 21-32). The scale is the same all round the pole, so it is
    known once its value at each distance is.

    Returns
    -------
    (y, x) float64, m2

    Raises
    ------
    UnknownNameError
        If the grid lies on no plane of this package.

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
    """Distance from the pole on the plane, m, and scale at degrees of latitude towards the pole."""
    distance, scale = np.empty(latitudes.size), np.empty(latitudes.size)
    for i in range(latitudes.size):
        x, y, scale[i] = project_point(latitudes[i] * plane.pole, 0.0, plane)
        distance[i] = np.hypot(x, y)
    return distance, scale

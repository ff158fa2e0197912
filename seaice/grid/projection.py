"""Latitude and longitude onto the polar stereographic plane, one point at a time in compiled code.

pyproj takes arrays only; gridding needs a point's place inside its own loop, without arrays
of places in between. pyproj is the oracle of the tests.
"""

import math
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seaice.compiled import compiled
from seaice.errors import UnknownNameError

__all__ = ["PLANES", "Plane", "forward", "plane_of", "project"]


class Plane(NamedTuple):
    """A polar stereographic plane. A tuple, because compiled code takes nothing else."""

    pole: float  #: +1 north, -1 south
    meridian: float  #: radians, the one that points down (north) or up (south)
    radius: float  #: m, semi-major axis
    eccentricity: float
    factor: float  #: m_c / t_c of Snyder (21-34): makes the scale true at the standard parallel


def _hughes(pole: float, meridian: float) -> Plane:
    """NSIDC's plane: Hughes 1980 ellipsoid, true at 70 degrees."""
    flattening = 1 / 298.279411123064
    e = math.sqrt(flattening * (2 - flattening))
    sine, cosine = math.sin(math.radians(70)), math.cos(math.radians(70))
    m = cosine / math.sqrt(1 - (e * sine) ** 2)
    t = cosine / (1 + sine) * math.exp(e * math.atanh(e * sine))
    return Plane(pole, math.radians(meridian), 6_378_273.0, e, m / t)


PLANES = MappingProxyType({"EPSG:3411": _hughes(1.0, -45.0), "EPSG:3412": _hughes(-1.0, 0.0)})


def plane_of(crs: str) -> Plane:
    """The constants of a CRS.

    Raises
    ------
    UnknownNameError
        If the CRS is no plane of this package.
    """
    if crs not in PLANES:
        raise UnknownNameError(
            f"the CRS {crs!r}", f"one of {', '.join(PLANES)}", "use a grid made from NORTH or SOUTH"
        )
    return PLANES[crs]


@compiled
def forward(latitude: float, longitude: float, plane: Plane) -> tuple[float, float, float]:
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
    plane: Plane,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> None:
    for i in range(latitude.size):
        if latitude[i] * plane.pole >= 0:
            x[i], y[i], _ = forward(latitude[i], longitude[i], plane)
        else:
            x[i] = y[i] = np.nan


def project(
    latitude: ArrayLike, longitude: ArrayLike, crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees to metres on the plane of `crs`; beyond the equator, or where absent, NaN.

    Parameters
    ----------
    latitude, longitude : any shape, degrees
    crs : a key of `PLANES`

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
    plane = plane_of(crs)
    given = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(longitude, float))
    shape = given[0].shape
    flat = [np.ascontiguousarray(values).reshape(-1) for values in given]
    x, y = np.empty(flat[0].size), np.empty(flat[0].size)
    _project_all(flat[0], flat[1], plane, x, y)
    return x.reshape(shape), y.reshape(shape)

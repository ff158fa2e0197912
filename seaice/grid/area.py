"""How much ground a cell covers: a polar stereographic plane stretches it away from 70 degrees."""

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled
from seaice.grid.definition import Grid
from seaice.grid.projection import Plane, forward, plane_of

__all__ = ["cell_areas"]

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

    >>> from seaice.grid.definition import NORTH
    >>> pole = NORTH.crop(slice(935, 937), slice(615, 617))  # the four cells around it
    >>> (cell_areas(pole) / NORTH.cell**2).round(3).tolist()
    [[1.063, 1.063], [1.063, 1.063]]
    """
    latitudes = np.linspace(90.0, 0.0, NODES)
    distance, scale = _along_a_meridian(latitudes, plane_of(grid.crs))
    away = np.add.outer(grid.y**2, grid.x**2)
    areas: NDArray[np.float64] = np.interp(away, distance**2, (grid.cell / scale) ** 2)
    return areas


@compiled
def _along_a_meridian(
    latitudes: NDArray[np.float64], plane: Plane
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from the pole on the plane, m, and scale at degrees of latitude towards the pole."""
    distance, scale = np.empty(latitudes.size), np.empty(latitudes.size)
    for i in range(latitudes.size):
        x, y, scale[i] = forward(latitudes[i] * plane.pole, 0.0, plane)
        distance[i] = np.hypot(x, y)
    return distance, scale

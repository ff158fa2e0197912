"""Where ice is around Antarctica on a day of the year: a stand-in, since no record of it ships.

Its mean extent by month decides how far from the pole a smooth ice edge lies, farther in the
Atlantic, as far as the real one on average. Shapes of single years are not in it.
"""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from seaice.grid.grid import Grid

__all__ = ["southern_concentration"]

#: Million km2, means of 1978 to 2010: Parkinson and Cavalieri 2012, The Cryosphere 6, 871-880,
#: figure 2, read to half a million.
EXTENT = (5.0, 3.0, 4.5, 7.5, 11.0, 14.0, 16.0, 18.0, 18.5, 18.0, 15.5, 10.5)
CONTINENT = 11.3  #: million km2 that are no sea within the edge, so that extents come out as listed
HALF_SPHERE = 2 * np.pi * 6.371**2  #: million km2
WAVE, FARTHEST = 3.0, -30.0  #: degrees that the edge lies farther north, and the longitude where
BREADTH = 0.6  #: degrees over which concentration falls at the edge
INNER = 0.97  #: concentration far inside


def southern_concentration(grid: Grid, day: date) -> NDArray[np.float32]:
    """Mean concentration of the day of year, on a coarse southern grid, (y, x) 0-1.

    >>> from seaice.grid.grid import SOUTH
    >>> february, september = (southern_concentration(SOUTH, date(2018, m, 15)) for m in (2, 9))
    >>> bool((september >= february).all())
    True
    """
    middles = np.arange(-1, 13) * 30.44 + 15
    extent = np.interp(day.timetuple().tm_yday, middles, (EXTENT[-1], *EXTENT, EXTENT[0]))
    within = (extent + CONTINENT) / HALF_SPHERE
    longitude, latitude = grid.lonlat()
    edge = -np.degrees(np.arcsin(1 - within)) + WAVE * np.cos(np.radians(longitude - FARTHEST))
    inside = INNER / (1 + np.exp((latitude - edge) / BREADTH))
    return np.asarray(np.where(inside < 0.01, 0, inside), np.float32)

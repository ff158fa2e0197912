"""Where ice has never been seen in a month: a reason to doubt a value, never to change it."""

from importlib.resources import as_file, files

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from seaice.grid.dataset import hemisphere_of
from seaice.grid.definition import HEMISPHERES, Grid

__all__ = ["SOUTHERN_LIMIT", "outside_climatology"]

#: degrees; in the satellite record ice has come as far north as about 54 south, off Bouvet Island
SOUTHERN_LIMIT = -50.0


def outside_climatology(grid: Grid, month: int) -> NDArray[np.bool_]:
    """Where no ice has been seen in this calendar month since 1978.

    North: the mask of EUMETSAT OSI SAF's record, made by `derive_climatology` beside. South:
    one parallel, 50 degrees, in every month, for no record ships with the package.

    Parameters
    ----------
    grid : NORTH, SOUTH, or a crop of those, 6.25 km
    month : 1 to 12

    Returns
    -------
    (y, x) bool

    Raises
    ------
    ValueError
        If the grid is no part of a hemisphere's 6.25 km grid.

    >>> pole = HEMISPHERES["north"].crop(slice(928, 944), slice(608, 624))
    >>> outside_climatology(pole, 9).any()
    np.False_
    """
    hemisphere = hemisphere_of(grid)
    if hemisphere == "south":
        _, latitude = grid.lonlat()
        return latitude > SOUTHERN_LIMIT
    window = Window.from_slices(*grid.within(HEMISPHERES[hemisphere]))
    name = f"ice_possible_{hemisphere}_6250m.tif"
    with (
        as_file(files("seaice.grid.masks") / "data" / name) as path,
        rasterio.open(path) as possible,
    ):
        return np.asarray(possible.read(month, window=window) == 0)

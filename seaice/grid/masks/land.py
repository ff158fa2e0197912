"""Land masks that ship with the package, for any part of either hemisphere.

Made by `derive_land` and `derive_lakes` from GSHHG; ice shelves are land, and so are
lakes, which have a mask of their own besides.
"""

from importlib.resources import as_file, files

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.ndimage import binary_dilation, distance_transform_cdt

from seaice.errors import SettingsError
from seaice.grid.dataset import hemisphere_of
from seaice.grid.definition import HEMISPHERES, Grid

__all__ = ["coast_mask", "lake_mask", "land_mask", "near_sea"]

FACTORS = (1, 4)  #: how much finer than the hemisphere's 6.25 km a mask ships
NEAR = 40  #: cells of 6.25 km: what networks of concentration look at around a cell, and more


def land_mask(grid: Grid) -> NDArray[np.bool_]:
    """Where the cells of a grid are land.

    Parameters
    ----------
    grid : NORTH, SOUTH, `refine(4)` of them, or a crop of those

    Returns
    -------
    (y, x) bool
        At 1.5625 km, land at the cell's centre; at 6.25 km, land in at least half of the cell.

    Raises
    ------
    SettingsError
        If the grid has another cell size or lattice.

    >>> land_mask(HEMISPHERES["south"]).shape
    (1328, 1264)
    """
    return _read("land", *_place(grid))


def near_sea(grid: Grid) -> NDArray[np.bool_]:
    """Where sea, within the grid or outside of it, is at most 250 km away along x and along y.

    Parameters
    ----------
    grid : NORTH or SOUTH, or a crop of one: cells of 6.25 km

    Returns
    -------
    (y, x) bool

    Raises
    ------
    SettingsError
        If the grid has another cell size or lattice.

    >>> float(near_sea(HEMISPHERES["north"]).mean().round(2))
    0.72
    """
    whole, rows, columns = _place(grid, FACTORS[:1])
    fine = land_mask(whole.refine(FACTORS[-1]))
    inland = fine.reshape(whole.shape[0], FACTORS[-1], whole.shape[1], -1).all(axis=(1, 3))
    away = distance_transform_cdt(inland, "chessboard")
    return np.asarray(away[rows, columns] <= NEAR, bool)


def lake_mask(grid: Grid) -> NDArray[np.bool_]:
    """Where the cells of a grid are lake, of 10 km2 or more; `land_mask` calls them land.

    Parameters
    ----------
    grid : `refine(4)` of NORTH or SOUTH, or a crop of those: cells of 1.5625 km

    Returns
    -------
    (y, x) bool

    Raises
    ------
    SettingsError
        If the grid has another cell size or lattice.
    """
    return _read("lakes", *_place(grid, FACTORS[-1:]))


def coast_mask(grid: Grid) -> NDArray[np.bool_]:
    """Water cells that touch land, by side or corner, also across the edge of a crop.

    Parameters
    ----------
    grid : as for `land_mask`

    Returns
    -------
    (y, x) bool

    Raises
    ------
    SettingsError
        If the grid has another cell size or lattice.
    """
    whole, rows, columns = _place(grid)
    top, left = max(rows.start - 1, 0), max(columns.start - 1, 0)
    land = land_mask(whole.crop(slice(top, rows.stop + 1), slice(left, columns.stop + 1)))
    coast = binary_dilation(land, np.ones((3, 3), bool)) & ~land
    inner = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return np.asarray(coast[inner], bool)


def _read(what: str, whole: Grid, rows: slice, columns: slice) -> NDArray[np.bool_]:
    """A part of a mask in `data/`."""
    name = f"{what}_{hemisphere_of(whole)}_{int(whole.cell)}m.tif"
    window = Window.from_slices(rows, columns)
    with as_file(files("seaice.grid.masks") / "data" / name) as path, rasterio.open(path) as mask:
        return np.asarray(mask.read(1, window=window), bool)


def _place(grid: Grid, factors: tuple[int, ...] = FACTORS) -> tuple[Grid, slice, slice]:
    """The whole grid that has a mask, and which of its rows and columns are meant."""
    coarse = HEMISPHERES[hemisphere_of(grid)]
    for factor in factors:
        whole = coarse.refine(factor)
        if whole.cell == grid.cell:
            try:
                rows, columns = grid.within(whole)
            except ValueError:
                break
            return whole, rows, columns
    raise SettingsError(
        f"a grid of {grid.cell:g} m cells with its corner at ({grid.left:g}, {grid.top:g}) m",
        f"cells of the {' or '.join(f'{6.25 / factor:g} km' for factor in factors)} grid of a "
        "hemisphere",
        "crop NORTH or SOUTH, or their refine(4)",
    )

"""Masks of land, lakes and possible ice, and land fractions of low-frequency footprints.

The masks ship with the package and cover both hemispheres; `pipelines.derive_masks` makes them.
Ice shelves and lakes are land; lakes also have a mask of their own.
"""

import math
from importlib.resources import as_file, files

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.ndimage import distance_transform_cdt, gaussian_filter

from seaice.errors import SettingsError
from seaice.grid.blocks import block_mean
from seaice.grid.grid import HEMISPHERES, NORTH, Grid, hemisphere_of
from seaice.grid.gridding import LOW_BEAM
from seaice.instrument import BANDS

__all__ = [
    "LAND_FRACTIONS",
    "SOUTHERN_LIMIT",
    "lake_mask",
    "land_fractions",
    "land_mask",
    "near_sea",
    "outside_climatology",
]

FACTORS = (1, 4)  #: cell size of 6.25 km divided by those of the masks in `data/`
#: cells of 6.25 km: more than the receptive fields of concentration networks
NEAR_SEA_CELLS = 40


def land_mask(grid: Grid) -> NDArray[np.bool_]:
    """Cells of a grid that are land.

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
        If the grid has another cell size or origin.

    >>> land_mask(HEMISPHERES["south"]).shape
    (1328, 1264)
    """
    return _read_mask("land", *_locate(grid))


def near_sea(grid: Grid) -> NDArray[np.bool_]:
    """Cells with sea, inside or outside the grid, at most 250 km away along x and along y.

    Parameters
    ----------
    grid : NORTH or SOUTH, or a crop of one: cells of 6.25 km

    Returns
    -------
    (y, x) bool

    Raises
    ------
    SettingsError
        If the grid has another cell size or origin.

    >>> float(near_sea(HEMISPHERES["north"]).mean().round(2))
    0.72
    """
    whole, rows, columns = _locate(grid, FACTORS[:1])
    fine = land_mask(whole.refine(FACTORS[-1]))
    inland = fine.reshape(whole.shape[0], FACTORS[-1], whole.shape[1], -1).all(axis=(1, 3))
    away = distance_transform_cdt(inland, "chessboard")
    return np.asarray(away[rows, columns] <= NEAR_SEA_CELLS, bool)


def lake_mask(grid: Grid) -> NDArray[np.bool_]:
    """Cells of a grid that are in lakes of 10 km2 or more; in `land_mask` they are land.

    Parameters
    ----------
    grid : `refine(4)` of NORTH or SOUTH, or a crop of those: cells of 1.5625 km

    Returns
    -------
    (y, x) bool

    Raises
    ------
    SettingsError
        If the grid has another cell size or origin.
    """
    return _read_mask("lakes", *_locate(grid, FACTORS[-1:]))


def _read_mask(what: str, whole: Grid, rows: slice, columns: slice) -> NDArray[np.bool_]:
    """A part of a mask in `data/`."""
    name = f"{what}_{hemisphere_of(whole)}_{int(whole.cell)}m.tif"
    window = Window.from_slices(rows, columns)
    with as_file(files("seaice.grid") / "data" / name) as path, rasterio.open(path) as mask:
        return np.asarray(mask.read(1, window=window), bool)


def _locate(grid: Grid, factors: tuple[int, ...] = FACTORS) -> tuple[Grid, slice, slice]:
    """The whole grid that has a mask, and the rows and columns of it that `grid` covers."""
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


#: degrees; the northernmost ice in the satellite record is at about 54 south, off Bouvet Island
SOUTHERN_LIMIT = -50.0


def outside_climatology(grid: Grid, month: int) -> NDArray[np.bool_]:
    """Where no ice has been observed in this calendar month since 1978.

    North: the maximum-ice mask of EUMETSAT OSI SAF's record (`pipelines.derive_masks`).
    South: north of 50 degrees south in every month, as no record ships with the package.

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
        If the grid is not a part of a hemisphere's 6.25 km grid.

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
        as_file(files("seaice.grid") / "data" / name) as path,
        rasterio.open(path) as possible,
    ):
        return np.asarray(possible.read(month, window=window) == 0)


#: one for each distinct footprint: that of 7.3 GHz equals 6.9's, and that of 23.8 equals 18.7's
LAND_FRACTIONS = ("land_6", "land_10", "land_18", "land_36")
#: standard deviation of a Gaussian divided by its full width at half maximum
SIGMA_PER_FWHM = 1 / math.sqrt(8 * math.log(2))


def land_fractions(land: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
    """Land fraction of the footprints behind a gridded low-frequency cell, one map per footprint.

    A cell of the daily map is blurred by the antenna's beam, here a circle with the geometric mean
    of its two widths, and by the weights of gridding.

    Parameters
    ----------
    land : (4y, 4x) bool, on the refined grid; values at the edge are extended beyond it

    Returns
    -------
    dict of (y, x) float32
        0-1 on the coarse grid, as `LAND_FRACTIONS`.

    >>> half = np.zeros((256, 256), bool)
    >>> half[:128] = True
    >>> [round(float(each[34, 0]), 2) for each in land_fractions(half).values()]
    [0.22, 0.13, 0.03, 0.0]
    """
    cells = block_mean(land)
    return {name: _blurred(cells, name.removeprefix("land_")) for name in LAND_FRACTIONS}


def _blurred(cells: NDArray[np.floating], band: str) -> NDArray[np.float32]:
    beam = 1000 * math.sqrt(BANDS[band].along * BANDS[band].across) * SIGMA_PER_FWHM
    gridding = LOW_BEAM.sigma / math.sqrt(2)
    width = math.hypot(beam, gridding) / NORTH.cell
    return np.asarray(gaussian_filter(cells.astype(np.float32), width, mode="nearest"))

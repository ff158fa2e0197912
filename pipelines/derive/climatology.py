"""How the climatology in `data/` was made: where ice has been seen in each month, on 6.25 km.

Run by hand with a year of the OSI SAF record OSI-450-a on EASE2 25 km, takes a minute:

    python -m pipelines.derive.climatology osisaf_sic_north_2018.nc seaice/grid/data

EUMETSAT OSI SAF masks its record by the greatest extent that each calendar month has had since
1978, widened to the open sea, and says where by a bit of `status_flag` that is the same on every
day of a month. The mask here is what that bit leaves free, with land, which it does not count,
filled from the nearest sea. Copyright EUMETSAT; free use with this notice.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import binary_dilation, distance_transform_edt, map_coordinates

from seaice.grid.grid import NORTH, Grid

__all__ = ["places", "possible"]

CRS = "EPSG:6931"
LAND, LAKE, MASKED = 1, 2, 128  #: bits of the record's status_flag
SOURCE = "EUMETSAT OSI SAF OSI-450-a, maximum-ice climatology of its status_flag. "


def possible(flags: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where ice may be, (y, x): unmasked sea and one cell around; land as the nearest sea."""
    land = (flags & (LAND | LAKE)) > 0
    free = (flags & MASKED) == 0
    _, nearest = distance_transform_edt(land, return_indices=True)
    return np.asarray(binary_dilation(free[tuple(nearest)], np.ones((3, 3), bool)))


def places(grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, y, x): row and column of the record for the cell centres of a grid.

    Parameters
    ----------
    x, y : the record's cell centres, m, y descending
    """
    east, north = Transformer.from_crs(grid.crs, CRS, always_xy=True).transform(
        *np.meshgrid(grid.x, grid.y)
    )
    return np.stack([(north - y[0]) / (y[1] - y[0]), (east - x[0]) / (x[1] - x[0])])


def main() -> None:
    """Write one file of twelve bands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path)
    parser.add_argument("folder", type=Path)
    told = parser.parse_args()
    with xr.open_dataset(told.record) as record:
        firsts = record["time"].dt.day == 1
        flags = record["status_flag"].sel(time=firsts).values
        x, y = (record[axis].values * 1000 for axis in ("xc", "yc"))
    path = told.folder / "ice_possible_north_6250m.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=NORTH.shape[1], height=NORTH.shape[0], count=12,
        dtype="uint8", nbits=1, crs=NORTH.crs, transform=NORTH.transform,
        compress="deflate", zlevel=9, tiled=True, blockxsize=512, blockysize=512,
    ) as file:  # fmt: skip
        where = places(NORTH, x, y)
        for month in range(12):
            there = possible(flags[month]).astype(np.uint8)
            file.write(map_coordinates(there, where, order=0, cval=0), month + 1)
        credit = SOURCE + "Copyright EUMETSAT; free use with this notice"
        file.update_tags(source=credit, values="1 ice is possible, 0 never seen; a band a month")


if __name__ == "__main__":
    main()

"""How the land masks in `data/` were made: GSHHG asked at every 1.5625 km cell centre.

Run by hand, takes about five minutes; needs the extra `seaice[land]`:

    python -m pipelines.derive.land seaice/grid/data

The 6.25 km mask is the majority of the 16 fine cells below each coarse one, so that the two agree.
Lakes are land: GSHHG's first level knows coasts only (`pipelines.derive.lakes` adds its second).
Ice shelves are land.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from seaice.grid.blocks import block_mean
from seaice.grid.grid import HEMISPHERES, Grid

__all__ = ["derive", "majority", "write_mask"]

SOURCE = "GSHHG 2.3.7 (Wessel and Smith 1996, LGPL) by roaring-landmask, at cell centres"


def derive(grid: Grid) -> NDArray[np.bool_]:
    """Land at the cell centres of a grid, (y, x)."""
    from roaring_landmask import RoaringLandmask  # only makers of masks have it

    world: Any = RoaringLandmask.new()
    land = np.zeros(grid.shape, bool)
    for top in range(0, grid.shape[0], 64):
        band = slice(top, min(top + 64, grid.shape[0]))
        longitude, latitude = grid.crop(band, slice(None)).lonlat()
        found = world.contains_many(longitude.ravel(), latitude.ravel())
        land[band] = np.reshape(found, longitude.shape)
    return land


def majority(fine: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Coarse cells of which at least half is land.

    >>> majority(np.array([[True, True], [False, False]]), 2)
    array([[ True]])
    """
    return np.asarray(block_mean(fine, factor) >= 0.5)


def write_mask(path: Path, mask: NDArray[np.bool_], grid: Grid, source: str, values: str) -> None:
    """As a one-bit GeoTIFF that says where it comes from and what its values mean."""
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.shape[1], height=grid.shape[0], count=1,
        dtype="uint8", nbits=1, crs=grid.crs, transform=grid.transform,
        compress="deflate", zlevel=9, tiled=True, blockxsize=512, blockysize=512,
    ) as file:  # fmt: skip
        file.write(mask.astype(np.uint8), 1)
        file.update_tags(source=source, values=values)


def main() -> None:
    """Write four masks into the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for hemisphere, coarse in HEMISPHERES.items():
        fine = derive(coarse.refine(4))
        for mask, grid in ((fine, coarse.refine(4)), (majority(fine, 4), coarse)):
            path = folder / f"land_{hemisphere}_{int(grid.cell)}m.tif"
            write_mask(path, mask, grid, SOURCE, "1 land, 0 water")


if __name__ == "__main__":
    main()

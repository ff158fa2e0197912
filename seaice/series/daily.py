"""A product's maps and provenance in, its rows of the series out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice import __version__
from seaice.grid.blocks import repeat_to_fine_grid
from seaice.grid.grid import Grid, grid_of, hemisphere_of
from seaice.grid.projection import cell_areas
from seaice.series.extent import extents
from seaice.series.record import Row
from seaice.series.seas import sea_numbers, seas
from seaice.sic.flags import Flag

__all__ = ["rows_of"]

FACTOR = 4  #: cells of a product along a 6.25 km cell, which belongs to a sea as a whole


def rows_of(maps: xr.Dataset, document: Mapping[str, Any]) -> list[Row]:
    """Extent and area in every sea that a product shows.

    Parameters
    ----------
    maps : `sic`, `sic_uncertainty`, `status_flag` of a product, (y, x)
    document : its provenance

    Returns
    -------
    list of Row
        All sea first; a named sea only where the product holds some of it.
    """
    grid = grid_of(maps)
    areas, numbers = _ground(grid)
    found = extents(
        maps["sic"].values,
        maps["sic_uncertainty"].values,
        (maps["status_flag"].values & Flag.LAND) == 0,
        areas,
        numbers,
        grid.cell,
    )
    told = document["date"], document["region"]
    networks = document.get("networks", {})
    method = "+".join(networks[stage]["name"] for stage in ("sr", "sic") if stage in networks)
    return [
        Row(
            *(told[0], told[1], sea.name, document["status"]),
            *sums,
            observed_share=sums.observed / sea.km2,
            method=method,
            version=document.get("code", {}).get("version", __version__),
        )
        for sea, sums in zip(seas(hemisphere_of(grid)), found, strict=False)
        if sums.observed + sums.missing > 0
    ]


def _ground(grid: Grid) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Areas in km2 and numbers of seas of all cells, from those of cells four times larger."""
    rows, columns = (-(-size // FACTOR) for size in grid.shape)
    coarse = replace(grid, cell=grid.cell * FACTOR, shape=(rows, columns))
    areas = (cell_areas(coarse) / (FACTOR**2 * 1e6)).astype(np.float32)
    wide = (repeat_to_fine_grid(each, FACTOR) for each in (areas, sea_numbers(coarse)))
    fine, numbers = (each[: grid.shape[0], : grid.shape[1]] for each in wide)
    return fine, numbers

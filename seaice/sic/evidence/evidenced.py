"""A method's product in, the same with what place, season and other days add to it out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.blocks import SCALE, repeat_to_fine_grid
from seaice.grid.grid import Grid, grid_of
from seaice.grid.masks import lake_mask, outside_climatology
from seaice.sic.disagreement import EDGE
from seaice.sic.evidence.between_days import between_days
from seaice.sic.evidence.pole_hole import across_the_pole
from seaice.sic.flags import Flag

__all__ = ["evidenced"]


def evidenced(
    product: xr.Dataset, maps: Mapping[date, xr.Dataset], fill: Literal["gaps", "none"]
) -> xr.Dataset:
    """Fill gaps, if wished for, and flag lakes and ice where none has been seen in its month.

    Flags change no value: a lake has none, and ice outside the climatology stays.

    Parameters
    ----------
    product : as `seaice.sic.concentrate.product`
    maps : daily maps by date, of the days around
    fill : "gaps" for `between_days` and `across_the_pole`
    """
    if fill == "gaps":
        product = between_days(product, maps)  # a step a line: none is held longer than needed
        product = across_the_pole(product)
    grid = grid_of(product)
    outside = repeat_to_fine_grid(
        outside_climatology(_coarse(grid), int(product.attrs["date"][5:7]))
    )
    flagged = _flagged(product, lake_mask(grid), Flag.LAKE)
    return _flagged(flagged, outside & (product["sic"].values > EDGE), Flag.OUTSIDE_CLIMATOLOGY)


def _flagged(product: xr.Dataset, where: NDArray[np.bool_], why: Flag) -> xr.Dataset:
    flags = product["status_flag"]
    return product.assign(status_flag=flags.copy(data=flags.values | where * np.uint16(why)))


def _coarse(grid: Grid) -> Grid:
    """The 6.25 km grid that was refined."""
    rows, columns = (size // SCALE for size in grid.shape)
    return replace(grid, cell=grid.cell * SCALE, shape=(rows, columns))

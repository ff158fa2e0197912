"""A grid as coordinates of a dataset, and back again."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from seaice.errors import SettingsError
from seaice.grid.definition import HEMISPHERES, Grid

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Hemisphere", "coordinates", "grid_of", "hemisphere_of", "lattice"]

Hemisphere = Literal["north", "south"]


def coordinates(grid: Grid) -> dict[str, "xr.Variable"]:
    """Coordinates x and y of a map on this grid: cell centres, m, with CF attributes."""
    import xarray as xr  # here: a cell of a store is read without it

    return {
        axis: xr.Variable(
            axis,
            centres,
            {
                "standard_name": f"projection_{axis}_coordinate",
                "long_name": f"{axis} of the cell centre",
                "units": "m",
                "axis": axis.upper(),
            },
        )
        for axis, centres in (("y", grid.y), ("x", grid.x))
    }


def grid_of(dataset: "xr.Dataset") -> Grid:
    """The grid a map lies on, from its `crs` attribute and its x and y.

    Raises
    ------
    SettingsError
        If it has no CRS, one cell only, or cells that are not square and evenly spaced from
        the top down.
    """
    return lattice(dataset.attrs.get("crs"), dataset["x"].values, dataset["y"].values)


def lattice(crs: str | None, x: NDArray[np.number], y: NDArray[np.number]) -> Grid:
    """The grid of these cell centres, m.

    Raises
    ------
    SettingsError
        As `grid_of`.
    """
    x, y = x.astype(float), y.astype(float)
    steps = np.concatenate([np.diff(x), -np.diff(y)])
    if crs is None or not steps.size or not (steps == steps[0]).all():
        raise SettingsError(
            f"a map of {y.size} x {x.size} cells without a CRS or an even, north-up lattice",
            "attrs['crs'], x ascending and y descending in equal steps",
            "select cells with slices of step 1, and keep the attributes",
        )
    cell = float(steps[0])
    return Grid(
        crs=crs,
        left=float(x[0]) - cell / 2,
        top=float(y[0]) + cell / 2,
        cell=cell,
        shape=(y.size, x.size),
    )


def hemisphere_of(grid: Grid) -> Hemisphere:
    """Which hemisphere's plane the grid lies on.

    >>> hemisphere_of(HEMISPHERES["south"])
    'south'
    """
    return "north" if grid.crs == HEMISPHERES["north"].crs else "south"

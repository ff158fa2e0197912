"""Grids of square cells on a map projection, and grids as coordinates of a dataset."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.errors import SettingsError

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "HEMISPHERES",
    "NORTH",
    "SOUTH",
    "Grid",
    "Hemisphere",
    "coordinates",
    "grid_of",
    "hemisphere_of",
    "lattice",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A north-up lattice of square cells on a projected plane, (y, x) like the arrays it describes.

    >>> NORTH.bounds
    (-3850000.0, -5350000.0, 3750000.0, 5850000.0)
    >>> NORTH.refine(2).refine(2) == NORTH.refine(4)
    True
    """

    crs: str
    left: float  #: m, outer edge
    top: float  #: m, outer edge
    cell: float  #: m
    shape: tuple[int, int]  #: (y, x)

    def __post_init__(self) -> None:
        if self.cell <= 0 or min(self.shape) < 1:
            raise ValueError(
                f"cell={self.cell} m and shape={self.shape} describe no area; "
                "a grid needs a positive cell size and at least one row and one column."
            )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outer edges, m."""
        rows, columns = self.shape
        return self.left, self.top - rows * self.cell, self.left + columns * self.cell, self.top

    @property
    def x(self) -> NDArray[np.float64]:
        """Cell-centre x, (x,) m, ascending."""
        return self.left + (np.arange(self.shape[1], dtype=np.float64) + 0.5) * self.cell

    @property
    def y(self) -> NDArray[np.float64]:
        """Cell-centre y, (y,) m, descending: row 0 is the top."""
        return self.top - (np.arange(self.shape[0], dtype=np.float64) + 0.5) * self.cell

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Affine coefficients a, b, c, d, e, f as rasterio orders them."""
        return self.cell, 0.0, self.left, 0.0, -self.cell, self.top

    def refine(self, factor: int) -> "Grid":
        """The same ground with cells `factor` times smaller: where a super-resolved map lives."""
        rows, columns = self.shape
        return replace(self, cell=self.cell / factor, shape=(rows * factor, columns * factor))

    def crop(self, rows: slice, columns: slice) -> "Grid":
        """The part of this grid with these rows and columns, cells unchanged.

        >>> NORTH.crop(slice(10, 20), slice(0, 5)).shape
        (10, 5)
        """
        row0, row1, _ = rows.indices(self.shape[0])
        column0, column1, _ = columns.indices(self.shape[1])
        return replace(
            self,
            left=self.left + column0 * self.cell,
            top=self.top - row0 * self.cell,
            shape=(row1 - row0, column1 - column0),
        )

    def within(self, outer: "Grid") -> tuple[slice, slice]:
        """(rows, columns) of `outer` that this grid covers; both share cell size and lattice.

        Raises
        ------
        ValueError
            If the grids have another CRS or cell size, or this one sticks out of `outer`.

        >>> NORTH.crop(slice(10, 20), slice(0, 5)).within(NORTH)
        (slice(10, 20, None), slice(0, 5, None))
        """
        row = (outer.top - self.top) / outer.cell
        column = (self.left - outer.left) / outer.cell
        fits = (
            self.crs == outer.crs
            and self.cell == outer.cell
            and row == int(row) >= 0
            and column == int(column) >= 0
            and row + self.shape[0] <= outer.shape[0]
            and column + self.shape[1] <= outer.shape[1]
        )
        if not fits:
            raise ValueError(f"{self} is no part of {outer}.")
        return (
            slice(int(row), int(row) + self.shape[0]),
            slice(int(column), int(column) + self.shape[1]),
        )

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """(x, y) of a cell centre, m."""
        return self.left + (column + 0.5) * self.cell, self.top - (row + 0.5) * self.cell

    def locate(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the cell that holds a point; may lie outside `shape`."""
        return int((self.top - y) // self.cell), int((x - self.left) // self.cell)

    def lonlat(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of every cell centre, two (y, x) arrays, degrees."""
        x, y = np.meshgrid(self.x, self.y)
        longitude, latitude = _to_geographic(self.crs).transform(x, y)
        return longitude, latitude


@lru_cache(maxsize=8)
def _to_geographic(crs: str) -> Transformer:
    """Setting one up takes 20 ms, as long as projecting 100 000 positions."""
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


#: NSIDC polar stereographic north, 6.25 km.
NORTH = Grid(crs="EPSG:3411", left=-3_850_000.0, top=5_850_000.0, cell=6250.0, shape=(1792, 1216))
#: NSIDC polar stereographic south, 6.25 km.
SOUTH = Grid(crs="EPSG:3412", left=-3_950_000.0, top=4_350_000.0, cell=6250.0, shape=(1328, 1264))
HEMISPHERES = {"north": NORTH, "south": SOUTH}


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

"""Grids of square cells on a map projection, and grids as coordinates of a dataset."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import nan
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

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
    "grid_from_centres",
    "grid_of",
    "hemisphere_of",
]


Hemisphere = Literal["north", "south"]
Places = NDArray[np.floating] | np.floating
DEGREE = 111_200.0  #: m, of latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells of one size on a map projection; (y, x) like the arrays it describes.

    Usually cells are north-up squares, given by `left`, `top` and `cell`. Grids of other producers
    may be rotated, have their rows from south to north, or be in degrees: `Grid.from_affine`.

    >>> NORTH.bounds
    (-3850000.0, -5350000.0, 3750000.0, 5850000.0)
    >>> NORTH.refine(2).refine(2) == NORTH.refine(4)
    True
    """

    crs: str  #: whatever pyproj understands
    left: float  #: m, x of the outer corner of the first cell
    top: float  #: m, y of the outer corner of the first cell
    cell: float = nan  #: m, side; with `axes`, the root of the area, computed
    shape: tuple[int, int]  #: (y, x)
    #: (a, b, d, e) of the affine transform from (column, row) to (x, y), in units of the CRS;
    #: None for north-up squares: (cell, 0, 0, -cell)
    axes: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.axes is not None:
            if not np.isfinite(self.transform[:6]).all() or self.transform.determinant == 0:
                raise ValueError(
                    f"the affine transform {tuple(self.transform[:6])} describes no area; "
                    "a grid needs six finite numbers whose determinant is not 0."
                )
            object.__setattr__(self, "cell", self._nominal_cell())
        elif not self.cell > 0 or min(self.shape) < 1:
            raise ValueError(
                f"cell={self.cell} m and shape={self.shape} describe no area; "
                "a grid needs a positive cell size and at least one row and one column."
            )

    @classmethod
    def from_affine(cls, crs: str, transform: Affine, shape: tuple[int, int]) -> Self:
        """The grid of an affine transform as rasterio has it.

        Parameters
        ----------
        crs : whatever pyproj understands
        transform : from (column, row) of a cell's corner to (x, y)
        shape : (y, x)

        Raises
        ------
        ValueError
            If the transform has no area.

        >>> Grid.from_affine(NORTH.crs, NORTH.transform, NORTH.shape) == NORTH
        True
        """
        a, b, left, d, e, top = transform[:6]
        square = b == d == 0 and a == -e > 0 and np.isfinite(transform[:6]).all()
        if square and min(shape) > 0 and not _is_geographic(crs):
            return cls(crs=crs, left=left, top=top, cell=a, shape=shape)
        return cls(crs=crs, left=left, top=top, shape=shape, axes=(a, b, d, e))

    @property
    def is_geographic(self) -> bool:
        """Whether its axes are degrees, so that its cells differ in size."""
        return _is_geographic(self.crs)

    def _nominal_cell(self) -> float:
        """Side of a cell, m: the root of its area; in the middle, if the axes are degrees."""
        side = float(np.sqrt(abs(self.transform.determinant)))
        if not self.is_geographic:
            return side
        _, latitude = self.transform @ (self.shape[1] / 2, self.shape[0] / 2)
        return side * DEGREE * float(np.sqrt(np.cos(np.radians(latitude))))

    def to_dict(self) -> dict[str, object]:
        """CRS, corner, cell size and shape, and the axes of a grid that is not north-up."""
        north_up = {"crs": self.crs, "left": self.left, "top": self.top, "cell": self.cell}
        extra = {} if self.axes is None else {"axes": self.axes}
        return north_up | {"shape": self.shape} | extra

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) of the outer edges, m."""
        rows, columns = self.shape
        x, y = self.plane_coordinates(
            np.array([0.0, columns, 0.0, columns]), np.array([0.0, 0.0, rows, rows])
        )
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    @property
    def x(self) -> NDArray[np.float64]:
        """Cell-centre x, (x,) m, of a grid that is not rotated."""
        return self.left + (np.arange(self.shape[1], dtype=np.float64) + 0.5) * self._upright()[0]

    @property
    def y(self) -> NDArray[np.float64]:
        """Cell-centre y, (y,) m, of a grid that is not rotated; north-up: row 0 is the top."""
        return self.top + (np.arange(self.shape[0], dtype=np.float64) + 0.5) * self._upright()[1]

    def _upright(self) -> tuple[float, float]:
        """Steps of x by column and of y by row."""
        a, b, d, e = self.axes or (self.cell, 0.0, 0.0, -self.cell)
        if b or d:
            raise ValueError(f"{self} is rotated: x and y depend on rows and columns.")
        return a, e

    @property
    def transform(self) -> Affine:
        """From (column, row) of a cell's corner to (x, y), as rasterio has it."""
        a, b, d, e = self.axes or (self.cell, 0.0, 0.0, -self.cell)
        return Affine(a, b, self.left, d, e, self.top)

    def refine(self, factor: int) -> Self:
        """The same area with cells `factor` times smaller: the grid of a super-resolved map."""
        rows, columns = self.shape
        axes = None if self.axes is None else _scaled(self.axes, 1 / factor)
        shape = (rows * factor, columns * factor)
        return replace(self, cell=self.cell / factor, shape=shape, axes=axes)

    def coarsen(self, factor: float) -> Self:
        """Cells `factor` times larger from the same corner on, over at least the same area."""
        rows, columns = (int(np.ceil(n / factor - 1e-9)) for n in self.shape)
        axes = None if self.axes is None else _scaled(self.axes, factor)
        return replace(self, cell=self.cell * factor, shape=(rows, columns), axes=axes)

    def crop(self, rows: slice, columns: slice) -> Self:
        """The part of this grid with these rows and columns, cells unchanged.

        >>> NORTH.crop(slice(10, 20), slice(0, 5)).shape
        (10, 5)
        """
        row0, row1, _ = rows.indices(self.shape[0])
        column0, column1, _ = columns.indices(self.shape[1])
        x, y = self.plane_coordinates(np.float64(column0), np.float64(row0))
        return replace(self, left=float(x), top=float(y), shape=(row1 - row0, column1 - column0))

    def plane_coordinates(self, column: Places, row: Places) -> tuple[Places, Places]:
        """(x, y) of positions counted in cells: (0, 0) is the outer corner of the first cell."""
        a, b, d, e = self.axes or (self.cell, 0.0, 0.0, -self.cell)
        if not (b or d):
            return self.left + a * column, self.top + e * row
        return a * column + b * row + self.left, d * column + e * row + self.top

    def cell_area(self, row: Places, column: Places) -> NDArray[np.float64]:
        """Area on the ground of cells at these positions, km2; the projection distorts it.

        Parameters
        ----------
        row, column : same shape, counted in cells from the outer corner of the first cell

        See Also
        --------
        seaice.grid.projection.cell_areas : all cells of a grid of this package, faster
        """
        x, y = self.plane_coordinates(column, row)
        longitude, latitude = _to_geographic(self.crs).transform(x, y)
        known = np.isfinite(longitude) & np.isfinite(latitude)
        stretch = np.full(np.shape(x), np.nan)
        factors = Proj(self.crs).get_factors(longitude[known], latitude[known])
        stretch[known] = factors.areal_scale
        return np.asarray(abs(self.transform.determinant) / stretch / 1e6)

    def within(self, outer: "Grid") -> tuple[slice, slice]:
        """(rows, columns) of `outer` that this grid covers; both north-up, of one cell size.

        Raises
        ------
        ValueError
            If the grids have another CRS or cell size, or this one is not inside `outer`.

        >>> NORTH.crop(slice(10, 20), slice(0, 5)).within(NORTH)
        (slice(10, 20, None), slice(0, 5, None))
        """
        row = (outer.top - self.top) / outer.cell
        column = (self.left - outer.left) / outer.cell
        fits = (
            self.axes is None
            and outer.axes is None
            and self.crs == outer.crs
            and self.cell == outer.cell
            and row == int(row) >= 0
            and column == int(column) >= 0
            and row + self.shape[0] <= outer.shape[0]
            and column + self.shape[1] <= outer.shape[1]
        )
        if not fits:
            raise ValueError(f"{self} is not a part of {outer}.")
        return (
            slice(int(row), int(row) + self.shape[0]),
            slice(int(column), int(column) + self.shape[1]),
        )

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """(x, y) of a cell centre, m."""
        x, y = self.plane_coordinates(np.float64(column + 0.5), np.float64(row + 0.5))
        return float(x), float(y)

    def locate(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the cell that contains a point; may lie outside `shape`."""
        if self.axes is None:
            return int((self.top - y) // self.cell), int((x - self.left) // self.cell)
        column, row = ~self.transform @ (x, y)
        return int(row // 1), int(column // 1)

    def lonlat(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of every cell centre, two (y, x) arrays, degrees."""
        columns, rows = np.meshgrid(*(np.arange(size) + 0.5 for size in self.shape[::-1]))
        x, y = self.plane_coordinates(columns, rows)
        longitude, latitude = _to_geographic(self.crs).transform(x, y)
        return longitude, latitude


def _scaled(
    axes: tuple[float, float, float, float], factor: float
) -> tuple[float, float, float, float]:
    a, b, d, e = axes
    return a * factor, b * factor, d * factor, e * factor


@cache
def _is_geographic(crs: str) -> bool:
    return bool(CRS(crs).is_geographic)


@lru_cache(maxsize=8)
def _to_geographic(crs: str) -> Transformer:
    """Cached: creating a transformer takes 20 ms, as long as projecting 100 000 positions."""
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


#: NSIDC polar stereographic north, 6.25 km.
NORTH = Grid(crs="EPSG:3411", left=-3_850_000.0, top=5_850_000.0, cell=6250.0, shape=(1792, 1216))
#: NSIDC polar stereographic south, 6.25 km.
SOUTH = Grid(crs="EPSG:3412", left=-3_950_000.0, top=4_350_000.0, cell=6250.0, shape=(1328, 1264))
HEMISPHERES = {"north": NORTH, "south": SOUTH}


def coordinates(grid: Grid) -> dict[str, "xr.Variable"]:
    """Coordinates x and y of a map on this grid: cell centres, m, with CF attributes."""
    import xarray as xr  # imported here: reading one cell of a store does not need it

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
    """The grid of a map, from its `crs` attribute and its x and y.

    Raises
    ------
    SettingsError
        If it has no CRS, one cell only, or cells that are not square and evenly spaced from
        the top down.
    """
    return grid_from_centres(dataset.attrs.get("crs"), dataset["x"].values, dataset["y"].values)


def grid_from_centres(crs: str | None, x: NDArray[np.number], y: NDArray[np.number]) -> Grid:
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
            f"a map of {y.size} x {x.size} cells without a CRS or evenly spaced, north-up cells",
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
    """The hemisphere of the grid's projection.

    >>> hemisphere_of(HEMISPHERES["south"])
    'south'
    """
    return "north" if grid.crs == HEMISPHERES["north"].crs else "south"

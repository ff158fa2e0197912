"""A map of concentration on whatever lattice its maker chose."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

__all__ = ["Field", "Lattice", "block_means"]

Map = NDArray[np.float32]
Array = NDArray[np.float64]
Places = NDArray[np.floating]
DEGREE = 111_200.0  #: m, of latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Cells of one size on a plane, in any direction; (y, x) like the arrays it describes."""

    crs: str  #: whatever pyproj understands
    transform: Affine  #: (column, row) of a cell's corner to (x, y)
    shape: tuple[int, int]  #: (y, x)

    def __post_init__(self) -> None:
        if not np.isfinite(self.transform[:6]).all() or self.transform.determinant == 0:
            raise ValueError(f"cells that lie nowhere: {tuple(self.transform[:6])}")

    @property
    def geographic(self) -> bool:
        """Whether its axes are degrees, so that its cells have no one size."""
        return _geographic(self.crs)

    @property
    def cell(self) -> float:
        """Side of a cell, m: the root of its area; in the middle, if the axes are degrees."""
        side = float(np.sqrt(abs(self.transform.determinant)))
        if not self.geographic:
            return side
        _, latitude = self.transform @ (self.shape[1] / 2, self.shape[0] / 2)
        return side * DEGREE * float(np.sqrt(np.cos(np.radians(latitude))))

    def crop(self, rows: slice, columns: slice) -> "Lattice":
        """The part of it with these rows and columns."""
        return replace(
            self,
            transform=self.transform @ Affine.translation(columns.start, rows.start),
            shape=(rows.stop - rows.start, columns.stop - columns.start),
        )

    def coarsened(self, factor: float) -> "Lattice":
        """Cells `factor` times larger from the same corner on, over at least the same ground."""
        rows, columns = (int(np.ceil(n / factor - 1e-9)) for n in self.shape)
        scaled = self.transform @ Affine.scale(factor)
        return replace(self, transform=scaled, shape=(rows, columns))

    def on_plane(self, column: Places, row: Places) -> tuple[Places, Places]:
        """(x, y) of places between cells: (0, 0) is the corner of the first."""
        a, b, c, d, e, f = self.transform[:6]
        return a * column + b * row + c, d * column + e * row + f

    def cell_area(self, row: Array, column: Array) -> Array:
        """km2 on the ground of a cell here: a map's plane is stretched, the earth is not."""
        x, y = self.on_plane(column, row)
        to_degrees = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform(x, y)
        known = np.isfinite(longitude) & np.isfinite(latitude)
        stretch = np.full(x.shape, np.nan)
        factors = Proj(self.crs).get_factors(longitude[known], latitude[known])
        stretch[known] = factors.areal_scale
        return np.asarray(abs(self.transform.determinant) / stretch / 1e6)


@cache
def _geographic(crs: str) -> bool:
    return bool(CRS(crs).is_geographic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Concentration of one time, with what else its maker told."""

    name: str  #: what a report calls it
    lattice: Lattice
    sic: Map  #: (y, x), 0-1, NaN on land and where nothing is known
    time: np.datetime64 | None  #: UTC, middle of what it shows
    doubt: Map | None = None  #: (2, y, x), half-widths that hold 68 and 95 % of errors
    tb: Map | None = None  #: (2, y, x) K, H and V at 89 GHz

    def moved(self, lattice: Lattice, move: Callable[[Map], Map]) -> "Field":
        """The same on another lattice: all its layers (layer, y, x), concentration first, moved."""
        doubt = [] if self.doubt is None else [self.doubt]
        tb = [] if self.tb is None else [self.tb]
        layers = move(np.concatenate([self.sic[None], *doubt, *tb]))
        return replace(
            self,
            lattice=replace(lattice, shape=layers.shape[1:]),
            sic=layers[0],
            doubt=layers[1:3] if doubt else None,
            tb=layers[-2:] if tb else None,
        )

    def crop(self, rows: slice, columns: slice) -> "Field":
        """The part of it with these rows and columns."""
        part = self.lattice.crop(rows, columns)
        return self.moved(part, lambda layers: layers[:, rows, columns])


def block_means(values: NDArray[np.floating], factor: int) -> Map:
    """(..., y, x) -> (..., y / factor, x / factor): means of what is known; rests are cut off.

    Blocks of which less than half is known are NaN.

    >>> block_means(np.array([[1, 3.0], [np.nan, 2]]), 2).tolist()
    [[2.0]]
    """
    if factor == 1:
        return np.asarray(values, np.float32)
    *rest, rows, columns = values.shape
    rows, columns = rows // factor, columns // factor
    cut = values[..., : rows * factor, : columns * factor]
    blocks = cut.reshape(*rest, rows, factor, columns, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(-3, -1))
    total = np.where(known, blocks, 0).sum(axis=(-3, -1), dtype=np.float64)
    mean = total / np.maximum(count, 1)
    return np.where(2 * count >= factor**2, mean, np.nan).astype(np.float32)

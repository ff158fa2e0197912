"""Maps of concentration on any grid, and two of them on common cells.

Fields are resampled by area-weighted means, never by interpolation.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from seaice.errors import NoInputError, SettingsError
from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid

__all__ = ["Field", "align_fields", "regrid"]

Map = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Concentration at one time, with uncertainty and brightness temperature if available."""

    name: str  #: for reports
    grid: Grid
    sic: Map  #: (y, x), 0-1, NaN on land and where unknown
    time: np.datetime64 | None  #: UTC, centre of the period
    half_widths: Map | None = None  #: (2, y, x), half-widths of the 68 and 95 % intervals
    tb: Map | None = None  #: (2, y, x) K, H and V at 89 GHz

    def moved(self, grid: Grid, move: Callable[[Map], Map]) -> "Field":
        """The field on another grid; `move` maps layers (layer, y, x), concentration first."""
        half_widths = [] if self.half_widths is None else [self.half_widths]
        tb = [] if self.tb is None else [self.tb]
        layers = move(np.concatenate([self.sic[None], *half_widths, *tb]))
        return replace(
            self,
            grid=replace(grid, shape=layers.shape[1:]),
            sic=layers[0],
            half_widths=layers[1:3] if half_widths else None,
            tb=layers[-2:] if tb else None,
        )

    def crop(self, rows: slice, columns: slice) -> "Field":
        """The part with these rows and columns."""
        part = self.grid.crop(rows, columns)
        return self.moved(part, lambda layers: layers[:, rows, columns])


MIN_POINTS = 16  #: least number of points along a target cell's side that represent the source area
STRIP_ROWS = 256  #: source rows at a time
OUTLINE_POINTS = 64  #: positions along each side of a source that locate it


def align_fields(
    product: Field, reference: Field, cell: float | None = None
) -> tuple[Field, Field]:
    """Both fields on the cells of the coarser one, cropped to where both have values.

    Parameters
    ----------
    cell : m, side of the common cells, from the corner of the coarser field; None: its cells

    Raises
    ------
    SettingsError
        If `cell` is finer than the coarser field.
    NoInputError
        If no cell has values of both.
    """
    coarser = max((product, reference), key=lambda field: field.grid.cell).grid
    if coarser.is_geographic:  # cells of different sizes: use the product's plane
        plane = product.grid
        coarser = plane.coarsen(max(1, np.ceil(coarser.cell / plane.cell)))
    if cell is not None:
        if cell < coarser.cell * 0.999:
            raise SettingsError(
                f"cells of {cell / 1e3:g} km",
                f"at least the {coarser.cell / 1e3:g} km of the coarser of the two maps",
                "leave --cell out, or give a larger one",
            )
        coarser = coarser.coarsen(cell / coarser.cell)
    for field in (product, reference):
        coarser = _covered_part(field.grid, coarser)
    ours, theirs = regrid(product, coarser), regrid(reference, coarser)
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    if not both.any():
        raise NoInputError(
            f"no cell with values of both {product.name} and {reference.name}",
            "two maps of the same sea",
            "choose a reference that covers the product's region",
        )
    spans = [np.flatnonzero(both.any(axis)) for axis in (1, 0)]
    rows, columns = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return ours.crop(rows, columns), theirs.crop(rows, columns)


def regrid(field: Field, grid: Grid) -> Field:
    """Area-weighted means of a field on other cells; NaN where less than half is covered.

    Every source cell is represented by a square of points, each of which belongs to the target cell
    that contains it: sums are conserved for any rotation, and land cells contribute nothing.
    `rasterio.warp` with `Resampling.average` uses the upright bounding box of a rotated cell, which
    blurs.

    Uncertainty is averaged like other layers: exact for errors that are fully correlated within a
    target cell, else an upper bound.
    """
    if _is_same(field.grid, grid):
        return replace(field, grid=grid)
    ratio = grid.cell / field.grid.cell
    if ratio >= 2 * MIN_POINTS:  # more points are not needed
        factor = int(ratio // MIN_POINTS)
        thinned = field.moved(
            field.grid.coarsen(factor),
            lambda layers: block_mean(layers, factor, min_valid=0.5, dtype=np.float64),
        )
        return regrid(thinned, grid)
    points = max(1, int(np.ceil(MIN_POINTS / ratio)))

    def means(layers: NDArray[np.float32]) -> NDArray[np.float32]:
        sums, count = _sum_points(layers, field.grid, grid, points)
        enough = count >= 0.5 * (ratio * points) ** 2
        return np.where(enough, sums / np.maximum(count, 1), np.nan).astype(np.float32)

    return field.moved(grid, means)


def _covered_part(source: Grid, target: Grid) -> Grid:
    """The part of the target that the source covers, with a margin."""
    rows, columns = (np.linspace(0, n, OUTLINE_POINTS) for n in source.shape)
    x, y = source.plane_coordinates(*np.meshgrid(columns, rows))
    plane = Transformer.from_crs(source.crs, target.crs, always_xy=True).transform(x, y)
    spans = []
    for place, size in zip(reversed(~target.transform @ plane), target.shape, strict=True):
        known = place[np.isfinite(place)]
        room = 2 + np.ptp(known) / OUTLINE_POINTS if known.size else 0
        low, high = (known.min() - room, known.max() + room) if known.size else (0, size)
        start = int(np.clip(low, 0, size - 1))
        spans.append(slice(start, int(np.clip(np.ceil(high), start + 1, size))))
    return target.crop(*spans)


def _is_same(one: Grid, other: Grid) -> bool:
    """Whether two lattices are one, whatever the spelling of its CRS."""
    alike = one.shape == other.shape and one.transform.almost_equals(other.transform, 1e-6)
    return bool(alike and (one.crs == other.crs or CRS(one.crs) == CRS(other.crs)))


def _sum_points(
    layers: NDArray[np.float32], source: Grid, target: Grid, points: int
) -> tuple[Array, Array]:
    """Sums of the layers (layer, y, x) over the points in each target cell, and their number.

    Only points where the first layer is finite count.
    """
    size = target.shape[0] * target.shape[1]
    sums, count = np.zeros((len(layers), size)), np.zeros(size)
    for start in range(0, source.shape[0], STRIP_ROWS):
        rows, columns = np.nonzero(np.isfinite(layers[0, start : start + STRIP_ROWS]))
        values = layers[:, start + rows, columns]
        for row, column in _point_cells(start + rows, columns, source, target, points):
            inside = (row >= 0) & (row < target.shape[0]) & (column >= 0)
            inside &= column < target.shape[1]
            index = (row[inside] * target.shape[1] + column[inside]).astype(np.int64)
            count += np.bincount(index, minlength=size)
            for total, layer in zip(sums, values[:, inside], strict=True):
                total += np.bincount(index, layer, size)
    return sums.reshape(-1, *target.shape), count.reshape(target.shape)


def _point_cells(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    source: Grid,
    target: Grid,
    points: int,
) -> Iterator[tuple[Array, Array]]:
    """(row, column) in the target, for one point of all source cells after the other.

    Within a source cell the transformation between planes is linearized, with an error of a few
    metres.
    """
    change = Transformer.from_crs(source.crs, target.crs, always_xy=True)
    to_cells = ~target.transform

    def cell_of(down: float, right: float) -> Array:
        plane = source.plane_coordinates(columns + right, rows + down)
        return np.stack(to_cells @ change.transform(*plane))

    corner = cell_of(0, 0)
    along, below = cell_of(0, 1) - corner, cell_of(1, 0) - corner
    steps = (np.arange(points) + 0.5) / points
    for down in steps:
        for right in steps:
            column, row = np.floor(corner + right * along + down * below)
            yield row, column

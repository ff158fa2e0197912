"""Maps of concentration on any grid, and two of them on common cells.

Fields are resampled by area-weighted means, never by interpolation.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer

from seaice.errors import NoInputError, SettingsError

__all__ = ["Field", "GeoBox", "align_fields", "block_means", "regrid"]

Map = NDArray[np.float32]
Array = NDArray[np.float64]
Positions = NDArray[np.floating]
DEGREE = 111_200.0  #: m, of latitude


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoBox:
    """Cells of equal size on a plane, with any orientation; shape (y, x) like its arrays."""

    crs: str  #: any string that pyproj accepts
    transform: Affine  #: (column, row) of a cell's corner to (x, y)
    shape: tuple[int, int]  #: (y, x)

    def __post_init__(self) -> None:
        if not np.isfinite(self.transform[:6]).all() or self.transform.determinant == 0:
            raise ValueError(f"an invalid affine transform: {tuple(self.transform[:6])}")

    @property
    def geographic(self) -> bool:
        """Whether the axes are degrees, so that cells differ in size."""
        return _geographic(self.crs)

    @property
    def cell(self) -> float:
        """Side of a cell, m: the square root of its area; at the centre if the axes are degrees."""
        side = float(np.sqrt(abs(self.transform.determinant)))
        if not self.geographic:
            return side
        _, latitude = self.transform @ (self.shape[1] / 2, self.shape[0] / 2)
        return side * DEGREE * float(np.sqrt(np.cos(np.radians(latitude))))

    def crop(self, rows: slice, columns: slice) -> "GeoBox":
        """The part with these rows and columns."""
        return replace(
            self,
            transform=self.transform @ Affine.translation(columns.start, rows.start),
            shape=(rows.stop - rows.start, columns.stop - columns.start),
        )

    def coarsened(self, factor: float) -> "GeoBox":
        """Cells `factor` times larger from the same corner, covering at least the same area."""
        rows, columns = (int(np.ceil(n / factor - 1e-9)) for n in self.shape)
        scaled = self.transform @ Affine.scale(factor)
        return replace(self, transform=scaled, shape=(rows, columns))

    def on_plane(self, column: Positions, row: Positions) -> tuple[Positions, Positions]:
        """(x, y) of fractional positions; (0, 0) is the corner of the first cell."""
        a, b, c, d, e, f = self.transform[:6]
        return a * column + b * row + c, d * column + e * row + f

    def cell_area(self, row: Array, column: Array) -> Array:
        """Area of a cell on the ground, km2, corrected for the areal scale of the projection."""
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
    """Concentration at one time, with uncertainty and brightness temperature if available."""

    name: str  #: for reports
    geobox: GeoBox
    sic: Map  #: (y, x), 0-1, NaN on land and where unknown
    time: np.datetime64 | None  #: UTC, centre of the period
    half_widths: Map | None = None  #: (2, y, x), half-widths of the 68 and 95 % intervals
    tb: Map | None = None  #: (2, y, x) K, H and V at 89 GHz

    def moved(self, geobox: GeoBox, move: Callable[[Map], Map]) -> "Field":
        """The field on another geobox; `move` maps layers (layer, y, x), concentration first."""
        half_widths = [] if self.half_widths is None else [self.half_widths]
        tb = [] if self.tb is None else [self.tb]
        layers = move(np.concatenate([self.sic[None], *half_widths, *tb]))
        return replace(
            self,
            geobox=replace(geobox, shape=layers.shape[1:]),
            sic=layers[0],
            half_widths=layers[1:3] if half_widths else None,
            tb=layers[-2:] if tb else None,
        )

    def crop(self, rows: slice, columns: slice) -> "Field":
        """The part with these rows and columns."""
        part = self.geobox.crop(rows, columns)
        return self.moved(part, lambda layers: layers[:, rows, columns])


def block_means(values: NDArray[np.floating], factor: int) -> Map:
    """(..., y, x) -> (..., y / factor, x / factor): means of the finite values of each block.

    Blocks with less than half finite values are NaN; incomplete blocks are cut off.

    >>> block_means(np.array([[1, 3.0], [np.nan, 2]]), 2).tolist()
    [[2.0]]
    """
    if factor == 1:
        return np.asarray(values, np.float32)
    *rest, rows, columns = values.shape
    rows, columns = rows // factor, columns // factor
    complete = values[..., : rows * factor, : columns * factor]
    blocks = complete.reshape(*rest, rows, factor, columns, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(-3, -1))
    total = np.where(known, blocks, 0).sum(axis=(-3, -1), dtype=np.float64)
    mean = total / np.maximum(count, 1)
    return np.where(2 * count >= factor**2, mean, np.nan).astype(np.float32)


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
    coarser = max((product, reference), key=lambda field: field.geobox.cell).geobox
    if coarser.geographic:  # cells of different sizes: use the product's plane
        plane = product.geobox
        coarser = plane.coarsened(max(1, np.ceil(coarser.cell / plane.cell)))
    if cell is not None:
        if cell < coarser.cell * 0.999:
            raise SettingsError(
                f"cells of {cell / 1e3:g} km",
                f"at least the {coarser.cell / 1e3:g} km of the coarser of the two maps",
                "leave --cell out, or give a larger one",
            )
        coarser = coarser.coarsened(cell / coarser.cell)
    for field in (product, reference):
        coarser = _covered_part(field.geobox, coarser)
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


def regrid(field: Field, geobox: GeoBox) -> Field:
    """Area-weighted means of a field on other cells; NaN where less than half is covered.

    Every source cell is represented by a square of points, each of which belongs to the target cell
    that contains it: sums are conserved for any rotation, and land cells contribute nothing.
    `rasterio.warp` with `Resampling.average` uses the upright bounding box of a rotated cell, which
    blurs.

    Uncertainty is averaged like other layers: exact for errors that are fully correlated within a
    target cell, else an upper bound.
    """
    if _is_same(field.geobox, geobox):
        return replace(field, geobox=geobox)
    ratio = geobox.cell / field.geobox.cell
    if ratio >= 2 * MIN_POINTS:  # more points are not needed
        factor = int(ratio // MIN_POINTS)
        thinned = field.moved(
            field.geobox.coarsened(factor), lambda layers: block_means(layers, factor)
        )
        return regrid(thinned, geobox)
    points = max(1, int(np.ceil(MIN_POINTS / ratio)))

    def means(layers: NDArray[np.float32]) -> NDArray[np.float32]:
        sums, count = _sum_points(layers, field.geobox, geobox, points)
        enough = count >= 0.5 * (ratio * points) ** 2
        return np.where(enough, sums / np.maximum(count, 1), np.nan).astype(np.float32)

    return field.moved(geobox, means)


def _covered_part(source: GeoBox, target: GeoBox) -> GeoBox:
    """The part of the target that the source covers, with a margin."""
    rows, columns = (np.linspace(0, n, OUTLINE_POINTS) for n in source.shape)
    x, y = source.on_plane(*np.meshgrid(columns, rows))
    plane = Transformer.from_crs(source.crs, target.crs, always_xy=True).transform(x, y)
    spans = []
    for place, size in zip(reversed(~target.transform @ plane), target.shape, strict=True):
        known = place[np.isfinite(place)]
        room = 2 + np.ptp(known) / OUTLINE_POINTS if known.size else 0
        low, high = (known.min() - room, known.max() + room) if known.size else (0, size)
        start = int(np.clip(low, 0, size - 1))
        spans.append(slice(start, int(np.clip(np.ceil(high), start + 1, size))))
    return target.crop(*spans)


def _is_same(one: GeoBox, other: GeoBox) -> bool:
    """Whether two lattices are one, whatever the spelling of its CRS."""
    alike = one.shape == other.shape and one.transform.almost_equals(other.transform, 1e-6)
    return bool(alike and (one.crs == other.crs or CRS(one.crs) == CRS(other.crs)))


def _sum_points(
    layers: NDArray[np.float32], source: GeoBox, target: GeoBox, points: int
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
    source: GeoBox,
    target: GeoBox,
    points: int,
) -> Iterator[tuple[Array, Array]]:
    """(row, column) in the target, for one point of all source cells after the other.

    Within a source cell the transformation between planes is linearized, with an error of a few
    metres.
    """
    change = Transformer.from_crs(source.crs, target.crs, always_xy=True)
    to_cells = ~target.transform

    def cell_of(down: float, right: float) -> Array:
        plane = source.on_plane(columns + right, rows + down)
        return np.stack(to_cells @ change.transform(*plane))

    corner = cell_of(0, 0)
    along, below = cell_of(0, 1) - corner, cell_of(1, 0) - corner
    steps = (np.arange(points) + 0.5) / points
    for down in steps:
        for right in steps:
            column, row = np.floor(corner + right * along + down * below)
            yield row, column

"""Two fields in, the same two on common cells out, by area and never by interpolation."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from seaice.errors import NoInputError, SettingsError
from seaice.evaluate.fields.field import Field
from seaice.grid.blocks import block_mean
from seaice.grid.grid import Grid

__all__ = ["onto", "together"]

SAMPLES = 16  #: points along a target cell's side, at least, that stand for the area of the source
STRIP = 256  #: source rows at a time
LOOKS = 64  #: places along each side of a source that are looked at to find where it lies
Array = NDArray[np.float64]


def together(product: Field, reference: Field, cell: float | None = None) -> tuple[Field, Field]:
    """Both fields on the cells of the coarser one, where both tell something.

    Parameters
    ----------
    cell : m, side of the cells to compare on, from the coarser one's corner on; None: its own

    Raises
    ------
    SettingsError
        If `cell` is finer than the coarser field, which would invent detail.
    NoInputError
        If no cell is told of by both.
    """
    coarser = max((product, reference), key=lambda field: field.lattice.cell).lattice
    if coarser.is_geographic:  # cells of no one size: take the product's plane
        plane = product.lattice
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
        coarser = _around(field.lattice, coarser)
    ours, theirs = onto(product, coarser), onto(reference, coarser)
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    if not both.any():
        raise NoInputError(
            f"no cell that both {product.name} and {reference.name} tell of",
            "two maps of the same sea",
            "choose a reference that covers the product's region",
        )
    spans = [np.flatnonzero(both.any(axis)) for axis in (1, 0)]
    rows, columns = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    return ours.crop(rows, columns), theirs.crop(rows, columns)


def onto(field: Field, lattice: Grid) -> Field:
    """Area-weighted means of a field on other cells; NaN where less than half is covered.

    Every source cell is a square of equal points, each of which belongs to the one target cell it
    lies in: sums are conserved, turned lattices are nothing special, and a cell of land gives
    nothing to anybody. `rasterio.warp` with `Resampling.average` takes the upright box around a
    turned cell instead, which blurs.

    Uncertainty is averaged like the rest: right where errors go together within a target cell, an
    upper bound where they do not.
    """
    if _same(field.lattice, lattice):
        return replace(field, lattice=lattice)
    ratio = lattice.cell / field.lattice.cell
    if ratio >= 2 * SAMPLES:  # as fine as that need nothing be
        factor = int(ratio // SAMPLES)
        thinned = field.moved(
            field.lattice.coarsen(factor),
            lambda layers: block_mean(layers, factor, min_valid=0.5, dtype=np.float64),
        )
        return onto(thinned, lattice)
    points = max(1, int(np.ceil(SAMPLES / ratio)))

    def means(layers: NDArray[np.float32]) -> NDArray[np.float32]:
        sums, count = _sums(layers, field.lattice, lattice, points)
        enough = count >= 0.5 * (ratio * points) ** 2
        return np.where(enough, sums / np.maximum(count, 1), np.nan).astype(np.float32)

    return field.moved(lattice, means)


def _around(source: Grid, target: Grid) -> Grid:
    """The part of the target that a source can reach, with room."""
    rows, columns = (np.linspace(0, n, LOOKS) for n in source.shape)
    x, y = source.plane_coordinates(*np.meshgrid(columns, rows))
    plane = Transformer.from_crs(source.crs, target.crs, always_xy=True).transform(x, y)
    spans = []
    for place, size in zip(reversed(~target.transform @ plane), target.shape, strict=True):
        known = place[np.isfinite(place)]
        room = 2 + np.ptp(known) / LOOKS if known.size else 0
        low, high = (known.min() - room, known.max() + room) if known.size else (0, size)
        start = int(np.clip(low, 0, size - 1))
        spans.append(slice(start, int(np.clip(np.ceil(high), start + 1, size))))
    return target.crop(*spans)


def _same(one: Grid, other: Grid) -> bool:
    """Whether two lattices are one, whatever the spelling of its CRS."""
    alike = one.shape == other.shape and one.transform.almost_equals(other.transform, 1e-6)
    return bool(alike and (one.crs == other.crs or CRS(one.crs) == CRS(other.crs)))


def _sums(
    layers: NDArray[np.float32], source: Grid, target: Grid, points: int
) -> tuple[Array, Array]:
    """Sums of the layers (layer, y, x) over the points in each target cell, and their number.

    Only points count where the first layer is known.
    """
    size = target.shape[0] * target.shape[1]
    sums, count = np.zeros((len(layers), size)), np.zeros(size)
    for start in range(0, source.shape[0], STRIP):
        rows, columns = np.nonzero(np.isfinite(layers[0, start : start + STRIP]))
        values = layers[:, start + rows, columns]
        for row, column in _places(start + rows, columns, source, target, points):
            inside = (row >= 0) & (row < target.shape[0]) & (column >= 0)
            inside &= column < target.shape[1]
            index = (row[inside] * target.shape[1] + column[inside]).astype(np.int64)
            count += np.bincount(index, minlength=size)
            for total, layer in zip(sums, values[:, inside], strict=True):
                total += np.bincount(index, layer, size)
    return sums.reshape(-1, *target.shape), count.reshape(target.shape)


def _places(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    source: Grid,
    target: Grid,
    points: int,
) -> Iterator[tuple[Array, Array]]:
    """(row, column) in the target of point after point of all source cells.

    Within a source cell the way from plane to plane is taken to be straight: it bends by a few
    metres there.
    """
    change = Transformer.from_crs(source.crs, target.crs, always_xy=True)
    whither = ~target.transform

    def located(down: float, right: float) -> Array:
        plane = source.plane_coordinates(columns + right, rows + down)
        return np.stack(whither @ change.transform(*plane))

    corner = located(0, 0)
    along, below = located(0, 1) - corner, located(1, 0) - corner
    steps = (np.arange(points) + 0.5) / points
    for down in steps:
        for right in steps:
            column, row = np.floor(corner + right * along + down * below)
            yield row, column

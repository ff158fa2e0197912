"""One pass over the samples of a swath: each gives its share to the cells its footprint reaches."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from seaice.compiled import compiled
from seaice.grid.definition import Grid
from seaice.grid.projection import Plane, forward, plane_of

__all__ = [
    "HIGH_BEAM",
    "LOW_BEAM",
    "QUARTER_BEAM",
    "Beam",
    "Cells",
    "Lattice",
    "count_inside",
    "lattice_of",
    "located",
    "splat",
]

Cells = tuple[NDArray[np.floating], NDArray[np.uint16]]


class Beam(NamedTuple):
    """How the weight of a sample falls with ground distance d: exp(-d^2 / sigma^2) to `radius`."""

    sigma: float  #: m
    radius: float  #: m


def _beam(fwhm: float, radius: float) -> Beam:
    """From the full width at half maximum, as pyresample's `fwhm2sigma` defines sigma.

    >>> round(_beam(4000.0, 10_000.0).sigma, 3)
    2402.245
    """
    return Beam(fwhm / (2 * math.sqrt(math.log(2))), radius)


#: 89 GHz: the mean of the beam's 3 and 5 km, to twice the longer width. The half percent more is
#: the difference between ellipsoid and sphere: no cell that a spherical search fills stays empty.
HIGH_BEAM = _beam(4000.0, 10_050.0)
#: 89 GHz on the quarters of a cell: as narrow as samples 5 by 10 km apart allow without holes.
QUARTER_BEAM = _beam(3000.0, 6030.0)
#: 6.9 to 36.5 GHz: samples lie 10 km apart, closer than any of these footprints (12 to 62 km), so
#: the footprint has done the smoothing already: the weight only joins neighbouring samples.
LOW_BEAM = _beam(10_000.0, 15_075.0)


class Lattice(NamedTuple):
    """What compiled code must know of a grid."""

    plane: Plane
    left: float  #: m
    top: float  #: m
    cell: float  #: m
    edge: float  #: degrees from the equator; samples nearer to it reach no cell


@lru_cache(maxsize=16)
def lattice_of(grid: Grid) -> Lattice:
    """The grid for compiled code.

    Raises
    ------
    UnknownNameError
        If the grid's CRS is none of this package's planes.
    """
    left, bottom, right, top = grid.bounds
    plane = plane_of(grid.crs)
    to_geographic = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    corners = to_geographic.transform([left, right, left, right], [top, top, bottom, bottom])
    farthest = float(np.abs(corners[1]).min())
    return Lattice(plane, grid.left, grid.top, grid.cell, max(farthest - 0.2, 0.0))


@compiled
def _falling(steepness: float, start: float) -> tuple[float, float]:
    """exp(steepness start^2), and the ratio to the same one cell on.

    The ratio itself changes by exp(2 steepness) a step: two exponentials an axis, not one a cell.
    """
    return math.exp(steepness * start * start), math.exp(steepness * (2 * start + 1))


@compiled
def _spread_out(
    sample: NDArray[np.float64],
    place: tuple[float, float, float],
    cells: Cells,
    like: tuple[NDArray[np.float32], ...],
    beam: Beam,
) -> int:
    """Give one sample to every cell centre within the beam's radius; how many there were.

    Parameters
    ----------
    sample : 1 or 0, and the value or 0, of each quantity
    place : column, row, and metres on the ground to a cell
    like : a quantity each; their number, unlike the size of an array, is known to the compiler
    """
    sums, count = cells
    across, down, cell = place
    reach = beam.radius / cell
    row0, row1 = max(math.ceil(down - reach), 0), min(math.floor(down + reach), count.shape[0] - 1)
    if row0 > row1 or across + reach < 0 or across - reach > count.shape[1] - 1:
        return 0
    steepness = -((cell / beam.sigma) ** 2)
    bend = math.exp(2 * steepness)
    first = max(math.ceil(across - reach), 0)  # of the widest row
    edge, edge_ratio = _falling(steepness, first - across)
    line, line_ratio = _falling(steepness, row0 - down)
    given = 0
    for row in range(row0, row1 + 1):
        half = math.sqrt(max(reach * reach - (row - down) ** 2, 0.0))
        last = min(math.floor(across + half), count.shape[1] - 1)
        begin = across - half
        weight, ratio = line * edge, edge_ratio
        for column in range(first, last + 1):
            if column >= begin:
                given += 1
                count[row, column] += 1
                for k in range(2 * len(like)):
                    sums[row, column, k] += weight * sample[k]
            weight *= ratio
            ratio *= bend
        line *= line_ratio
        line_ratio *= bend
    return given


@compiled
def located(
    position: tuple[NDArray[np.float32], NDArray[np.float32]], lattice: Lattice
) -> NDArray[np.float64]:
    """Where samples lie on the plane: (x, y, scale), m, m and plane length to ground length.

    Parameters
    ----------
    position : latitude and longitude, (scan, pixel) float32, degrees

    Returns
    -------
    (scan, pixel, 3) float64; NaN where a position is absent or too far away to reach any cell
    """
    latitude, longitude = position
    points = np.empty((*latitude.shape, 3))
    for scan in range(latitude.shape[0]):
        for pixel in range(latitude.shape[1]):
            point = (math.nan, math.nan, math.nan)
            if latitude[scan, pixel] * lattice.plane.pole > lattice.edge:  # NaN is not
                point = forward(latitude[scan, pixel], longitude[scan, pixel], lattice.plane)
            points[scan, pixel, 0], points[scan, pixel, 1] = point[0], point[1]
            points[scan, pixel, 2] = point[2]
    return points


@compiled
def count_inside(
    values: tuple[NDArray[np.float32], NDArray[np.float32]],
    points: NDArray[np.float64],
    shape: tuple[int, int],
    lattice: Lattice,
) -> int:
    """How many samples with a value lie on a lattice of some shape.

    Parameters
    ----------
    values : two quantities at the same positions, (scan, pixel); either suffices
    points : as `located` has them
    shape : rows and columns
    """
    first, second = values
    inside = 0
    for scan in range(points.shape[0]):
        for pixel in range(points.shape[1]):
            across = (points[scan, pixel, 0] - lattice.left) / lattice.cell
            down = (lattice.top - points[scan, pixel, 1]) / lattice.cell
            here = (across >= 0) & (across < shape[1]) & (down >= 0) & (down < shape[0])
            absent = math.isnan(first[scan, pixel]) & math.isnan(second[scan, pixel])
            inside += 1 if here & (not absent) else 0
    return inside


@compiled
def splat(
    values: tuple[NDArray[np.float32], ...],
    points: NDArray[np.float64],
    cells: Cells,
    lattice: Lattice,
    beam: Beam,
) -> int:
    """Add samples to the sums of the cells they reach.

    Distances are on the ground: lengths on the plane divided by its scale at the sample.

    Parameters
    ----------
    values : quantities at the same positions, each (scan, pixel) float32
        NaN contributes nothing to its own quantity, and leaves the others alone.
    points : as `located` has them; samples without a place contribute nothing
    cells : sums (y, x, 2 * quantity) and count (y, x), changed in place
        Weight and weight times value of each quantity; samples with any quantity present.
    lattice, beam : where the cells are, and how far a sample reaches

    Returns
    -------
    int
        How many (sample, cell) pairs there were.
    """
    sample = np.empty(2 * len(values), np.float64)
    given = 0
    for scan in range(points.shape[0]):
        for pixel in range(points.shape[1]):
            x, y, scale = points[scan, pixel, 0], points[scan, pixel, 1], points[scan, pixel, 2]
            if math.isnan(x):
                continue
            present = 0
            for quantity in range(len(values)):
                value = values[quantity][scan, pixel]
                seen = 0 if math.isnan(value) else 1
                sample[2 * quantity] = seen
                sample[2 * quantity + 1] = value if seen else 0.0
                present += seen
            if present:
                across = (x - lattice.left) / lattice.cell - 0.5
                down = (lattice.top - y) / lattice.cell - 0.5
                place = across, down, lattice.cell / scale
                given += _spread_out(sample, place, cells, values, beam)
    return given

"""A map as an ice chart draws it: the ice edge as lines, concentration as polygons by class."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
import xarray as xr
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from rasterio.features import shapes, sieve
from scipy.ndimage import label
from shapely.geometry import shape

from seaice.grid.grid import grid_of
from seaice.grid.projection import cell_areas
from seaice.sic.flags import Flag

__all__ = ["CLASSES", "EDGE", "IceClass", "Patches", "ice_classes", "ice_edge"]

EDGE = 0.15  #: concentration at the ice edge
SHORTEST = 8  #: cells; an edge no longer than this is left out
SMALLEST = 16  #: cells; a patch smaller than this joins its largest neighbour
SMOOTHED = 1.0  #: cells; how far outlines between classes may leave the steps of the cells
KM = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class IceClass:
    """A class of total concentration."""

    tenths: str
    says: str
    lower: float
    upper: float


#: Classes of the WMO sea-ice nomenclature (WMO-No. 259, 4.2); between two classes of whole tenths
#: the limit lies halfway.
CLASSES = (
    IceClass(tenths="<1", says="open water", lower=0.0, upper=0.1),
    IceClass(tenths="1-3", says="very open ice", lower=0.1, upper=0.35),
    IceClass(tenths="4-6", says="open ice", lower=0.35, upper=0.65),
    IceClass(tenths="7-8", says="close ice", lower=0.65, upper=0.85),
    IceClass(tenths="9-10", says="very close ice", lower=0.85, upper=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patches:
    """Polygons of one class each."""

    outlines: NDArray[np.object_]  #: (n,) shapely polygons on the product's plane
    classes: NDArray[np.intp]  #: (n,) places in CLASSES
    areas: NDArray[np.float64]  #: (n,) km2 on the ground


def ice_edge(product: xr.Dataset) -> NDArray[np.object_]:
    """Where concentration is 15 %: lines between cell centres, ice on their right.

    A line runs only where all four cells around it are sea with a value, so it never follows a
    coast, and ends there.

    Returns
    -------
    (n,) shapely lines on the product's plane, each longer than 8 cells
    """
    grid = grid_of(product)
    sea = _sea(product)
    values = np.ma.masked_array(product["sic"].values, ~sea)
    contours = contour_generator(
        grid.x, grid.y, values, corner_mask=False, line_type=LineType.Separate
    )
    lines = cast(list[NDArray[np.float64]], contours.lines(EDGE))
    drawn = shapely.linestrings(
        np.concatenate(lines) if lines else np.empty((0, 2)),
        indices=np.repeat(np.arange(len(lines)), [len(line) for line in lines]),
    )
    long: NDArray[np.object_] = drawn[shapely.length(drawn) > SHORTEST * grid.cell]
    return long


def ice_classes(product: xr.Dataset) -> Patches:
    """Polygons of the classes of CLASSES, covering all sea that has a value and nothing else.

    A patch of less than 16 cells (39 km2) joins its largest neighbour. Common outlines are
    smoothed together, so that no gap opens between two classes; outlines at land stay as they are.
    Areas are those of the cells before smoothing.
    """
    grid = grid_of(product)
    numbers, classes = _patches(_class_numbers(product), _sea(product))
    ground = cell_areas(grid).ravel() * KM**2
    areas = np.bincount(numbers.ravel(), ground, len(classes) + 1)[1:].astype(np.float64)
    found = shapes(numbers, mask=numbers > 0, transform=grid.transform)
    outlines = np.empty(len(classes), object)
    for outline, number in found:
        outlines[int(number) - 1] = shape(outline)
    smooth = shapely.coverage_simplify(outlines, SMOOTHED * grid.cell, simplify_boundary=False)
    return Patches(outlines=smooth, classes=classes, areas=areas)


def _sea(product: xr.Dataset) -> NDArray[np.bool_]:
    land = (product["status_flag"].values & Flag.LAND) > 0
    sea: NDArray[np.bool_] = ~land & np.isfinite(product["sic"].values)
    return sea


def _class_numbers(product: xr.Dataset) -> NDArray[np.uint8]:
    """Place in CLASSES of every cell, after small patches joined their neighbours, (y, x)."""
    limits = [each.lower for each in CLASSES[1:]]
    numbers = np.digitize(product["sic"].values, limits).astype(np.uint8)
    sieved: NDArray[np.uint8] = sieve(numbers, SMALLEST, mask=_sea(product))
    return sieved


def _patches(
    numbers: NDArray[np.uint8], sea: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Cells of one class that touch by a side share a number from 1 on; and each number's class."""
    labels = np.zeros(numbers.shape, np.int32)
    classes: list[int] = []
    for each in range(len(CLASSES)):
        here = sea & (numbers == each)
        found, count = label(here)
        labels[here] = found[here] + len(classes)
        classes += [each] * count
    return labels, np.array(classes, np.intp)

"""Ice edge, concentration classes and graticule as vectors, and the GeoPackage that holds them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyogrio
import shapely
import xarray as xr
from affine import Affine
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from pyproj import CRS, Proj, Transformer
from rasterio.features import shapes, sieve
from scipy.ndimage import label
from shapely.geometry import shape

from seaice.grid.grid import Grid, grid_of
from seaice.grid.projection import cell_areas
from seaice.product.provenance import creation_time
from seaice.retrieval.flags import Flag

__all__ = [
    "CLASSES",
    "EDGE",
    "ClassPolygons",
    "IceClass",
    "degree_label",
    "graticule",
    "ice_classes",
    "ice_edge",
    "write_geopackage",
]

EDGE = 0.15  #: concentration at the ice edge
MIN_EDGE_CELLS = 8  #: cells; shorter ice edges are left out
MIN_PATCH_CELLS = 16  #: cells; a smaller patch is merged with its largest neighbour
SIMPLIFY_CELLS = 1.0  #: cells; tolerance of the simplification of outlines between classes
KM = 1e-3  #: kilometres in a metre


@dataclass(frozen=True, slots=True, kw_only=True)
class IceClass:
    """A class of total concentration."""

    tenths: str
    name: str
    lower: float
    upper: float


#: Classes of the WMO sea-ice nomenclature (WMO-No. 259, 4.2); between two classes of whole tenths
#: the limit lies halfway.
CLASSES = (
    IceClass(tenths="<1", name="open water", lower=0.0, upper=0.1),
    IceClass(tenths="1-3", name="very open ice", lower=0.1, upper=0.35),
    IceClass(tenths="4-6", name="open ice", lower=0.35, upper=0.65),
    IceClass(tenths="7-8", name="close ice", lower=0.65, upper=0.85),
    IceClass(tenths="9-10", name="very close ice", lower=0.85, upper=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPolygons:
    """Polygons of one class each."""

    outlines: NDArray[np.object_]  #: (n,) shapely polygons on the product's plane
    classes: NDArray[np.intp]  #: (n,) indices into CLASSES
    areas: NDArray[np.float64]  #: (n,) km2 on the ground


def ice_edge(product: xr.Dataset) -> NDArray[np.object_]:
    """The 15 % contour: lines between cell centres, with ice on their right.

    Only cells of sea with a value take part, so lines end at the coast and do not follow it.

    Returns
    -------
    (n,) shapely lines on the product's plane, each longer than 8 cells
    """
    grid = grid_of(product)
    sea = _valid_sea(product)
    values = np.ma.masked_array(product["sic"].values, ~sea)
    contours = contour_generator(
        grid.x, grid.y, values, corner_mask=False, line_type=LineType.Separate
    )
    lines = cast(list[NDArray[np.float64]], contours.lines(EDGE))
    edges = shapely.linestrings(
        np.concatenate(lines) if lines else np.empty((0, 2)),
        indices=np.repeat(np.arange(len(lines)), [len(line) for line in lines]),
    )
    long: NDArray[np.object_] = edges[shapely.length(edges) > MIN_EDGE_CELLS * grid.cell]
    return long


def ice_classes(product: xr.Dataset) -> ClassPolygons:
    """Polygons of the classes of CLASSES, covering all sea that has a value.

    A patch of less than 16 cells (39 km2) is merged with its largest neighbour. Shared outlines are
    simplified together, so that no gaps open between classes; outlines at land are not changed.
    Areas are those of the cells before simplification.
    """
    grid = grid_of(product)
    numbers, classes = _label_patches(_class_numbers(product), _valid_sea(product))
    ground = cell_areas(grid).ravel() * KM**2
    areas = np.bincount(numbers.ravel(), ground, len(classes) + 1)[1:].astype(np.float64)
    polygons = shapes(numbers, mask=numbers > 0, transform=Affine(*grid.transform))
    outlines = np.empty(len(classes), object)
    for outline, number in polygons:
        outlines[int(number) - 1] = shape(outline)
    simplified = shapely.coverage_simplify(
        outlines, SIMPLIFY_CELLS * grid.cell, simplify_boundary=False
    )
    return ClassPolygons(outlines=simplified, classes=classes, areas=areas)


def _valid_sea(product: xr.Dataset) -> NDArray[np.bool_]:
    land = (product["status_flag"].values & Flag.LAND) > 0
    sea: NDArray[np.bool_] = ~land & np.isfinite(product["sic"].values)
    return sea


def _class_numbers(product: xr.Dataset) -> NDArray[np.uint8]:
    """Index into CLASSES of every cell, after small patches were merged, (y, x)."""
    limits = [each.lower for each in CLASSES[1:]]
    numbers = np.digitize(product["sic"].values, limits).astype(np.uint8)
    sieved: NDArray[np.uint8] = sieve(numbers, MIN_PATCH_CELLS, mask=_valid_sea(product))
    return sieved


def _label_patches(
    numbers: NDArray[np.uint8], sea: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Number the patches of cells of one class that share sides, from 1; and each patch's class."""
    labels = np.zeros(numbers.shape, np.int32)
    classes: list[int] = []
    for each in range(len(CLASSES)):
        here = sea & (numbers == each)
        patches, count = label(here)
        labels[here] = patches[here] + len(classes)
        classes += [each] * count
    return labels, np.array(classes, np.intp)


MIN_LATITUDE = 30  #: degrees; parallels and meridians begin at this latitude
DENSE_BELOW, MEDIUM_BELOW = (
    1.5e6,
    4e6,
)  #: m; map widths below which the graticule is dense or medium


def graticule(grid: Grid) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Meridians and parallels inside a map; the larger the map, the wider their spacing.

    Returns
    -------
    lines, labels
        (n,) shapely lines on the grid's plane, m, cut at the map's edges; (n,) their degrees,
        as "75°N".
    """
    left, bottom, right, top = grid.bounds
    width = max(right - left, top - bottom)
    step, turn = (2, 10) if width < DENSE_BELOW else (5, 15) if width < MEDIUM_BELOW else (10, 30)
    pole = 90.0 if grid.crs == "EPSG:3411" else -90.0
    along, around = np.linspace(MIN_LATITUDE, 90 - step / 2, 300), np.arange(-180, 180.1, 0.5)
    curves = [
        (np.full_like(along, longitude), np.copysign(along, pole), degree_label(longitude, "EW"))
        for longitude in range(-180, 180, turn)
    ]
    for latitude in range(90 - step, MIN_LATITUDE, -step):
        level = int(np.copysign(latitude, pole))
        curves.append((around, np.full_like(around, level), degree_label(level, "NS")))
    plane = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    whole = [
        shapely.LineString(np.transpose(plane.transform(longitude, latitude)))
        for longitude, latitude, _ in curves
    ]
    cut = shapely.clip_by_rect(whole, left, bottom, right, top)
    parts, owners = shapely.get_parts(cut, return_index=True)
    labels = np.array([label for _, _, label in curves], object)[owners]
    return parts, labels


def degree_label(angle: int, sides: str) -> str:
    """An angle with its direction, as on a map.

    >>> degree_label(-15, "EW"), degree_label(180, "EW")
    ('15°W', '180°')
    """
    return f"{abs(angle)}°{sides[angle < 0] if angle % 180 else ''}"


def write_geopackage(product: xr.Dataset, path: Path) -> None:
    """Write the layers `ice_edge`, `graticule` (lines) and `ice_classes` (polygons).

    Attributes are described in docs/product.md. The projection is written without its EPSG code: an
    older PROJ (9.1, as in Debian 12) treats EPSG:3411 and 3412 as deprecated and replaces them.
    """
    lines, patches = ice_edge(product), ice_classes(product)
    of_class = [CLASSES[each] for each in patches.classes]
    edge = {
        "sic": np.full(len(lines), EDGE),
        "length_km": _ellipsoid_lengths(product, lines),
    }
    classes = {
        "tenths": np.array([each.tenths for each in of_class], object),
        "name": np.array([each.name for each in of_class], object),
        "sic_from": np.array([each.lower for each in of_class]),
        "sic_to": np.array([each.upper for each in of_class]),
        "area_km2": patches.areas,
    }
    created = json.loads(product.attrs.get("provenance", "{}")).get("created")
    pyogrio.set_gdal_config_options(
        {"OGR_CURRENT_DATE": created or creation_time(product.attrs["date"], ())}
    )
    _write_layer(product, path, "ice_edge", lines, edge)
    _write_layer(product, path, "ice_classes", patches.outlines, classes)
    graticule_lines, labels = graticule(grid_of(product))
    _write_layer(product, path, "graticule", graticule_lines, {"label": labels})


def _wkt_without_code(crs: str) -> str:
    """The projection as WKT without authority codes."""
    return re.sub(r',?AUTHORITY\["EPSG","\d+"\]', "", CRS(crs).to_wkt("WKT1_GDAL"))


def _ellipsoid_lengths(product: xr.Dataset, lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """Length of each line on the ellipsoid, km."""
    crs = CRS(product.attrs["crs"])
    ellipsoid = crs.get_geod()
    if ellipsoid is None:
        raise TypeError(f"{crs} has no ellipsoid.")
    plane = Proj(crs)
    along = (shapely.get_coordinates(line).T for line in lines)
    degrees = (plane(x, y, inverse=True) for x, y in along)
    return np.array([ellipsoid.line_length(*each) * KM for each in degrees])


def _write_layer(
    product: xr.Dataset,
    path: Path,
    layer: str,
    geometry: NDArray[np.object_],
    fields: dict[str, NDArray[np.generic]],
) -> None:
    """Write one layer; each feature has the product's date and status."""
    common = {"date": product.attrs["date"], "status": product.attrs.get("status", "final")}
    fields = {
        name: np.full(len(geometry), value, object) for name, value in common.items()
    } | fields
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(geometry),
        field_data=list(fields.values()),
        fields=list(fields),
        layer=layer,
        driver="GPKG",
        geometry_type="Polygon" if layer == "ice_classes" else "LineString",
        crs=_wkt_without_code(grid_of(product).crs),
    )

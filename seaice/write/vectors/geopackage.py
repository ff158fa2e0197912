"""The ice edge and the classes of concentration as a GeoPackage: the hand-off to GIS users."""

import json
import re
from pathlib import Path

import numpy as np
import pyogrio
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Proj

from seaice.grid.grid import grid_of
from seaice.write.metadata.clock import made_at
from seaice.write.vectors.graticule import graticule
from seaice.write.vectors.ice_chart import CLASSES, EDGE, KM, ice_classes, ice_edge

__all__ = ["write_geopackage"]


def write_geopackage(product: xr.Dataset, path: Path) -> None:
    """Write the layers `ice_edge`, `graticule` (lines) and `ice_classes` (polygons).

    Attributes are spelt out in docs/product.md. The projection is spelt out without its code: an
    older PROJ (9.1, as in Debian 12) calls EPSG:3411 and 3412 deprecated and takes others for them.
    """
    lines, patches = ice_edge(product), ice_classes(product)
    of_class = [CLASSES[each] for each in patches.classes]
    edge = {
        "sic": np.full(len(lines), EDGE),
        "length_km": _ground_lengths(product, lines),
    }
    classes = {
        "tenths": np.array([each.tenths for each in of_class], object),
        "name": np.array([each.says for each in of_class], object),
        "sic_from": np.array([each.lower for each in of_class]),
        "sic_to": np.array([each.upper for each in of_class]),
        "area_km2": patches.areas,
    }
    created = json.loads(product.attrs.get("provenance", "{}")).get("created")
    pyogrio.set_gdal_config_options(
        {"OGR_CURRENT_DATE": created or made_at(product.attrs["date"], ())}
    )
    _write(product, path, "ice_edge", lines, edge)
    _write(product, path, "ice_classes", patches.outlines, classes)
    net, labels = graticule(grid_of(product))
    _write(product, path, "graticule", net, {"label": labels})


def _spelt_out(crs: str) -> str:
    """A projection as text that names no code."""
    return re.sub(r',?AUTHORITY\["EPSG","\d+"\]', "", CRS(crs).to_wkt("WKT1_GDAL"))


def _ground_lengths(product: xr.Dataset, lines: NDArray[np.object_]) -> NDArray[np.float64]:
    """Length of each line on the ellipsoid, km."""
    crs = CRS(product.attrs["crs"])
    ellipsoid = crs.get_geod()
    if ellipsoid is None:
        raise TypeError(f"{crs} has no ellipsoid.")
    plane = Proj(crs)
    along = (shapely.get_coordinates(line).T for line in lines)
    degrees = (plane(x, y, inverse=True) for x, y in along)
    return np.array([ellipsoid.line_length(*each) * KM for each in degrees])


def _write(
    product: xr.Dataset,
    path: Path,
    layer: str,
    geometry: NDArray[np.object_],
    fields: dict[str, NDArray[np.generic]],
) -> None:
    """One layer, each feature with the product's date and status."""
    same = {"date": product.attrs["date"], "status": product.attrs.get("status", "final")}
    fields = {name: np.full(len(geometry), told, object) for name, told in same.items()} | fields
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(geometry),
        field_data=list(fields.values()),
        fields=list(fields),
        layer=layer,
        driver="GPKG",
        geometry_type="Polygon" if layer == "ice_classes" else "LineString",
        crs=_spelt_out(grid_of(product).crs),
    )

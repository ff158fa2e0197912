"""Products as a STAC catalogue: an item beside each product, a collection above all of them.

Source: SpatioTemporal Asset Catalog 1.0.0, item and collection specification; projection
extension 2.0.0.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pyproj import Transformer

from seaice.grid.grid import Grid, grid_of
from seaice.write.names import ITEM, product_name

__all__ = ["COLLECTION", "ITEM", "write_collection", "write_item"]

COLLECTION = "collection.json"  #: beside the folders of products
VERSION = "1.0.0"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
SUMMARY = (
    "Daily sea-ice concentration from AMSR2 swaths on cells of 1.5625 km, with uncertainty and "
    "the reason for every cell's value."
)
#: media type and role of a file by the end of its name, longest first
KINDS = {
    ".tif.aux.xml": ("application/xml", "metadata"),
    ".sha256": ("text/plain", "metadata"),
    ".gpkg": ("application/geopackage+sqlite3", "data"),
    ".json": ("application/json", "metadata"),
    ".zarr": ("application/vnd.zarr; version=3", "data"),
    ".tif": ("image/tiff; application=geotiff; profile=cloud-optimized", "data"),
    ".qml": ("application/xml", "metadata"),
    ".qgz": ("application/zip", "visual"),
    ".png": ("image/png", "thumbnail"),
    ".nc": ("application/netcdf", "data"),
}

Outline = list[list[float]]


def write_item(product: xr.Dataset, files: Iterable[tuple[str, str]], path: Path) -> None:
    """Describe a product and its files.

    Parameters
    ----------
    product : as docs/architecture.md
    files : (name, what it holds) of each, in the folder of `path`
    """
    given, grid = product.attrs, grid_of(product)
    outline = _outline(grid)
    left, bottom, right, top = grid.bounds
    properties = {
        "title": f"Sea-ice concentration, {given['hemisphere']}, {given['date']}",
        "datetime": f"{given['date']}T12:00:00Z",
        "start_datetime": f"{given['date']}T00:00:00Z",
        "end_datetime": f"{given['date']}T23:59:59Z",
        "platform": "gcom-w1",
        "instruments": ["amsr2"],
        "gsd": grid.cell,
        "proj:code": grid.crs,
        "proj:shape": list(grid.shape),
        "proj:bbox": [left, bottom, right, top],
        "proj:transform": [grid.cell, 0.0, left, 0.0, -grid.cell, top],
        "seaice:status": given.get("status", "final"),
        "seaice:methods": [given.get("sr_name", "?"), given.get("sic_name", "?")],
    }
    item = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [PROJECTION],
        "id": product_name(given["hemisphere"], given.get("region", "all"), given["date"]),
        "geometry": {"type": "Polygon", "coordinates": [outline]},
        "bbox": _box(outline),
        "properties": properties,
        "links": [
            {"rel": rel, "href": f"../{COLLECTION}", "type": "application/json"}
            for rel in ("collection", "parent", "root")
        ],
        "assets": {name: _asset(name, says) for name, says in files},
        "collection": "seaice-sic",
    }
    path.write_text(json.dumps(item, indent=1))


def write_collection(items: Sequence[Path], home: Path, path: Path) -> None:
    """Gather items, the files `ITEM` of product folders, into a collection.

    Parameters
    ----------
    home : the folder that the collection will lie in, above those of the products
    path : where it is written
    """
    told = [json.loads(item.read_text()) for item in items]
    boxes = np.array([item["bbox"] for item in told])
    days = sorted(item["properties"]["datetime"][:10] for item in told)
    collection: dict[str, Any] = {
        "type": "Collection",
        "stac_version": VERSION,
        "id": "seaice-sic",
        "title": "Sea-ice concentration from AMSR2",
        "description": SUMMARY,
        "license": "other",
        "keywords": ["sea ice", "concentration", "AMSR2", "passive microwave", "super-resolution"],
        "extent": {
            "spatial": {"bbox": [[*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]]},
            "temporal": {"interval": [[f"{days[0]}T00:00:00Z", f"{days[-1]}T23:59:59Z"]]},
        },
        "links": [
            {"rel": "root", "href": f"./{COLLECTION}", "type": "application/json"},
            *(
                {
                    "rel": "item",
                    "href": f"./{item.relative_to(home).as_posix()}",
                    "type": "application/geo+json",
                }
                for item in items
            ),
        ],
    }
    path.write_text(json.dumps(collection, indent=1))


def _asset(name: str, says: str) -> dict[str, object]:
    media, role = next(kind for ending, kind in KINDS.items() if name.endswith(ending))
    return {"href": f"./{name}", "title": says, "type": media, "roles": [role]}


def _outline(grid: Grid) -> Outline:
    """The map's edge in degrees, anticlockwise; a map across 180 degrees goes all the way round."""
    left, bottom, right, top = grid.bounds
    steps = np.linspace(0, 1, 20, endpoint=False)
    across, up = left + steps * (right - left), bottom + steps * (top - bottom)
    edges = (across, np.full(20, right), left + right - across, np.full(20, left))
    x = np.concatenate(edges)
    y = np.concatenate([np.full(20, bottom), up, np.full(20, top), bottom + top - up])
    back = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = back.transform(x, y)
    if (left < 0 < right and bottom < 0 < top) or np.abs(np.diff(longitude)).max() > 180:
        poleward = 90.0 if latitude.mean() > 0 else -90.0
        low, high = sorted((poleward, min(latitude, key=lambda at: abs(at))))
        return [[-180, low], [180, low], [180, high], [-180, high], [-180, low]]
    ring = [[float(lon), float(lat)] for lon, lat in zip(longitude, latitude, strict=True)]
    return [*ring, ring[0]]


def _box(outline: Outline) -> list[float]:
    corners = np.array(outline)
    return [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()]

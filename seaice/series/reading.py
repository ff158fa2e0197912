"""A product's folder in, what its files say out, whichever formats were written."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from seaice.grid.grid import Grid, coordinates
from seaice.write.names import named
from seaice.write.product import document_in

__all__ = ["document_of", "document_path", "maps_of", "page_path", "product_folders"]

NEEDED = ("sic", "sic_uncertainty", "status_flag")
NAMED = {"date", "hemisphere", "grid", "status"}  #: in the provenance of every product
RASTERS = {"sic": "_float.tif", "sic_uncertainty": "_uncertainty.tif", "status_flag": "_flags.tif"}


def product_folders(out: Path) -> Iterator[Path]:
    """The folders of products in `out`, by name; one whose provenance is damaged is left out."""
    for folder in sorted(out.glob("seaice_sic_*")):
        document = document_in(document_path(folder))
        if document is not None and document.keys() >= NAMED:
            yield folder


def page_path(folder: Path) -> Path:
    """Where a product's page of quality lies, which is no part of the product."""
    return named(folder / folder.name, "_quality.html")


def document_path(folder: Path) -> Path:
    """Where a product's provenance lies."""
    return named(folder / folder.name, ".json")


def document_of(folder: Path) -> dict[str, Any]:
    """The provenance of a product: date, status, hemisphere, region, granules, warnings."""
    document: dict[str, Any] = json.loads(document_path(folder).read_text("utf-8"))
    return document


def maps_of(folder: Path) -> xr.Dataset | None:
    """`sic`, `sic_uncertainty` and `status_flag` of a product, (y, x) in memory, its grid in attrs.

    From its Zarr store, its NetCDF or its GeoTIFFs; None where it has none of these.
    """
    stem = folder / folder.name
    if named(stem, ".zarr").exists():
        return _needed(xr.open_zarr(named(stem, ".zarr"), chunks=None))
    if named(stem, ".nc").exists():
        return _needed(xr.open_dataset(named(stem, ".nc")))
    if all(named(stem, ending).exists() for ending in RASTERS.values()):
        return _from_rasters(stem)
    return None


def _needed(opened: xr.Dataset) -> xr.Dataset:
    with closing(opened):
        held: xr.Dataset = opened[list(NEEDED)].isel(time=0, drop=True).load()
        return held.assign_attrs(opened.attrs)


def _from_rasters(stem: Path) -> xr.Dataset:
    values = {}
    for name, ending in RASTERS.items():
        with rasterio.open(named(stem, ending)) as raster:
            values[name] = ("y", "x"), raster.read(1)
    given = document_of(stem.parent)
    left, _, _, top = given["grid"]["bounds_m"]
    rows, columns = given["grid"]["shape"]
    crs, cell = given["grid"]["crs"], given["grid"]["cell_m"]
    grid = Grid(crs=crs, left=left, top=top, cell=cell, shape=(rows, columns))
    made = xr.Dataset(values, coords=coordinates(grid), attrs={"crs": crs})
    made["status_flag"] = made["status_flag"].astype(np.uint16)
    return made

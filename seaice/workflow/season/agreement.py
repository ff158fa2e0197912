"""Whether a product's name, date, provenance and files agree with each other.

Hashes prove that files are as they were written; these checks find files that were replaced
together with their hashes.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from seaice.cf import VOCABULARY
from seaice.grid.grid import Grid, grid_of
from seaice.product.folder import STAC_ITEM, add_suffix, is_inside, product_prefix
from seaice.product.geotiff import rasters
from seaice.product.metadata import MAP_VARIABLES
from seaice.product.netcdf_zarr import cell_positions
from seaice.product.reader import read_maps
from seaice.retrieval.flags import Flag, explained

__all__ = ["problems_of_files", "problems_of_names", "problems_of_values"]

KNOWN_FLAGS = sum(Flag)
ROUNDING = 1e-5  #: by which a float32 may pass a limit
SLACK = np.timedelta64(2, "h")  #: a granule of the day may begin before it or end after it
SAME_PLACE = 2e-4  #: degrees; positions are kept to 1/8192


def problems_of_names(folder: Path, document: Mapping[str, Any], item: Any) -> Iterator[str]:
    """How a product's folder name, provenance and catalogue item differ.

    Parameters
    ----------
    document : the provenance
    item : the STAC item, parsed
    """
    day = date.fromisoformat(document["date"])
    place = product_prefix(document["hemisphere"], document.get("region", "all"))
    if not folder.name.startswith(f"{place}_{day:%Y%m%d}_v"):
        yield f"the folder is named {folder.name}, its provenance is of {day} and {place}"
    if not isinstance(item, dict) or item.get("id") != folder.name:
        yield f"{STAC_ITEM} describes another product"
    elif item["properties"]["datetime"][:10] != str(day):
        yield f"{STAC_ITEM} is of {item['properties']['datetime'][:10]}, the provenance of {day}"
    elif item["properties"]["seaice:status"] != document["status"]:
        yield f"{STAC_ITEM} and the provenance have another status"
    hrefs = [] if not isinstance(item, dict) else [each["href"] for each in item["assets"].values()]
    for name in sorted({*hrefs, *(file["name"] for file in document["files"])}):
        if not is_inside(name):
            yield f"{name!r} is not a path inside the folder"
        elif not (folder / name).exists():
            yield f"{name} is missing"


def problems_of_files(folder: Path, document: Mapping[str, Any]) -> Iterator[str]:
    """How the files of a product differ from each other and from its provenance.

    The Zarr store is the reference, without it the NetCDF file, without both the GeoTIFFs.
    """
    stem, grid = folder / folder.name, _grid(document)
    stores = [
        add_suffix(stem, ending) for ending in (".zarr", ".nc") if add_suffix(stem, ending).exists()
    ]
    reference: xr.Dataset | None = None
    for store in stores:
        with closing(_opened(store)) as opened:
            yield from _of_attributes(store.name, opened, document)
            held = opened.isel(time=0).load()
        yield from _of_grid(store.name, held, grid)
        if reference is None:
            yield from problems_of_values(held, CRS(grid.crs), document["date"])
            reference = held
        else:
            yield from _of_variables(store.name, held, stores[0].name, reference)
        if store.suffix == ".nc":
            yield from _of_positions(store.name, held, grid)
    if reference is None:
        maps = read_maps(folder)
        if maps is not None:
            yield from _of_reasons(maps)
    yield from _of_rasters(folder, reference, grid, document)


def problems_of_values(product: xr.Dataset, crs: CRS, day: str) -> Iterator[str]:
    """What is wrong with the values of one day's maps.

    Parameters
    ----------
    product : (y, x)
    crs : of its grid
    day : as 2020-03-03, of its observations
    """
    if CRS.from_cf(product["crs"].attrs).to_epsg() != crs.to_epsg():
        yield f"grid mapping is not {crs.to_string()}"
    for name, values in product.data_vars.items():
        limits = VOCABULARY[str(name)].valid_range if name in VOCABULARY else None
        if limits and np.issubdtype(values.dtype, np.floating):
            outside = (values < limits[0] - ROUNDING) | (values > limits[1] + ROUNDING)
            if bool(outside.any()):
                yield f"{name} outside {limits[0]:g} to {limits[1]:g} in {int(outside.sum())} cells"
    if bool((product["status_flag"].values & ~np.uint16(KNOWN_FLAGS)).any()):
        yield "status_flag has bits that mean nothing"
    yield from _of_reasons(product)
    if "obs_time" in product:
        first = np.datetime64(day, "ns")
        times = product["obs_time"].values
        early, late = times < first - SLACK, times > first + np.timedelta64(1, "D") + SLACK
        if (early | late).any():
            yield f"observed on another day than {day} in {int((early | late).sum())} cells"


def _of_reasons(product: xr.Dataset) -> Iterator[str]:
    absent = np.isnan(product["sic"].values) & ~explained(product["status_flag"].values)
    if absent.any():
        yield f"sic without a value and without a reason flag in {int(absent.sum())} cells"


def _grid(document: Mapping[str, Any]) -> Grid:
    """The grid that a provenance describes."""
    told = document["grid"]
    rows, columns = told["shape"]
    left, _, _, top = told["bounds_m"]
    return Grid(crs=told["crs"], left=left, top=top, cell=told["cell_m"], shape=(rows, columns))


def _opened(store: Path) -> xr.Dataset:
    opened: xr.Dataset = (
        xr.open_zarr(store, chunks=None) if store.suffix == ".zarr" else xr.open_dataset(store)
    )
    return opened


def _of_attributes(name: str, store: xr.Dataset, document: Mapping[str, Any]) -> Iterator[str]:
    given = store.attrs
    day = str(store["time"].values[0].astype("datetime64[D]"))
    if day != document["date"] or given["date"] != document["date"]:
        yield f"{name} is of {day}, the provenance of {document['date']}"
    if given["product_status"] != document["status"]:
        yield f"{name} is {given['product_status']}, the provenance {document['status']}"
    if given["hemisphere"] != document["hemisphere"]:
        yield f"{name} is of the {given['hemisphere']}, the provenance {document['hemisphere']}"


def _of_grid(name: str, held: xr.Dataset, grid: Grid) -> Iterator[str]:
    if held["sic"].shape != grid.shape or grid_of(held) != grid:
        yield f"{name} lies on another grid than its provenance says"


def _of_variables(name: str, held: xr.Dataset, other: str, reference: xr.Dataset) -> Iterator[str]:
    for variable in MAP_VARIABLES:
        if (variable in held) != (variable in reference):
            yield f"{variable} is in {other} or in {name}, not in both"
        elif variable in held and not _same(held[variable].values, reference[variable].values):
            yield f"{variable} differs between {other} and {name}"


def _of_positions(name: str, held: xr.Dataset, grid: Grid) -> Iterator[str]:
    for axis, degrees in zip(("longitude", "latitude"), cell_positions(grid), strict=True):
        away = np.abs((held[axis].values - degrees + 180) % 360 - 180)
        if not (away < SAME_PLACE).all():
            yield f"{axis} in {name} differs from its grid"


def _of_rasters(
    folder: Path, product: xr.Dataset | None, grid: Grid, document: Mapping[str, Any]
) -> Iterator[str]:
    stem = folder / folder.name
    expected = {} if product is None else rasters(product)
    for path in sorted(folder.glob("*.tif")):
        ending = path.name.removeprefix(folder.name).removesuffix(".tif")
        with rasterio.open(path) as raster:
            crs, told = CRS(grid.crs), raster.tags()
            if CRS(raster.crs.to_wkt()) != crs and raster.crs.to_epsg() != crs.to_epsg():
                yield f"{path.name} in {raster.crs}, not in {crs.to_string()}"
            if raster.shape != grid.shape or not raster.transform.almost_equals(grid.transform):
                yield f"{path.name} lies on another grid than its provenance says"
            elif not told.get("TIFFTAG_IMAGEDESCRIPTION", "").endswith(f"{document['date']} UTC"):
                yield f"{path.name} is of another day than {document['date']}"
            elif ending in expected and path == add_suffix(stem, f"{ending}.tif"):
                want = expected[ending]
                if not _same(raster.read(1), want.values) or not _same(
                    np.array(raster.nodata, float), np.array(want.nodata, float)
                ):
                    yield f"{path.name} differs from the values in the other files"


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are of one kind and equal, NaN where the other is."""
    exact = one.dtype.kind not in "fmM"
    return one.dtype.kind == other.dtype.kind and np.array_equal(one, other, equal_nan=not exact)

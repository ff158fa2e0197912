"""Verifies products and seasons against their manifests.

Hashes show whether files are as they were written. Further checks compare the name, date,
provenance and values of a product's files, and find files that were replaced together with their
hashes. Series, collection and QGIS projects are computed again from the products and compared.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.errors import RasterioError

from seaice.cf import VOCABULARY
from seaice.files import sha256
from seaice.grid.grid import Grid, grid_of
from seaice.product.folder import (
    STAC_ITEM,
    add_suffix,
    is_inside,
    manifest_differences,
    product_folders,
    product_prefix,
    quality_page_path,
    read_manifest,
    read_provenance,
)
from seaice.product.geotiff import rasters
from seaice.product.metadata import MAP_VARIABLES, STAC_COLLECTION, write_collection
from seaice.product.netcdf_zarr import cell_positions
from seaice.product.reader import read_maps
from seaice.product.season_store import DAYS_FOLDER, list_days, read_day, read_record
from seaice.product.series import csv_cells, read_csv_cells, series_path, series_rows
from seaice.retrieval.flags import Flag, explained
from seaice.workflow.catalogue import projects
from seaice.workflow.season.status import PRODUCT, no_products

__all__ = [
    "Damage",
    "ProductCount",
    "count_products",
    "list_damages",
    "list_derived_damages",
    "list_product_damages",
    "problems_of_collection",
    "problems_of_files",
    "problems_of_names",
    "problems_of_product",
    "problems_of_projects",
    "problems_of_series",
    "problems_of_values",
]

LOST = (
    f"{STAC_COLLECTION} names it, and it is gone; where that is meant, a run renews the catalogue"
)
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)
"""What libraries raise of damaged metadata and arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A product, a day of a season, or a file that follows from all products, that is damaged."""

    what: str  #: the name of the folder, of the store with the day, or of the file
    place: str  #: hemisphere and region; empty for a file that follows from all products
    day: date | None  #: None for a file that follows from all products
    problems: tuple[str, ...]
    state: Literal["damaged", "repaired"] = "damaged"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"day": str(self.day or "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCount:
    """How much there is to verify in a folder."""

    products: int
    days: int  #: of seasons

    def __str__(self) -> str:
        """In words.

        >>> str(ProductCount(products=1, days=0)), str(ProductCount(products=2, days=3))
        ('1 product', '2 products and 3 days of seasons')
        """
        plural = "" if self.products == 1 else "s"
        days = f" and {self.days} day{'' if self.days == 1 else 's'} of seasons"
        return f"{self.products} product{plural}{days if self.days else ''}"


def count_products(out: Path) -> ProductCount:
    """How many products and days of seasons are in a folder.

    Raises
    ------
    NoInputError
        If there is none, and no catalogue names one.
    """
    products = sum(1 for folder in _folders(out))
    days = sum(len(list_days(store)) for store in _seasons(out))
    if not products and not days and not _lost(out):
        raise no_products(out)
    return ProductCount(products=products, days=days)


def _folders(out: Path) -> list[Path]:
    return sorted(each for each in out.glob("seaice_sic_*_v*") if PRODUCT.fullmatch(each.name))


def _seasons(out: Path) -> list[Path]:
    return sorted(out.glob("seaice_sic_*_????_v*.zarr"))


def list_product_damages(out: Path) -> Iterator[Damage]:
    """The damaged products and days of seasons below a folder; nothing where all is whole."""
    for folder in _folders(out):
        if name := PRODUCT.fullmatch(folder.name):
            yield from _of(folder.name, name["place"], name["day"], problems_of_product(folder))
    for name in filter(None, map(PRODUCT.fullmatch, _lost(out))):
        yield from _of(name[0], name["place"], name["day"], iter([LOST]))
    for store in _seasons(out):
        place = store.name.removeprefix("seaice_sic_").rsplit("_", 2)[0]
        for day in list_days(store):
            problems = _of_season_day(store, day)
            yield from _of(f"{store.name} {day}", place, str(day), problems)


def list_damages(out: Path) -> Iterator[Damage]:
    """`list_product_damages`, then `list_derived_damages`."""
    damaged = set()
    for damage in list_product_damages(out):
        damaged.add(damage.what)
        yield damage
    yield from list_derived_damages(out, damaged)


def list_derived_damages(out: Path, damaged: set[str]) -> Iterator[Damage]:
    """The series, catalogue and QGIS projects of a folder that differ from its products.

    Each is computed from the products again and compared.

    Parameters
    ----------
    damaged : names of products that nothing can be computed from
    """
    result = [
        *problems_of_series(out, damaged),
        *problems_of_collection(out, damaged),
        *problems_of_projects(out, damaged),
    ]
    for path, pairs in groupby(result, key=lambda pair: pair[0]):
        problems = tuple(problem for _, problem in pairs)
        yield Damage(what=path.name, place="", day=None, problems=problems)


def _lost(out: Path) -> list[str]:
    """Products that the catalogue names and that are gone; one that is damaged names none."""
    try:
        links = json.loads((out / STAC_COLLECTION).read_text())["links"]
        named = {Path(link["href"]).parent.name for link in links if link["rel"] == "item"}
    except (OSError, ValueError, KeyError, TypeError):
        return []  # `list_derived_damages` says so
    return sorted(name for name in named if not (out / name).exists())


def _of(what: str, place: str, day: str, problems: Iterator[str]) -> Iterator[Damage]:
    result = tuple(problems)
    if result:
        yield Damage(what=what, place=place, day=date.fromisoformat(day), problems=result)


def problems_of_product(folder: Path) -> Iterator[str]:
    """What is wrong with a product, file by file; nothing where it is whole.

    First hashes; where these are right, whether name, date, provenance and files agree.
    """
    manifest = folder / f"{folder.name}.sha256"
    try:
        listed = read_manifest(manifest.read_text())
        document = json.loads((folder / f"{folder.name}.json").read_text("utf-8"))
        CRS(document["grid"]["crs"])
    except UNREADABLE as error:
        yield f"manifest or provenance cannot be read ({_said(error)})"
        return
    neighbours = {manifest.name, quality_page_path(folder).name}
    problems = [
        problem
        for problem in manifest_differences(folder, listed)
        if problem not in {f"{name} is not in the manifest" for name in neighbours}
    ]
    if problems:
        yield from problems
        return
    try:
        item = json.loads((folder / STAC_ITEM).read_text("utf-8"))
        yield from problems_of_names(folder, document, item)
        yield from problems_of_files(folder, document)
    except (*UNREADABLE, RasterioError) as error:
        yield f"its files cannot be compared ({_said(error)})"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _of_season_day(store: Path, day: date) -> Iterator[str]:
    record = read_record(store, day)
    if record is None:
        yield "its record cannot be read"
        return
    try:
        if record["date"] != str(day):
            yield f"its record is of {record['date']}"
        problems = [*_of_recorded(store / DAYS_FOLDER / str(day), record["files"])]
        yield from problems
        if not problems:
            crs = CRS(xr.open_zarr(store, chunks=None).attrs["crs"])
            yield from problems_of_values(read_day(store, day), crs, str(day))
    except UNREADABLE as error:
        yield f"it cannot be read ({_said(error)})"


def _of_recorded(folder: Path, files: dict[str, str]) -> Iterator[str]:
    for name, digest in files.items():
        if not is_inside(name):
            yield f"its record names {name!r}, which is not a path inside the folder"
            continue
        try:
            if sha256(folder / name) != digest:
                yield f"{name} is not what was written"
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"


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
    stem, grid = folder / folder.name, _grid_of_provenance(document)
    stores = [
        add_suffix(stem, ending) for ending in (".zarr", ".nc") if add_suffix(stem, ending).exists()
    ]
    reference: xr.Dataset | None = None
    for store in stores:
        with closing(_open_store(store)) as opened:
            yield from _of_attributes(store.name, opened, document)
            stored = opened.isel(time=0).load()
        yield from _of_grid(store.name, stored, grid)
        if reference is None:
            yield from problems_of_values(stored, CRS(grid.crs), document["date"])
            reference = stored
        else:
            yield from _of_variables(store.name, stored, stores[0].name, reference)
        if store.suffix == ".nc":
            yield from _of_positions(store.name, stored, grid)
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


def _grid_of_provenance(document: Mapping[str, Any]) -> Grid:
    """The grid that a provenance describes."""
    told = document["grid"]
    rows, columns = told["shape"]
    left, _, _, top = told["bounds_m"]
    return Grid(crs=told["crs"], left=left, top=top, cell=told["cell_m"], shape=(rows, columns))


def _open_store(store: Path) -> xr.Dataset:
    opened: xr.Dataset = (
        xr.open_zarr(store, chunks=None) if store.suffix == ".zarr" else xr.open_dataset(store)
    )
    return opened


def _of_attributes(name: str, store: xr.Dataset, document: Mapping[str, Any]) -> Iterator[str]:
    options = store.attrs
    day = str(store["time"].values[0].astype("datetime64[D]"))
    if day != document["date"] or options["date"] != document["date"]:
        yield f"{name} is of {day}, the provenance of {document['date']}"
    if options["product_status"] != document["status"]:
        yield f"{name} is {options['product_status']}, the provenance {document['status']}"
    if options["hemisphere"] != document["hemisphere"]:
        yield f"{name} is of the {options['hemisphere']}, the provenance {document['hemisphere']}"


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


HEMISPHERES = ("north", "south")


def problems_of_series(out: Path, damaged: Collection[str]) -> Iterator[tuple[Path, str]]:
    """How the series of a folder differ from its products, file by file.

    Parameters
    ----------
    damaged : names of products that rows cannot be compared with
    """
    documents = {folder: read_provenance(folder) for folder in product_folders(out)}
    for hemisphere in HEMISPHERES:
        path = series_path(out, hemisphere)
        own = {
            (document["date"], document.get("region", "all")): folder
            for folder, document in documents.items()
            if document["hemisphere"] == hemisphere
        }
        try:
            result = read_csv_cells(path)
        except (OSError, ValueError) as error:
            yield path, f"cannot be read ({error})"
            continue
        for (day, ground), lines in result.items():
            place = product_prefix(hemisphere, ground)
            prefix = f"{place}_{day.replace('-', '')}_v"
            if (day, ground) not in own and not any(name.startswith(prefix) for name in damaged):
                yield path, f"{len(lines)} rows of {day}, of which no product is here"
        for (day, ground), folder in own.items():
            if folder.name not in damaged:
                yield from ((path, problem) for problem in _of_rows(folder, result[day, ground]))


def _of_rows(folder: Path, found: list[list[str]]) -> Iterator[str]:
    """How the rows of one product differ from those that its maps give."""
    if not found and not quality_page_path(folder).exists():
        return  # a scene, or a run that was killed before its rows: they are made with the page
    maps = read_maps(folder)
    expected = [] if maps is None else csv_cells(series_rows(maps, read_provenance(folder)))
    if found != expected:
        yield f"the rows of {folder.name} differ from its maps"


def problems_of_collection(out: Path, damaged: Collection[str]) -> Iterator[tuple[Path, str]]:
    """How the catalogue of a folder differs from the products it names.

    Parameters
    ----------
    damaged : names of products that it cannot be compared with
    """
    path = out / STAC_COLLECTION
    finished = {
        folder.name for folder in product_folders(out) if quality_page_path(folder).exists()
    }
    if not path.exists():
        if finished:
            yield path, "is missing"
        return
    try:
        result: Any = json.loads(path.read_text("utf-8"))
        hrefs = [link["href"] for link in result["links"] if link["rel"] == "item"]
        items = [out / href.removeprefix("./") for href in hrefs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield path, f"cannot be read ({type(error).__name__})"
        return
    outside = [item for item in items if item.parent.parent != out or ".." in item.parts]
    yield from ((path, f"names {item}, outside the folder") for item in outside)
    absent = sorted(finished - {item.parent.name for item in items} - {*damaged})
    yield from ((path, f"does not name {name}") for name in absent)
    if outside or any(item.parent.name in damaged or not item.exists() for item in items):
        return  # what it says of all products together cannot be computed
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, STAC_COLLECTION)
        write_collection(items, out, draft)
        if json.loads(draft.read_text("utf-8")) != result:
            yield path, "differs from the products it names"


def problems_of_projects(out: Path, damaged: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Which QGIS projects of places differ from what the products give."""
    stored: dict[Path, bytes] = defaultdict(bytes, projects(out))
    for path in sorted(out.glob("seaice_sic_*.qgz")):
        if path.read_bytes() != stored[path] and not any(
            name.startswith(f"{path.stem}_") for name in damaged
        ):
            yield path, "differs from the products of its place"

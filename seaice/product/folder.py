"""A product folder: names of its files, writing all of them or none, and its manifest.

The writers are imported inside the functions that call them, so that listing a folder imports
neither xarray nor matplotlib.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args

from seaice import __version__
from seaice.config import Format
from seaice.files import atomic_folder, sha256

if TYPE_CHECKING:
    import xarray as xr


__all__ = [
    "FORMATS",
    "STAC_ITEM",
    "ProductFile",
    "add_suffix",
    "hash_files",
    "is_inside",
    "list_product_files",
    "manifest_differences",
    "product_folders",
    "product_name",
    "product_prefix",
    "provenance_or_none",
    "provenance_path",
    "quality_page_path",
    "read_manifest",
    "read_provenance",
    "season_name",
    "write_manifest",
    "write_product",
]

STAC_ITEM = "stac.json"  #: beside the files of a product, its description for STAC catalogues


def product_name(hemisphere: str, region: str, date: str) -> str:
    """What every file name of a product begins with.

    >>> product_name("north", "svalbard", "2020-03-03")
    'seaice_sic_north_svalbard_20200303_v0.1'
    >>> product_name("south", "all", "2020-03-03")
    'seaice_sic_south_20200303_v0.1'
    """
    return _name(hemisphere, region, date.replace("-", ""))


def season_name(hemisphere: str, region: str, year: int) -> str:
    """What the store of a year is called.

    >>> season_name("north", "svalbard", 2020)
    'seaice_sic_north_svalbard_2020_v0.1.zarr'
    """
    return _name(hemisphere, region, str(year)) + ".zarr"


def product_prefix(hemisphere: str, region: str) -> str:
    """What all products of one place begin with.

    >>> product_prefix("north", "svalbard")
    'seaice_sic_north_svalbard'
    """
    return "_".join(["seaice_sic", hemisphere, *([] if region == "all" else [region])])


def _name(hemisphere: str, region: str, time: str) -> str:
    version = ".".join(__version__.split(".")[:2])
    return f"{product_prefix(hemisphere, region)}_{time}_v{version}"


def add_suffix(stem: Path, ending: str) -> Path:
    """`Path.with_suffix` would cut the version off at its point.

    >>> add_suffix(Path("p/map_v0.1"), ".nc").as_posix()
    'p/map_v0.1.nc'
    """
    return stem.with_name(stem.name + ending)


FORMATS: tuple[Format, ...] = get_args(Format)

#: of every product, by the end of the name
ALWAYS_WRITTEN = {
    ".sha256": "checksums of all of these, for `sha256sum -c`",
    ".json": "provenance: inputs, settings, warnings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFile:
    """One file (or store) of a product."""

    name: str
    says: str
    size: int  #: bytes


def write_product(
    product: "xr.Dataset", folder: Path, formats: Sequence[Format] = FORMATS
) -> list[ProductFile]:
    """Write a product into `folder`, which then holds this product and nothing else.

    Parameters
    ----------
    product : the product of docs/architecture.md; attrs["provenance"] is its JSON document. It is
        written as `round_values` makes it, the same numbers in every file.
    folder : takes the place of an earlier product of the same name, in one step
    formats : beside the provenance and the checksums, which are always written

    Returns
    -------
    list of ProductFile
        What the folder holds, the first to open first.

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    from seaice.product.metadata import write_item
    from seaice.product.netcdf_zarr import round_values

    given, product = product.attrs, round_values(product).load()
    name = product_name(given["hemisphere"], given.get("region", "all"), given["date"])
    with atomic_folder(folder) as place:
        writers = _writers(product, place / name)
        made = _write_concurrently([task for wanted in formats for task in writers[wanted]])
        if "geotiff" in formats:
            made.append(_write_qgis_project(product, place / name))
        document = json.loads(given.get("provenance", "{}"))
        document["files"] = [asdict(file) for file in made]
        (place / f"{name}.json").write_text(json.dumps(document, indent=2))
        files = [(file.name, file.says) for file in made]
        files += [(f"{name}{ending}", says) for ending, says in ALWAYS_WRITTEN.items()]
        write_item(product, files, place / STAC_ITEM)
        write_manifest(place, place / f"{name}.sha256")
    return list_product_files(folder)


def list_product_files(folder: Path) -> list[ProductFile]:
    """What a product folder holds, as its provenance says.

    Nothing where anything is missing or the provenance is damaged.

    The provenance stands last.
    """
    documents = sorted(folder.glob("seaice_sic_*.json"))
    if len(documents) != 1:
        return []
    (document,) = documents
    told = provenance_or_none(document)
    if told is None:
        return []
    files = [ProductFile(**file) for file in told["files"]]
    if any(not (folder / file.name).exists() for file in files):
        return []
    beside = {folder / STAC_ITEM: "the product as an item of a STAC catalogue"}
    beside |= {document.with_suffix(ending): says for ending, says in ALWAYS_WRITTEN.items()}
    if any(not path.exists() for path in beside):
        return []
    return files + [
        ProductFile(name=path.name, says=says, size=path.stat().st_size)
        for path, says in beside.items()
    ]


def provenance_or_none(path: Path) -> dict[str, Any] | None:
    """The provenance of a product; None where it is absent or damaged.

    A product whose provenance cannot be read counts as not made.

    Parameters
    ----------
    path : its JSON file
    """
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        files = [
            {str(key): type(value) for key, value in file.items()} for file in document["files"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    whole = all(kinds == {"name": str, "says": str, "size": int} for kinds in files)
    return document if whole else None


def _write_qgis_project(product: "xr.Dataset", stem: Path) -> ProductFile:
    """All layers of the product as QGIS opens them."""
    from seaice.grid.grid import grid_of
    from seaice.product.qgis import ProjectDay, write_project

    path, day = add_suffix(stem, ".qgz"), date.fromisoformat(product.attrs["date"])
    grid = grid_of(product)
    write_project(
        [ProjectDay(stem=stem, date=day, crs=grid.crs, bounds=grid.bounds)], stem.parent, path
    )
    return ProductFile(name=path.name, says="QGIS project: all of these, styled", size=_size(path))


Task = tuple[Path, str, Callable[[Path], None]]


def _write_concurrently(tasks: Sequence[Task]) -> list[ProductFile]:
    """Write all files, as many at a time as there are processors; each is one thread's alone."""
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        written = [workers.submit(write, path) for path, _, write in tasks]
        for done in written:
            done.result()
    return [ProductFile(name=path.name, says=says, size=_size(path)) for path, says, _ in tasks]


def _writers(product: "xr.Dataset", stem: Path) -> dict[Format, Iterator[Task]]:
    """For each format its files, what they hold, and how each is written."""
    from seaice.product.netcdf_zarr import write_netcdf, write_zarr
    from seaice.product.quicklook import write_quicklook
    from seaice.product.vectors import write_geopackage

    return {
        "geotiff": _geotiffs(product, stem),
        "netcdf": _single_file(
            stem, ".nc", "all variables, CF and ACDD", partial(write_netcdf, product)
        ),
        "zarr": _single_file(
            stem, ".zarr", "all variables, for xarray", partial(write_zarr, product)
        ),
        "geopackage": _single_file(
            stem,
            ".gpkg",
            "the ice edge and polygons by class, for GIS programs",
            partial(write_geopackage, product),
        ),
        "quicklook": _single_file(
            stem, ".png", "a picture of the map", partial(write_quicklook, product)
        ),
    }


def _single_file(
    stem: Path, ending: str, says: str, write: Callable[[Path], None]
) -> Iterator[Task]:
    yield add_suffix(stem, ending), says, write


def _geotiffs(product: "xr.Dataset", stem: Path) -> Iterator[Task]:
    from seaice.product.geotiff import rasters, write_geotiff
    from seaice.product.qgis import write_projection, write_qml

    for ending, raster in rasters(product).items():
        legend = raster.style.stops if raster.style.kind == "classes" else ()
        yield (
            add_suffix(stem, f"{ending}.tif"),
            raster.says,
            partial(write_geotiff, raster, product),
        )
        yield add_suffix(stem, f"{ending}.qml"), "its QGIS style", partial(write_qml, raster.style)
        yield (
            add_suffix(stem, f"{ending}.tif.aux.xml"),
            "its projection, for older GIS programs",
            partial(write_projection, product.attrs["crs"], legend=legend),
        )


def _size(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


HASH_WORKERS = 4  #: files hashed at the same time


def hash_files(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its name relative to the folder.

    Parameters
    ----------
    folder : files inside stores and subfolders are included
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(HASH_WORKERS) as pool:
        hashes = list(pool.map(sha256, files))
    names = (path.relative_to(folder).as_posix() for path in files)
    return dict(zip(names, hashes, strict=True))


def write_manifest(folder: Path, path: Path) -> None:
    """List the SHA-256 of every file in `folder`, those inside a Zarr store too, by name.

    `cd FOLDER && sha256sum -c NAME.sha256` then proves that all came over whole.

    Parameters
    ----------
    path : the list; it does not list itself
    """
    own = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
    lines = [f"{hash}  {name}\n" for name, hash in hash_files(folder).items() if name != own]
    path.write_text("".join(lines))


def read_manifest(text: str) -> dict[str, str]:
    """The SHA-256 of each file by its name relative to the folder.

    Raises
    ------
    ValueError
        If a line has no name, or names a path outside the folder.

    >>> read_manifest("ab12  0f/map.tif\\n")
    {'0f/map.tif': 'ab12'}
    >>> read_manifest("ab12  ../map.tif\\n")
    Traceback (most recent call last):
    ValueError: '../map.tif' is no path inside the folder
    """
    listed = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        if not is_inside(name):
            raise ValueError(f"{name!r} is no path inside the folder")
        listed[name] = digest
    return listed


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside the folder that it is relative to.

    >>> [is_inside(name) for name in ("a/b.tif", "/etc/passwd", "a/../../b", "a\\\\..\\\\b", "")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not {*"\\\0"} & {*name}


def manifest_differences(folder: Path, listed: Mapping[str, str]) -> Iterator[str]:
    """How the files of a folder differ from those listed: missing, changed, or not listed.

    Parameters
    ----------
    listed : SHA-256 by name, as `read_manifest` gives it
    """
    found = hash_files(folder)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in listed:
            yield f"{name} is not in the manifest"
        elif found[name] != listed[name]:
            yield f"{name} is not what was written"


REQUIRED_KEYS = {"date", "hemisphere", "grid", "status"}  #: in the provenance of every product


def product_folders(out: Path) -> Iterator[Path]:
    """The folders of products in `out`, by name; one whose provenance is damaged is left out."""
    for folder in sorted(out.glob("seaice_sic_*")):
        document = provenance_or_none(provenance_path(folder))
        if document is not None and document.keys() >= REQUIRED_KEYS:
            yield folder


def quality_page_path(folder: Path) -> Path:
    """Where a product's page of quality lies, which is no part of the product."""
    return add_suffix(folder / folder.name, "_quality.html")


def provenance_path(folder: Path) -> Path:
    """Where a product's provenance lies."""
    return add_suffix(folder / folder.name, ".json")


def read_provenance(folder: Path) -> dict[str, Any]:
    """The provenance of a product: date, status, hemisphere, region, granules, warnings."""
    document: dict[str, Any] = json.loads(provenance_path(folder).read_text("utf-8"))
    return document

"""A product folder: names of its files, writing all of them or none, and its manifest.

The writers are imported inside the functions that call them, so that listing a folder imports
neither xarray nor matplotlib.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

STAC_ITEM = "stac.json"  #: name of the STAC item in a product folder


def product_name(hemisphere: str, region: str, date: str) -> str:
    """Base name of a product: its folder, and the first part of each file name in it.

    >>> product_name("north", "svalbard", "2020-03-03")
    'seaice_sic_north_svalbard_20200303_v0.1'
    >>> product_name("south", "all", "2020-03-03")
    'seaice_sic_south_20200303_v0.1'
    """
    return _name(hemisphere, region, date.replace("-", ""))


def season_name(hemisphere: str, region: str, year: int) -> str:
    """Name of the Zarr store of one year.

    >>> season_name("north", "svalbard", 2020)
    'seaice_sic_north_svalbard_2020_v0.1.zarr'
    """
    return _name(hemisphere, region, str(year)) + ".zarr"


def product_prefix(hemisphere: str, region: str) -> str:
    """First part of the names of all products of a hemisphere and region.

    >>> product_prefix("north", "svalbard")
    'seaice_sic_north_svalbard'
    """
    return "_".join(["seaice_sic", hemisphere, *([] if region == "all" else [region])])


def _name(hemisphere: str, region: str, time: str) -> str:
    version = ".".join(__version__.split(".")[:2])
    return f"{product_prefix(hemisphere, region)}_{time}_v{version}"


def add_suffix(stem: Path, suffix: str) -> Path:
    """Append a suffix to a path. (`Path.with_suffix` would replace the ".1" of the version.)

    >>> add_suffix(Path("p/map_v0.1"), ".nc").as_posix()
    'p/map_v0.1.nc'
    """
    return stem.with_name(stem.name + suffix)


FORMATS: tuple[Format, ...] = get_args(Format)

#: Files that every product folder has, by suffix, with their descriptions.
ALWAYS_WRITTEN = {
    ".sha256": "checksums of all of these, for `sha256sum -c`",
    ".json": "provenance: inputs, settings, warnings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFile:
    """One file (or store) of a product.

    In the provenance document the description is stored under the key "says".
    """

    name: str
    description: str
    size: int  #: bytes


def write_product(
    product: "xr.Dataset", folder: Path, formats: Sequence[Format] = FORMATS
) -> list[ProductFile]:
    """Write a product into `folder`, which then holds this product and nothing else.

    Parameters
    ----------
    product : the product of docs/architecture.md; attrs["provenance"] is its JSON document. The
        result of `round_values` is written, so that all files hold the same numbers.
    folder : replaces an earlier product of the same name, atomically
    formats : which formats to write; provenance and checksums are always written

    Returns
    -------
    list of ProductFile
        The files in the folder, the most useful ones first.

    Raises
    ------
    OutputError
        If writing fails; `folder` is then unchanged.
    """
    from seaice.product.metadata import write_item
    from seaice.product.netcdf_zarr import round_values

    attrs, product = product.attrs, round_values(product).load()
    name = product_name(attrs["hemisphere"], attrs.get("region", "all"), attrs["date"])
    with atomic_folder(folder) as part:
        writers = _writers(product, part / name)
        files = _write_concurrently([task for each in formats for task in writers[each]])
        if "geotiff" in formats:
            files.append(_write_qgis_project(product, part / name))
        document = json.loads(attrs.get("provenance", "{}"))
        document["files"] = [
            {"name": file.name, "says": file.description, "size": file.size} for file in files
        ]
        (part / f"{name}.json").write_text(json.dumps(document, indent=2))
        assets = [(file.name, file.description) for file in files]
        assets += [(f"{name}{suffix}", text) for suffix, text in ALWAYS_WRITTEN.items()]
        write_item(product, assets, part / STAC_ITEM)
        write_manifest(part, part / f"{name}.sha256")
    return list_product_files(folder)


def list_product_files(folder: Path) -> list[ProductFile]:
    """The files of a product, as its provenance lists them.

    Returns
    -------
    list of ProductFile
        The provenance comes last. Empty where a file is missing or the provenance is damaged.
    """
    documents = sorted(folder.glob("seaice_sic_*.json"))
    if len(documents) != 1:
        return []
    (document,) = documents
    provenance = provenance_or_none(document)
    if provenance is None:
        return []
    files = [
        ProductFile(name=file["name"], description=file["says"], size=file["size"])
        for file in provenance["files"]
    ]
    if any(not (folder / file.name).exists() for file in files):
        return []
    others = {folder / STAC_ITEM: "the product as an item of a STAC catalogue"}
    others |= {document.with_suffix(suffix): text for suffix, text in ALWAYS_WRITTEN.items()}
    if any(not path.exists() for path in others):
        return []
    return files + [
        ProductFile(name=path.name, description=text, size=path.stat().st_size)
        for path, text in others.items()
    ]


def provenance_or_none(path: Path) -> dict[str, Any] | None:
    """The provenance document at a path; None where it is absent or damaged.

    A product whose provenance cannot be read counts as missing and is written again.

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
    valid = all(kinds == {"name": str, "says": str, "size": int} for kinds in files)
    return document if valid else None


def _write_qgis_project(product: "xr.Dataset", stem: Path) -> ProductFile:
    """Write the QGIS project with all layers of the product."""
    from seaice.grid.grid import grid_of
    from seaice.product.qgis import ProjectDay, write_project

    path, day = add_suffix(stem, ".qgz"), date.fromisoformat(product.attrs["date"])
    grid = grid_of(product)
    write_project(
        [ProjectDay(stem=stem, date=day, crs=grid.crs, bounds=grid.bounds)], stem.parent, path
    )
    return ProductFile(
        name=path.name, description="QGIS project: all of these, styled", size=_size(path)
    )


Task = tuple[Path, str, Callable[[Path], None]]


def _write_concurrently(tasks: Sequence[Task]) -> list[ProductFile]:
    """Write all files in parallel, one thread a file, as many threads as processors."""
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        futures = [workers.submit(write, path) for path, _, write in tasks]
        for future in futures:
            future.result()
    return [
        ProductFile(name=path.name, description=text, size=_size(path)) for path, text, _ in tasks
    ]


def _writers(product: "xr.Dataset", stem: Path) -> dict[Format, Iterator[Task]]:
    """For each format: path, description and write function of each file."""
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
    stem: Path, suffix: str, description: str, write: Callable[[Path], None]
) -> Iterator[Task]:
    yield add_suffix(stem, suffix), description, write


def _geotiffs(product: "xr.Dataset", stem: Path) -> Iterator[Task]:
    from seaice.product.geotiff import rasters, write_geotiff
    from seaice.product.qgis import write_projection, write_qml

    for suffix, raster in rasters(product).items():
        legend = raster.style.stops if raster.style.kind == "classes" else ()
        yield (
            add_suffix(stem, f"{suffix}.tif"),
            raster.description,
            partial(write_geotiff, raster, product),
        )
        yield add_suffix(stem, f"{suffix}.qml"), "its QGIS style", partial(write_qml, raster.style)
        yield (
            add_suffix(stem, f"{suffix}.tif.aux.xml"),
            "its projection, for older GIS programs",
            partial(write_projection, product.attrs["crs"], legend=legend),
        )


def _size(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


HASH_WORKERS = 4  #: files hashed at the same time


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path relative to the folder.

    Parameters
    ----------
    folder : files inside Zarr stores and subfolders are included
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(HASH_WORKERS) as pool:
        hashes = list(pool.map(sha256, files))
    names = (path.relative_to(folder).as_posix() for path in files)
    return dict(zip(names, hashes, strict=True))


def write_manifest(folder: Path, path: Path) -> None:
    """Write the SHA-256 of every file in `folder`, including those inside a Zarr store.

    `cd FOLDER && sha256sum -c NAME.sha256` then verifies a copy of the folder.

    Parameters
    ----------
    path : the manifest; it does not list itself
    """
    own = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None
    lines = [f"{hash}  {name}\n" for name, hash in hash_files(folder).items() if name != own]
    path.write_text("".join(lines))


def read_manifest(text: str) -> dict[str, str]:
    """Parse a manifest: SHA-256 of each file by its path relative to the folder.

    Raises
    ------
    ValueError
        If a line has no name, or names a path outside the folder.

    >>> read_manifest("ab12  0f/map.tif\\n")
    {'0f/map.tif': 'ab12'}
    >>> read_manifest("ab12  ../map.tif\\n")
    Traceback (most recent call last):
    ValueError: '../map.tif' is not a path inside the folder
    """
    listed = {}
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        if not is_inside(name):
            raise ValueError(f"{name!r} is not a path inside the folder")
        listed[name] = digest
    return listed


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder.

    >>> [is_inside(name) for name in ("a/b.tif", "/etc/passwd", "a/../../b", "a\\\\..\\\\b", "")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not {*"\\\0"} & {*name}


def manifest_differences(folder: Path, listed: Mapping[str, str]) -> Iterator[str]:
    """Files of a folder that are missing, changed, or not in the manifest, one sentence each.

    Parameters
    ----------
    listed : SHA-256 by name, as `read_manifest` returns it
    """
    hashes = hash_files(folder)
    for name in sorted(listed.keys() | hashes.keys()):
        if name not in hashes:
            yield f"{name} is missing"
        elif name not in listed:
            yield f"{name} is not in the manifest"
        elif hashes[name] != listed[name]:
            yield f"{name} is not what was written"


REQUIRED_KEYS = {"date", "hemisphere", "grid", "status"}  #: of every provenance document


def product_folders(out: Path) -> Iterator[Path]:
    """The product folders in `out`, sorted by name, except those whose provenance is damaged."""
    for folder in sorted(out.glob("seaice_sic_*")):
        document = provenance_or_none(provenance_path(folder))
        if document is not None and document.keys() >= REQUIRED_KEYS:
            yield folder


def quality_page_path(folder: Path) -> Path:
    """Path of a product's quality page, which is not part of the product."""
    return add_suffix(folder / folder.name, "_quality.html")


def provenance_path(folder: Path) -> Path:
    """Path of a product's provenance document."""
    return add_suffix(folder / folder.name, ".json")


def read_provenance(folder: Path) -> dict[str, Any]:
    """Read the provenance: date, status, hemisphere, region, granules, warnings."""
    document: dict[str, Any] = json.loads(provenance_path(folder).read_text("utf-8"))
    return document

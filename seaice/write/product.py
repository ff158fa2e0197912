"""A product in, its folder out: all its files, or none.

Writers are imported where they are used: what a folder holds is known without them.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from seaice.config import Format
from seaice.files import atomic_folder
from seaice.write.manifest import write_manifest
from seaice.write.names import ITEM, named, product_name

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FORMATS", "Made", "document_in", "made_in", "write_product"]

FORMATS: tuple[Format, ...] = get_args(Format)
#: of every product, by the end of the name
ALWAYS = {
    ".sha256": "checksums of all of these, for `sha256sum -c`",
    ".json": "provenance: inputs, settings, warnings",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One file (or store) of a product."""

    name: str
    says: str
    size: int  #: bytes


def write_product(
    product: "xr.Dataset", folder: Path, formats: Sequence[Format] = FORMATS
) -> list[Made]:
    """Write a product into `folder`, which then holds this product and nothing else.

    Parameters
    ----------
    product : the product of docs/architecture.md; attrs["provenance"] is its JSON document. It is
        written as `rounded` makes it, the same numbers in every file.
    folder : takes the place of an earlier product of the same name, in one step
    formats : beside the provenance and the checksums, which are always written

    Returns
    -------
    list of Made
        What the folder holds, the first to open first.

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    from seaice.write.metadata.stac import write_item
    from seaice.write.rounding import rounded

    given, product = product.attrs, rounded(product).load()
    name = product_name(given["hemisphere"], given.get("region", "all"), given["date"])
    with atomic_folder(folder) as place:
        writers = _writers(product, place / name)
        made = _at_once([task for wanted in formats for task in writers[wanted]])
        if "geotiff" in formats:
            made.append(_project(product, place / name))
        document = json.loads(given.get("provenance", "{}"))
        document["files"] = [asdict(file) for file in made]
        (place / f"{name}.json").write_text(json.dumps(document, indent=2))
        files = [(file.name, file.says) for file in made]
        files += [(f"{name}{ending}", says) for ending, says in ALWAYS.items()]
        write_item(product, files, place / ITEM)
        write_manifest(place, place / f"{name}.sha256")
    return made_in(folder)


def made_in(folder: Path) -> list[Made]:
    """What a product folder holds, as its provenance says.

    Nothing where anything is missing or the provenance is damaged.

    The provenance stands last.
    """
    documents = sorted(folder.glob("seaice_sic_*.json"))
    if len(documents) != 1:
        return []
    (document,) = documents
    told = document_in(document)
    if told is None:
        return []
    files = [Made(**file) for file in told["files"]]
    if any(not (folder / file.name).exists() for file in files):
        return []
    beside = {folder / ITEM: "the product as an item of a STAC catalogue"}
    beside |= {document.with_suffix(ending): says for ending, says in ALWAYS.items()}
    if any(not path.exists() for path in beside):
        return []
    return files + [
        Made(name=path.name, says=says, size=path.stat().st_size) for path, says in beside.items()
    ]


def document_in(path: Path) -> dict[str, Any] | None:
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


def _project(product: "xr.Dataset", stem: Path) -> Made:
    """All layers of the product as QGIS opens them."""
    from seaice.grid.grid import grid_of
    from seaice.write.qgis.project import Day, write_project

    path, day = named(stem, ".qgz"), date.fromisoformat(product.attrs["date"])
    grid = grid_of(product)
    write_project([Day(stem=stem, date=day, crs=grid.crs, bounds=grid.bounds)], stem.parent, path)
    return Made(name=path.name, says="QGIS project: all of these, styled", size=_size(path))


Task = tuple[Path, str, Callable[[Path], None]]


def _at_once(tasks: Sequence[Task]) -> list[Made]:
    """Write all files, as many at a time as there are processors; each is one thread's alone."""
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        written = [workers.submit(write, path) for path, _, write in tasks]
        for done in written:
            done.result()
    return [Made(name=path.name, says=says, size=_size(path)) for path, says, _ in tasks]


def _writers(product: "xr.Dataset", stem: Path) -> dict[Format, Iterator[Task]]:
    """For each format its files, what they hold, and how each is written."""
    from seaice.write.netcdf import write_netcdf
    from seaice.write.quicklook import write_quicklook
    from seaice.write.vectors.geopackage import write_geopackage
    from seaice.write.zarr_store import write_zarr

    return {
        "geotiff": _geotiffs(product, stem),
        "netcdf": _one(stem, ".nc", "all variables, CF and ACDD", partial(write_netcdf, product)),
        "zarr": _one(stem, ".zarr", "all variables, for xarray", partial(write_zarr, product)),
        "geopackage": _one(
            stem,
            ".gpkg",
            "the ice edge and polygons by class, for GIS programs",
            partial(write_geopackage, product),
        ),
        "quicklook": _one(stem, ".png", "a picture of the map", partial(write_quicklook, product)),
    }


def _one(stem: Path, ending: str, says: str, write: Callable[[Path], None]) -> Iterator[Task]:
    yield named(stem, ending), says, write


def _geotiffs(product: "xr.Dataset", stem: Path) -> Iterator[Task]:
    from seaice.write.geotiff import rasters, write_geotiff
    from seaice.write.qgis.beside import write_projection, write_qml

    for ending, raster in rasters(product).items():
        legend = raster.style.stops if raster.style.kind == "classes" else ()
        yield (
            named(stem, f"{ending}.tif"),
            raster.says,
            partial(write_geotiff, raster, product),
        )
        yield named(stem, f"{ending}.qml"), "its QGIS style", partial(write_qml, raster.style)
        yield (
            named(stem, f"{ending}.tif.aux.xml"),
            "its projection, for older GIS programs",
            partial(write_projection, product.attrs["crs"], legend=legend),
        )


def _size(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())

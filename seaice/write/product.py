"""A product in, its folder out: all its files, or none."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import xarray as xr

from seaice import __version__
from seaice.config import Format
from seaice.files import atomic_folder
from seaice.write.geotiff import rasters, write_geotiff
from seaice.write.qgis import write_projection, write_qml
from seaice.write.quicklook import write_quicklook
from seaice.write.zarr_store import write_zarr

__all__ = ["FORMATS", "Made", "made_in", "product_name", "write_product"]

FORMATS: tuple[Format, ...] = ("geotiff", "zarr", "quicklook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One file (or store) of a product."""

    name: str
    says: str
    size: int  #: bytes


def product_name(hemisphere: str, region: str, date: str) -> str:
    """What every file name of a product begins with.

    >>> product_name("north", "svalbard", "2020-03-03")
    'seaice_sic_north_svalbard_20200303_v0.1'
    >>> product_name("south", "all", "2020-03-03")
    'seaice_sic_south_20200303_v0.1'
    """
    version = ".".join(__version__.split(".")[:2])
    place = [hemisphere] if region == "all" else [hemisphere, region]
    return "_".join(["seaice_sic", *place, date.replace("-", ""), f"v{version}"])


def write_product(
    product: xr.Dataset, folder: Path, formats: Sequence[Format] = FORMATS
) -> list[Made]:
    """Write a product into `folder`, which then holds this product and nothing else.

    Parameters
    ----------
    product : the product of docs/architecture.md; attrs["provenance"] is its JSON document
    folder : takes the place of an earlier product of the same name, in one step
    formats : beside the provenance, which is always written

    Returns
    -------
    list of Made
        What the folder holds, the first to open first.

    Raises
    ------
    OutputError
        If the disk refuses; `folder` is then as it was.
    """
    given = product.attrs
    name = product_name(given["hemisphere"], given.get("region", "all"), given["date"])
    made = []
    with atomic_folder(folder) as place:
        for wanted in formats:
            for path, says, write in _writers(product, place / name)[wanted]:
                write(path)
                made.append(Made(name=path.name, says=says, size=_size(path)))
        document = json.loads(given.get("provenance", "{}"))
        document["files"] = [asdict(file) for file in made]
        (place / f"{name}.json").write_text(json.dumps(document, indent=2))
    return made_in(folder)


def made_in(folder: Path) -> list[Made]:
    """What a product folder holds, as its provenance says; nothing where anything is missing."""
    documents = sorted(folder.glob("seaice_sic_*.json"))
    if len(documents) != 1:
        return []
    (document,) = documents
    files = [Made(**file) for file in json.loads(document.read_text())["files"]]
    if any(not (folder / file.name).exists() for file in files):
        return []
    size = document.stat().st_size
    return [
        *files,
        Made(name=document.name, says="provenance: inputs, settings, warnings", size=size),
    ]


Task = tuple[Path, str, Callable[[Path], None]]


def _writers(product: xr.Dataset, stem: Path) -> dict[Format, Iterator[Task]]:
    """For each format its files, what they hold, and how each is written."""
    return {
        "geotiff": _geotiffs(product, stem),
        "zarr": iter(
            [(_named(stem, ".zarr"), "all variables, for xarray", partial(write_zarr, product))]
        ),
        "quicklook": iter(
            [(_named(stem, ".png"), "a picture of the map", partial(write_quicklook, product))]
        ),
    }


def _geotiffs(product: xr.Dataset, stem: Path) -> Iterator[Task]:
    for ending, raster in rasters(product).items():
        yield (
            _named(stem, f"{ending}.tif"),
            raster.says,
            partial(write_geotiff, raster, product),
        )
        yield _named(stem, f"{ending}.qml"), "its QGIS style", partial(write_qml, raster.style)
        yield (
            _named(stem, f"{ending}.tif.aux.xml"),
            "its projection, for older GIS programs",
            partial(write_projection, product.attrs["crs"]),
        )


def _named(stem: Path, ending: str) -> Path:
    """`Path.with_suffix` would cut the version off at its point."""
    return stem.with_name(stem.name + ending)


def _size(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())

"""Products, seasons and what follows from them, checked against what they say of themselves."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import xarray as xr
from pyproj import CRS
from rasterio.errors import RasterioError

from seaice.files import sha256
from seaice.product.folder import (
    STAC_ITEM,
    is_inside,
    manifest_differences,
    quality_page_path,
    read_manifest,
)
from seaice.product.metadata import STAC_COLLECTION
from seaice.product.season_store import DAYS_FOLDER, list_days, read_day, read_record
from seaice.workflow.season.agreement import (
    problems_of_files,
    problems_of_names,
    problems_of_values,
)
from seaice.workflow.season.derived import (
    problems_of_collection,
    problems_of_projects,
    problems_of_series,
)
from seaice.workflow.season.status import PRODUCT, no_products

__all__ = [
    "Checked",
    "Damage",
    "checked",
    "damages",
    "derived_damages",
    "every_damage",
    "problems_of_product",
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
class Checked:
    """How much there is to verify in a folder."""

    products: int
    days: int  #: of seasons

    def __str__(self) -> str:
        """In words.

        >>> str(Checked(products=1, days=0)), str(Checked(products=2, days=3))
        ('1 product', '2 products and 3 days of seasons')
        """
        plural = "" if self.products == 1 else "s"
        days = f" and {self.days} day{'' if self.days == 1 else 's'} of seasons"
        return f"{self.products} product{plural}{days if self.days else ''}"


def checked(out: Path) -> Checked:
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
    return Checked(products=products, days=days)


def _folders(out: Path) -> list[Path]:
    return sorted(each for each in out.glob("seaice_sic_*_v*") if PRODUCT.fullmatch(each.name))


def _seasons(out: Path) -> list[Path]:
    return sorted(out.glob("seaice_sic_*_????_v*.zarr"))


def damages(out: Path) -> Iterator[Damage]:
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


def every_damage(out: Path) -> Iterator[Damage]:
    """`damages`, then `derived_damages`."""
    damaged = set()
    for damage in damages(out):
        damaged.add(damage.what)
        yield damage
    yield from derived_damages(out, damaged)


def derived_damages(out: Path, damaged: set[str]) -> Iterator[Damage]:
    """The series, catalogue and QGIS projects of a folder that differ from its products.

    Each is computed from the products again and compared.

    Parameters
    ----------
    damaged : names of products that nothing can be computed from
    """
    found = [
        *problems_of_series(out, damaged),
        *problems_of_collection(out, damaged),
        *problems_of_projects(out, damaged),
    ]
    for path, pairs in groupby(found, key=lambda pair: pair[0]):
        problems = tuple(problem for _, problem in pairs)
        yield Damage(what=path.name, place="", day=None, problems=problems)


def _lost(out: Path) -> list[str]:
    """Products that the catalogue names and that are gone; one that is damaged names none."""
    try:
        links = json.loads((out / STAC_COLLECTION).read_text())["links"]
        named = {Path(link["href"]).parent.name for link in links if link["rel"] == "item"}
    except (OSError, ValueError, KeyError, TypeError):
        return []  # `derived_damages` says so
    return sorted(name for name in named if not (out / name).exists())


def _of(what: str, place: str, day: str, problems: Iterator[str]) -> Iterator[Damage]:
    found = tuple(problems)
    if found:
        yield Damage(what=what, place=place, day=date.fromisoformat(day), problems=found)


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
    beside = {manifest.name, quality_page_path(folder).name}
    problems = [
        problem
        for problem in manifest_differences(folder, listed)
        if problem not in {f"{name} is not in the manifest" for name in beside}
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

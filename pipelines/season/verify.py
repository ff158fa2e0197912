"""Products and seasons held against what they say of themselves: hashes, CRS, ranges, flags."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import xarray as xr
from pyproj import CRS

from pipelines.season.status import PRODUCT
from seaice.files import sha256
from seaice.series.reading import page_path
from seaice.sic.flags import Flag
from seaice.vocabulary import VOCABULARY
from seaice.write.metadata.stac import COLLECTION
from seaice.write.season.layout import DAYS
from seaice.write.season.store import days_held, read_day, record_of

__all__ = ["Damage", "damages", "problems_of_product"]

KNOWN_FLAGS = sum(Flag)
LOST = f"{COLLECTION} names it, and it is gone; where that is meant, a run renews the catalogue"
ROUNDING = 1e-5  #: by which a float32 may pass a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A product's folder, or a day of a season, that is not what it should be."""

    what: str  #: the folder's or the store's name, with the day
    place: str
    day: date
    problems: tuple[str, ...]
    state: Literal["damaged", "repaired"] = "damaged"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"day": str(self.day)}


def damages(out: Path) -> Iterator[Damage]:
    """What is damaged below a folder of products; nothing where all is whole."""
    for folder in sorted(out.glob("seaice_sic_*_v*")):
        if name := PRODUCT.fullmatch(folder.name):
            yield from _of(folder.name, name["place"], name["day"], problems_of_product(folder))
    for name in filter(None, map(PRODUCT.fullmatch, _lost(out))):
        yield from _of(name[0], name["place"], name["day"], iter([LOST]))
    for store in sorted(out.glob("seaice_sic_*_????_v*.zarr")):
        place = store.name.removeprefix("seaice_sic_").rsplit("_", 2)[0]
        for day in days_held(store):
            problems = _of_season_day(store, day)
            yield from _of(f"{store.name} {day}", place, str(day), problems)


def _lost(out: Path) -> list[str]:
    """Products that the catalogue names and that are gone; one that is damaged names none."""
    try:
        links = json.loads((out / COLLECTION).read_text())["links"]
        named = {Path(link["href"]).parent.name for link in links if link["rel"] == "item"}
    except (OSError, ValueError, KeyError, TypeError):
        return []  # the next run writes it anew
    return sorted(name for name in named if not (out / name).exists())


def _of(what: str, place: str, day: str, problems: Iterator[str]) -> Iterator[Damage]:
    found = tuple(problems)
    if found:
        yield Damage(what=what, place=place, day=date.fromisoformat(day), problems=found)


def problems_of_product(folder: Path) -> Iterator[str]:
    """What is wrong with a product, file by file; nothing where it is whole."""
    manifest = folder / f"{folder.name}.sha256"
    try:
        lines = [line.split("  ", 1) for line in manifest.read_text().splitlines()]
        told = {name: digest for digest, name in lines}
        document = json.loads((folder / f"{folder.name}.json").read_text())
        crs = CRS(document["grid"]["crs"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"manifest or provenance cannot be read ({type(error).__name__})"
        return
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    known = {*told, manifest.name, page_path(folder).name}
    problems = [*_of_files(folder, told)]
    problems += [f"{name} is not in the manifest" for name in sorted(held - known)]
    yield from problems
    if problems:
        return
    for raster in sorted(folder.glob("*.tif")):
        yield from _of_raster(raster, crs)
    for store in sorted(folder.glob("*.zarr")):
        with xr.open_zarr(store, chunks=None) as product:
            yield from _of_values(product.isel(time=0).load(), crs)


def _of_files(folder: Path, told: dict[str, str]) -> Iterator[str]:
    for name, digest in told.items():
        try:
            if sha256(folder / name) != digest:
                yield f"{name} is not what was written"
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"


def _of_raster(path: Path, crs: CRS) -> Iterator[str]:
    with rasterio.open(path) as raster:
        if CRS(raster.crs.to_wkt()) != crs and raster.crs.to_epsg() != crs.to_epsg():
            yield f"{path.name} in {raster.crs}, not in {crs.to_string()}"


def _of_values(product: xr.Dataset, crs: CRS) -> Iterator[str]:
    if CRS.from_cf(product["crs"].attrs).to_epsg() != crs.to_epsg():
        yield f"grid mapping is not {crs.to_string()}"
    for name, values in product.data_vars.items():
        limits = VOCABULARY[str(name)].valid_range if name in VOCABULARY else None
        if limits and np.issubdtype(values.dtype, np.floating):
            outside = (values < limits[0] - ROUNDING) | (values > limits[1] + ROUNDING)
            if bool(outside.any()):
                yield f"{name} outside {limits[0]:g} to {limits[1]:g} in {int(outside.sum())} cells"
    unknown = int((product["status_flag"].values & ~np.uint16(KNOWN_FLAGS)).any())
    if unknown:
        yield "status_flag has bits that mean nothing"


def _of_season_day(store: Path, day: date) -> Iterator[str]:
    record = record_of(store, day)
    if record is None:
        yield "its record cannot be read"
        return
    problems = [*_of_files(store / DAYS / str(day), record["files"])]
    yield from problems
    if not problems:
        crs = CRS(xr.open_zarr(store, chunks=None).attrs["crs"])
        yield from _of_values(read_day(store, day), crs)

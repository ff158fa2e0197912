"""Whether the files that follow from all products of a folder say what the products say."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from seaice.product.folder import (
    product_folders,
    product_prefix,
    quality_page_path,
    read_provenance,
)
from seaice.product.metadata import STAC_COLLECTION, write_collection
from seaice.product.reader import read_maps
from seaice.product.series import csv_cells, read_csv_cells, series_path, series_rows
from seaice.workflow.catalogue import projects

__all__ = ["problems_of_collection", "problems_of_projects", "problems_of_series"]

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
            found = read_csv_cells(path)
        except (OSError, ValueError) as error:
            yield path, f"cannot be read ({error})"
            continue
        for (day, ground), lines in found.items():
            place = product_prefix(hemisphere, ground)
            prefix = f"{place}_{day.replace('-', '')}_v"
            if (day, ground) not in own and not any(name.startswith(prefix) for name in damaged):
                yield path, f"{len(lines)} rows of {day}, of which no product is here"
        for (day, ground), folder in own.items():
            if folder.name not in damaged:
                yield from ((path, problem) for problem in _of_rows(folder, found[day, ground]))


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
        found: Any = json.loads(path.read_text("utf-8"))
        hrefs = [link["href"] for link in found["links"] if link["rel"] == "item"]
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
        if json.loads(draft.read_text("utf-8")) != found:
            yield path, "differs from the products it names"


def problems_of_projects(out: Path, damaged: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Which QGIS projects of places differ from what the products give."""
    held: dict[Path, bytes] = defaultdict(bytes, projects(out))
    for path in sorted(out.glob("seaice_sic_*.qgz")):
        if path.read_bytes() != held[path] and not any(
            name.startswith(f"{path.stem}_") for name in damaged
        ):
            yield path, "differs from the products of its place"

"""What tells of all products in a folder: a STAC collection, and a QGIS project for each place."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from seaice.files import atomic_file, file_lock
from seaice.product.folder import (
    STAC_ITEM,
    add_suffix,
    product_folders,
    product_prefix,
    read_provenance,
)
from seaice.product.metadata import STAC_COLLECTION, write_collection
from seaice.product.qgis import ProjectDay, write_project

__all__ = ["catalogue", "projects"]

PLAYED = 60  #: days of a place that its project holds, the newest


def catalogue(out: Path) -> list[Path]:
    """Write the collection and the projects of all products in `out`; their paths.

    A project holds the newest 60 days of its place, for the time controller to play.

    Raises
    ------
    OutputError
        If the disk refuses; what was there before then stays.
    """
    folders = _catalogued(out)
    if not folders:
        return []
    with file_lock(out / STAC_COLLECTION):
        items = [folder / STAC_ITEM for folder in folders]
        made = {
            out / STAC_COLLECTION: _drafted(STAC_COLLECTION, partial(write_collection, items, out))
        }
        made |= projects(out)
        for path, content in made.items():
            _renew(path, content)
        return [*made]


def _catalogued(out: Path) -> list[Path]:
    """The folders of products whose catalogue item can be read."""
    return [folder for folder in product_folders(out) if _item(folder / STAC_ITEM)]


def _item(path: Path) -> Any:
    try:
        item: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(item, dict) and {"bbox", "properties"} <= item.keys()
    return item if known else None


def _drafted(name: str, write: Callable[[Path], None]) -> bytes:
    """What a writer writes."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / name
        write(draft)
        return draft.read_bytes()


def _renew(path: Path, content: bytes) -> None:
    """Write a file in one step; one that would say the same is left alone, its time too."""
    if path.exists() and path.read_bytes() == content:
        return
    with atomic_file(path) as part:
        part.write_bytes(content)


def projects(out: Path) -> dict[Path, bytes]:
    """The QGIS project of each place in `out` by its path: the newest days of its products."""
    places: dict[str, list[ProjectDay]] = defaultdict(list)
    for folder in _catalogued(out):
        document = read_provenance(folder)
        day, grid = date.fromisoformat(document["date"]), document["grid"]
        stem = folder / folder.name
        if not add_suffix(stem, ".qgz").exists():
            continue
        place = product_prefix(document["hemisphere"], document.get("region", "all"))
        left, bottom, right, top = grid["bounds_m"]
        places[place].append(
            ProjectDay(stem=stem, date=day, crs=grid["crs"], bounds=(left, bottom, right, top))
        )
    made = {}
    for place, days in places.items():
        path = out / f"{place}.qgz"
        newest = sorted(days, key=lambda day: day.date)[-PLAYED:]
        made[path] = _drafted(path.name, partial(write_project, newest, out))
    return made

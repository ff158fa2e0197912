"""What tells of all products in a folder: a STAC collection, and a QGIS project for each place."""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from seaice.files import alone, atomic_file
from seaice.series.reading import document_of, product_folders
from seaice.write.metadata.stac import COLLECTION, ITEM, write_collection
from seaice.write.names import named, place_name
from seaice.write.qgis.project import Day, write_project

__all__ = ["catalogue"]

PLAYED = 60  #: days of a place that its project holds, the newest


def catalogue(out: Path) -> list[Path]:
    """Write the collection and the projects of all products in `out`; their paths.

    A project holds the newest 60 days of its place, for the time controller to play.

    Raises
    ------
    OutputError
        If the disk refuses; what was there before then stays.
    """
    folders = [folder for folder in product_folders(out) if (folder / ITEM).exists()]
    if not folders:
        return []
    with alone(out / COLLECTION):
        items = [folder / ITEM for folder in folders]
        _renewed(out / COLLECTION, partial(write_collection, items, out))
        return [out / COLLECTION, *_projects(out, folders)]


def _renewed(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file in one step; one that would say the same is left alone, its time too."""
    with tempfile.TemporaryDirectory() as aside:
        draft = Path(aside) / path.name
        write(draft)
        content = draft.read_bytes()
    if path.exists() and path.read_bytes() == content:
        return
    with atomic_file(path) as part:
        part.write_bytes(content)


def _projects(out: Path, folders: list[Path]) -> list[Path]:
    places: dict[str, list[Day]] = defaultdict(list)
    for folder in folders:
        document = document_of(folder)
        day, grid = date.fromisoformat(document["date"]), document["grid"]
        stem = folder / folder.name
        if not named(stem, ".qgz").exists():
            continue
        place = place_name(document["hemisphere"], document.get("region", "all"))
        left, bottom, right, top = grid["bounds_m"]
        places[place].append(
            Day(stem=stem, date=day, crs=grid["crs"], bounds=(left, bottom, right, top))
        )
    paths = []
    for place, days in places.items():
        path = out / f"{place}.qgz"
        newest = sorted(days, key=lambda day: day.date)[-PLAYED:]
        _renewed(path, partial(write_project, newest, out))
        paths.append(path)
    return paths

"""Updates the files that describe all products of a folder.

These are the STAC collection, the QGIS projects, the time series of extent and area, and the
quality page of each day.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from seaice.errors import NoInputError
from seaice.files import atomic_file, file_lock
from seaice.product.folder import (
    STAC_ITEM,
    ProductFile,
    add_suffix,
    product_folders,
    product_name,
    product_prefix,
    quality_page_path,
    read_provenance,
)
from seaice.product.metadata import STAC_COLLECTION, write_collection
from seaice.product.qgis import ProjectDay, write_project
from seaice.product.reader import read_maps
from seaice.product.series import SeriesRow, series_path, series_rows, update_series, write_series
from seaice.workflow.stages import Progress

__all__ = [
    "projects",
    "rebuild_series",
    "record_in_series",
    "update_catalogue",
    "update_series_and_page",
]

PLAYED = 60  #: days of a place that its project holds, the newest


def update_catalogue(out: Path) -> list[Path]:
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
        result = {
            out / STAC_COLLECTION: _drafted(STAC_COLLECTION, partial(write_collection, items, out))
        }
        result |= projects(out)
        for path, content in result.items():
            _renew(path, content)
        return [*result]


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
    result = {}
    for place, days in places.items():
        path = out / f"{place}.qgz"
        newest = sorted(days, key=lambda day: day.date)[-PLAYED:]
        result[path] = _drafted(path.name, partial(write_project, newest, out))
    return result


def update_series_and_page(
    folder: Path, made: list[ProductFile], progress: Progress
) -> list[ProductFile]:
    """See to a day's place in the series and to its page of quality; what its folder now holds.

    A product that has its page is left alone; one that is made again has none. The page of the
    day after compares with this day: where there is one, it is made anew.

    Raises
    ------
    SeaIceError
        If the series cannot be written; the product stands all the same.
    """
    page = quality_page_path(folder)
    if not page.exists():
        from seaice.product.quality import write_quality_page

        progress("quality", 0, 1)
        if record_in_series(folder) is not None:
            write_quality_page(folder)
            _refresh_page(_day_after(folder))
        progress("quality", 1, 1)
    if not page.exists():
        return made
    told = ProductFile(
        name=page.name, description="quality of the day: warnings first", size=page.stat().st_size
    )
    return [*made[:-1], told, made[-1]]


def _day_after(folder: Path) -> Path:
    """The folder of the same ground's product of the next day, whether or not it is there."""
    document = read_provenance(folder)
    following = date.fromisoformat(document["date"]) + timedelta(days=1)
    ground = document.get("region", "all")
    return folder.parent / product_name(document["hemisphere"], ground, following.isoformat())


def _refresh_page(folder: Path) -> None:
    """Make a product's page anew if it has one; without one it is still to come, with its rows."""
    from seaice.product.quality import write_quality_page

    if quality_page_path(folder).exists():
        with file_lock(folder):  # not while another run puts a new product there
            if quality_page_path(folder).exists():
                write_quality_page(folder)


def record_in_series(folder: Path) -> Path | None:
    """Put a product's extent and area into the series beside it; the path of the series.

    None where the product was written without a format that concentration can be read from.
    """
    maps = read_maps(folder)
    if maps is None:
        return None
    document = read_provenance(folder)
    path = series_path(folder.parent, document["hemisphere"])
    update_series(path, series_rows(maps, document))
    return path


def rebuild_series(out: Path, progress: Progress) -> list[Path]:
    """Make the series of all products in `out` anew; the paths of their files.

    Raises
    ------
    NoInputError
        If no product is there that concentration can be read from.
    """
    folders = list(product_folders(out))
    result: list[tuple[str, list[SeriesRow]]] = []
    for done, folder in enumerate(folders):
        progress("series", done, len(folders))
        document = read_provenance(folder)
        maps = read_maps(folder)
        if maps is not None and "region" in document:
            result.append((document["hemisphere"], series_rows(maps, document)))
    progress("series", len(folders), len(folders))
    if not result:
        raise NoInputError(
            f"{len(folders)} products in {out}, none with concentration",
            "folders of `make daily`, with Zarr, NetCDF or GeoTIFF in them",
            "give the folder that --out named",
        )
    paths = []
    for hemisphere, these in groupby(sorted(result, key=_first), key=_first):
        path = series_path(out, hemisphere)
        write_series(path, [row for _, rows in these for row in rows])
        paths.append(path)
    return paths


def _first(pair: tuple[str, list[SeriesRow]]) -> str:
    return pair[0]

"""What follows a day's product: its rows of the series and its page. And the series anew."""

from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

from seaice.errors import NoInputError
from seaice.files import file_lock
from seaice.product.folder import (
    ProductFile,
    product_folders,
    product_name,
    quality_page_path,
    read_provenance,
)
from seaice.product.reader import read_maps
from seaice.product.series import SeriesRow, series_path, series_rows, update_series, write_series
from seaice.workflow.stages import Progress

__all__ = ["follow", "rebuild_series", "record"]


def follow(folder: Path, made: list[ProductFile], progress: Progress) -> list[ProductFile]:
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
        if record(folder) is not None:
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


def record(folder: Path) -> Path | None:
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
    found: list[tuple[str, list[SeriesRow]]] = []
    for done, folder in enumerate(folders):
        progress("series", done, len(folders))
        document = read_provenance(folder)
        maps = read_maps(folder)
        if maps is not None and "region" in document:
            found.append((document["hemisphere"], series_rows(maps, document)))
    progress("series", len(folders), len(folders))
    if not found:
        raise NoInputError(
            f"{len(folders)} products in {out}, none with concentration",
            "folders of `make daily`, with Zarr, NetCDF or GeoTIFF in them",
            "give the folder that --out named",
        )
    paths = []
    for hemisphere, these in groupby(sorted(found, key=_first), key=_first):
        path = series_path(out, hemisphere)
        write_series(path, [row for _, rows in these for row in rows])
        paths.append(path)
    return paths


def _first(pair: tuple[str, list[SeriesRow]]) -> str:
    return pair[0]

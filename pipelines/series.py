"""What follows a day's product: its rows of the series. And the whole series anew."""

from itertools import groupby
from pathlib import Path

from pipelines.stages import Progress
from seaice.errors import NoInputError
from seaice.series.daily import rows_of
from seaice.series.reading import document_of, maps_of, product_folders
from seaice.series.record import Row, entered, series_path, write_series

__all__ = ["rebuild_series", "record"]


def record(folder: Path) -> Path | None:
    """Put a product's extent and area into the series beside it; the path of the series.

    None where the product was written without a format that concentration can be read from.
    """
    maps = maps_of(folder)
    if maps is None:
        return None
    document = document_of(folder)
    path = series_path(folder.parent, document["hemisphere"])
    entered(path, rows_of(maps, document))
    return path


def rebuild_series(out: Path, progress: Progress) -> list[Path]:
    """Make the series of all products in `out` anew; the paths of their files.

    Raises
    ------
    NoInputError
        If no product is there that concentration can be read from.
    """
    folders = list(product_folders(out))
    found: list[tuple[str, list[Row]]] = []
    for done, folder in enumerate(folders):
        progress("series", done, len(folders))
        document = document_of(folder)
        maps = maps_of(folder)
        if maps is not None and "region" in document:
            found.append((document["hemisphere"], rows_of(maps, document)))
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


def _first(pair: tuple[str, list[Row]]) -> str:
    return pair[0]

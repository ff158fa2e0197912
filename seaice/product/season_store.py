"""A season as one Zarr store (time, y, x): each day is written completely or not at all.

Days may be written in any order. Every array has the full length of its year from the start. A
day's chunks are written to a folder of their own, `.days/DATE_KEY`; `.days/DATE` is a symbolic link
to the valid generation, and the chunk `NAME/c/N` of every variable is a link through it. One rename
therefore replaces all variables of a day at once, for any program that reads Zarr, and what an
interrupted writer leaves behind is never visible. Object stores have no links: follow the links
when copying to one.
"""

import calendar
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.errors import ZarrUserWarning

from seaice.errors import NoInputError, OutputError
from seaice.files import atomic_folder, file_lock, sha256
from seaice.product.folder import season_name
from seaice.product.metadata import MAP_VARIABLES, to_cf
from seaice.product.netcdf_zarr import round_values, write_cf_zarr

__all__ = [
    "DAYS_FOLDER",
    "DAY_STATUS",
    "create_season",
    "day_index",
    "link_chunks",
    "list_days",
    "open_season",
    "read_day",
    "read_record",
    "remove_day",
    "remove_old_generations",
    "write_day",
]

DAYS_FOLDER = ".days"  #: folder inside the store that holds the days
DAY_STATUS = "day_status"  #: variable: 0 absent, 1 provisional, 2 final

#: Attributes of single days; they are stored in the day's record, not in the season.
DAILY_ATTRIBUTES = (
    "comment", "date", "date_created", "date_metadata_modified", "date_modified", "history",
    "product_status", "provenance", "sic_name", "source", "sr_name", "tie_points",
)  # fmt: skip


def day_index(day: date) -> int:
    """Index of a day on the time axis of its year.

    >>> day_index(date(2020, 3, 1))
    60
    """
    return day.timetuple().tm_yday - 1


def create_season(product: xr.Dataset, store: Path) -> None:
    """Create the empty store for the year of a product.

    Raises
    ------
    OutputError
        If writing fails.
    """
    year = int(product.attrs["date"][:4])
    days = 366 if calendar.isleap(year) else 365
    cf = to_cf(product)
    cf.attrs = _season_attributes(cf.attrs, product, year)
    for name in ("time", "time_bnds"):  # one chunk: always read completely
        cf[name].encoding["chunks"] = (days, *cf[name].shape[1:])
    cf[DAY_STATUS] = ("time", np.zeros(1, np.uint8), _status_attributes())
    with atomic_folder(store) as part:
        write_cf_zarr(cf, part, f"{year}-01-01")
        _resize_to_year(part, year, days)
        (part / DAYS_FOLDER).mkdir()
        for name in (*(name for name in MAP_VARIABLES if name in cf), DAY_STATUS):
            shutil.rmtree(part / name / "c", ignore_errors=True)
            (part / name / "c").mkdir()


def link_chunks(store: Path, day: date, names: Iterable[str]) -> None:
    """Link the chunks of a day to its folder; they are absent until the folder exists."""
    index = str(day_index(day))
    for name in names:
        chunk = store / name / "c" / index
        if not chunk.is_symlink():
            chunk.symlink_to(Path("..", "..", DAYS_FOLDER, str(day), name, "c", index))


def _resize_to_year(store: Path, year: int, days: int) -> None:
    """Resize every array with a time axis to the full year, and write the times."""
    group = zarr.open_group(store, mode="r+", use_consolidated=False)
    for _, array in group.arrays():
        if (array.metadata.dimension_names or ("",))[0] == "time":  # type: ignore[union-attr]
            array.resize((days, *array.shape[1:]))
    starts = np.datetime64(f"{year}-01-01", "s") + np.arange(days) * np.timedelta64(86400, "s")
    seconds = starts.astype("int64")
    group["time"][:] = seconds + 43200  # type: ignore[index]
    group["time_bnds"][:] = np.stack([seconds, seconds + 86400], -1)  # type: ignore[index]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(store)


def _season_attributes(
    attributes: dict[str, object], product: xr.Dataset, year: int
) -> dict[str, object]:
    hemisphere = product.attrs["hemisphere"]
    return {name: value for name, value in attributes.items() if name not in DAILY_ATTRIBUTES} | {
        "title": f"Sea-ice concentration, {hemisphere}, {year}",
        "id": season_name(hemisphere, product.attrs.get("region", "all"), year),
        "year": year,
        "time_coverage_start": f"{year}-01-01T00:00:00Z",
        "time_coverage_end": f"{year}-12-31T23:59:59Z",
        "time_coverage_duration": "P1Y",
        "comment": f"{DAY_STATUS} tells which days are there; what each is made of stands in "
        f"{DAYS_FOLDER}/DATE/record.json",
    }


def _status_attributes() -> dict[str, object]:
    return {
        "standard_name": "status_flag",
        "long_name": "whether a day is there, and is final",
        "flag_values": np.array([0, 1, 2], np.uint8),
        "flag_meanings": "absent provisional final",
        "coverage_content_type": "qualityInformation",
    }


RECORD = "record.json"  #: key, status, provenance and file hashes of a day


def write_day(product: xr.Dataset, store: Path, key: str) -> None:
    """Write a day into the season store, replacing an earlier version of the day.

    Parameters
    ----------
    product : the product of docs/architecture.md; stored with the rounding of `round_values`, like
        the product's files
    store : created if missing; its year is the year of the first day written
    key : cache key of the day's content; a day stored under the same key is not written again

    Raises
    ------
    OutputError
        If writing fails, or the store has another year or grid; the store is then unchanged.
    """
    product = round_values(product)
    if not store.exists():
        with file_lock(store):
            if not store.exists():
                create_season(product, store)
    _check_same_grid(product, store)
    day = product.attrs["date"]
    link = store / DAYS_FOLDER / day
    with file_lock(link):
        folder = link.with_name(f"{day}_{key}")
        if not folder.exists():
            with atomic_folder(folder) as part:
                _write_generation(part, product, store, key)
        arrays = [path.name for path in folder.iterdir() if path.is_dir()]
        link_chunks(store, date.fromisoformat(day), arrays)
        _switch_link(link, folder)
        older = [path for path in _generations(link) if path != folder]
        for path in sorted(older, key=lambda path: path.stat().st_mtime)[:-1]:
            _remove_generation(path)  # the newest of them remains for readers that have it open


def read_record(store: Path, day: date) -> dict[str, Any] | None:
    """Record of a day: key, status, provenance, file hashes; None if the day is absent."""
    try:
        record: Any = json.loads((store / DAYS_FOLDER / str(day) / RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, dict) else None


def list_days(store: Path) -> list[date]:
    """Dates of all complete days, sorted."""
    links = (path for path in (store / DAYS_FOLDER).glob("????-??-??") if path.exists())
    return sorted(date.fromisoformat(path.name) for path in links)


def open_season(store: Path) -> xr.Dataset:
    """Open all complete days of a season; values are read lazily.

    If a day is replaced in the meantime, variables read later come from the new version. `read_day`
    reads all variables from one version.
    """
    season: xr.Dataset = xr.open_zarr(store, chunks=None)
    return season.isel(time=[day_index(day) for day in list_days(store)])


def read_day(store: Path, day: date) -> xr.Dataset:
    """Read all variables of a day from one version of it into memory.

    Raises
    ------
    NoInputError
        If the day is not in the store.
    """
    link = store / DAYS_FOLDER / str(day)
    while True:
        if not link.exists():
            raise NoInputError(
                f"no {day} in {store}", "a day of the season that is finished", "make it first"
            )
        generation = link.resolve()
        before = _folder_identity(generation)
        try:
            whole = _load_generation(store, generation, day_index(day))
        except FileNotFoundError:
            if _folder_identity(generation) == before is not None:
                raise
        else:
            if _folder_identity(generation) == before is not None:
                return whole  # otherwise it was replaced twice during the reading: read again


def _folder_identity(folder: Path) -> tuple[int, int] | None:
    """Inode and modification time, which distinguish a folder from a later one of the same name."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _load_generation(store: Path, generation: Path, slot: int) -> xr.Dataset:
    """Arrays of one version of a day with the metadata of the season."""
    season: xr.Dataset = xr.open_zarr(store, chunks=None, mask_and_scale=False, decode_times=False)
    one = season.isel(time=slot).load()
    for name in (*MAP_VARIABLES, DAY_STATUS):
        if name in one:
            values = zarr.open_array(generation / name, mode="r")[slot]
            one[name] = one[name].copy(data=np.asarray(values).reshape(one[name].shape))
    decoded: xr.Dataset = xr.decode_cf(one)
    return decoded


def remove_day(store: Path, day: date) -> None:
    """Remove a day from the season; does nothing if it is absent."""
    link = store / DAYS_FOLDER / str(day)
    if not link.is_symlink():
        return
    with file_lock(link):
        link.unlink(missing_ok=True)
        for path in [*_generations(link)]:
            _remove_generation(path)


def remove_old_generations(store: Path) -> int:
    """Remove versions of days that were replaced, and return their number.

    They remain after `write_day` for programs that still read them.
    """
    removed = 0
    for link in (store / DAYS_FOLDER).glob("????-??-??"):
        with file_lock(link):
            for path in _generations(link):
                if path != link.resolve():
                    _remove_generation(path)
                    removed += 1
    return removed


def _remove_generation(generation: Path) -> None:
    """Rename the folder in one step, then delete its files."""
    hidden = generation.with_name(f".{generation.name}.gone.part")
    os.rename(generation, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _generations(link: Path) -> Iterator[Path]:
    return link.parent.resolve().glob(f"{link.name}_*")


def _switch_link(link: Path, folder: Path) -> None:
    """Point the link of a day to a version of it, atomically."""
    temporary = link.with_name(f".{link.name}.next")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    os.replace(temporary, link)
    handle = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_generation(part: Path, product: xr.Dataset, store: Path, key: str) -> None:
    """Write a version of a day: arrays of the season's shape that hold this day, and the record."""
    day = date.fromisoformat(product.attrs["date"])
    cf = to_cf(product)
    final = product.attrs["status"] == "final"
    arrays = {
        name: _stored_numbers(cf[name].values[0], day) for name in MAP_VARIABLES if name in cf
    }
    arrays[DAY_STATUS] = np.array(2 if final else 1, np.uint8)
    for name, values in arrays.items():
        (part / name).mkdir()
        shutil.copy(store / name / "zarr.json", part / name)
        zarr.open_array(part / name, mode="r+")[day_index(day)] = values
    files = sorted(path for path in part.rglob("*") if path.is_file())
    record = {
        "date": str(day),
        "key": key,
        "status": product.attrs["status"],
        "methods": {stage: product.attrs.get(f"{stage}_name") for stage in ("sr", "sic")},
        "provenance": json.loads(product.attrs.get("provenance", "{}")),
        "files": {path.relative_to(part).as_posix(): sha256(path) for path in files},
    }
    (part / RECORD).write_text(json.dumps(record, indent=1))


def _stored_numbers(values: NDArray[Any], day: date) -> NDArray[Any]:
    """Values as they are stored: times in seconds since the year began."""
    if not np.issubdtype(values.dtype, np.datetime64):
        return values
    seconds = (values - np.datetime64(f"{day.year}-01-01", "ns")) / np.timedelta64(1, "s")
    return np.asarray(seconds, np.float64)


def _check_same_grid(product: xr.Dataset, store: Path) -> None:
    season = xr.open_zarr(store, chunks=None)
    expected = str(season.attrs["year"]), season.attrs["crs"]
    actual = product.attrs["date"][:4], product.attrs["crs"]
    same = all(np.array_equal(season[axis], product[axis]) for axis in ("y", "x"))
    if expected != actual or not same:
        raise OutputError(
            f"{store.name} of {', '.join(expected)} and a day of {', '.join(actual)}, "
            f"{'the same' if same else 'other'} cells",
            "a day of the same year on the same cells",
            "give another folder with --out",
        )

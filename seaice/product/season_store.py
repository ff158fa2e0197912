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

DAYS_FOLDER = ".days"  #: the folder of days inside a store
DAY_STATUS = "day_status"  #: the variable that tells which days are there

#: What is true of one day only, which its record keeps.
DAILY_ATTRIBUTES = (
    "comment", "date", "date_created", "date_metadata_modified", "date_modified", "history",
    "product_status", "provenance", "sic_name", "source", "sr_name", "tie_points",
)  # fmt: skip


def day_index(day: date) -> int:
    """Where a day stands on the time axis of its year.

    >>> day_index(date(2020, 3, 1))
    60
    """
    return day.timetuple().tm_yday - 1


def create_season(product: xr.Dataset, store: Path) -> None:
    """Make the season of a product's year, without any day.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    year = int(product.attrs["date"][:4])
    days = 366 if calendar.isleap(year) else 365
    cf = to_cf(product)
    cf.attrs = _season_attributes(cf.attrs, product, year)
    for name in ("time", "time_bnds"):  # read as a whole
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
    """Let a day's chunks be found through its folder; until that is there they are absent."""
    slot = str(day_index(day))
    for name in names:
        chunk = store / name / "c" / slot
        if not chunk.is_symlink():
            chunk.symlink_to(Path("..", "..", DAYS_FOLDER, str(day), name, "c", slot))


def _resize_to_year(store: Path, year: int, days: int) -> None:
    """Give every array along time its full length; time itself is known beforehand."""
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
    given: dict[str, object], product: xr.Dataset, year: int
) -> dict[str, object]:
    hemisphere = product.attrs["hemisphere"]
    return {name: value for name, value in given.items() if name not in DAILY_ATTRIBUTES} | {
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


RECORD = "record.json"


def write_day(product: xr.Dataset, store: Path, key: str) -> None:
    """Put a day into its season, in place of the one that is there.

    Parameters
    ----------
    product : the product of docs/architecture.md; kept as `round_values` makes it, like its own files
    store : made if it is not there; the year is that of the first day written
    key : name of the day's content; a day held under the same key is left alone

    Raises
    ------
    OutputError
        If the disk refuses, or the store is of another year or ground; it is then as it was.
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
        former = [path for path in _generations(link) if path != folder]
        for path in sorted(former, key=lambda path: path.stat().st_mtime)[:-1]:
            _remove_generation(path)  # the last stays for who reads it still


def read_record(store: Path, day: date) -> dict[str, Any] | None:
    """What the store knows of a day: key, status, provenance, hashes of files; None if absent."""
    try:
        record: Any = json.loads((store / DAYS_FOLDER / str(day) / RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, dict) else None


def list_days(store: Path) -> list[date]:
    """The days that are whole, in order of time."""
    found = (path for path in (store / DAYS_FOLDER).glob("????-??-??") if path.exists())
    return sorted(date.fromisoformat(path.name) for path in found)


def open_season(store: Path) -> xr.Dataset:
    """The days that are held, read when they are used.

    A day that is replaced meanwhile is read as it is at that moment; `read_day` takes all
    variables from one generation.
    """
    season: xr.Dataset = xr.open_zarr(store, chunks=None)
    return season.isel(time=[day_index(day) for day in list_days(store)])


def read_day(store: Path, day: date) -> xr.Dataset:
    """All variables of a day, from one generation of it, in memory.

    Raises
    ------
    NoInputError
        If the store does not hold the day.
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
                return whole  # else it was replaced twice while it was read


def _folder_identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from a later one of the same name."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _load_generation(store: Path, generation: Path, slot: int) -> xr.Dataset:
    """One generation's arrays under the metadata of the season."""
    season: xr.Dataset = xr.open_zarr(store, chunks=None, mask_and_scale=False, decode_times=False)
    one = season.isel(time=slot).load()
    for name in (*MAP_VARIABLES, DAY_STATUS):
        if name in one:
            values = zarr.open_array(generation / name, mode="r")[slot]
            one[name] = one[name].copy(data=np.asarray(values).reshape(one[name].shape))
    decoded: xr.Dataset = xr.decode_cf(one)
    return decoded


def remove_day(store: Path, day: date) -> None:
    """Take a day out of its season; nothing happens where it is not there."""
    link = store / DAYS_FOLDER / str(day)
    if not link.is_symlink():
        return
    with file_lock(link):
        link.unlink(missing_ok=True)
        for path in [*_generations(link)]:
            _remove_generation(path)


def remove_old_generations(store: Path) -> int:
    """Remove generations that were replaced; how many. For readers that are long gone."""
    removed = 0
    for link in (store / DAYS_FOLDER).glob("????-??-??"):
        with file_lock(link):
            for path in _generations(link):
                if path != link.resolve():
                    _remove_generation(path)
                    removed += 1
    return removed


def _remove_generation(generation: Path) -> None:
    """Take it away in one step, before its files go one by one."""
    gone = generation.with_name(f".{generation.name}.gone.part")
    os.rename(generation, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _generations(link: Path) -> Iterator[Path]:
    return link.parent.resolve().glob(f"{link.name}_*")


def _switch_link(link: Path, folder: Path) -> None:
    """Let the day's link lead to a generation, in one step."""
    following = link.with_name(f".{link.name}.next")
    following.unlink(missing_ok=True)
    following.symlink_to(folder.name)
    os.replace(following, link)
    handle = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_generation(part: Path, product: xr.Dataset, store: Path, key: str) -> None:
    """A generation: arrays of the season's shape that hold one day, and a record of them."""
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
    held = sorted(path for path in part.rglob("*") if path.is_file())
    record = {
        "date": str(day),
        "key": key,
        "status": product.attrs["status"],
        "methods": {stage: product.attrs.get(f"{stage}_name") for stage in ("sr", "sic")},
        "provenance": json.loads(product.attrs.get("provenance", "{}")),
        "files": {path.relative_to(part).as_posix(): sha256(path) for path in held},
    }
    (part / RECORD).write_text(json.dumps(record, indent=1))


def _stored_numbers(values: NDArray[Any], day: date) -> NDArray[Any]:
    """Numbers as the store keeps them: times as seconds of the year."""
    if not np.issubdtype(values.dtype, np.datetime64):
        return values
    seconds = (values - np.datetime64(f"{day.year}-01-01", "ns")) / np.timedelta64(1, "s")
    return np.asarray(seconds, np.float64)


def _check_same_grid(product: xr.Dataset, store: Path) -> None:
    season = xr.open_zarr(store, chunks=None)
    held = str(season.attrs["year"]), season.attrs["crs"]
    given = product.attrs["date"][:4], product.attrs["crs"]
    same = all(np.array_equal(season[axis], product[axis]) for axis in ("y", "x"))
    if held != given or not same:
        raise OutputError(
            f"{store.name} of {', '.join(held)} and a day of {', '.join(given)}, "
            f"{'the same' if same else 'other'} cells",
            "a day of the same year on the same cells",
            "give another folder with --out",
        )

"""What an empty season looks like: every array in its full length, none of its days."""

import calendar
import shutil
import warnings
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from seaice.files import atomic_folder
from seaice.write.metadata.cf import MAP_VARIABLES, described
from seaice.write.names import season_name
from seaice.write.zarr_store import write_cf

__all__ = ["DAYS", "STATUS", "create", "link_chunks", "slot_of"]

DAYS = ".days"  #: the folder of days inside a store
STATUS = "day_status"  #: the variable that tells which days are there

#: What is true of one day only, which its record keeps.
OF_A_DAY = (
    "comment", "date", "date_created", "date_metadata_modified", "date_modified", "history",
    "product_status", "provenance", "sic_name", "source", "sr_name", "tie_points",
)  # fmt: skip


def slot_of(day: date) -> int:
    """Where a day stands on the time axis of its year.

    >>> slot_of(date(2020, 3, 1))
    60
    """
    return day.timetuple().tm_yday - 1


def create(product: xr.Dataset, store: Path) -> None:
    """Make the season of a product's year, without any day.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    year = int(product.attrs["date"][:4])
    days = 366 if calendar.isleap(year) else 365
    cf = described(product)
    cf.attrs = _attributes(cf.attrs, product, year)
    for name in ("time", "time_bnds"):  # read as a whole
        cf[name].encoding["chunks"] = (days, *cf[name].shape[1:])
    cf[STATUS] = ("time", np.zeros(1, np.uint8), _status_attributes())
    with atomic_folder(store) as part:
        write_cf(cf, part, f"{year}-01-01")
        _lengthen(part, year, days)
        (part / DAYS).mkdir()
        for name in (*(name for name in MAP_VARIABLES if name in cf), STATUS):
            shutil.rmtree(part / name / "c", ignore_errors=True)
            (part / name / "c").mkdir()


def link_chunks(store: Path, day: date, names: Iterable[str]) -> None:
    """Let a day's chunks be found through its folder; until that is there they are absent."""
    slot = str(slot_of(day))
    for name in names:
        chunk = store / name / "c" / slot
        if not chunk.is_symlink():
            chunk.symlink_to(Path("..", "..", DAYS, str(day), name, "c", slot))


def _lengthen(store: Path, year: int, days: int) -> None:
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


def _attributes(given: dict[str, object], product: xr.Dataset, year: int) -> dict[str, object]:
    hemisphere = product.attrs["hemisphere"]
    return {name: value for name, value in given.items() if name not in OF_A_DAY} | {
        "title": f"Sea-ice concentration, {hemisphere}, {year}",
        "id": season_name(hemisphere, product.attrs.get("region", "all"), year),
        "year": year,
        "time_coverage_start": f"{year}-01-01T00:00:00Z",
        "time_coverage_end": f"{year}-12-31T23:59:59Z",
        "time_coverage_duration": "P1Y",
        "comment": f"{STATUS} tells which days are there; what each is made of stands in "
        f"{DAYS}/DATE/record.json",
    }


def _status_attributes() -> dict[str, object]:
    return {
        "standard_name": "status_flag",
        "long_name": "whether a day is there, and is final",
        "flag_values": np.array([0, 1, 2], np.uint8),
        "flag_meanings": "absent provisional final",
        "coverage_content_type": "qualityInformation",
    }

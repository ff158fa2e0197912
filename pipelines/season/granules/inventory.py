"""Which granules there are, listed once for many days."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from pipelines.fetched import Fetched
from seaice.config import RunSettings
from seaice.errors import NoInputError, SettingsError

__all__ = ["Inventory", "days_between"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Files below a folder by the day that their names bear."""

    folder: Path
    swaths: Mapping[str, list[Path]]  #: level 1, by YYYYMMDD of their start
    gridded: Mapping[str, list[Path]]  #: AU_SI6, by YYYYMMDD

    @classmethod
    def of(cls, run: RunSettings) -> Self:
        """List a run's folder of granules and all below it, or what its store holds.

        Raises
        ------
        SettingsError
            If it names none.
        NoInputError
            If there is no such folder.
        StorageError
            If the store does not answer.
        """
        if run.granules is None:
            raise SettingsError(
                "no folder of granules", "where the granules are", "give --granules FOLDER"
            )
        folder, swaths, gridded = run.granules, defaultdict(list), defaultdict(list)
        for path in _below(folder) if run.granules_from is None else Fetched.of(run).listed():
            if path.match("GW1AM2_*.h5"):
                swaths[path.name[7:15]].append(path)
            elif path.match("AMSR_U2_L3_SeaIce6km_*.he5"):
                gridded[path.stem[-8:]].append(path)
        return cls(folder=folder, swaths=dict(swaths), gridded=dict(gridded))

    def granules(self, day: date) -> tuple[Path, ...]:
        """The files of a UTC day, as `pipelines.plan.granules_found` would find them."""
        from seaice.ingest.read import granules_of  # imports h5py and xarray

        near = [f"{each:%Y%m%d}" for each in (day - timedelta(days=1), day)]
        swaths = granules_of((path for name in near for path in self.swaths.get(name, [])), day)
        return tuple(swaths or self.gridded.get(near[-1], [])[-1:])

    def days(self) -> list[date]:
        """The days whose names are there."""
        names = sorted({*self.swaths, *self.gridded})
        return [date.fromisoformat(name) for name in names if name.isdecimal()]


def _below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NoInputError(
            f"no folder {folder}", "a folder of AMSR2 granules", "check GRANULES= or --granules"
        )
    return sorted(folder.rglob("*"))


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included.

    Raises
    ------
    SettingsError
        If the last is before the first.
    """
    if last < first:
        raise SettingsError(
            f"the last day {last} before the first {first}", "first, then last", "swap them"
        )
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]

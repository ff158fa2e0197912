"""Lists the granules of a folder or store once, by day."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from seaice.config import RunSettings
from seaice.errors import NoInputError, SettingsError
from seaice.io.granules import (
    DayFiles,
    day_in_granule_name,
    parse_day,
    select_files,
    unusable_reason,
)
from seaice.workflow.granule_cache import Fetched

__all__ = ["Inventory", "days_between"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Files below a folder by the day that their names bear."""

    folder: Path
    swaths: Mapping[str, list[Path]]  #: level 1, by YYYYMMDD of their start
    gridded: Mapping[str, list[Path]]  #: AU_SI6, by YYYYMMDD
    others: Mapping[str, list[Path]] = field(default_factory=dict)
    """Files that look like granules and cannot be used, by YYYYMMDD."""
    local: bool = True  #: whether the files are on this machine

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
        if run.granules_from is None:
            paths, local = _below(run.granules), True
        else:
            paths, local = Fetched.of(run).listed(), False
        return cls._sorted(run.granules, paths, local)

    @classmethod
    def below(cls, folder: Path) -> Self:
        """List a folder and all below it; nothing where there is no folder."""
        return cls._sorted(folder, sorted(folder.rglob("*")), True)

    @classmethod
    def _sorted(cls, folder: Path, paths: Iterable[Path], local: bool) -> Self:
        """The files whose names look like those of granules, by day and by kind."""
        swaths, gridded, others = defaultdict(list), defaultdict(list), defaultdict(list)
        for path in paths:
            day = day_in_granule_name(path.name)
            if day is None:
                continue
            if unusable_reason(path, local=local):
                others[day].append(path)
            elif path.suffix == ".he5":
                gridded[day].append(path)
            else:
                swaths[day].append(path)
        return cls(
            folder=folder,
            swaths=dict(swaths),
            gridded=dict(gridded),
            others=dict(others),
            local=local,
        )

    def granules(self, day: date) -> tuple[Path, ...]:
        """The files of a UTC day, as `seaice.workflow.plan.granules_found` would find them."""
        used = self._listed(day).used
        return used or tuple(self.gridded.get(f"{day:%Y%m%d}", [])[-1:])

    def left_out(self, day: date) -> tuple[str, ...]:
        """Files that look like granules of a UTC day and are not used: "name: reason"."""
        return tuple(map(str, self._listed(day).unused))

    def _listed(self, day: date) -> DayFiles:
        near = [f"{each:%Y%m%d}" for each in (day - timedelta(days=1), day)]
        files = (self.swaths, self.others)
        paths = (path for name in near for each in files for path in each.get(name, []))
        return select_files(paths, day, local=self.local)

    def named_days(self) -> list[date]:
        """The days that any name bears, of files that are used and of others."""
        days = (parse_day(name) for name in sorted({*self.swaths, *self.gridded, *self.others}))
        return [day for day in days if day is not None]

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

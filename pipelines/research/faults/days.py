"""Many days of small granules from a few: each is a copy with another date."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import h5py

from seaice.io.amsr import SCAN_TIME

__all__ = ["copied_days", "small_days"]

REGION = "10,80,14,81"
DAY = date(2018, 4, 28)
DATE = slice(7, 15)  #: where a granule's name holds the date


def small_days(folder: Path, days: int, seed: int = 0) -> None:
    """Simulate days of a small sea from two days before DAY on; granules go to `folder`."""
    from seaice.grid.regions import region_grid
    from seaice.simulate.days import simulate_days

    first = DAY - timedelta(days=2)
    folder.mkdir(parents=True, exist_ok=True)
    grid = region_grid(REGION, "north")
    last = first + timedelta(days=days - 1)
    simulate_days(first, last, grid, seed, folder, lambda done, steps: None)


def copied_days(source: Path, folder: Path, days: int) -> None:
    """Fill `folder` with so many days in a row, those of `source` again and again."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, list[Path]] = {}
    for path in sorted(source.glob("GW1AM2_*.h5")):
        names.setdefault(path.name[DATE], []).append(path)
    held = sorted(names)[1:-1]  # whole days: the first and the last may lack passes
    first = DAY - timedelta(days=2)
    for number in range(days):
        taken = held[number % len(held)]
        day = first + timedelta(days=number)
        shift = (day - date.fromisoformat(taken)).days * 86400.0
        for path in names[taken]:
            copy = folder / f"{path.name[: DATE.start]}{day:%Y%m%d}{path.name[DATE.stop :]}"
            shutil.copy(path, copy)
            with h5py.File(copy, "a") as file:
                file[SCAN_TIME][...] = file[SCAN_TIME][...] + shift

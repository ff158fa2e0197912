"""A whole northern day from granules to product, the next day with kept maps, and days in a row.

Granules are made: a few passes over the north, of which each day has as many copies as it has
granules, at times of that day. Every day is a command of its own, as `seaice daily` runs it.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
from tests.granules import make_swath, write_l1b

from benchmarks.measure import Row, Taken
from benchmarks.stages import Measured, measured

FIRST = date(2020, 3, 1)
SCANS = 1000  #: those of a half orbit that see the northern grid
ORBIT = 5933.0  #: s
PASSES = 5  #: that are made
GRANULES = 29  #: of a day
SMALL = "10,76,30,81"  #: degrees: 900 km by 550 km
DAYS, FEW = 10, 4  #: days in a row, granules of each
NAME = "GW1AM2_{:%Y%m%d%H%M}_{:03d}A_L1SGBTBR_2220220.h5"


def made_passes(folder: Path) -> list[Path]:
    """Half orbits, each about 24 degrees west of the one before, with noise as real ones have."""
    random, result = np.random.default_rng(0), []
    for turn in range(PASSES):
        swath = make_swath(SCANS, phase=740.0 + 3 * turn * ORBIT)
        for name, values in swath.items():
            if str(name).startswith("tb"):
                swath[name] = values + random.normal(0, 1.0, values.shape).astype(np.float32)
        result.append(write_l1b(folder, swath, f"pass_{turn}.h5"))
    return result


def day_of(passes: list[Path], folder: Path, day: date, granules: int) -> None:
    """The granules of a day: copies of the passes, at times of that day."""
    for number in range(granules):
        source = passes[number % len(passes)]
        begin = datetime(day.year, day.month, day.day) + timedelta(minutes=48 * number)
        onto = folder / NAME.format(begin, number)
        shutil.copyfile(source, onto)
        with h5py.File(onto, "r+") as file:
            file["Scan Time"][...] += (begin - datetime(2020, 3, 3, 10)).total_seconds()


def command(granules: Path, day: date, region: str, out: Path) -> list[str]:
    """A day as a user runs it, with the three formats that the target counts."""
    settings = out.with_suffix(".toml")
    settings.write_text('[write]\nformats = ["zarr", "geotiff", "quicklook"]\n')
    told = ["--settings", settings, "--granules", granules, "--date", day, "--out", out]
    place = ["--region", region] if region != "all" else []
    return [sys.executable, "-m", "seaice.cli", "daily", *map(str, (*told, *place))]


def rows(runs: int) -> Iterator[Row]:
    """The small sea first, whose days compile what is compiled. `runs` is not used."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        passes = made_passes(folder)
        yield in_a_row(passes, folder)
        yield from whole(passes, folder)


def in_a_row(passes: list[Path], folder: Path) -> Row:
    """Ten days of a small sea, one after another."""
    granules, out = folder / "few", folder / "small"
    granules.mkdir()
    dates = [FIRST + timedelta(days=n) for n in range(DAYS + 4)]
    for day in dates:
        day_of(passes, granules, day, FEW)
    days = [measured(str(day), command(granules, day, SMALL, out)) for day in dates[2:-2]]
    later = [each.cpu for each in days[1:]]
    slope = np.polyfit(range(len(later)), later, 1)[0]
    return Row(
        subject="season",
        what=f"{DAYS} days of a small sea, one after another",
        sizes=f"box {SMALL}, {FEW} granules a day",
        ours=_sum(days),
        peak=days[-1].peak / 1e6,
        note=f"processor time of the first day, which grids five: {days[0].cpu:.1f} s; of those "
        f"after it: {', '.join(f'{each:.1f}' for each in later)} s; a line through these rises by "
        f"{slope / np.mean(later):.1%} a day",
    )


def whole(passes: list[Path], folder: Path) -> Iterator[Row]:
    """A day of the whole north from nothing, and the day after it."""
    granules, out = folder / "all", folder / "north"
    granules.mkdir()
    for n in range(6):
        day_of(passes, granules, FIRST + timedelta(days=n), GRANULES)
    for what, day in (
        ("the whole north, granules to product: five days gridded (target 180 s)", 2),
        ("the next day, four daily maps kept (target 120 s)", 3),
    ):
        taken = measured(what, command(granules, FIRST + timedelta(days=day), "all", out))
        yield Row(
            subject="season",
            what=what,
            sizes=f"{GRANULES} granules a day of {SCANS} scans; Zarr, GeoTIFF, picture",
            ours=_sum([taken]),
            peak=taken.peak / 1e6,
            note="wall on two cores that others use; the most memory of any command so far",
        )


def _sum(days: list[Measured]) -> Taken:
    return Taken(wall=sum(day.seconds for day in days), cpu=sum(day.cpu for day in days), runs=1)

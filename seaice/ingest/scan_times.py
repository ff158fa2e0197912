"""Scan times of granules: do they fit the file's name, and were the same scans read before?

One satellite makes one scan at a time. Scans of two files with the same times and positions are
the same observation, for example of a standard granule and of a direct-readout copy that starts a
minute later; they must be counted once.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.errors import GranuleError
from seaice.ingest.folder import LONGEST
from seaice.ingest.names import GranuleName

__all__ = ["SeenScans", "check_start", "preferred_first"]

EARLY = timedelta(minutes=5)  #: by which scans may begin before the minute of the name
SCAN = np.timedelta64(750, "ms")  #: half a scan
FEW = 60  #: repeated scans of neighbouring granules that are dropped without a word
SAME_PLACE = 50.0  #: km between positions of the same scan in two files


def preferred_first(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Standard granules before direct readout, L1B before L1R; else the order given."""
    return tuple(sorted(paths, key=_rank))


def _rank(path: Path) -> tuple[bool, bool]:
    try:
        name = GranuleName.parse(path)
    except GranuleError:
        return (False, False)
    return name.receipt != "SG", name.level != "L1B"


def check_start(swath: xr.Dataset, path: Path) -> None:
    """Compare the first scan with the start that the file's name bears.

    Raises
    ------
    GranuleError
        If the scans begin 5 minutes or more before it, or an hour or more after it.
    """
    time = swath["time"].values
    known = time[~np.isnat(time)]
    try:
        start = GranuleName.parse(path).start
    except GranuleError:
        return
    if not known.size:
        return
    first, last = known.min(), known.max()
    named = np.datetime64(start, "ns")
    if not named - np.timedelta64(EARLY) <= first < named + np.timedelta64(LONGEST):
        raise GranuleError(
            f"{path.name}: scans from {_minute(first)} to {_minute(last)} UTC",
            f"scans from {_minute(named)} on, as its name says",
            "fetch the granule again, or give it the name that JAXA gave it",
        )


@dataclass(slots=True)
class SeenScans:
    """Times and positions of the scans that were used so far."""

    names: list[str] = field(default_factory=list)
    times: list[NDArray[np.datetime64]] = field(default_factory=list)
    places: list[NDArray[np.float64]] = field(default_factory=list)

    def unseen(self, swath: xr.Dataset) -> tuple[xr.Dataset, str]:
        """The scans of a swath that no earlier one held, and a note where many were dropped.

        Raises
        ------
        GranuleError
            If no scan is new, or earlier scans with the same times lie elsewhere.
        """
        time, name = swath["time"].values, str(swath.attrs.get("granule", "unnamed"))
        place = _middles(swath)
        repeated = np.zeros(time.size, bool)
        others: list[str] = []
        for other, seen, where in zip(self.names, self.times, self.places, strict=True):
            same = (time >= seen[0] - SCAN) & (time <= seen[-1] + SCAN)
            if not same.any():
                continue
            nearest = np.clip(np.searchsorted(seen, time[same]), 0, seen.size - 1)
            _check_place(name, other, _distance(place[same], where[nearest]))
            repeated |= same
            others.append(other)
        fresh = ~repeated
        if others and not fresh.any():
            raise GranuleError(
                f"{name}: all of its {time.size} scans are also in {', '.join(others)}",
                "scans of its own",
                "nothing; one of the copies is enough",
            )
        self._remember(name, time[fresh], place[fresh])
        if not others:
            return swath, ""
        dropped = int(repeated.sum())
        note = f"{dropped} of its scans are also in {', '.join(others)} and counted once"
        return swath.isel(scan=np.flatnonzero(fresh)), note if dropped > FEW else ""

    def _remember(
        self, name: str, time: NDArray[np.datetime64], place: NDArray[np.float64]
    ) -> None:
        known = ~np.isnat(time)
        if known.any():
            order = np.argsort(time[known])
            self.names.append(name)
            self.times.append(time[known][order])
            self.places.append(place[known][order])


def _middles(swath: xr.Dataset) -> NDArray[np.float64]:
    """Latitude and longitude of the middle sample of horn A, (scan, 2) degrees."""
    middle = swath.sizes["pixel"] // 2
    columns = [swath[name].values[0, :, middle] for name in ("latitude", "longitude")]
    return np.stack(columns, -1).astype(np.float64)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Median distance, km; NaN where no position is known."""
    a, b = np.radians(one), np.radians(other)
    inner = np.sin(a[:, 0]) * np.sin(b[:, 0])
    inner += np.cos(a[:, 0]) * np.cos(b[:, 0]) * np.cos(a[:, 1] - b[:, 1])
    known = inner[np.isfinite(inner)]
    return float(6371.0 * np.median(np.arccos(np.clip(known, -1, 1)))) if known.size else np.nan


def _check_place(name: str, other: str, distance: float) -> None:
    if distance > SAME_PLACE:
        raise GranuleError(
            f"{name}: scans at the same times as in {other}, {distance:.0f} km away",
            "one position of the satellite at a time; one of the two has wrong times or positions",
            "compare both with the archive and remove the wrong one",
        )


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")

"""All checks of the granules of one day, their results, and agreement between granules.

A granule that fails is refused with a `GranuleError` by `InputChecks.check` before it is gridded;
one that disagrees with the other granules is known only when all are read (`outliers`).

Each granule's 89 GHz samples over sea are averaged in cells of 50 km. The median difference of two
granules over their common cells is nearly free of weather and drift; from all pairs of a day an
offset of each granule against the others follows by robust least squares. A granule with an offset
beyond what weather explains is not used if at least two others agree with each other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date as Date
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.grid import HEMISPHERES, Hemisphere
from seaice.grid.projection import project
from seaice.grid.registration import check_geolocation
from seaice.instrument import HIGH_CHANNELS
from seaice.io.checks import UsedScans, check_plausibility, check_start_time, flagged_fraction

__all__ = [
    "Disagreement",
    "GranuleReport",
    "InputChecks",
    "Overlaps",
    "differing_days",
    "read_reports",
]


CELL_SIZE = 50_000.0  #: m
MAX_SAMPLES = 60_000  #: samples of a granule that are averaged; more would not change the medians
MIN_SAMPLES_PER_CELL = 3  #: samples needed for a cell's mean
MIN_COMMON_CELLS = 30  #: common cells needed to compare two granules
MIN_DAYS = 3  #: days needed to find the one that differs
ITERATIONS = 30  #: of the reweighted least squares
#: K, largest offset that weather between overpasses explains; it averages out over many cells.
#: tb89h over open water varies by 18 K (one standard deviation of real samples), tb89v by 6 K.
LIMITS = {"tb89v": 7.0, "tb89h": 14.0}
#: K, divided by the root of the number of common cells and added to `LIMITS`
SCATTER = {"tb89v": 60.0, "tb89h": 120.0}
#: K by which a day may differ from the others of five, as ice and weather change within days
BETWEEN_DAYS = {"tb89v": 12.0, "tb89h": 20.0}
AGREEMENT_FACTOR = 0.5  #: a limit times this: what the others may differ among themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A granule that differs from the others of its day."""

    granule: str
    channel: str
    offset: float  #: K, granule minus the others
    limit: float  #: K
    cells: int  #: common cells of 50 km
    certain: bool  #: whether the others agree with each other, so that this granule is wrong

    @property
    def rejection(self) -> str:
        """Why the granule is rejected, and what to do."""
        return (
            f"{self.description}; expected at most {self.limit:.0f} K. Do next: fetch the granule "
            "again, or remove it."
        )

    @property
    def description(self) -> str:
        """What differs, without the granule's name."""
        return (
            f"{self.channel} differs from the other granules of the day by {self.offset:+.1f} K "
            f"over {self.cells} common cells of 50 km at sea"
        )


@dataclass(slots=True, kw_only=True)
class Overlaps:
    """Cell means of the granules of one day."""

    hemisphere: Hemisphere
    names: list[str] = field(default_factory=list)
    means: dict[str, list[NDArray[np.float32]]] = field(
        default_factory=lambda: {name: [] for name in HIGH_CHANNELS}
    )

    def add(self, swath: xr.Dataset) -> None:
        """Add the cell means of a swath's samples over sea."""
        grid = HEMISPHERES[self.hemisphere]
        step = max(1, int(np.sqrt(swath["tb89v"].size / MAX_SAMPLES)))
        part = {
            name: swath[name].values[..., ::step, ::step].ravel()
            for name in (*HIGH_CHANNELS, "latitude", "longitude", "land_fraction")
        }
        sea = ~(part["land_fraction"] > 0)
        x, y = project(part["latitude"][sea], part["longitude"][sea], grid.crs)
        left, bottom, right, top = grid.bounds
        inside = (x > left) & (x < right) & (y > bottom) & (y < top)
        width = int((right - left) // CELL_SIZE) + 1
        size = width * (int((top - bottom) // CELL_SIZE) + 1)
        cell = ((top - y[inside]) // CELL_SIZE).astype(int) * width
        cell += ((x[inside] - left) // CELL_SIZE).astype(int)
        for name in HIGH_CHANNELS:
            values = part[name][sea][inside]
            known = np.isfinite(values)
            count = np.bincount(cell[known], minlength=size)
            total = np.bincount(cell[known], weights=values[known], minlength=size)
            enough = count >= MIN_SAMPLES_PER_CELL
            mean = np.full(size, np.nan, np.float32)
            mean[enough] = total[enough] / count[enough]
            self.means[name].append(mean)
        self.names.append(str(swath.attrs.get("granule", "unnamed")))

    def disagreements(self) -> list[Disagreement]:
        """Granules that differ from the others, the largest difference of each, worst first."""
        results: dict[str, Disagreement] = {}
        for channel in HIGH_CHANNELS:
            for each in self._of(channel):
                known = results.get(each.granule)
                if known is None or _excess(each) > _excess(known):
                    results[each.granule] = each
        return sorted(results.values(), key=_excess, reverse=True)

    def outliers(self) -> list[Disagreement]:
        """Granules that are certainly wrong, removed one by one, as each distorts the others."""
        results: list[Disagreement] = []
        while certain := [each for each in self.disagreements() if each.certain]:
            results.append(certain[0])
            index = self.names.index(certain[0].granule)
            del self.names[index]
            for channel in self.means:
                del self.means[channel][index]
        return results

    def _of(self, channel: str) -> list[Disagreement]:
        difference, cells = _differences(self.means[channel])
        offsets = _offsets(difference, cells)
        common = np.array([np.nan_to_num(row).sum() for row in cells])
        limits = LIMITS[channel] + SCATTER[channel] / np.sqrt(np.maximum(common, 1))
        wrong = np.abs(offsets) > limits
        others = np.flatnonzero(~wrong & (common > 0))
        alike = others.size >= 2 and bool(
            (np.abs(offsets[others]) < np.maximum(AGREEMENT_FACTOR * limits[others], 1.0)).mean()
            > 0.5
        )
        return [
            Disagreement(
                granule=self.names[n],
                channel=channel,
                offset=float(offsets[n]),
                limit=float(limits[n]),
                cells=int(common[n]),
                certain=alike,
            )
            for n in np.flatnonzero(wrong)
        ]


def differing_days(
    maps: Mapping[Date, xr.Dataset], sea: NDArray[np.bool_]
) -> list[tuple[Date, str, float]]:
    """Days whose median of 89 GHz differs from that of the other days; needs three days.

    Parameters
    ----------
    maps : daily maps on one grid
    sea : (y, x) bool on that grid

    Returns
    -------
    list of (date, channel, offset in K)
    """
    if len(maps) < MIN_DAYS:
        return []
    results: dict[Date, tuple[Date, str, float]] = {}
    for channel, limit in BETWEEN_DAYS.items():
        fields = [each[channel].values[sea] for each in maps.values()]
        for day, offset in zip(maps, _offsets(*_differences(fields)), strict=True):
            if abs(offset) > limit:
                results.setdefault(day, (day, channel, float(offset)))
    return list(results.values())


def _excess(each: Disagreement) -> float:
    return abs(each.offset) / each.limit


def _differences(
    means: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median difference (first minus second) and common cells of each pair; 0 cells: NaN."""
    count = len(means)
    difference = np.full((count, count), np.nan)
    cells = np.zeros((count, count))
    for first, second in combinations(range(count), 2):
        difference_of_means = means[first] - means[second]
        difference_of_means = difference_of_means[np.isfinite(difference_of_means)]
        if difference_of_means.size >= MIN_COMMON_CELLS:
            median = float(np.median(difference_of_means))
            difference[first, second], difference[second, first] = median, -median
            cells[first, second] = cells[second, first] = difference_of_means.size
    return difference, cells


def _offsets(difference: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offset of each granule with median 0 that minimizes the misfit of all pairs.

    Least absolute misfit by iterative reweighting; a pair has the weight of the root of its cells.
    """
    count = len(difference)
    offsets = np.zeros(count)
    known = np.isfinite(difference)
    if not known.any():
        return offsets
    weight = np.where(known, np.sqrt(cells), 0.0)
    target = np.where(known, difference, 0.0)
    for _ in range(ITERATIONS):
        misfit = np.abs(target - (offsets[:, None] - offsets[None, :]))
        robust = weight / np.maximum(misfit, 0.1)
        system = np.diag(robust.sum(1)) - robust + 1e-6 * np.eye(count)
        offsets = np.linalg.solve(system, (robust * target).sum(1))
        offsets -= np.median(offsets[known.any(1)])
    return np.asarray(offsets)


@dataclass(slots=True, kw_only=True)
class GranuleReport:
    """Results of the checks of one granule."""

    name: str
    used: bool = False
    samples: int = 0  #: 89 GHz samples of both horns in the region on the day
    reason: str = ""  #: why the granule was not used
    geolocation: str = ""
    flagged: float = 0.0  #: fraction of 89 GHz samples that the instrument flags
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class InputChecks:
    """The checks of the granules of one day."""

    hemisphere: Hemisphere
    reports: dict[str, GranuleReport] = field(default_factory=dict)
    used_scans: UsedScans = field(default_factory=UsedScans)
    overlaps: Overlaps = field(init=False)

    def __post_init__(self) -> None:
        self.overlaps = Overlaps(hemisphere=self.hemisphere)

    def check(self, swath: xr.Dataset, path: Path) -> xr.Dataset:
        """Check a swath and return the scans that may be gridded.

        Raises
        ------
        GranuleError
            If the granule must not be used.
        """
        report = self.report(path.name)
        check_start_time(swath, path)
        report.flagged = round(flagged_fraction(swath), 4)
        report.warnings += check_plausibility(swath)
        report.geolocation = check_geolocation(swath, self.hemisphere).summary
        fresh, note = self.used_scans.new_scans(swath)
        if note:
            report.warnings.append(note)
        self.overlaps.add(fresh)
        return fresh

    def report(self, name: str) -> GranuleReport:
        """The report of a file, created if there is none."""
        return self.reports.setdefault(name, GranuleReport(name=name))

    def reject(self, name: str, reason: str) -> None:
        """Record why a file is not used."""
        self.report(name).reason = reason

    def outliers(self) -> dict[str, Disagreement]:
        """Granules (names without .h5) that differ from the others and are certainly wrong."""
        return {each.granule: each for each in self.overlaps.outliers()}

    def note_disagreements(self) -> None:
        """Add warnings for granules that disagree where it is unclear which one is wrong."""
        for each in self.overlaps.disagreements():
            note = f"{each.description}; it is used, as too few others show which one is wrong"
            self.report(f"{each.granule}.h5").warnings.append(note)

    def note_used(self, daily_map: xr.Dataset) -> None:
        """Record which granules have samples in the region on the day."""
        pairs = zip(daily_map.attrs["granules"], daily_map.attrs["samples"], strict=True)
        samples = dict(pairs)
        for report in self.reports.values():
            report.samples = int(samples.get(report.name.removesuffix(".h5"), 0))
            report.used = report.samples > 0
            if not report.used and not report.reason:
                report.reason = "no sample in the region on this day"

    @property
    def rejected(self) -> list[str]:
        """ "name: reason" of each granule that failed a check."""
        unused = "no sample in the region on this day"
        results = (each for each in self.reports.values() if each.reason not in ("", unused))
        return [f"{each.name}: {each.reason}" for each in results]

    @property
    def warnings(self) -> list[str]:
        """ "name: warning" of each granule that is used."""
        return [
            f"{each.name}: {warning}"
            for each in self.reports.values()
            if not each.reason
            for warning in each.warnings
        ]

    def attributes(self) -> dict[str, object]:
        """For a daily map: `rejected`, `input_warnings`, and all reports as JSON in `inputs`."""
        reports = [asdict(each) for each in self.reports.values()]
        return {
            "rejected": self.rejected,
            "input_warnings": self.warnings,
            "inputs": json.dumps(reports),
        }


def read_reports(daily_map: xr.Dataset) -> dict[str, GranuleReport]:
    """The reports in a daily map's attributes, by file name; none for other maps."""
    reports = json.loads(daily_map.attrs.get("inputs", "[]"))
    return {each["name"]: GranuleReport(**each) for each in reports}

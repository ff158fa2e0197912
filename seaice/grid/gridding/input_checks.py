"""All checks of the granules of one day, and what came of each.

A granule that fails is refused with a `GranuleError` by `InputChecks.checked` before it is gridded;
one that disagrees with the other granules is known only when all are read (`outliers`).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import xarray as xr

from seaice.grid.dataset import Hemisphere
from seaice.grid.gridding.geolocation import check_geolocation
from seaice.grid.gridding.overlap import Disagreement, Overlaps
from seaice.ingest.plausibility import check_plausibility, flagged_share
from seaice.ingest.scan_times import SeenScans, check_start

__all__ = ["InputChecks", "Report", "reports_of"]


@dataclass(slots=True, kw_only=True)
class Report:
    """What was found of one granule."""

    name: str
    used: bool = False
    samples: int = 0  #: 89 GHz samples, of both horns, that fell into the region on the day
    reason: str = ""  #: why it was not used
    geolocation: str = ""
    flagged: float = 0.0  #: share of 89 GHz samples that the instrument flags
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class InputChecks:
    """The checks of one day's granules, one after another."""

    hemisphere: Hemisphere
    reports: dict[str, Report] = field(default_factory=dict)
    seen: SeenScans = field(default_factory=SeenScans)
    overlaps: Overlaps = field(init=False)

    def __post_init__(self) -> None:
        self.overlaps = Overlaps(hemisphere=self.hemisphere)

    def checked(self, swath: xr.Dataset, path: Path) -> xr.Dataset:
        """The scans of a swath that may be gridded.

        Raises
        ------
        GranuleError
            If the granule must be left out.
        """
        report = self.report(path.name)
        check_start(swath, path)
        report.flagged = round(flagged_share(swath), 4)
        report.warnings += check_plausibility(swath)
        place = check_geolocation(swath, self.hemisphere)
        report.geolocation = place.summary
        fresh, note = self.seen.unseen(swath)
        if note:
            report.warnings.append(note)
        self.overlaps.add(fresh)
        return fresh

    def report(self, name: str) -> Report:
        """The report of a file, begun where there is none."""
        return self.reports.setdefault(name, Report(name=name))

    def leave_out(self, name: str, reason: str) -> None:
        """Note why a file is not used."""
        self.report(name).reason = reason

    def outliers(self) -> dict[str, Disagreement]:
        """Granules (file names without .h5) that certainly disagree with the others of the day."""
        return {each.granule: each for each in self.overlaps.outliers()}

    def note_disagreements(self) -> None:
        """Add warnings for granules that disagree where it is unclear which one is wrong."""
        for each in self.overlaps.disagreements():
            note = f"{each.found}; it is used, as too few others tell which one is wrong"
            self.report(f"{each.granule}.h5").warnings.append(note)

    def note_used(self, daily_map: xr.Dataset) -> None:
        """Note which granules reached the region on the day."""
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
        absent = "no sample in the region on this day"
        found = (each for each in self.reports.values() if each.reason not in ("", absent))
        return [f"{each.name}: {each.reason}" for each in found]

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


def reports_of(daily_map: xr.Dataset) -> dict[str, Report]:
    """The reports that a daily map carries, by file name; none for maps of others."""
    reports = json.loads(daily_map.attrs.get("inputs", "[]"))
    return {each["name"]: Report(**each) for each in reports}

"""A day beside the days before it in, what a duty scientist should look at out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from seaice.io.granules import count_phrase
from seaice.series.record import Row
from seaice.series.seas import seas
from seaice.sic.classical.tie_points import GUARD
from seaice.sic.flags import Flag

__all__ = ["Day", "alerts", "jump_limit", "left_out", "shares"]

#: Jumps of extent from one day to the next. In 2018 of the OSI SAF record OSI-450-a no northern
#: day changed the whole by more than 232 000 km2, nor any sea of A km2 by more than 123 sqrt(A).
LARGEST_JUMP = 250_000.0  #: km2
JUMP_OF_ROOT = 125.0  #: km2, times the root of the sea's area in km2
UNSEEN = 0.02  #: share of sea not seen on the day, the pole hole apart
DISAGREED = 0.05  #: area where network and filters disagree, as a share of the extent
OUTSIDE = 0.005  #: area of ice outside the climatology, as a share of the extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A product and what lies beside it."""

    maps: xr.Dataset  #: see `seaice.series.reading.maps_of`
    document: Mapping[str, Any]  #: its provenance
    yesterday: xr.Dataset | None  #: the maps of the day before, on the same cells
    rows: Sequence[Row]  #: of the series, of this ground, this day and those before
    points: Mapping[str, Mapping[str, Any]]  #: tie points by date, this day and those before

    @property
    def date(self) -> str:
        """The day, as 2020-03-03."""
        return str(self.document["date"])


def jump_limit(km2: float) -> float:
    """km2 by which the extent of a sea of this size may change in a day.

    >>> jump_limit(1e6), jump_limit(3.7e7)
    (125000.0, 250000.0)
    """
    return float(min(LARGEST_JUMP, JUMP_OF_ROOT * np.sqrt(km2)))


def shares(maps: xr.Dataset) -> dict[str, float]:
    """Share of the sea's cells with each flag; besides `seen` on the day, `filled`, `missing`."""
    flags = maps["status_flag"].values
    bits = np.bincount(flags[(flags & Flag.LAND) == 0].ravel(), minlength=1)
    codes, sea = np.arange(bits.size), max(int(bits.sum()), 1)

    def share(which: Any) -> float:
        return float(bits[which].sum() / sea)

    unseen = Flag.NO_INPUT | Flag.GAP_FILLED
    found = {
        "seen": share((codes & unseen) == 0),
        "filled": share((codes & Flag.GAP_FILLED) != 0),
        "missing": share((codes & Flag.NO_INPUT) != 0),
        "unseen": share(((codes & unseen) != 0) & ((codes & Flag.POLE_HOLE) == 0)),
    }
    return found | {str(flag.name): share((codes & flag) != 0) for flag in Flag}


def left_out(document: Mapping[str, Any]) -> list[str]:
    """The granules of the day that could not be used, each with its reason."""
    begins = f"{document['date']}: left out "
    warnings = document.get("warnings", ())
    return [str(each).removeprefix(begins) for each in warnings if str(each).startswith(begins)]


def alerts(day: Day) -> list[str]:
    """Sentences about what is unusual; none on a good day."""
    return [*_inputs(day), *_jumps(day), *_ties(day), *_flags(day)]


def _inputs(day: Day) -> Iterator[str]:
    if day.document["status"] == "provisional":
        yield "Provisional: days after it were not there; make it again when they are."
    found = shares(day.maps)
    if found["unseen"] > UNSEEN:
        yield (
            f"Missing swath: {found['unseen']:.1%} of the sea was not seen on the day "
            f"(limit {UNSEEN:.0%}; the pole hole does not count)."
        )
    gone = left_out(day.document)
    if gone:
        yield f"{count_phrase(len(gone))} of the day left out."
    if day.yesterday is None:
        yield "No product of the day before, on the same ground: no difference, no test for jumps."


def _jumps(day: Day) -> Iterator[str]:
    today = {row.sea: row for row in day.rows if row.date == day.date}
    before = str(np.datetime64(day.date) - 1)
    former = {row.sea: row for row in day.rows if row.date == before}
    for sea in seas(day.document["hemisphere"]):
        if sea.name not in today or sea.name not in former:
            continue
        now, then = today[sea.name], former[sea.name]
        change, limit = now.extent_km2 - then.extent_km2, jump_limit(now.observed_km2)
        if abs(change) > limit:
            yield (
                f"Jump: extent of {sea.label} changed by {change:+,.0f} km2 in a day (limit "
                f"{limit:,.0f}); observed were {then.observed_km2:,.0f}, then "
                f"{now.observed_km2:,.0f} km2."
            )


def _ties(day: Day) -> Iterator[str]:
    for name, point in day.points.get(day.date, {}).items():
        measured = point.get("measured")
        if measured is not None and abs(measured - point["published"]) >= GUARD:
            yield (
                f"Tie point {name}: {measured:.1f} K on the day, {GUARD:g} K or more from the "
                f"published {point['published']:.1f}; {point['value']:.1f} K was used."
            )


def _flags(day: Day) -> Iterator[str]:
    found, cell = shares(day.maps), {row.sea: row for row in day.rows if row.date == day.date}
    whole = cell.get("all")
    if whole is None or not whole.extent_km2 > 0:
        return
    sea = whole.observed_km2 + whole.missing_km2
    limits = (
        (Flag.WEATHER_DISAGREEMENT, DISAGREED, "Network and weather filters disagree"),
        (Flag.OUTSIDE_CLIMATOLOGY, OUTSIDE, "Ice where none has been seen in this month"),
    )
    for flag, limit, says in limits:
        km2 = found[str(flag.name)] * sea
        if km2 > limit * whole.extent_km2:
            share = km2 / whole.extent_km2
            yield f"{says}: {km2:,.0f} km2, {share:.1%} of the extent (limit {limit:.1%})."

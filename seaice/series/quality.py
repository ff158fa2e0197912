"""A product's folder in, a page about the quality of its day out.

The page stands beside the product's files and is not among its checksums: it tells of other days
too, while the product's bytes follow from its inputs alone.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from seaice.errors import GranuleError
from seaice.files import atomic_file
from seaice.io.granules import GranuleName, count_phrase
from seaice.page import Picture, Section, Table, drawn, html_page
from seaice.series.extent import shown
from seaice.series.findings import Day, alerts, left_out, shares
from seaice.series.quality_figures import change_figure, histogram_figure, series_figure, tie_figure
from seaice.series.reading import document_of, document_path, maps_of, page_path
from seaice.series.record import read_series, series_path
from seaice.series.seas import seas
from seaice.sic.flags import Flag
from seaice.write.names import product_name
from seaice.write.product import document_in

__all__ = ["gathered", "sections_of", "write_quality"]

logger = logging.getLogger(__name__)

PAST = 30  #: days before the day that are looked at


def write_quality(folder: Path) -> Path | None:
    """Write the page of a product, whose rows the series already has; its path.

    None where the product was written without a format that concentration can be read from.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    day = gathered(folder)
    if day is None:
        return None
    sections = sections_of(day)
    title = f"Quality of {folder.name}"
    path = page_path(folder)
    with atomic_file(path) as part:
        part.write_text(html_page(title, sections, drawn(sections)), "utf-8")
    return path


def gathered(folder: Path) -> Day | None:
    """A product with the products and the series beside it."""
    maps, document = maps_of(folder), document_of(folder)
    if maps is None:
        return None
    day = date.fromisoformat(document["date"])
    first = (day - timedelta(days=PAST)).isoformat()
    series = read_series(series_path(folder.parent, document["hemisphere"]))
    past = {}
    for days in range(PAST, -1, -1):
        when = (day - timedelta(days=days)).isoformat()
        name = product_name(document["hemisphere"], document.get("region", "all"), when)
        other = folder.parent / name
        if document_in(document_path(other)) is not None:
            past[when] = other
    before = past.get((day - timedelta(days=1)).isoformat())
    return Day(
        maps=maps,
        document=document,
        yesterday=_alike(_maps_of_other(before), maps) if before else None,
        rows=[
            row
            for row in series
            if row.ground == document.get("region") and first <= row.date <= document["date"]
        ],
        points={when: _points(document_of(other)) for when, other in past.items()},
    )


def _maps_of_other(folder: Path) -> xr.Dataset | None:
    """The maps of another day; None where they are damaged, which `seaice verify` finds."""
    try:
        return maps_of(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        logger.warning("%s is damaged and not compared with: %s", folder, error)
        return None


def _alike(other: xr.Dataset | None, maps: xr.Dataset) -> xr.Dataset | None:
    """Another day's maps, if they lie on the same cells."""
    same = other is not None and all(np.array_equal(other[axis], maps[axis]) for axis in "xy")
    return other if same else None


def _points(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    told = document.get("tie_points", {})
    algorithm, points = told.get("algorithm", ""), told.get("tie_points", {})
    return {f"{algorithm} {name}": point for name, point in points.items()}


def sections_of(day: Day) -> list[Section]:
    """The page, part by part; what needs attention first."""
    found = alerts(day)
    notes = [str(each) for each in day.document.get("warnings", ())]
    head = Section(
        title="What to look at" if found else "Nothing unusual",
        alerts=tuple(found),
        says=tuple(f"Note of the product: {note}." for note in notes),
    )
    return [head, _coverage(day), _change(day), _amounts(day), _ties(day), _flags(day)]


def _coverage(day: Day) -> Section:
    """Granules and what they saw."""
    entries = day.document.get("granules", {}).get(day.date, ())
    used = [entry["name"] for entry in entries if entry.get("used", True)]
    unchecked = sum("not checked" in entry.get("geolocation", "") for entry in entries)
    directions = Counter(_direction(name) for name in used)
    passes = ", ".join(f"{count} {direction}" for direction, count in sorted(directions.items()))
    found, gone = shares(day.maps), left_out(day.document)
    rows = (
        ("status", str(day.document["status"])),
        ("granules used on the day", f"{len(used)}" + (f" ({passes})" if passes else "")),
        ("granules without a sample here", str(_elsewhere(entries))),
        ("left out", str(len(gone))),
        ("geolocation not checked", count_phrase(unchecked)),
        ("sea seen on the day", f"{found['seen']:.2%}"),
        ("filled from other days or cells", f"{found['filled']:.2%}"),
        ("without a value", f"{found['missing']:.2%}"),
        ("seen by one granule only", f"{found['SINGLE_OVERPASS']:.2%}"),
    )
    reasons = Table(title="Left out", heads=("granule and reason",), rows=tuple((g,) for g in gone))
    tables = (Table(title="", heads=("", ""), rows=rows), *([reasons] if gone else []))
    return Section(title="Coverage", tables=tables)


def _elsewhere(entries: Iterable[Mapping[str, Any]]) -> int:
    """Granules that are good and saw nothing of the region on the day."""
    absent = "no sample in the region"
    return sum(str(entry.get("reason", "")).startswith(absent) for entry in entries)


def _direction(name: str) -> str:
    try:
        return {"A": "ascending", "D": "descending"}[GranuleName.parse(name).direction]
    except GranuleError:
        return "gridded"


def _change(day: Day) -> Section:
    pictures = [
        Picture(
            name="histogram",
            figure=histogram_figure(day),
            says="Sea cells by concentration; open water (below 1 %) is left out of the picture.",
        )
    ]
    if day.yesterday is not None:
        both = (day.maps["sic"] - day.yesterday["sic"]).values
        says = "Concentration minus yesterday's: red where ice is more, blue where it is less. "
        says += f"Mean {np.nanmean(both):+.2%}, rms {np.sqrt(np.nanmean(both**2)):.2%}."
        pictures.insert(0, Picture(name="change", figure=change_figure(day), says=says))
    return Section(title="Concentration and its change since yesterday", pictures=tuple(pictures))


def _amounts(day: Day) -> Section:
    labels = {sea.name: sea.label for sea in seas(day.document["hemisphere"])}
    today = [row for row in day.rows if row.date == day.date]
    lines = tuple(
        (
            labels.get(row.sea, row.sea),
            shown(row.extent_km2, row.extent_uncertainty_km2),
            shown(row.area_km2, row.area_uncertainty_km2),
            f"{row.missing_km2:,.0f}",
            f"{row.observed_share:.1%}",
        )
        for row in today
    )
    heads = ("sea", "extent, km²", "ice area, km²", "missing, km²", "of the sea observed")
    picture = Picture(
        name="series",
        figure=series_figure(day),
        says=f"Extent and ice area of the last {PAST} days on this ground, with one standard "
        "deviation; open circles are provisional. Days without a product are gaps.",
    )
    return Section(
        title="Extent and area",
        says=(
            "Of what the product observed, with one standard deviation; both are rounded to two "
            "digits of it. Cells without a value are in none of them.",
        ),
        tables=(Table(title="", heads=heads, rows=lines),),
        pictures=(picture,) if today else (),
    )


def _ties(day: Day) -> Section:
    points = day.points.get(day.date, {})
    if not points:
        return Section(title="Tie points", says=("The method has none.",))
    lines = tuple(
        (
            name,
            f"{point['value']:.2f}",
            f"{point['published']:.2f}",
            "" if point.get("measured") is None else f"{point['measured']:.2f}",
            f"{point.get('cells', 0):,}",
            str(point.get("why", "")),
        )
        for name, point in points.items()
    )
    heads = ("tie point", "used, K", "published, K", "of the day, K", "cells", "why")
    picture = Picture(
        name="ties",
        figure=tie_figure(day),
        says=f"Tie points measured on the last {PAST} days; the line is the published one, the "
        "band what a day's may differ by and still be believed.",
    )
    table = Table(title="", heads=heads, rows=lines)
    return Section(title="Tie points", tables=(table,), pictures=(picture,))


def _flags(day: Day) -> Section:
    today = shares(day.maps)
    former = {} if day.yesterday is None else shares(day.yesterday)
    lines = tuple(
        (
            str(flag.name).lower(),
            f"{today[str(flag.name)]:.3%}",
            f"{former[str(flag.name)]:.3%}" if former else "",
        )
        for flag in Flag
        if flag not in Flag.LAND | Flag.LAKE
    )
    table = Table(title="", heads=("flag", "share of the sea", "yesterday"), rows=lines)
    return Section(title="Flags", tables=(table,))

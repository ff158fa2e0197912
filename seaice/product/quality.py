"""The quality page of a product: coverage, change since the day before, extent, tie points, flags.

The page is stored next to the product's files and is not in its manifest: it compares the day with
earlier days, while the product's bytes follow from its inputs alone.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seaice.errors import GranuleError
from seaice.files import atomic_file
from seaice.io.granules import GranuleName, count_phrase
from seaice.page import Picture, Section, Table, drawn, html_page
from seaice.product.folder import (
    product_name,
    provenance_or_none,
    provenance_path,
    quality_page_path,
    read_provenance,
)
from seaice.product.reader import read_maps
from seaice.product.series import SeriesRow, format_with_uncertainty, read_series, seas, series_path
from seaice.product.style import LAND_COLOUR, NO_DATA_COLOUR
from seaice.retrieval.classical.tie_points import GUARD
from seaice.retrieval.flags import Flag

__all__ = [
    "QualityDay",
    "alerts",
    "change_figure",
    "collect_quality_day",
    "flag_fractions",
    "histogram_figure",
    "jump_limit",
    "page_sections",
    "series_figure",
    "tie_figure",
    "unused_granules",
    "write_quality_page",
]

#: Jumps of extent from one day to the next. In 2018 of the OSI SAF record OSI-450-a no northern
#: day changed the total by more than 232 000 km2, nor any sea of A km2 by more than 123 sqrt(A).
LARGEST_JUMP = 250_000.0  #: km2
JUMP_PER_ROOT_AREA = 125.0  #: km2, times the root of the sea's area in km2
MAX_UNSEEN = 0.02  #: fraction of the sea not observed on the day, without the pole hole
MAX_DISAGREEMENT = (
    0.05  #: area where network and weather filters disagree, as a fraction of the extent
)
MAX_OUTSIDE_CLIMATOLOGY = 0.005  #: area of ice outside the climatology, as a fraction of the extent


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityDay:
    """A product with the product of the day before, its series and its tie points."""

    maps: xr.Dataset  #: see `seaice.product.reader.read_maps`
    document: Mapping[str, Any]  #: provenance
    yesterday: xr.Dataset | None  #: the maps of the day before, on the same cells
    rows: Sequence[SeriesRow]  #: of the series: this region, this day and earlier days
    points: Mapping[str, Mapping[str, Any]]  #: tie points by date, this day and earlier days

    @property
    def date(self) -> str:
        """The day, as 2020-03-03."""
        return str(self.document["date"])


def jump_limit(km2: float) -> float:
    """Largest plausible change of a sea's extent in a day, km2.

    Parameters
    ----------
    km2 : observed area of the sea

    >>> jump_limit(1e6), jump_limit(3.7e7)
    (125000.0, 250000.0)
    """
    return float(min(LARGEST_JUMP, JUMP_PER_ROOT_AREA * np.sqrt(km2)))


def flag_fractions(maps: xr.Dataset) -> dict[str, float]:
    """Fraction of the sea cells with each flag, by flag name.

    Also `seen` (observed on the day), `filled`, `missing` and `unseen` (outside the pole hole).
    """
    flags = maps["status_flag"].values
    bits = np.bincount(flags[(flags & Flag.LAND) == 0].ravel(), minlength=1)
    codes, sea = np.arange(bits.size), max(int(bits.sum()), 1)

    def fraction(which: Any) -> float:
        return float(bits[which].sum() / sea)

    unseen = Flag.NO_INPUT | Flag.GAP_FILLED
    fractions = {
        "seen": fraction((codes & unseen) == 0),
        "filled": fraction((codes & Flag.GAP_FILLED) != 0),
        "missing": fraction((codes & Flag.NO_INPUT) != 0),
        "unseen": fraction(((codes & unseen) != 0) & ((codes & Flag.POLE_HOLE) == 0)),
    }
    return fractions | {str(flag.name): fraction((codes & flag) != 0) for flag in Flag}


def unused_granules(document: Mapping[str, Any]) -> list[str]:
    """Granules of the day that could not be used, each with the reason."""
    prefix = f"{document['date']}: left out "
    warnings = document.get("warnings", ())
    return [str(each).removeprefix(prefix) for each in warnings if str(each).startswith(prefix)]


def alerts(day: QualityDay) -> list[str]:
    """Sentences about unusual inputs, jumps, tie points and flags; empty on a normal day."""
    return [*_input_alerts(day), *_jump_alerts(day), *_tie_point_alerts(day), *_flag_alerts(day)]


def _input_alerts(day: QualityDay) -> Iterator[str]:
    if day.document["status"] == "provisional":
        yield "Provisional: later days were missing; process the day again when they are available."
    fractions = flag_fractions(day.maps)
    if fractions["unseen"] > MAX_UNSEEN:
        yield (
            f"Missing swath: {fractions['unseen']:.1%} of the sea was not observed on the day "
            f"(limit {MAX_UNSEEN:.0%}; the pole hole does not count)."
        )
    unused = unused_granules(day.document)
    if unused:
        yield f"{count_phrase(len(unused))} of the day left out."
    if day.yesterday is None:
        yield "No product of the day before on the same grid: no difference map, no test for jumps."


def _jump_alerts(day: QualityDay) -> Iterator[str]:
    today = {row.sea: row for row in day.rows if row.date == day.date}
    before = str(np.datetime64(day.date) - 1)
    previous = {row.sea: row for row in day.rows if row.date == before}
    for sea in seas(day.document["hemisphere"]):
        if sea.name not in today or sea.name not in previous:
            continue
        now, then = today[sea.name], previous[sea.name]
        change, limit = now.extent_km2 - then.extent_km2, jump_limit(now.observed_km2)
        if abs(change) > limit:
            yield (
                f"Jump: extent of {sea.label} changed by {change:+,.0f} km2 in a day (limit "
                f"{limit:,.0f}); the observed area was {then.observed_km2:,.0f}, then "
                f"{now.observed_km2:,.0f} km2."
            )


def _tie_point_alerts(day: QualityDay) -> Iterator[str]:
    for name, point in day.points.get(day.date, {}).items():
        measured = point.get("measured")
        if measured is not None and abs(measured - point["published"]) >= GUARD:
            yield (
                f"Tie point {name}: {measured:.1f} K on the day, {GUARD:g} K or more from the "
                f"published {point['published']:.1f}; {point['value']:.1f} K was used."
            )


def _flag_alerts(day: QualityDay) -> Iterator[str]:
    fractions = flag_fractions(day.maps)
    total = {row.sea: row for row in day.rows if row.date == day.date}.get("all")
    if total is None or not total.extent_km2 > 0:
        return
    sea = total.observed_km2 + total.missing_km2
    limits = (
        (Flag.WEATHER_DISAGREEMENT, MAX_DISAGREEMENT, "Network and weather filters disagree"),
        (
            Flag.OUTSIDE_CLIMATOLOGY,
            MAX_OUTSIDE_CLIMATOLOGY,
            "Ice where none has been observed in this month",
        ),
    )
    for flag, limit, text in limits:
        km2 = fractions[str(flag.name)] * sea
        if km2 > limit * total.extent_km2:
            fraction = km2 / total.extent_km2
            yield f"{text}: {km2:,.0f} km2, {fraction:.1%} of the extent (limit {limit:.1%})."


MAX_PICTURE_CELLS = 700  #: cells along a side of a picture; larger maps are averaged in blocks
MILLION = 1e6
TODAY_COLOUR, BEFORE_COLOUR = "#2166ac", "#9aa7b2"


def change_figure(day: QualityDay) -> Figure:
    """Map of the change of concentration since the day before; sand where either is missing."""
    if day.yesterday is None:
        raise ValueError("a map of change needs the product of the day before")
    change = (day.maps["sic"] - day.yesterday["sic"]).values
    land = (day.maps["status_flag"].values & Flag.LAND) != 0
    step = max(1, -(-max(change.shape) // MAX_PICTURE_CELLS))
    ratio = change.shape[0] / change.shape[1]
    figure = Figure(figsize=(7.0, 6.2 * ratio + 0.9))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(np.divide(NO_DATA_COLOUR, 255).tolist())
    picture = axes.imshow(
        100 * _block_means(change, step), cmap="RdBu_r", vmin=-50, vmax=50, interpolation="nearest"
    )
    colours = np.zeros((*land[::step, ::step].shape, 4))
    colours[land[::step, ::step]] = (*np.divide(LAND_COLOUR, 255), 1)
    axes.imshow(colours, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    figure.colorbar(picture, ax=axes, shrink=0.6, label="change since yesterday, %")
    return figure


def _block_means(values: NDArray[np.floating], step: int) -> NDArray[np.floating]:
    """Means of step x step blocks, ignoring NaN; incomplete blocks at the edges are padded."""
    rows, columns = (-(-size // step) * step for size in values.shape)
    wide = np.full((rows, columns), np.nan)
    wide[: values.shape[0], : values.shape[1]] = values
    blocks = wide.reshape(rows // step, step, columns // step, step)
    known = np.isfinite(blocks).sum(axis=(1, 3))
    total = np.nansum(blocks, axis=(1, 3))
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


def histogram_figure(day: QualityDay) -> Figure:
    """Histogram of concentration, today and yesterday."""
    figure = Figure(figsize=(7.5, 3.0))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    edges = np.linspace(0.01, 1.0, 34)
    for maps, label, colour in (
        (day.yesterday, "yesterday", BEFORE_COLOUR),
        (day.maps, day.date, TODAY_COLOUR),
    ):
        if maps is not None:
            counts, _ = np.histogram(maps["sic"].values, edges)
            axes.stairs(np.maximum(counts, 0.5), 100 * edges, label=label, color=colour)
    axes.set(xlabel="concentration, %", ylabel="cells", yscale="log")
    axes.legend(fontsize=8)
    _style_axes(axes)
    return figure


def series_figure(day: QualityDay) -> Figure:
    """Extent and area of the last days, with uncertainty."""
    figure = Figure(figsize=(9.0, 3.4))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    rows = [row for row in day.rows if row.sea == "all"]
    when = np.array([row.date for row in rows], "datetime64[D]")
    for name, colour in (("extent", TODAY_COLOUR), ("area", "#1b9e77")):
        values, errors = (
            np.array([getattr(row, f"{name}{part}") for row in rows]) / MILLION
            for part in ("_km2", "_uncertainty_km2")
        )
        axes.errorbar(when, values, errors, fmt="none", ecolor=colour, capsize=2)
        for status, fill in (("final", colour), ("provisional", "white")):
            these = np.array([row.status == status for row in rows], bool)
            axes.plot(
                when[these],
                values[these],
                "o",
                color=colour,
                mfc=fill,
                ms=5,
                label=f"{name}, {status}",
            )
    axes.set_ylabel("million km²")
    axes.legend(fontsize=8)
    _date_axis(axes, day)
    return figure


def tie_figure(day: QualityDay) -> Figure:
    """Each tie point of the day's method as measured on the last days, with the accepted range."""
    names = list(day.points[day.date])
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.3 * lines))
    figure.set_layout_engine("constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for place, axes in enumerate(grid.ravel()):
        if place >= len(names):
            axes.set_visible(False)
            continue
        name = names[place]
        published = day.points[day.date][name]["published"]
        axes.axhspan(published - GUARD, published + GUARD, color="#eef3f7")
        axes.axhline(published, color="black", linewidth=0.8)
        measured = {
            when: points.get(name, {}).get("measured") for when, points in day.points.items()
        }
        known = {when: value for when, value in measured.items() if value is not None}
        axes.plot(np.array(list(known), "datetime64[D]"), list(known.values()), "o-", ms=4)
        axes.set_title(name, fontsize=9)
        axes.set_ylabel("K", fontsize=8)
        axes.tick_params(labelsize=7)
        _date_axis(axes, day)
    return figure


def _date_axis(axes: Axes, day: QualityDay) -> None:
    """Label the horizontal axis with the days of the past month."""
    last = np.datetime64(date.fromisoformat(day.date))
    axes.set_xlim(last - 31, last + 1)  # type: ignore[arg-type]
    ticks = last - np.array([28, 21, 14, 7, 0])
    axes.set_xticks(ticks, [str(tick)[5:] for tick in ticks], fontsize=8)
    _style_axes(axes)


def _style_axes(axes: Axes) -> None:
    axes.grid(color="#e3e9ee", linewidth=0.6)
    axes.set_axisbelow(True)


logger = logging.getLogger(__name__)
PAST_DAYS = 30  #: earlier days shown on the page


def write_quality_page(folder: Path) -> Path | None:
    """Write the quality page of a product whose rows are in the series; return its path.

    None if the product has no format from which concentration can be read.

    Raises
    ------
    OutputError
        If writing fails.
    """
    day = collect_quality_day(folder)
    if day is None:
        return None
    sections = page_sections(day)
    title = f"Quality of {folder.name}"
    path = quality_page_path(folder)
    with atomic_file(path) as part:
        part.write_text(html_page(title, sections, drawn(sections)), "utf-8")
    return path


def collect_quality_day(folder: Path) -> QualityDay | None:
    """Collect a product, the product of the day before, the series and the tie points."""
    maps, document = read_maps(folder), read_provenance(folder)
    if maps is None:
        return None
    day = date.fromisoformat(document["date"])
    first = (day - timedelta(days=PAST_DAYS)).isoformat()
    series = read_series(series_path(folder.parent, document["hemisphere"]))
    earlier = {}
    for days in range(PAST_DAYS, -1, -1):
        when = (day - timedelta(days=days)).isoformat()
        name = product_name(document["hemisphere"], document.get("region", "all"), when)
        other = folder.parent / name
        if provenance_or_none(provenance_path(other)) is not None:
            earlier[when] = other
    before = earlier.get((day - timedelta(days=1)).isoformat())
    return QualityDay(
        maps=maps,
        document=document,
        yesterday=_if_same_grid(_maps_of_other(before), maps) if before else None,
        rows=[
            row
            for row in series
            if row.ground == document.get("region") and first <= row.date <= document["date"]
        ],
        points={when: _tie_points(read_provenance(other)) for when, other in earlier.items()},
    )


def _maps_of_other(folder: Path) -> xr.Dataset | None:
    """The maps of another day; None if they are damaged, which `seaice verify` reports."""
    try:
        return read_maps(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        logger.warning("%s is damaged and is not used for comparison: %s", folder, error)
        return None


def _if_same_grid(other: xr.Dataset | None, maps: xr.Dataset) -> xr.Dataset | None:
    """Another day's maps if they are on the same grid, else None."""
    same = other is not None and all(np.array_equal(other[axis], maps[axis]) for axis in "xy")
    return other if same else None


def _tie_points(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    entry = document.get("tie_points", {})
    algorithm, points = entry.get("algorithm", ""), entry.get("tie_points", {})
    return {f"{algorithm} {name}": point for name, point in points.items()}


def page_sections(day: QualityDay) -> list[Section]:
    """The sections of the page, alerts first."""
    messages = alerts(day)
    notes = [str(each) for each in day.document.get("warnings", ())]
    head = Section(
        title="Alerts" if messages else "No alerts",
        alerts=tuple(messages),
        says=tuple(f"Note of the product: {note}." for note in notes),
    )
    return [
        head,
        _coverage_section(day),
        _change_section(day),
        _extent_section(day),
        _tie_point_section(day),
        _flag_section(day),
    ]


def _coverage_section(day: QualityDay) -> Section:
    """Granules, and the fractions of the sea that they observed."""
    entries = day.document.get("granules", {}).get(day.date, ())
    used = [entry["name"] for entry in entries if entry.get("used", True)]
    unchecked = sum("not checked" in entry.get("geolocation", "") for entry in entries)
    directions = Counter(_direction(name) for name in used)
    passes = ", ".join(f"{count} {direction}" for direction, count in sorted(directions.items()))
    fractions, unused = flag_fractions(day.maps), unused_granules(day.document)
    rows = (
        ("status", str(day.document["status"])),
        ("granules used on the day", f"{len(used)}" + (f" ({passes})" if passes else "")),
        ("granules without a sample here", str(_count_without_samples(entries))),
        ("left out", str(len(unused))),
        ("geolocation not checked", count_phrase(unchecked)),
        ("sea observed on the day", f"{fractions['seen']:.2%}"),
        ("filled from other days or cells", f"{fractions['filled']:.2%}"),
        ("without a value", f"{fractions['missing']:.2%}"),
        ("observed by one granule only", f"{fractions['SINGLE_OVERPASS']:.2%}"),
    )
    reasons = Table(
        title="Left out", heads=("granule and reason",), rows=tuple((each,) for each in unused)
    )
    tables = (Table(title="", heads=("", ""), rows=rows), *([reasons] if unused else []))
    return Section(title="Coverage", tables=tables)


def _count_without_samples(entries: Iterable[Mapping[str, Any]]) -> int:
    """Number of valid granules without a sample in the region on the day."""
    reason = "no sample in the region"
    return sum(str(entry.get("reason", "")).startswith(reason) for entry in entries)


def _direction(name: str) -> str:
    try:
        return {"A": "ascending", "D": "descending"}[GranuleName.parse(name).direction]
    except GranuleError:
        return "gridded"


def _change_section(day: QualityDay) -> Section:
    pictures = [
        Picture(
            name="histogram",
            figure=histogram_figure(day),
            says="Sea cells by concentration; open water (below 1 %) is not shown.",
        )
    ]
    if day.yesterday is not None:
        change = (day.maps["sic"] - day.yesterday["sic"]).values
        caption = "Concentration minus that of the day before: red more ice, blue less ice. "
        caption += f"Mean {np.nanmean(change):+.2%}, rms {np.sqrt(np.nanmean(change**2)):.2%}."
        pictures.insert(0, Picture(name="change", figure=change_figure(day), says=caption))
    return Section(title="Concentration and its change since yesterday", pictures=tuple(pictures))


def _extent_section(day: QualityDay) -> Section:
    labels = {sea.name: sea.label for sea in seas(day.document["hemisphere"])}
    today = [row for row in day.rows if row.date == day.date]
    lines = tuple(
        (
            labels.get(row.sea, row.sea),
            format_with_uncertainty(row.extent_km2, row.extent_uncertainty_km2),
            format_with_uncertainty(row.area_km2, row.area_uncertainty_km2),
            f"{row.missing_km2:,.0f}",
            f"{row.observed_share:.1%}",
        )
        for row in today
    )
    heads = ("sea", "extent, km²", "ice area, km²", "missing, km²", "of the sea observed")
    picture = Picture(
        name="series",
        figure=series_figure(day),
        says=f"Extent and ice area of the last {PAST_DAYS} days in this region, with one standard "
        "deviation; open circles are provisional. Days without a product are gaps.",
    )
    return Section(
        title="Extent and area",
        says=(
            "Of the observed cells, with one standard deviation; both are rounded to two digits of "
            "the standard deviation. Cells without a value do not count.",
        ),
        tables=(Table(title="", heads=heads, rows=lines),),
        pictures=(picture,) if today else (),
    )


def _tie_point_section(day: QualityDay) -> Section:
    points = day.points.get(day.date, {})
    if not points:
        return Section(title="Tie points", says=("The method has no tie points.",))
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
        says=f"Tie points measured on the last {PAST_DAYS} days; the line is the published value, "
        "the band the range in which a measured value is used.",
    )
    table = Table(title="", heads=heads, rows=lines)
    return Section(title="Tie points", tables=(table,), pictures=(picture,))


def _flag_section(day: QualityDay) -> Section:
    today = flag_fractions(day.maps)
    previous = {} if day.yesterday is None else flag_fractions(day.yesterday)
    lines = tuple(
        (
            str(flag.name).lower(),
            f"{today[str(flag.name)]:.3%}",
            f"{previous[str(flag.name)]:.3%}" if previous else "",
        )
        for flag in Flag
        if flag not in Flag.LAND | Flag.LAKE
    )
    table = Table(title="", heads=("flag", "fraction of the sea", "yesterday"), rows=lines)
    return Section(title="Flags", tables=(table,))

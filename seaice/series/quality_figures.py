"""A day beside the days before it in, pictures for its page out."""

from datetime import date

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seaice.series.findings import Day
from seaice.sic.classical.tie_points import GUARD
from seaice.sic.flags import Flag
from seaice.write.style import LAND_COLOUR, NO_DATA_COLOUR

__all__ = ["change_figure", "histogram_figure", "series_figure", "tie_figure"]

LONGEST = 700  #: cells along a side of a picture; what is larger is averaged
MILLION = 1e6
TODAY, BEFORE = "#2166ac", "#9aa7b2"


def change_figure(day: Day) -> Figure:
    """Concentration minus that of the day before; sand where either is unknown."""
    if day.yesterday is None:
        raise ValueError("Without yesterday there is no change to draw.")
    change = (day.maps["sic"] - day.yesterday["sic"]).values
    land = (day.maps["status_flag"].values & Flag.LAND) != 0
    step = max(1, -(-max(change.shape) // LONGEST))
    tall = change.shape[0] / change.shape[1]
    figure = Figure(figsize=(7.0, 6.2 * tall + 0.9))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(np.divide(NO_DATA_COLOUR, 255).tolist())
    shown = axes.imshow(
        100 * _means(change, step), cmap="RdBu_r", vmin=-50, vmax=50, interpolation="nearest"
    )
    ground = np.zeros((*land[::step, ::step].shape, 4))
    ground[land[::step, ::step]] = (*np.divide(LAND_COLOUR, 255), 1)
    axes.imshow(ground, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes, shrink=0.6, label="change since yesterday, %")
    return figure


def _means(values: NDArray[np.floating], step: int) -> NDArray[np.floating]:
    """Means of blocks over what is known; rests at the far edges are kept by padding."""
    rows, columns = (-(-size // step) * step for size in values.shape)
    wide = np.full((rows, columns), np.nan)
    wide[: values.shape[0], : values.shape[1]] = values
    blocks = wide.reshape(rows // step, step, columns // step, step)
    known = np.isfinite(blocks).sum(axis=(1, 3))
    total = np.nansum(blocks, axis=(1, 3))
    return np.where(known > 0, total / np.maximum(known, 1), np.nan)


def histogram_figure(day: Day) -> Figure:
    """How much sea has how much ice, today and yesterday."""
    figure = Figure(figsize=(7.5, 3.0))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    edges = np.linspace(0.01, 1.0, 34)
    for maps, label, colour in ((day.yesterday, "yesterday", BEFORE), (day.maps, day.date, TODAY)):
        if maps is not None:
            counts, _ = np.histogram(maps["sic"].values, edges)
            axes.stairs(np.maximum(counts, 0.5), 100 * edges, label=label, color=colour)
    axes.set(xlabel="concentration, %", ylabel="cells", yscale="log")
    axes.legend(fontsize=8)
    _tidy(axes)
    return figure


def series_figure(day: Day) -> Figure:
    """Extent and area of the days of the series."""
    figure = Figure(figsize=(9.0, 3.4))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    rows = [row for row in day.rows if row.sea == "all"]
    when = np.array([row.date for row in rows], "datetime64[D]")
    for name, colour in (("extent", TODAY), ("area", "#1b9e77")):
        values, doubts = (
            np.array([getattr(row, f"{name}{part}") for row in rows]) / MILLION
            for part in ("_km2", "_uncertainty_km2")
        )
        axes.errorbar(when, values, doubts, fmt="none", ecolor=colour, capsize=2)
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
    _dated(axes, day)
    return figure


def tie_figure(day: Day) -> Figure:
    """Each tie point of today's method, measured day after day, with its guard."""
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
        told = {when: points.get(name, {}).get("measured") for when, points in day.points.items()}
        known = {when: value for when, value in told.items() if value is not None}
        axes.plot(np.array(list(known), "datetime64[D]"), list(known.values()), "o-", ms=4)
        axes.set_title(name, fontsize=9)
        axes.set_ylabel("K", fontsize=8)
        axes.tick_params(labelsize=7)
        _dated(axes, day)
    return figure


def _dated(axes: Axes, day: Day) -> None:
    """Days of the past month below."""
    last = np.datetime64(date.fromisoformat(day.date))
    axes.set_xlim(last - 31, last + 1)  # type: ignore[arg-type]
    ticks = last - np.array([28, 21, 14, 7, 0])
    axes.set_xticks(ticks, [str(tick)[5:] for tick in ticks], fontsize=8)
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.grid(color="#e3e9ee", linewidth=0.6)
    axes.set_axisbelow(True)

"""Maps and pairs of maps in, figures of a column's or a page's width out; no title is inside."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from seaice.evaluate.fields.field import Field
from seaice.evaluate.paper.page import INCHES, Width, panel
from seaice.evaluate.records import Record
from seaice.evaluate.scores import CLASS_LABELS
from seaice.product.style import LAND_COLOUR, colour_of

__all__ = ["class_figure", "map_figure", "scatter_figure"]

KM = 1e-3
LONGEST = 1200  #: cells along a side of a drawn map; what is larger is thinned
PERCENT = 100
LINES = ("-", "--", ":", "-.")
MARKERS = "osD^vP"
COLOURS = ("#2166ac", "#b2182b", "#1b9e77", "#e08214", "#762a83", "#4d4d4d")


def map_figure(fields: Sequence[Field], width: Width) -> Figure:
    """Maps of concentration side by side, with one colour bar; axes are km on each map's plane.

    Land, and what is not known, is grey.
    """
    columns = min(len(fields), 1 if width == "column" else 3)
    lines = -(-len(fields) // columns)
    tall = max(field.grid.shape[0] / field.grid.shape[1] for field in fields)
    each = (INCHES[width] - 0.6) / columns
    figure = Figure(figsize=(INCHES[width], lines * (each * tall + 0.45)), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for number, (field, drawn) in enumerate(zip(fields, axes, strict=False)):
        shown = _draw_map(drawn, field)
        if len(fields) > 1:
            drawn.set_title(f"{panel(number)} {field.name}", loc="left")
    for empty in axes[len(fields) :]:
        empty.set_visible(False)
    bar = figure.colorbar(shown, ax=axes[: len(fields)].tolist(), shrink=0.8, aspect=30, pad=0.02)
    bar.set_label("Sea-ice concentration (%)")
    return figure


def _draw_map(axes: Axes, field: Field) -> AxesImage:
    step = -(-max(field.sic.shape) // LONGEST)
    rows, columns = field.grid.shape
    corners = [field.grid.transform @ corner for corner in ((0, 0), (columns, rows))]
    (left, top), (right, bottom) = corners
    axes.set_facecolor(np.divide(LAND_COLOUR, 255).tolist())
    shown = axes.imshow(
        field.sic[::step, ::step] * PERCENT,
        extent=(left * KM, right * KM, bottom * KM, top * KM),
        cmap=ListedColormap([np.divide(colour_of(percent), 255) for percent in range(101)]),
        vmin=0,
        vmax=100,
        interpolation="nearest",
    )
    axes.set(xlabel="x (km)", ylabel="y (km)")
    return shown


def scatter_figure(ours: Field, theirs: Field, width: Width) -> Figure:
    """How often which pair of concentrations occurs, on the same cells; darker is more often."""
    both = np.isfinite(ours.sic) & np.isfinite(theirs.sic)
    x, y = theirs.sic[both] * PERCENT, ours.sic[both] * PERCENT
    error = y.astype(float) - x
    side = INCHES[width]
    figure = Figure(figsize=(side, 0.85 * side), layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(0, PERCENT, 51)
    counts, _, _ = np.histogram2d(x, y, bins=(edges, edges))
    shown = axes.pcolormesh(
        edges,
        edges,
        np.ma.masked_equal(counts.T, 0),
        norm=LogNorm(1, max(counts.max(), 2)),
        cmap="Blues",
        rasterized=True,
    )
    axes.plot((0, PERCENT), (0, PERCENT), color="black", linewidth=0.5)
    axes.set(
        xlabel=f"{theirs.name} (%)", ylabel=f"{ours.name} (%)", aspect="equal",
        xlim=(0, PERCENT), ylim=(0, PERCENT),
    )  # fmt: skip
    told = {
        "RMSE": np.sqrt(np.mean(error**2)),
        "MAE": np.mean(np.abs(error)),
        "bias": np.mean(error),
    }
    words = "\n".join(f"{name} {value:.2f} %" for name, value in told.items())
    axes.text(
        0.03, 0.97, f"{words}\n$N$ = {error.size:,}", transform=axes.transAxes, va="top",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
    )  # fmt: skip
    figure.colorbar(shown, ax=axes, pad=0.02).set_label("Cells")
    return figure


def class_figure(records: Sequence[Record], metric: str, cell: float, width: Width) -> Figure:
    """A score of each method by class of the reference, with its 95 % interval."""
    side = INCHES[width]
    rows = -(-len({record.method for record in records}) // 2)
    tall = 0.65 * INCHES["column"] + 0.16 * rows
    figure = Figure(figsize=(side, tall), layout="constrained")
    axes = figure.subplots()
    methods = list(dict.fromkeys(record.method for record in records))
    places = np.arange(len(CLASS_LABELS))
    for number, method in enumerate(methods):
        mine = {r.group: r for r in records if r.method == method}
        told = np.array([_bounds(mine.get(label)) for label in CLASS_LABELS])
        value, low, high = told.T
        axes.errorbar(
            places + 0.06 * (number - len(methods) / 2),
            value,
            yerr=np.abs(np.stack([value - low, high - value])),
            label=method,
            color=COLOURS[number % len(COLOURS)],
            linestyle=LINES[number % len(LINES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=3,
            elinewidth=0.5,
        )
    axes.set_xticks(places, [label.removesuffix(" %") for label in CLASS_LABELS], rotation=45)
    axes.set(xlabel="Reference concentration (%)", ylabel=f"{metric.upper()} (%)")
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(axis="y", linewidth=0.25)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def _bounds(record: Record | None) -> NDArray[np.float64]:
    return (
        np.full(3, np.nan) if record is None else np.array([record.value, record.low, record.high])
    )

"""Maps and sums in, pictures out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from seaice.evaluate.bootstrap import interval, resampled
from seaice.evaluate.records import Case
from seaice.evaluate.scores import CLASS_LABELS, class_scores, doubt_scores
from seaice.evaluate.spectra import spectra_of
from seaice.evaluate.sums import CLASSES, Sums, total
from seaice.product.style import NO_DATA_COLOUR, colour_of

__all__ = ["class_figure", "doubt_figure", "map_figure", "spectra_figure"]

Map = NDArray[np.floating]
COLOURS = ("#8c564b", "#e08214", "#1b9e77", "#2166ac", "#b2182b", "#762a83", "#4d4d4d", "#e7298a")
LONGEST = 900  #: cells along a side of a small map; what is larger is thinned
FEW = 30  #: cells of a bin below which it is not drawn


def map_figure(reference: Map, estimates: Mapping[str, Map], cell: float) -> Figure:
    """The reference, and below it each estimate and its difference from it.

    Parameters
    ----------
    reference : (y, x) 0-1
    estimates : by name, on the same cells
    cell : km
    """
    tall = reference.shape[0] / reference.shape[1]
    alone = len(estimates) == 1
    lines, columns = (1, 3) if alone else (2, 1 + len(estimates))
    each = 4.3 if alone else 3.1
    figure = Figure(figsize=(each * columns, lines * (each * tall + 0.4) + 0.9))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    above, below = list(axes[0]), list(axes[1] if lines == 2 else axes[0, 1:])
    shown = _draw(above[0], reference, cell, "reference", (_ramp(), 0, 100))
    for number, (name, estimate) in enumerate(estimates.items(), start=1):
        _draw(above[number], estimate, cell, name, (_ramp(), 0, 100))
        difference = _draw(
            below[number], estimate - reference, cell, "estimate - reference", ("RdBu_r", -50, 50)
        )
    if not alone:
        below[0].set_visible(False)
    half = (columns + 1) // 2
    _bar(figure, shown, axes[:, :half], "concentration, %")
    _bar(figure, difference, axes[:, half:], "difference, %")
    return figure


def _bar(figure: Figure, shown: AxesImage, under: NDArray[np.object_], label: str) -> None:
    bar = figure.colorbar(
        shown, ax=under.ravel().tolist(), location="bottom", shrink=0.5, aspect=40, pad=0.02
    )
    bar.set_label(label)


def _draw(
    axes: Axes, values: Map, cell: float, title: str, scale: tuple[str | Colormap, int, int]
) -> AxesImage:
    rows, columns = values.shape
    step = -(-max(rows, columns) // LONGEST)
    colours, low, high = scale
    axes.set_facecolor(np.divide(NO_DATA_COLOUR, 255).tolist())
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("km", fontsize=7)
    return axes.imshow(
        100 * values[::step, ::step],
        extent=(0, columns * cell, rows * cell, 0),
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )


def _ramp() -> ListedColormap:
    return ListedColormap([np.divide(colour_of(percent), 255) for percent in range(101)])


def class_figure(cases: Sequence[Case]) -> Figure:
    """RMSE and bias by class of the reference with their intervals, and the cells in each."""
    figure, (above, middle, below) = _stacked(3, (9.5, 9.0), (3, 2, 1))
    place = np.arange(CLASSES)
    for number, case in enumerate(cases):
        shift = 0.7 * ((number + 0.5) / len(cases) - 0.5)
        for axes, metric in ((above, "rmse"), (middle, "bias")):
            value, low, high = (
                100 * part for part in _with_interval(case.sums, "reference", metric)
            )
            axes.errorbar(
                place + shift,
                value,
                np.stack([value - low, high - value]).clip(0),
                fmt="o",
                markersize=4,
                capsize=2,
                color=_colour(number),
                label=case.method,
            )
    counts = total(cases[0].sums)["moments"][:, 0]
    below.bar(place, np.maximum(counts, 0.5), color="#b8c4ce")
    below.set(yscale="log", ylabel="cells", ylim=(0.8, None))
    below.set_xticks(place, CLASS_LABELS, fontsize=8)
    below.set_xlabel("concentration in the reference")
    above.set(ylabel="RMSE, %", ylim=(0, None))
    middle.set_ylabel("bias, %")
    middle.axhline(0, color="black", linewidth=0.7)
    _legend(above, len(cases))
    return figure


def doubt_figure(cases: Sequence[Case], order: Sequence[str]) -> Figure:
    """Share of cells within both half-widths by class, and found against told uncertainty.

    Parameters
    ----------
    order : all methods of the report, so that each has one colour throughout
    """
    figure = Figure(figsize=(14.5, 5.4))
    figure.set_layout_engine("constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, by in ((left, "reference"), (middle, "estimate")):
        _draw_shares(axes, cases, by, order)
    for case in cases:
        _draw_doubt(right, case, _colour(order.index(case.method)))
    reach = max(*right.get_xlim(), *right.get_ylim())
    right.plot([0, reach], [0, reach], color="black", linewidth=0.7)
    right.set(xlim=(0, reach), ylim=(0, reach), aspect="equal")
    right.set(xlabel="uncertainty told (68 %), %", ylabel="RMSE found, %")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_shares(axes: Axes, cases: Sequence[Case], by: str, order: Sequence[str]) -> None:
    """Cells within the half-widths for 68 % (circles) and 95 % (squares) in each class."""
    for low, high in ((65, 71), (93, 97)):
        axes.axhspan(low, high, color="#dfe7ee", zorder=0)
    for case in cases:
        for metric, marker in (("within_1", "o"), ("within_2", "s")):
            fraction, *_ = _with_interval(case.sums, by, metric)
            axes.plot(
                100 * fraction,
                marker=marker,
                markersize=4,
                color=_colour(order.index(case.method)),
                label=case.method if metric == "within_1" else None,
            )
    axes.set_xticks(np.arange(CLASSES), CLASS_LABELS, fontsize=8, rotation=40)
    axes.set(ylabel="cells within what is told for 68 % (o), 95 % (squares), %", ylim=(0, 102))
    axes.set_xlabel(f"class of the {by}")


def _draw_doubt(axes: Axes, case: Case, colour: str) -> None:
    told, result = doubt_scores(total(case.sums))
    _, drawn = doubt_scores(resampled({"doubt": case.sums["doubt"]}))
    low, high = interval(drawn)
    many = total(case.sums)["doubt"][:, 0] >= FEW
    bars = np.stack([result - low, high - result])[:, many].clip(0)
    axes.errorbar(
        100 * told[many],
        100 * result[many],
        100 * np.nan_to_num(bars),
        fmt="o-",
        markersize=4,
        capsize=2,
        color=colour,
    )


NAMES = {
    "v": "V at 89 GHz",
    "h": "H at 89 GHz",
    "p": "polarization difference V - H",
    "sic": "concentration",
}


def spectra_figure(cases: Mapping[str, Sequence[Case]], order: Sequence[str]) -> Figure:
    """Power by wavelength, and squared coherence with the reference.

    Parameters
    ----------
    cases : by quantity, a key of `NAMES`, those whose sums have its spectrum
    order : as for `doubt_figure`
    """
    figure = Figure(figsize=(max(4.6 * len(cases), 6.5), 7.6))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(2, len(cases), squeeze=False, sharex="col")
    others = (case.method for these in cases.values() for case in these)
    methods = list(dict.fromkeys((*order, *others)))
    for (quantity, these), above, below in zip(cases.items(), axes[0], axes[1], strict=True):
        for number, case in enumerate(these):
            result = spectra_of(total(case.sums)[f"spectrum_{quantity}"], case.cell)
            line = {"color": _colour(methods.index(case.method)), "label": case.method}
            if number == 0:
                above.loglog(result.wavelength, result.reference, color="black", label="reference")
            above.loglog(result.wavelength, result.estimate, **line)
            below.semilogx(result.wavelength, result.coherence, **line)
        above.set_title(NAMES[quantity], fontsize=11)
        above.set_ylabel("power, relative")
        below.axhline(0.5, color="black", linewidth=0.7)
        below.set(ylim=(0, 1.02), xlabel="wavelength, km", ylabel="squared coherence")
        below.invert_xaxis()
        octaves = result.wavelength[-1] * 2.0 ** np.arange(8)
        ticks = octaves[octaves <= result.wavelength[0]]
        below.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
        below.minorticks_off()
        for each in (above, below):
            each.grid(color="#e3e9ee", linewidth=0.6)
        above.legend(fontsize=7)
    return figure


def _with_interval(sums: Sums, by: str, metric: str) -> tuple[NDArray[np.float64], ...]:
    """A score of each class and its bounds; the value itself where there is one unit only."""
    part = {name: sums[name] for name in ("moments", f"within_{by}") if name in sums}
    value = class_scores(total(part))[by][metric]
    if len(part["moments"]) < 2:
        return value, value, value
    low, high = interval(class_scores(resampled(part))[by][metric])
    return value, low, high


def _stacked(
    number: int, size: tuple[float, float], heights: Sequence[float]
) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(number, 1, sharex=True, height_ratios=heights)
    for each in axes:
        each.grid(axis="y", color="#e3e9ee", linewidth=0.6)
        each.set_axisbelow(True)
    return figure, list(axes)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _legend(axes: Axes, cases: int) -> None:
    if cases > 1:
        axes.legend(fontsize=8)

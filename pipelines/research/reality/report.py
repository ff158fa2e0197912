"""The tables and the pictures of docs/reality.md."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.research.reality.comparison import Line, summary
from pipelines.research.reality.comparison import table as lines_table
from pipelines.research.reality.samples import CLOUD, LEVELS, VAPOUR
from pipelines.research.reality.statistics import BANDS_KM
from seaice.errors import NoInputError
from seaice.files import atomic_file
from seaice.retrieval.classical.corrections import SPREEN

__all__ = ["draw", "fill_tables", "tables"]

Table = Mapping[str, Any]
SURFACES = ("water", "ice north", "ice winter", "ice spring", "ice summer", "ice south")
AIR = ("vapour", "liquid")
SPECTRA = {
    "sea": "P of open water, K",
    "sic pack": "concentration, pack",
    "asi pack": "... as ASI finds it",
    "sic edge": "concentration, edge",
    "asi edge": "... as ASI finds it",
}


def fill_tables(page: str, parts: Mapping[str, str]) -> str:
    """A page whose marked places hold new tables.

    Parameters
    ----------
    page : Markdown with `<!-- table NAME -->` and `<!-- end -->`
    parts : Markdown for each name

    Raises
    ------
    NoInputError
        If the page lacks a place.

    >>> fill_tables("a <!-- table x -->old<!-- end --> b", {"x": "new"})
    'a <!-- table x -->\\nnew\\n<!-- end --> b'
    """
    for name, part in parts.items():
        place = re.compile(rf"(<!-- table {name} -->).*?(<!-- end -->)", re.DOTALL)
        if not place.search(page):
            raise NoInputError(
                f"no place for the table {name!r} on the page",
                f"the marks <!-- table {name} --> and <!-- end -->",
                "restore them, or take the page from the repository",
            )
        page = place.sub(rf"\g<1>\n{part}\n\g<2>", page)
    return page


def tables(real: Table, simulated: Table, figure_lines: Sequence[Line]) -> dict[str, str]:
    """Every table by its name on the page."""
    outside = sorted((x for x in figure_lines if not x.within), key=lambda x: -x.excess)
    return {
        "verdict": summary(figure_lines),
        "outside": lines_table(outside) if outside else "All lines are within range.",
        "lines": lines_table(figure_lines),
        "percentiles": _percentiles(real, simulated),
        "weather": _weather(real, simulated),
        "air": _air(real, simulated),
        "filters": _filters(real, simulated),
        "spectra": _spectra(real, simulated),
        "noise": _noise(real, simulated),
        "asi": _asi(real),
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table_rows = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in table_rows)


def _percentiles(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                cells = [f"{x:.1f}" for x in table[name]["percentiles"]["pd"]]
                middle = [f"{table[name]['percentiles'][c][3]:.0f}" for c in ("tb89v", "tb89h")]
                count = str(table[name]["samples"])
                correlation = f"{table[name]['correlation']:.2f}"
                rows.append([name, side, count, *cells, *middle, correlation])
    heads = ("surface", "side", "samples", *(f"{x} %" for x in LEVELS), "V", "H", "V-H corr.")
    return _table(heads, rows)


def _weather(real: Table, simulated: Table) -> str:
    rows = []
    for kind, edges in (("vapour", VAPOUR), ("cloud", CLOUD)):
        for k, (low, high) in enumerate(pairwise(edges)):
            cells = [
                "-"
                if not t[s][kind][k]
                else f"{t[s][kind][k]['mean']:.1f} ± {t[s][kind][k]['spread']:.1f}"
                for s in ("water", "ice north")
                for t in (real, simulated)
            ]
            rows.append([f"{kind} {_span(low, high)}", *cells])
    heads = ("kg m-2", "water real", "water simulated", "ice real", "ice simulated")
    return _table(heads, rows)


def _air(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                one = table[name]["percentiles"]
                cells = [" / ".join(f"{one[n][k]:.3g}" for k in (1, 3, 5)) for n in AIR]
                rows.append([name, side, *cells])
    return _table(("samples of", "side", *(f"{n} kg m-2, 5/50/95 %" for n in AIR)), rows)


def _span(low: float, high: float) -> str:
    return f"over {low:g}" if high == float("inf") else f"{low:g} to {high:g}"


def _filters(real: Table, simulated: Table) -> str:
    rows = []
    for name in SURFACES:
        for side, table in (("real", real), ("simulated", simulated)):
            if name in table:
                one = table[name]["percentiles"]
                ends = [
                    " / ".join(f"{one[r][k]:.3f}" for k in (1, 3, 5))
                    for r in ("gr_cloud", "gr_vapour")
                ]
                rows.append([name, side, *ends, f"{100 * table[name]['filtered']:.2f}"])
    heads = (
        "surface",
        "side",
        "GR(36.5/18.7), 5/50/95 %",
        "GR(23.8/18.7), 5/50/95 %",
        "filtered %",
    )
    return _table(heads, rows)


def _spectra(real: Table, simulated: Table) -> str:
    rows = []
    for name, title in SPECTRA.items():
        for side, table in (("real", real), ("simulated", simulated)):
            if table.get(name):
                scale = 1.0 if name == "sea" else 100.0
                cells = [f"{scale * x:.2f}" for x in table[name]["spread"]]
                rows.append(
                    [
                        title,
                        side,
                        str(table[name]["windows"]),
                        *cells,
                        f"{table[name]['slope']:.1f}",
                    ]
                )
    return _table(("map", "side", "windows", *(f"{b:g} km" for b in BANDS_KM), "slope"), rows)


def _noise(real: Table, simulated: Table) -> str:
    rows = [
        [side, *(f"{table['noise'][name]:.2f}" for name in "VHP")]
        for side, table in (("real scene", real), ("simulated", simulated))
        if "noise" in table
    ]
    return _table(("side", "V, K", "H, K", "P, K"), rows)


def _asi(real: Table) -> str:
    rows = []
    for name in ("water north", "water south", "ice north", "ice south"):
        rows.append(_asi_row(name, "all", real[name]))
        for kind, edges in (("vapour", VAPOUR), ("cloud", CLOUD)):
            for one, (low, high) in zip(real[name][kind], pairwise(edges), strict=True):
                if one:
                    rows.append(_asi_row(name, f"{kind} {_span(low, high)}", one))
    heads = ("surface", "weather, kg m-2", "samples", "ASI", "ASI with weather filters")
    return _table(heads, rows)


def _asi_row(name: str, weather: str, one: Table) -> list[str]:
    cells = [f"{one['asi'][k][0]:+.1f} ± {one['asi'][k][1]:.1f}" for k in ("plain", "filtered")]
    return [name, weather, str(one["samples"]), *cells]


REAL, SIMULATED = "#1b4965", "#d1495b"
LABELS = {
    "vapour": ("0-5", "5-10", "10-15", "15-20", ">20"),
    "cloud": ("<.01", ".01-.05", ".05-.1", ".1-.2", ">.2"),
}
SURFACE_TITLES = {
    "water": "open water",
    "ice winter": "closed ice, winter",
    "ice spring": "closed ice, May",
    "ice summer": "closed ice, July and August",
}
SPECTRUM_TITLES = {
    "sea": ("V − H of open water", "K", 1.0),
    "sic pack": ("concentration, pack", "%", 100.0),
    "sic edge": ("concentration, ice edge", "%", 100.0),
}


def draw(real: Table, simulated: Table, folder: Path) -> list[Path]:
    """Every picture of the page, real and simulated side by side.

    Parameters
    ----------
    real, simulated : tables of figures
    folder : where the PNG files go
    """
    with mpl.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        pictures = {
            "percentiles": _plot_percentiles(real, simulated),
            "weather": _plot_weather(real, simulated),
            "ratios": _plot_ratios(real, simulated),
            "spectra": _plot_spectra(real, simulated),
        }
        return [
            _save_figure(figure, folder / f"reality_{name}.png")
            for name, figure in pictures.items()
        ]


def _save_figure(figure: Figure, path: Path) -> Path:
    with atomic_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
    return path


def _plot_percentiles(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for ax, (name, title) in zip(
        figure.subplots(1, len(SURFACE_TITLES)), SURFACE_TITLES.items(), strict=True
    ):
        places = np.arange(len(LEVELS))
        for table, colour, mark, label in _sides(real, simulated):
            if name in table:
                values = table[name]["percentiles"]["pd"]
                ax.plot(places, values, mark, color=colour, label=label)
        ax.set(title=title, xlabel="percentile", ylim=(0, 70 if name == "water" else 25))
        ax.set_xticks(places, [str(level) for level in LEVELS])
        ax.grid(alpha=0.3)
    figure.axes[0].set_ylabel("V − H at 89 GHz, K")
    figure.axes[0].legend(frameon=False)
    return figure


def _plot_weather(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1))
    panels = [(s, k) for s in ("water", "ice north") for k in ("vapour", "cloud")]
    for ax, (surface, kind) in zip(axes, panels, strict=True):
        for shift, (table, colour, mark, label) in enumerate(_sides(real, simulated)):
            _plot_bars(ax, table[surface][kind], (shift - 0.5) * 0.16, colour, mark, label)
        ax.set_xticks(range(5), LABELS[kind], fontsize=9)
        where = "open water" if surface == "water" else "closed ice, north"
        ax.set(
            title=where, xlabel=f"{'water vapour' if kind == 'vapour' else 'cloud liquid'}, kg m⁻²"
        )
        ax.set(xlim=(-0.5, 4.5), ylim=(0, 62 if surface == "water" else 20))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("V − H at 89 GHz, K: mean and spread")
    axes[0].legend(frameon=False)
    return figure


def _plot_bars(ax: Axes, rows: Any, shift: float, colour: str, mark: str, label: str) -> None:
    values = [(k + shift, row["mean"], row["spread"]) for k, row in enumerate(rows) if row]
    x, mean, spread = np.array(values).T
    ax.errorbar(x, mean, spread, fmt=mark, color=colour, capsize=3, label=label)


def _plot_ratios(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for ax, (table, _, _, label) in zip(axes, _sides(real, simulated), strict=True):
        for name, colour in (("water", "#2a6f97"), ("ice north", "#e09f3e")):
            pairs = np.array(table[name]["ratios"])
            ax.plot(*pairs.T, ".", color=colour, markersize=5, alpha=0.6, label=SHORT[name])
        ax.axhline(SPREEN.cloud, color="black", linewidth=1)
        ax.axvline(SPREEN.vapour, color="black", linewidth=1, linestyle="--")
        ax.set(title=label, xlabel="GR(23.8/18.7), V", xlim=(-0.04, 0.08), ylim=(-0.1, 0.09))
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("GR(36.5/18.7), V")
    axes[0].legend(frameon=False, loc="lower right", title="lines: weather filters")
    return figure


def _plot_spectra(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    for ax, (name, (title, unit, scale)) in zip(
        figure.subplots(1, 3), SPECTRUM_TITLES.items(), strict=True
    ):
        for table, colour, mark, label in _sides(real, simulated):
            if table.get(name):
                values = scale * np.array(table[name]["spread"])
                ax.semilogx(BANDS_KM, values, mark, color=colour, label=label)
        figure_lines = name.replace("sic", "asi")
        if figure_lines != name and simulated.get(figure_lines):
            values = scale * np.array(simulated[figure_lines]["spread"])
            ax.semilogx(
                BANDS_KM,
                values,
                "^:",
                color=SIMULATED,
                alpha=0.6,
                label="simulated, as ASI finds it",
            )
        ax.set(title=title, xlabel="wavelength, km", ylabel=f"spread per octave, {unit}")
        ax.set_xticks(BANDS_KM, [f"{band:g}" for band in BANDS_KM])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    figure.axes[1].legend(frameon=False, fontsize=9)
    return figure


def _sides(real: Table, simulated: Table) -> list[tuple[Table, str, str, str]]:
    return [(real, REAL, "o-", "real"), (simulated, SIMULATED, "s--", "simulated")]


SHORT = {"water": "open water", "ice north": "closed ice"}

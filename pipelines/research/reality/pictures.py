"""The pictures of docs/reality.md: real and simulated figures side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.research.reality.points import LEVELS
from pipelines.research.reality.spectra import BANDS_KM
from seaice.files import atomic_file
from seaice.retrieval.classical.corrections import SPREEN

__all__ = ["draw"]

Table = Mapping[str, Any]
REAL, SIMULATED = "#1b4965", "#d1495b"
LABELS = {
    "vapour": ("0-5", "5-10", "10-15", "15-20", ">20"),
    "cloud": ("<.01", ".01-.05", ".05-.1", ".1-.2", ">.2"),
}
SURFACES = {
    "water": "open water",
    "ice winter": "closed ice, winter",
    "ice spring": "closed ice, May",
    "ice summer": "closed ice, July and August",
}
SPECTRA = {
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
            "percentiles": _percentiles(real, simulated),
            "weather": _weather(real, simulated),
            "ratios": _ratios(real, simulated),
            "spectra": _spectra(real, simulated),
        }
        return [_saved(figure, folder / f"reality_{name}.png") for name, figure in pictures.items()]


def _saved(figure: Figure, path: Path) -> Path:
    with atomic_file(path) as part:
        figure.savefig(part, dpi=110, format="png")
    return path


def _percentiles(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for ax, (name, title) in zip(figure.subplots(1, len(SURFACES)), SURFACES.items(), strict=True):
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


def _weather(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1))
    panels = [(s, k) for s in ("water", "ice north") for k in ("vapour", "cloud")]
    for ax, (surface, kind) in zip(axes, panels, strict=True):
        for shift, (table, colour, mark, label) in enumerate(_sides(real, simulated)):
            _bars(ax, table[surface][kind], (shift - 0.5) * 0.16, colour, mark, label)
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


def _bars(ax: Axes, rows: Any, shift: float, colour: str, mark: str, label: str) -> None:
    values = [(k + shift, row["mean"], row["spread"]) for k, row in enumerate(rows) if row]
    x, mean, spread = np.array(values).T
    ax.errorbar(x, mean, spread, fmt=mark, color=colour, capsize=3, label=label)


def _ratios(real: Table, simulated: Table) -> Figure:
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


def _spectra(real: Table, simulated: Table) -> Figure:
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    for ax, (name, (title, unit, scale)) in zip(
        figure.subplots(1, 3), SPECTRA.items(), strict=True
    ):
        for table, colour, mark, label in _sides(real, simulated):
            if table.get(name):
                values = scale * np.array(table[name]["spread"])
                ax.semilogx(BANDS_KM, values, mark, color=colour, label=label)
        found = name.replace("sic", "asi")
        if found != name and simulated.get(found):
            values = scale * np.array(simulated[found]["spread"])
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

"""Quicklook picture of a product: map, land, graticule, colour bar, title and caption."""

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from shapely import clip_by_rect, get_coordinates

from seaice import __version__
from seaice.grid.grid import Grid, grid_of
from seaice.io.granules import count_phrase
from seaice.product.style import LAND_COLOUR, NO_DATA_COLOUR, colour_of
from seaice.product.vectors import graticule
from seaice.retrieval.flags import Flag

__all__ = ["draw_map", "write_quicklook"]

MAX_CELLS = 1600  #: cells along the longer side of the picture
WIDTH = 9.0  #: inches
MARGIN = 1.5  #: inches above and below the map for title and caption
DPI = 150  #: per inch
KM = 1e-3  #: kilometres in a metre
LABEL_MARGIN = 0.025  #: fraction of the map's width at its edges that has no labels


def write_quicklook(product: xr.Dataset, path: Path) -> None:
    """Draw the concentration of a product into a PNG file.

    The coastline is the edge of the product's own land mask, so nothing is downloaded.
    """
    left, bottom, right, top = grid_of(product).bounds
    figure = Figure(figsize=(WIDTH, (WIDTH - 1.6) * (top - bottom) / (right - left) + MARGIN))
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw_map(product, axes)
    axes.set_title(_title(product), loc="left", fontsize=12)
    figure.supxlabel(_caption(product), fontsize=7, x=0.01, ha="left", color="#444444")
    figure.savefig(path, dpi=DPI, metadata={"Title": _title(product), "Software": "seaice"})


def draw_map(product: xr.Dataset, axes: Axes) -> None:
    """Draw a product's concentration with land, graticule and a colour bar; km on the plane."""
    coarse, grid = _coarsen(product), grid_of(product)
    left, bottom, right, top = (edge * KM for edge in grid.bounds)
    axes.set_facecolor(np.divide(NO_DATA_COLOUR, 255).tolist())
    extent = (left, right, bottom, top)
    picture = axes.imshow(coarse["sic"] * 100, extent=extent, cmap=_colormap(), vmin=0, vmax=100)
    _draw_land(axes, coarse)
    _draw_graticule(axes, grid)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="x, km", ylabel="y, km")
    axes.tick_params(labelsize=7)
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.7, pad=0.015)
    bar.set_label("sea-ice concentration, %")


def _coarsen(product: xr.Dataset) -> xr.Dataset:
    """Concentration and land fraction on at most MAX_CELLS cells a side."""
    land = (product["status_flag"].values & Flag.LAND) > 0
    step = -(-max(land.shape) // MAX_CELLS)
    sic = np.where(land, np.float32("nan"), product["sic"].values)
    fine = {"sic": sic, "land": land.astype(np.float32)}
    maps = {name: (("y", "x"), _block_means(values, step, step)) for name, values in fine.items()}
    centres = {axis: _block_means(product[axis].values[None], 1, step)[0] for axis in ("y", "x")}
    return xr.Dataset(maps, centres)


def _block_means(fine: NDArray[np.floating], rows: int, columns: int) -> NDArray[np.floating]:
    """Means of blocks of cells, ignoring NaN; the last blocks may be smaller."""
    sums = np.zeros((-(-fine.shape[0] // rows), -(-fine.shape[1] // columns)), fine.dtype)
    count = np.zeros(sums.shape, np.uint16)
    for row, column in np.ndindex(rows, columns):
        part = fine[row::rows, column::columns]
        valid = np.isfinite(part)
        window = tuple(slice(size) for size in part.shape)
        np.add(sums[window], part, out=sums[window], where=valid)
        count[window] += valid
    return np.divide(sums, count, out=np.full_like(sums, np.nan), where=count > 0)


def _colormap() -> ListedColormap:
    return ListedColormap([np.divide(colour_of(percent), 255) for percent in range(101)])


def _draw_land(axes: Axes, coarse: xr.Dataset) -> None:
    x, y, land = coarse["x"].values * KM, coarse["y"].values * KM, coarse["land"].values
    if (land >= 0.5).any() and min(land.shape) > 1:
        axes.contourf(x, y, land, levels=[0.5, 1.5], colors=[np.divide(LAND_COLOUR, 255)])
        axes.contour(x, y, land, levels=[0.5], colors="black", linewidths=0.4)


def _draw_graticule(axes: Axes, grid: Grid) -> None:
    """Draw meridians and parallels, labelled at some distance from the edge of the map."""
    left, bottom, right, top = grid.bounds
    margin = LABEL_MARGIN * (right - left)
    halo = [withStroke(linewidth=1.5, foreground="white", alpha=0.8)]
    for line, label in zip(*graticule(grid), strict=True):
        x, y = np.transpose(line.coords) * KM
        axes.plot(x, y, color="#75808a", linewidth=0.4, alpha=0.8)
        inside = clip_by_rect(line, left + margin, bottom + margin, right - margin, top - margin)
        if inside.length > margin:
            column, row = get_coordinates(inside)[0] * KM
            axes.text(column, row, label, fontsize=6, ha="center", va="center", path_effects=halo)


def _title(product: xr.Dataset) -> str:
    status = product.attrs.get("status", "final")
    note = "" if status == "final" else f" ({status})"
    note += ", simulated" if product.attrs.get("origin") == "simulated" else ""
    return f"Sea-ice concentration, {product.attrs['date']} UTC{note}"


def _caption(product: xr.Dataset) -> str:
    attrs = product.attrs
    return (
        f"AMSR2 89 GHz, {count_phrase(int(attrs.get('n_granules', 0)))} on the day; "
        f"{attrs.get('sr_name', '?')} + {attrs.get('sic_name', '?')}; "
        f"{grid_of(product).cell * KM:g} km cells, {attrs['crs']}; seaice {__version__}. "
        "Sand: no observation."
    )

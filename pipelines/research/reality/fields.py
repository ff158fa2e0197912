"""Fields of concentration: real ones from MODIS images, simulated ones, and the figure of both.

MODIS images are thresholded: band 1 (red) tells ice from water, band 7 of the false-colour image
tells cloud from ice. The mean of the 250 m cells over 1.5 km is the concentration. Credit: NASA
Worldview imagery, from IceFloeTracker.jl (MIT licence).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.research.reality.comparison import figure_key
from pipelines.research.reality.simulation import worlds
from pipelines.research.reality.statistics import detail
from seaice.errors import NoInputError
from seaice.files import atomic_file
from seaice.grid.blocks import block_mean
from seaice.simulate.ice import FINE, coarse_concentration
from seaice.simulate.world import World

__all__ = [
    "DETAIL_KM",
    "FieldPair",
    "detail_figures",
    "detail_lines",
    "draw_fields",
    "modis_concentration",
    "packaged_fields",
    "update_modis_fields",
]

Array = NDArray[np.floating]
STORE = Path(str(files("pipelines.research.reality").joinpath("data/modis_fields.npz")))
BLOCK = 6  #: 250 m cells along each axis of a cell of the concentration, 1.5 km
CLOUD_BAND_7 = 90  #: of 255, median of 1.5 km in band 7; snow and ice absorb there, clouds do not
DETAIL_KM = (5.0, 10.0, 20.0)  #: scales below which the standard deviation is compared
#: Least detail, of smooth automatic SAR charts where their mean is 5 to 95 %: quoted in issue 17.
CHART_DETAIL = (0.02, 0.03, 0.05)
LEAST_CLEAR = 0.7  #: fraction of an image without cloud from which on it is used
SCENES: Mapping[str, str] = {
    "20250507": "Barents and Kara Seas, May 2025",
    "20230613": "Laptev Sea, June 2023",
    "20190612": "East Siberian Sea, June 2019",
    "20060513": "Hudson Bay, May 2006",
}
SIDE = 64  #: cells of a panel, about 100 km
CELL = 1.5625  #: km of simulated fields


def modis_concentration(true: Array, false: Array) -> Array:
    """Concentration on 1.5 km cells of one pair of images.

    Parameters
    ----------
    true, false : (3, y, x) 0-255, true colour (bands 1, 4, 3) and false colour (bands 7, 2, 1)

    Returns
    -------
    (y / 6, x / 6) 0-1, NaN under cloud
    """
    red = np.asarray(true[0], float)
    dark, bright = np.percentile(red, [1, 99])
    ice = (red > (dark + bright) / 2).astype(float)
    rows, columns = (n // BLOCK * BLOCK for n in red.shape)
    blocks = (rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    cloud = np.median(np.asarray(false[0], float)[:rows, :columns].reshape(blocks), axis=(1, 3))
    mean: Array = ice[:rows, :columns].reshape(blocks).mean(axis=(1, 3))
    return np.where(cloud > CLOUD_BAND_7, np.nan, mean)


def update_modis_fields(folder: Path) -> None:
    """Write the packaged fields from a folder of MODIS images.

    Raises
    ------
    NoInputError
        If an image is missing or none is clear enough.
    """
    fields = {}
    for day in SCENES:
        best = None
        for platform in ("aqua", "terra"):
            images = []
            for kind in ("truecolor", "falsecolor"):
                path = folder / f"{day}.250m.{platform}.{kind}.tiff"
                if not path.exists():
                    raise NoInputError(
                        f"no image {path.name} in {folder}",
                        "true and false colour of Aqua and Terra",
                        "copy the images of IceFloeTracker.jl's tests there",
                    )
                with rasterio.open(path) as image:
                    images.append(image.read([1, 2, 3]))
            sic = modis_concentration(images[0], images[1])
            if best is None or np.isfinite(sic).mean() > np.isfinite(best).mean():
                best = sic
        if best is not None and np.isfinite(best).mean() > LEAST_CLEAR:
            fields[day] = np.where(np.isfinite(best), np.round(best * 200), 255).astype(np.uint8)
    if not fields:
        raise NoInputError(
            f"no clear image in {folder}", "images without much cloud", "use other days"
        )
    with atomic_file(STORE) as part, Path(part).open("wb") as file:
        np.savez_compressed(file, **fields)  # type: ignore[arg-type]


def packaged_fields() -> dict[str, Array]:
    """Concentration (0-1, NaN under cloud) on 1.5 km cells of each packaged image, by day."""
    with np.load(STORE) as stored:
        return {
            day: np.where(stored[day] == 255, np.nan, stored[day] / 200.0) for day in stored.files
        }


def detail_figures() -> dict[str, dict[str, Any]]:
    """Lines of fine structure: at least that of SAR charts, at most that of MODIS images."""
    of_images = [_filled_detail(sic) for sic in packaged_fields().values()]
    result = {}
    for k, scale in enumerate(DETAIL_KM):
        values = [of[k] for of in of_images if np.isfinite(of[k])]
        result[
            figure_key(
                "fine structure", "partial ice", f"standard deviation below {scale:g} km", "1"
            )
        ] = {
            "value": round(float(np.median(values)), 4),
            "low": CHART_DETAIL[k],
            "high": round(float(max(values)), 4),
            "rule": "between",
        }
    return result


def _filled_detail(sic: Array) -> list[float]:
    index = ndimage.distance_transform_edt(
        np.isnan(sic), return_distances=False, return_indices=True
    )
    return detail(sic[tuple(index)], 1.5, DETAIL_KM)


def detail_lines(fields: Sequence[Array]) -> dict[str, float]:
    """Median detail of simulated concentration fields (1.5625 km) with partial ice."""
    values = np.array([detail(field, CELL, DETAIL_KM) for field in fields])
    return {
        figure_key(
            "fine structure", "partial ice", f"standard deviation below {scale:g} km", "1"
        ): float(np.nanmedian(values[:, k]))
        for k, scale in enumerate(DETAIL_KM)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPair:
    """A real field and the simulated one whose mean and spread are nearest, (SIDE, SIDE) 0-1."""

    title: str
    real: Array
    simulated: Array


def _pairs(sample: Sequence[World]) -> list[FieldPair]:
    pairs, used = [], set()
    crops = [
        crop for world in sample for crop in _crops(_sea_ice(world)) if np.isfinite(crop).all()
    ]
    for day, title in SCENES.items():
        image = packaged_fields().get(day)
        if image is None:
            continue
        whole = np.nanmean(image)
        real = min(_crops(image), key=lambda crop, mean=whole: abs(np.nanmean(crop) - mean))  # type: ignore[misc]
        target = np.array([np.nanmean(real), np.nanstd(real)])
        distance = [float(np.hypot(*(np.array([c.mean(), c.std()]) - target))) for c in crops]
        best = next((int(i) for i in np.argsort(distance) if int(i) not in used), None)
        if best is None:
            continue
        used.add(best)
        pairs.append(FieldPair(title=title, real=real, simulated=crops[best]))
    return pairs


def _crops(field: Array) -> list[Array]:
    step = SIDE // 2
    return [
        field[row : row + SIDE, column : column + SIDE]
        for row in range(0, field.shape[0] - SIDE + 1, step)
        for column in range(0, field.shape[1] - SIDE + 1, step)
    ]


def _sea_ice(world: World) -> Array:
    """Concentration at noon, (y, x) 0-1, NaN on land."""
    return np.where(world.land > 0.5, np.nan, world.ice.at(0.0).concentration)


def edge_worlds(count: int, seed: int) -> list[World]:
    """Worlds of May and June, as the images are: two at the ice edge for each one in the pack."""
    pack = count // 3
    edge = worlds("edge", (5, 6), count - pack, seed)
    return [*edge, *worlds("pack", (5, 6), pack, seed)]


def draw_fields(
    sample: Sequence[World], distribution: Mapping[str, tuple[Array, Array]], folder: Path
) -> Path:
    """Write the figure `reality_fields.png`.

    Parameters
    ----------
    sample : of `edge_worlds`
    distribution : by season, fractions of the cells above 0 in 11 classes, (real, simulated)
    folder : of the figure
    """
    pairs = _pairs(sample)
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(12, 9.4), layout="constrained")
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 1))[:, 0]
        grid, below = top.subplots(2, 4), bottom.subplots(1, 4, width_ratios=(1, 1, 1.3, 1.3))
        colours = mpl.colormaps["Blues_r"].with_extremes(bad="#b5a78f")
        image = None
        for column, pair in enumerate(pairs):
            means = [f"mean {100 * np.nanmean(one):.0f} %" for one in (pair.real, pair.simulated)]
            image = _panel(grid[0, column], pair.real, f"{pair.title}\n{means[0]}", colours)
            _panel(grid[1, column], pair.simulated, f"simulated, {means[1]}", colours)
        world = sample[0]
        broad = coarse_concentration(world.grid, world.day)
        is_land = block_mean(world.land, FINE) > 0.5
        day = f"{world.day:%d %B}"
        _panel(below[0], np.where(is_land, np.nan, broad), f"OSI SAF, {day} 2018", colours)
        _panel(below[1], _sea_ice(world), f"simulated from it, {day}", colours)
        for ax, (season, (real, simulated)) in zip(below[2:], distribution.items(), strict=False):
            _bars(ax, season, real, simulated)
        if image is not None:
            top.colorbar(image, ax=grid, label="ice concentration", shrink=0.6)
        grid[0, 0].set_ylabel("MODIS, thresholded, 96 km")
        grid[1, 0].set_ylabel("simulated, 100 km")
        below[0].set_ylabel("600 km")
        path = folder / "reality_fields.png"
        with atomic_file(path) as part:
            figure.savefig(part, dpi=110, format="png")
    return path


def _panel(ax: Axes, field: Array, title: str, colours: mpl.colors.Colormap) -> Any:
    image = ax.imshow(field, vmin=0, vmax=1, cmap=colours, interpolation="nearest")
    ax.set_title(title, fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])
    return image


def _bars(ax: Axes, season: str, real: Array, simulated: Array) -> None:
    x = np.arange(len(real))
    ax.bar(x - 0.2, 100 * real, 0.4, color="#1b4965", label="SAR charts")
    ax.bar(x + 0.2, 100 * simulated, 0.4, color="#d1495b", label="simulated, same boxes")
    ax.set_xticks(x[::2], ["0-10", "20-30", "40-50", "60-70", "80-90", "100"], fontsize=8)
    ax.set(xlabel="concentration, %", ylabel="of cells with ice, %", yscale="log", ylim=(0.3, 300))
    ax.set_yticks([1, 10, 100], ["1", "10", "100"])
    ax.set_title(f"distribution, {season}", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="upper left")

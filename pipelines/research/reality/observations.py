"""Figures of real observations, derived from their files.

Only derived statistics leave this module: medians, regression coefficients, histograms of groups.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import xarray as xr
from numpy.typing import NDArray

from pipelines.research.reality.comparison import figure_key, half_spread, period
from pipelines.research.reality.samples import (
    ICE,
    VAPOUR_CLASSES,
    Points,
    Season,
    class_weights,
    concatenate_samples,
    ice_scalars,
    water_scalars,
)
from pipelines.research.reality.statistics import (
    SCENE_CHANNELS,
    GriddedScene,
    Maps,
    chart_fractions,
    closed_ice_slopes,
    coastal_regression,
    from_daily_map,
    interior_land,
    mixture_regression,
    pack_or_edge,
    spectrum_scalars,
    windows_with_position,
)
from seaice.evaluate.scenes import ChartedScene, open_scenes
from seaice.instrument import CHANNELS
from seaice.retrieval.classical.corrections import weather_filter
from seaice.simulate.derive import fitted_half
from seaice.workflow.evaluation.real_scenes import gridded

__all__ = [
    "CHART_BINS",
    "CHART_SEASONS",
    "LAND",
    "SCENE_SEASONS",
    "chart_counts",
    "chart_figures",
    "chosen_boxes",
    "concentration_maps",
    "point_figures_by_half",
    "read_charts",
    "read_points",
    "real_points",
    "scene_figures",
    "scene_maps",
    "scene_statistics",
    "spectrum_figures",
]

#: How the files spell the bands.
LABEL = {
    **{"6": "6p9", "7": "7p3", "10": "10p7", "18": "18p7"},
    **{"23": "23p8", "36": "36p5", "89": "89p0"},
}
BLOCK = 3  #: cells of the scene that make one of about the daily grid's size
LANDLESS = 95.0  #: K of 6.9 GHz H; open water has 75 to 90, and land in its footprint more


def read_points(path: Path) -> tuple[Points, xr.Dataset]:
    """All samples of the Round Robin Data Package, and the table they are from."""
    with xr.open_dataset(path) as file:
        table = file.load()
    names = [f"tb{LABEL[name[2:-1]]}{name[-1]}" for name in CHANNELS]
    points = Points(
        tb=np.stack([table[name].values for name in names]).astype(float),
        vapour=table.era_tcwv.values,
        liquid=table.era_tclw.values,
        month=table.time.dt.month.values,
        weight=np.ones(table.sizes["sample"]),
    )
    return points, table


def real_points(path: Path) -> dict[str, Points]:
    """The samples of the Round Robin Data Package by surface and hemisphere.

    Returns
    -------
    dict
        `water`, `water north`, `water south`, `ice north`, `ice south`
    """
    every, table = read_points(path)
    figures_by_key = {}
    for surface, sic in (("water", 0), ("ice", 1)):
        for half, letter in (("north", "N"), ("south", "S")):
            chosen = (table.sic.values == sic) & (table.hemisphere.values.astype(str) == letter)
            figures_by_key[f"{surface} {half}"] = every[chosen]
    return figures_by_key | {
        "water": concatenate_samples([figures_by_key["water north"], figures_by_key["water south"]])
    }


def scene_maps(path: Path) -> Maps:
    """Open water of a scene of all channels on cells of 2 km, in blocks of 6 km.

    Water is where the weather filters say so and no land reaches into the 6.9 GHz footprint.
    """
    with xr.open_dataset(path) as file:
        tb = {name: _blocks(file[name].values) for name in file if str(name).startswith("tb")}
    water = weather_filter(tb["tb18p7v"], tb["tb23p8v"], tb["tb36p5v"]) & (tb["tb6p9h"] < LANDLESS)
    pair = np.stack([tb["tb89p0v"], tb["tb89p0h"]])
    return Maps(sea=[np.where(water, pair, np.nan)], sea_cell=2.0 * BLOCK)


def concentration_maps(paths: list[Path]) -> Maps:
    """Concentration of Bremen ASI files, percent on 6.25 km cells."""
    return Maps(sic=[xr.open_dataset(path).z.values / 100 for path in paths])


def _blocks(field: NDArray[np.floating]) -> NDArray[np.floating]:
    rows, columns = (n // BLOCK for n in field.shape)
    cut = field[: rows * BLOCK, : columns * BLOCK].astype(float)
    mean: NDArray[np.floating] = cut.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    return mean


Figures = dict[str, dict[str, Any]]
Scalars = Mapping[str, float]
Mask = NDArray[np.bool_]
CHART_SEASONS = {
    "winter": (12, 1, 2),
    "spring": (3, 4, 5),
    "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
}
#: Months of the two seasons into which AI4Arctic's scenes are grouped.
SCENE_SEASONS = {"November to April": (11, 12, 1, 2, 3, 4), "June to September": (6, 7, 8, 9)}
#: TB of a footprint full of summer land, K: regression on the scene of Franz Josef Land, quoted in
#: issue 17. Stored, because single scenes may be used but not redistributed.
LAND: Figures = {
    figure_key("land", "Franz Josef Land, August 2019", f"{name} land", "K"): {
        "value": value,
        "rule": "worlds",
    }
    for name, value in (
        ("tb10h", 212.0), ("tb18h", 205.0), ("tb18v", 241.0), ("tb36h", 212.0), ("tb36v", 228.0),
    )
}  # fmt: skip
LEAST_VALID = 0.7  #: charted fraction of a scene from which on it is used: little land in its TB
CHART_BINS = (
    "val_0", "0-10", "10-20", "20-30", "30-40", "40-50", "50-60", "60-70", "70-80", "80-90",
    "90-100", "val_100",
)  # fmt: skip
BLOCK_WINDOWS = 4  #: windows along each axis of a block of windows, which is in one half
LEAST_PIXELS = 1e7  #: 80 m pixels with a chart, 250 x 250 km
#: How AI4Arctic's table spells `SCENE_CHANNELS`.
SPELLED = dict(
    zip(SCENE_CHANNELS, ("6_9h", "6_9v", "18_7h", "18_7v", "36_5h", "36_5v", "89_0h", "89_0v"),
        strict=True)
)  # fmt: skip


def _with_spread(
    blocks: NDArray[np.generic], figures: Callable[[Mask], Scalars], held_out: Mask | None = None
) -> Figures:
    """Figures of the held-out samples with the spread between random halves of all of them."""
    everything = np.ones(len(blocks), bool)
    values = figures(everything if held_out is None else held_out)
    spread = half_spread(blocks, figures)
    return {
        name: {
            "value": float(f"{value:.5g}"),
            "spread": float(f"{spread.get(name, float('nan')):.3g}"),
            "rule": "limit" if name.startswith("filters|") else "halves",
        }
        for name, value in values.items()
        if np.isfinite(value)
    }


def point_figures_by_half(path: Path) -> tuple[Figures, dict[str, list[float]]]:
    """Lines of the samples that the simulator's tables were not derived from.

    Open water is allowed to differ by as much as the two hemispheres do at equal water vapour,
    where that is more than the spread of two halves: the simulator has one sea for both.

    Returns
    -------
    figures : by key
    fractions : of the held-out samples: `vapour` by class over open water, months (12) by place
    """
    points, table = read_points(path)
    blocks, held_out = period(table.time.values), ~fitted_half(table)
    north = table.hemisphere.values.astype(str) == "N"
    closed = table.sic.values == 1
    month = table.time.dt.month.values
    figures_by_key: Figures = {}
    fractions: dict[str, list[float]] = {}
    for season in ICE:
        chosen = closed & (north == (season.hemisphere == "north")) & np.isin(month, season.months)
        pts, own = points[chosen], held_out[chosen]

        def of_ice(mask: Mask, points: Points = pts, season: Season = season) -> Scalars:
            return ice_scalars(points[mask], season)

        figures_by_key |= _with_spread(blocks[chosen], of_ice, own)
        counts = np.bincount(pts.month[own], minlength=13)[1:]
        fractions[season.place] = [round(float(n / counts.sum()), 5) for n in counts]
    water = points[~closed]
    own = held_out[~closed]
    counts, _ = np.histogram(water.vapour[own].clip(max=VAPOUR_CLASSES[-1] - 1e-6), VAPOUR_CLASSES)
    vapour = counts / counts.sum()
    fractions["vapour"] = [round(float(x), 5) for x in vapour]

    def weighted(mask: Mask) -> Scalars:
        return water_scalars(_weighted_to(water[mask], vapour))

    sea = _with_spread(blocks[~closed], weighted, own)
    by_hemisphere = [weighted(one) for one in (north[~closed], ~north[~closed])]
    for name, figure in sea.items():
        if figure["rule"] == "halves" and all(name in half for half in by_hemisphere):
            difference = abs(by_hemisphere[0][name] - by_hemisphere[1][name]) / 2
            figure["spread"] = float(f"{max(figure['spread'], difference):.3g}")
    return sea | figures_by_key, fractions


def _weighted_to(points: Points, vapour: NDArray[np.floating]) -> Points:
    return replace(points, weight=class_weights(points.vapour, vapour, VAPOUR_CLASSES))


def scene_figures(folder: Path) -> Figures:
    """Land, coasts and thin ice of the real scenes with charts, marked as not to be stored."""
    figures_by_key: Figures = {}
    for scene in open_scenes(folder):
        daily, place = _gridded_scene(scene)
        if scene.name.startswith("amsr2_scene"):
            figures_by_key |= _coast_lines(coastal_regression(daily), place)
        figures_by_key |= _plain("land", place, interior_land(daily))
        figures_by_key |= _plain("thin ice", place, closed_ice_slopes(daily))
    return figures_by_key


def _gridded_scene(scene: ChartedScene) -> tuple[GriddedScene, str]:
    day, daily = gridded(scene)
    where = "Franz Josef Land" if scene.name.startswith("amsr2_scene") else "East Greenland"
    sic = scene.chart_on_fine(scene.chart)
    return from_daily_map(daily, scene.land, sic), f"{where}, {_month(day)}"


def _month(day: date) -> str:
    return f"{day:%B %Y}"


def _coast_lines(figures: Scalars, place: str) -> Figures:
    land = {name: value for name, value in figures.items() if name.endswith(" land")}
    rest = {name: value for name, value in figures.items() if not name.endswith(" land")}
    return _plain("land", place, land) | _plain("coasts", place, rest)


def _plain(group: str, place: str, figures: Scalars) -> Figures:
    return {
        figure_key(
            group, place, name, "K" if not (group == "thin ice" and "slope" in name) else "K/K"
        ): {
            "value": float(f"{value:.4g}"),
            "rule": "worlds",
            "stored": False,
        }
        for name, value in figures.items()
    }


def read_charts(path: Path) -> pd.DataFrame:
    """Histograms of SAR charts with at least 250 x 250 km charted, with times."""
    charts = pd.read_csv(path)
    charts["time"] = pd.to_datetime(charts.timestamp)
    return charts[charts[list(CHART_BINS)].sum(axis=1) > LEAST_PIXELS].reset_index(drop=True)


def chart_figures(charts: pd.DataFrame) -> Figures:
    """Distribution of concentration by season, spread between halves of ten-day periods."""
    blocks = period(charts.time.values, days=10)
    counts = charts[list(CHART_BINS)].to_numpy(float)
    figures_by_key: Figures = {}
    for season, months in CHART_SEASONS.items():
        chosen = charts.time.dt.month.isin(months).to_numpy()
        its_counts = counts[chosen]

        def figures(
            mask: Mask, own: NDArray[np.floating] = its_counts, at: str = season
        ) -> Scalars:
            parts = chart_fractions(own[mask])
            return {
                figure_key("distribution", at, name, "1"): value for name, value in parts.items()
            }

        figures_by_key |= _with_spread(blocks[chosen], figures)
    return figures_by_key


def scene_statistics(path: Path) -> Figures:
    """Scene-mean TB against chart concentration, from AI4Arctic's table of 512 scenes."""
    scenes = pd.read_csv(path)
    scenes = scenes[scenes.valid_frac > LEAST_VALID].reset_index(drop=True)
    month = scenes.scene.str[4:6].astype(int).to_numpy()
    ice = sum(scenes[f"sicfrac_{k}"] * k / 10 for k in range(11)).to_numpy(float)
    valid = scenes.valid_frac.to_numpy(float)
    fractions = np.stack([valid * (1 - ice), valid * ice, 1 - valid], axis=1)
    tb = scenes[[f"btemp_{SPELLED[name]}_mean" for name in SCENE_CHANNELS]].to_numpy(float)
    figures_by_key: Figures = {}
    for season, months in SCENE_SEASONS.items():
        chosen = np.isin(month, months)
        f, t = fractions[chosen], tb[chosen]

        def figures(
            mask: Mask,
            f: NDArray[np.floating] = f,
            t: NDArray[np.floating] = t,
            at: str = season,
        ) -> Scalars:
            parts = mixture_regression(f[mask], t[mask])
            return {
                figure_key("scene statistics", at, name, "K"): value
                for name, value in parts.items()
                if not name.endswith("rest")
            }

        figures_by_key |= _with_spread(scenes.scene.str[:8].to_numpy()[chosen].astype(str), figures)
    return figures_by_key


def chart_counts(charts: pd.DataFrame) -> dict[str, list[float]]:
    """Fraction of charted pixels in each of the 12 classes of concentration, by season."""
    figures_by_key = {}
    for season, months in CHART_SEASONS.items():
        counts = charts[list(CHART_BINS)][charts.time.dt.month.isin(months)].sum().to_numpy(float)
        figures_by_key[season] = [round(float(x), 5) for x in counts / counts.sum()]
    return figures_by_key


def chosen_boxes(charts: pd.DataFrame, each: int) -> list[dict[str, Any]]:
    """Days and middles of the boxes of some charts of every season, for simulated worlds.

    The charts of a season are ordered by their mean concentration and every n-th is taken, so
    that the few stand for all.

    Parameters
    ----------
    charts : of `read_charts`
    each : charts of a season

    Returns
    -------
    list of dict
        `day` (ISO), `x`, `y` (m, EPSG:3411).
    """
    counts = charts[list(CHART_BINS)].to_numpy(float)
    middle = np.array([0, *(np.arange(10) + 0.5) / 10, 1])
    mean = counts @ middle / counts.sum(axis=1)
    figures_by_key: list[dict[str, Any]] = []
    for months in CHART_SEASONS.values():
        of = np.flatnonzero(charts.time.dt.month.isin(months))
        ordered = of[np.argsort(mean[of], kind="stable")]
        for index in ordered[((np.arange(each) + 0.5) / each * len(ordered)).astype(int)]:
            chart = charts.iloc[index]
            x, y = (chart.x0 + chart.x1) / 2, (chart.y0 + chart.y1) / 2
            figures_by_key.append({"day": f"{chart.time:%Y-%m-%d}", "x": round(x), "y": round(y)})
    return figures_by_key


def spectrum_figures(sea: Maps, sic: Maps) -> Figures:
    """Spectra of open-water V - H and of concentration maps, spread between halves of windows.

    Parameters
    ----------
    sea : V and H of open water of one scene
    sic : concentration on 6.25 km cells
    """
    figures_by_key = _spectrum_lines(
        [tb[0] - tb[1] for tb in sea.sea], 4, sea.sea_cell, "brightness spectra", lambda _: True
    )
    for kind in ("pack", "edge"):
        figures_by_key |= _spectrum_lines(
            sic.sic,
            16,
            6.25,
            f"concentration spectra {kind}",
            lambda piece, of=kind: pack_or_edge(piece) == of,  # type: ignore[misc]
        )
    return figures_by_key


def _spectrum_lines(
    fields: Sequence[NDArray[np.floating]],
    stride: int,
    cell: float,
    topic: str,
    is_kind: Callable[[NDArray[np.floating]], bool],
) -> Figures:
    pieces, blocks = [], []
    for number, field in enumerate(fields):
        for row, column, piece in windows_with_position(field, stride):
            if is_kind(piece):
                pieces.append(piece)
                size = BLOCK_WINDOWS * stride
                blocks.append(f"{number} {row // size} {column // size}")
    if not pieces:
        return {}

    def figures(mask: Mask) -> Scalars:
        return spectrum_scalars([p for p, m in zip(pieces, mask, strict=True) if m], cell, topic)

    return _with_spread(np.array(blocks), figures)

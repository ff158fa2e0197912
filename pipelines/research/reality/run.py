"""Compare simulated days with real observations and write docs/reality.md.

Prints every line with its verdict and a summary by group, writes them to docs/reality.md and
docs/reality.csv, and draws the pictures of the page. With a folder of real observations their
figures are derived from the files; without it the figures that come with the project are used.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.comparison import as_csv, compare_figures, summary
from pipelines.research.reality.fields import (
    detail_figures,
    detail_lines,
    draw_fields,
    edge_worlds,
    update_modis_fields,
)
from pipelines.research.reality.observations import (
    LAND,
    chart_counts,
    chart_figures,
    chosen_boxes,
    concentration_maps,
    point_figures_by_half,
    read_charts,
    real_points,
    scene_figures,
    scene_maps,
    scene_statistics,
    spectrum_figures,
)
from pipelines.research.reality.report import draw, fill_tables, tables
from pipelines.research.reality.samples import ICE, concatenate_samples
from pipelines.research.reality.simulation import (
    Kind,
    chart_lines,
    coast_lines,
    ice_maps,
    map_lines,
    sample_lines,
    sea_maps,
    simulated_samples,
    worlds,
)
from pipelines.research.reality.statistics import Maps, map_figures, point_figures, weight_like_real
from seaice.errors import NoInputError, SeaIceError
from seaice.files import atomic_file
from seaice.simulate.world import World

__all__ = [
    "LINES",
    "TABLE",
    "WorldCounts",
    "read_real_figures",
    "read_real_tables",
    "simulate",
    "update_real_figures",
]

DATA = Path(str(files("pipelines.research.reality").joinpath("data")))
TABLE = DATA / "reality.json"  #: tables of docs/reality.md
LINES = DATA / "lines.json"  #: figures of the lines, each with value, spread and rule
SEED = 20
SUMMER = (7, 8, 9)  #: months of simulated open water compared with the scene of August
COLD = (1, 4)  #: months of the real maps of concentration
KINDS: Mapping[Kind, int] = {"edge": 2, "pack": 1}  #: multiples of `WorldCounts.maps`
BOXES = 24  #: charts of a season whose boxes have a simulated world
SOURCES = {
    "samples": "Round Robin Data Package, doi 10.6084/m9.figshare.6626549, derived statistics",
    "scene": "AMSR2 L1B of 2019-08-23 03:30 UTC around Franz Josef Land (JAXA), statistics only",
    "concentration": "University of Bremen ASI 6.25 km v5.4 of 2016-04-17 and 2020-01-01 "
    "(Spreen et al. 2008, doi 10.1029/2005JC003384), spectra only",
    "land": "Franz Josef Land, 2019-08-23: regression on land fraction, as quoted in issue 17",
    "charts": "14 320 automatic SAR charts (DMI-ASIP) of 2014 and 2024, derived statistics",
    "images": "MODIS images, NASA Worldview, from IceFloeTracker.jl (MIT licence), thresholded",
    "ai4arctic": "AI4Arctic Sea Ice Challenge Dataset (DTU Data), statistics of 512 scenes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldCounts:
    """How many worlds stand behind each figure: more make it more certain and take longer."""

    samples: int = 3  #: worlds of each month
    coasts: int = 9  #: of each place
    maps: int = 5  #: of each kind and month
    boxes: int = BOXES  #: of each season
    edges: int = 12  #: at the ice edge of May and June


def read_real_tables() -> dict[str, Any]:
    """The tables of real observations that come with the project."""
    table: dict[str, Any] = json.loads(TABLE.read_text())
    return table


def read_real_figures() -> dict[str, Any]:
    """The figures of the lines that come with the project.

    Returns
    -------
    dict
        `sources`; `figures` by `comparison.figure_key`; `shares` of months and
        vapour of the held-out samples;
        `boxes`: days and places of charts for simulated worlds.
    """
    table: dict[str, Any] = json.loads(LINES.read_text())
    return table


#: Names of the files in a folder of real data, as patterns.
NAMES = {
    "rrdp": "rrdp_amsr2_points.nc",
    "scene": "amsr2_scene_*.nc",
    "maps": "asi-AMSR2-n6250-*.nc",
    "charts": "asip_sic_histograms.csv.gz",
    "ai4arctic": "ai4arctic_scenes.csv",
}


IMAGES = "modis250m"  #: folder of MODIS images


def update_real_figures(folder: Path) -> dict[str, Any]:
    """Derive the figures of the real side from a folder of files; what it lacks stays as it was.

    Parameters
    ----------
    folder : with files named as in `NAMES`, and scenes with charts for coasts and land

    Returns
    -------
    dict
        Figures of single scenes by `comparison.figure_key`, which are used once and never
        stored: their files may not be redistributed.

    Raises
    ------
    NoInputError
        If it has none of them.
    """
    result = {name: sorted(folder.glob(pattern)) for name, pattern in NAMES.items()}
    if not any(result.values()):
        raise NoInputError(
            f"no file of real observations in {folder}",
            "at least one of " + ", ".join(NAMES.values()),
            "give the folder that holds them, or run without it to use the packaged figures",
        )
    table = read_real_tables() if TABLE.exists() else {}
    kept: dict[str, Any] = read_real_figures() if LINES.exists() else {}
    figures: dict[str, Any] = {}
    table["sources"] = kept["sources"] = SOURCES
    if result["rrdp"]:
        table |= point_figures(real_points(result["rrdp"][0]))
        by_half, kept["shares"] = point_figures_by_half(result["rrdp"][0])
        figures |= by_half
    sea = scene_maps(result["scene"][0]) if result["scene"] else Maps()
    sic = concentration_maps(result["maps"])
    table |= map_figures(sea) | map_figures(sic)
    figures |= spectrum_figures(sea, sic)
    if result["charts"]:
        charts = read_charts(result["charts"][0])
        figures |= chart_figures(charts)
        table["distribution"] = chart_counts(charts)
        kept["boxes"] = chosen_boxes(charts, BOXES)
    if result["ai4arctic"]:
        figures |= scene_statistics(result["ai4arctic"][0])
    if (folder / IMAGES).is_dir():
        update_modis_fields(folder / IMAGES)
    figures |= detail_figures()
    kept["figures"] = kept.get("figures", {}) | figures | LAND
    for path, content in ((TABLE, json.dumps(table)), (LINES, json.dumps(kept, indent=0))):
        with atomic_file(path) as part:
            part.write_text(content + "\n")
    return scene_figures(folder) if result["scene"] else {}


def simulate(
    real: Mapping[str, Any], real_figures: Mapping[str, Any], world_counts: WorldCounts
) -> tuple[dict[str, Any], dict[str, Any], list[World]]:
    """Tables and figures of simulated worlds.

    Parameters
    ----------
    real, real_figures : of `read_real_tables` and `read_real_figures`
    world_counts : how many worlds

    Returns
    -------
    tables : as `read_real_tables` returns them, and `distribution`: cells by season and class
    figures : by `comparison.figure_key`, a number or (median, standard deviation, worlds)
    edges : worlds at the ice edge of May and June
    """
    ice, water = simulated_samples(world_counts.samples)
    north = concatenate_samples(
        [ice[season.place] for season in ICE if season.hemisphere == "north"]
    )
    tables = dict(point_figures(weight_like_real({"ice north": north, "water": water}, real)))
    maps = _maps(world_counts.maps)
    tables |= map_figures(maps)
    figures: dict[str, Any] = sample_lines(ice, water, real_figures["shares"])
    figures |= map_lines(maps) | coast_lines(world_counts.coasts)
    by_box, counts = chart_lines(_select_boxes(real_figures["boxes"], world_counts.boxes))
    tables["distribution"] = {season: count.tolist() for season, count in counts.items()}
    edges = edge_worlds(world_counts.edges, SEED)
    figures |= by_box | detail_lines([world.ice.at(0.0).concentration for world in edges])
    return tables, figures, edges


def _select_boxes(boxes: Sequence[Mapping[str, Any]], each: int) -> list[Mapping[str, Any]]:
    """So many boxes of each season, evenly over its order."""
    seasons = [boxes[start : start + BOXES] for start in range(0, len(boxes), BOXES)]
    return [season[k * len(season) // each] for season in seasons for k in range(each)]


def _maps(each: int) -> Maps:
    rng = np.random.default_rng(SEED)
    sea = sea_maps(worlds("sea", SUMMER, each * len(SUMMER), SEED + 1), rng)
    kinds = [
        ice_maps(worlds(kind, COLD, factor * each * len(COLD), SEED + 1), rng)
        for kind, factor in KINDS.items()
    ]
    sic = [one for maps in kinds for one in maps.sic]
    asi = [one for maps in kinds for one in maps.asi]
    return Maps(sea=sea.sea, sea_cell=sea.sea_cell, sic=sic, asi=asi)


PAGE = Path("docs/reality.md")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of files with real observations")
    parser.add_argument("--page", type=Path, default=PAGE, help="page whose tables are written")
    options = parser.parse_args()
    try:
        compare(options.page, options.real)
    except SeaIceError as error:
        raise SystemExit(str(error)) from error


def compare(
    page: Path, folder: Path | None = None, world_counts: WorldCounts | None = None
) -> None:
    """Compute both sides, print the lines, write page, CSV and pictures.

    Parameters
    ----------
    page : Markdown with a place for every table; the CSV goes next to it
    folder : files of real observations to derive the real side from
    world_counts : how many simulated worlds
    """
    start = time.monotonic()
    scenes = update_real_figures(folder) if folder else {}
    real, kept = read_real_tables(), read_real_figures()
    simulated, figures, edges = simulate(real, kept, world_counts or WorldCounts())
    result = compare_figures(kept["figures"] | scenes, figures)
    for path, content in (
        (page.with_suffix(".csv"), as_csv(result)),
        (page, fill_tables(page.read_text(), tables(real, simulated, result))),
    ):
        with atomic_file(path) as part:
            part.write_text(content)
    pictures = page.parent / "pictures"
    pictures.mkdir(exist_ok=True)
    draw(real, simulated, pictures)
    draw_fields(edges, _distribution(real, simulated), pictures)
    print(as_csv(result, everything=True) + "\n" + summary(result))
    if not scenes:
        print("coasts, thin ice, most of land: only with a folder of real scenes (--real)")
    print(f"{page}, {page.with_suffix('.csv')}, {pictures}: {time.monotonic() - start:.0f} s")


def _distribution(
    real: Mapping[str, Any], simulated: Mapping[str, Any]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Fractions of the cells with ice by class of concentration, in winter and in summer."""
    result = {}
    for season in ("winter", "summer"):
        both = (np.array(side["distribution"][season], float)[1:] for side in (real, simulated))
        ours, theirs = (counts / counts.sum() for counts in both)
        result[season] = (ours, theirs)
    return result

"""Retrieval methods scored on real scenes with charts, and the report of the scores."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from seaice.evaluate.report import write_report
from seaice.evaluate.scenes import (
    CLASSES,
    DISTANCES,
    SMOOTHED,
    CellErrors,
    ChartedScene,
    cell_errors,
    iter_scenes,
)
from seaice.grid.gridding import grid_day
from seaice.models.inference import Machine, choose_precision, no_progress, refine
from seaice.page import Section, Table
from seaice.stack import five_frames, neighbour_pd
from seaice.workflow.evaluation.methods import MethodPair, Networks, retrieve_sic, ways

__all__ = [
    "ALL",
    "DEFAULT_METHODS",
    "Scores",
    "evaluate_scenes",
    "gridded",
    "real_scene_scores",
    "retrieve_scene",
    "scene_inputs",
    "table_text",
]

#: formulas and networks that every report of real scenes compares
DEFAULT_METHODS = (
    "bicubic:bootstrap",
    "bicubic:nasa_team",
    "bicubic:asi",
    "bicubic_3km:xception_aspp",
    "pmdrnet:xception_aspp",
)
ALL = "all"  #: name of the row of all scenes' cells together
SHOWN = (
    "rmse", "mae", "bias", "rmse_10km", "mae_10km", "false_ice", "ice_bias",
    "within_68", "within_95",
)  # fmt: skip
Map = NDArray[np.float32]
Scores = dict[str, dict[str, dict[str, float]]]
"""Percent by method, scene (or `ALL`) and score, as `CellErrors.scores` names them."""


def gridded(scene: ChartedScene) -> tuple[date, xr.Dataset]:
    """Day and daily map of a scene."""
    day: date = scene.swath["time"].values[0].astype("datetime64[D]").item()
    return day, grid_day([scene.swath], scene.grid, day)


def scene_inputs(scene: ChartedScene) -> tuple[xr.Dataset, xr.Dataset]:
    """Five-day stack, and daily map with the V - H of the other days, for the networks.

    The scene's one frame is used for all five days, as `seaice scene` does.
    """
    day, daily_map = gridded(scene)
    maps = {day: daily_map}
    return five_frames(maps, day), daily_map.assign(neighbour_pd(maps, day))


def retrieve_scene(
    scene: ChartedScene, methods: Sequence[MethodPair], networks: Networks
) -> dict[str, tuple[Map, Map | None]]:
    """Concentration of a scene by each method, and half-widths (2, y, x) of its intervals."""
    stack, coarse = scene_inputs(scene)
    refined: dict[object, xr.Dataset] = {}
    maps = {}
    for way in methods:
        if way.sr not in refined:
            network, card = networks.of(way.sr, "sr")
            refined[way.sr] = refine(stack, network, card, networks.machine, "", no_progress)
        maps[way.label] = retrieve_sic(way.sic, refined[way.sr], coarse, scene.land, networks)
    return maps


def evaluate_scenes(
    folder: Path,
    methods: Sequence[str],
    out: Path,
    charts: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Scores:
    """Score methods on all charted scenes of a folder, and write the report.

    Parameters
    ----------
    folder : of scenes, as `seaice.evaluate.scenes.iter_scenes` reads them
    methods : SR:SIC each
    out : folder for `report.html`, `report.md` and `real_scenes.csv`; replaced as a whole
    charts : another folder of charts
    report : called with the name of each scene when its scores are done

    Raises
    ------
    NoInputError
        If no scene has a chart.
    SettingsError, WeightsError
        If a method cannot run.
    """
    table = real_scene_scores(folder, methods, charts=charts, report=report)
    title = "Methods on real scenes with ice charts"
    write_report(
        out, title, list(_sections(table)), (), {"real_scenes.csv": table_text(table, ",")}
    )
    return table


def real_scene_scores(
    folder: Path,
    methods: Sequence[str],
    notes: Path | None = None,
    *,
    charts: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Scores:
    """Scores by method and scene, on the cells that all methods have; `ALL`: all cells together.

    Parameters
    ----------
    folder : of scenes with charts
    methods : SR:SIC each
    notes : JSON file where hashes of weights are remembered; None: nowhere
    charts, report : as `evaluate_scenes`
    """
    with tempfile.TemporaryDirectory() as temporary:
        compared = ways(methods, notes or Path(temporary) / "hashes.json")
    device = torch.device("cpu")
    networks = Networks(Machine(device=device, precision=choose_precision("auto", device)))
    errors: dict[str, dict[str, CellErrors]] = {way.label: {} for way in compared}
    for scene in iter_scenes(folder, charts):
        maps = retrieve_scene(scene, compared, networks)
        native = [np.isfinite(scene.on_native(sic)) for sic, _ in maps.values()]
        common = np.logical_and.reduce(native)
        for label, (sic, widths) in maps.items():
            pair = None if widths is None else (widths[0], widths[1])
            errors[label][scene.name] = cell_errors(scene, sic, pair, common)
        report(scene.name)
    return {
        label: {name: each.scores() for name, each in by_scene.items()}
        | {ALL: CellErrors.joined(list(by_scene.values())).scores()}
        for label, by_scene in errors.items()
    }


def _sections(table: Scores) -> Iterable[Section]:
    """Tables of all cells together, by class of the chart, by distance to land, and by scene."""
    first = next(iter(table.values()))
    scenes = [name for name in first if name != ALL]
    yield Section(
        title="What is compared",
        says=(
            f"{len(scenes)} real scenes with ice charts: {', '.join(scenes)}; "
            f"{first[ALL]['cells']:,.0f} cells that every method and the chart have. The one "
            "overpass of a scene is used for all five days.",
            "An error is the retrieved minus the charted concentration, on the scene's own cells "
            "or as means over squares of 5, 10 and 25 km. Charts have errors of their own: "
            "analysts draw large polygons, and hours lie between image and overpass.",
        ),
    )
    widths = ("", *(f"_{km:.0f}km" for km in SMOOTHED))
    names = [f"{score}{width}" for width in widths for score in ("rmse", "mae", "bias")]
    heads = [
        f"{score} {'native' if not width else width[1:-2] + ' km'}"
        for width in widths
        for score in ("RMSE", "MAE", "bias")
    ]
    yield Section(title="By size of cells", tables=(_table("Percent", table, names, heads),))
    classes = [f"{100 * low:g} to {min(100 * high, 100):g} %" for low, high in pairwise(CLASSES)]
    yield _grouped("By concentration of the chart", table, "chart", classes)
    distances = [
        f"{low:g} to {high:g} km" if np.isfinite(high) else f"beyond {low:g} km"
        for low, high in pairwise(DISTANCES)
    ]
    yield _grouped("By distance to land", table, "land", distances)
    more = ("false_ice", "ice_bias", "within_68", "within_95")
    partial = max(rows[ALL].get("cells_within", 0.0) for rows in table.values())
    yield Section(
        title="False ice, missing ice, and intervals",
        says=(
            "False ice: fraction of cells above 15 % where the chart has none. Bias of ice: bias "
            "where the chart has more than 15 %. Within 68 and 95 %: fraction of errors within the "
            f"interval of the method, on the {partial:,.0f} cells where the chart has 5 to 95 %; "
            "empty for methods without intervals.",
        ),
        tables=(
            _table(
                "Percent", table, more, ("false ice", "bias of ice", "within 68 %", "within 95 %")
            ),
        ),
    )
    lines = [
        (scene, label, f"{rows[scene]['cells']:,.0f}", *(_shown(rows[scene], n) for n in SHOWN))
        for scene in scenes
        for label, rows in table.items()
    ]
    yield Section(
        title="By scene",
        tables=(
            Table(title="Percent", heads=("scene", "method", "cells", *SHOWN), rows=tuple(lines)),
        ),
    )


def _grouped(title: str, table: Scores, group: str, labels: Sequence[str]) -> Section:
    """RMSE, MAE and bias of groups of cells."""
    first = next(iter(table.values()))[ALL]
    counts = [first[f"cells_{group}_{number}"] for number in range(len(labels))]
    heads = [f"{label} ({count:,.0f})" for label, count in zip(labels, counts, strict=True)]
    tables = (
        _table(
            f"{name}, percent (cells)",
            table,
            [f"{score}_{group}_{number}" for number in range(len(labels))],
            heads,
        )
        for score, name in (("rmse", "RMSE"), ("mae", "MAE"), ("bias", "Bias"))
    )
    return Section(title=title, tables=tuple(tables))


def _table(title: str, table: Scores, names: Sequence[str], heads: Sequence[str]) -> Table:
    """One row a method, over all cells."""
    rows = ((label, *(_shown(rows[ALL], name) for name in names)) for label, rows in table.items())
    return Table(title=title, heads=("method", *heads), rows=tuple(rows))


def _shown(scores: Mapping[str, float], name: str) -> str:
    value = scores.get(name, float("nan"))
    return f"{value:.2f}" if np.isfinite(value) else ""


def table_text(table: Mapping[str, Mapping[str, Mapping[str, float]]], comma: str = "") -> str:
    """The scores as text, a line each method and scene; with `comma`, as CSV."""
    if comma:
        names = list(
            dict.fromkeys(n for rows in table.values() for row in rows.values() for n in row)
        )
        lines = [comma.join(("method", "scene", *names))]
        for label, rows in table.items():
            for scene, row in rows.items():
                values = (f"{row[name]:.4f}" if name in row else "" for name in names)
                lines.append(comma.join((label, scene, *values)))
        return "\n".join(lines) + "\n"
    lines = [f"{'method':32}{'scene':40}" + "".join(f"{name:>10}" for name in SHOWN)]
    for label, rows in table.items():
        for scene, row in rows.items():
            values = (f"{row.get(name, float('nan')):10.2f}" for name in SHOWN)
            lines.append(f"{label:32}{scene[:38]:40}" + "".join(values))
    return "\n".join(lines)

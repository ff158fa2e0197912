"""Retrieval methods scored on real scenes with charts.

python -m pipelines.evaluate.real_scenes FOLDER [--method SR:SIC ...] [--csv FILE]
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from pipelines.evaluate.methods import Networks, Way, retrieve_sic, ways
from seaice.errors import SeaIceError
from seaice.evaluate.scenes import ChartedScene, open_scenes, scene_scores
from seaice.grid.gridding.resample import grid_day
from seaice.models.inference import Machine, choose_precision, no_progress, refine
from seaice.stack.frames import five_frames, other_days

__all__ = [
    "DEFAULT_METHODS",
    "gridded",
    "pooled",
    "real_scene_scores",
    "retrieve_scene",
    "table_text",
]

#: formulas that every report of real scenes shows beside the networks
DEFAULT_METHODS = (
    "bicubic:bootstrap",
    "bicubic:nasa_team",
    "bicubic:asi",
    "bicubic_3km:xception_aspp",
    "pmdrnet:xception_aspp",
)
SHOWN = (
    "rmse", "mae", "bias", "rmse_10km", "mae_10km", "false_ice", "ice_bias",
    "within_68", "within_95",
)  # fmt: skip
Map = NDArray[np.float32]


def gridded(scene: ChartedScene) -> tuple[date, xr.Dataset]:
    """Day and daily map of a scene."""
    day: date = scene.swath["time"].values[0].astype("datetime64[D]").item()
    return day, grid_day([scene.swath], scene.grid, day)


def retrieve_scene(
    scene: ChartedScene, methods: Sequence[Way], networks: Networks
) -> dict[str, tuple[Map, Map | None]]:
    """Concentration of a scene by each method, and half-widths (2, y, x) of its intervals.

    The scene's one frame is used for all five days, as `seaice scene` does.
    """
    day, daily_map = gridded(scene)
    maps = {day: daily_map}
    stack = five_frames(maps, day)
    coarse = daily_map.assign(other_days(maps, day))
    refined: dict[object, xr.Dataset] = {}
    found = {}
    for way in methods:
        if way.sr not in refined:
            network, card = networks.of(way.sr, "sr")
            refined[way.sr] = refine(stack, network, card, networks.machine, "", no_progress)
        found[way.label] = retrieve_sic(way.sic, refined[way.sr], coarse, scene.land, networks)
    return found


def real_scene_scores(
    folder: Path, methods: Sequence[str], notes: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by method and scene; the scene `all` is the mean over the scenes, each by its cells.

    Parameters
    ----------
    folder : of scenes with charts
    methods : SR:SIC each
    notes : JSON file where hashes of weights are remembered
    """
    compared = ways(methods, notes)
    device = torch.device("cpu")
    networks = Networks(Machine(device=device, precision=choose_precision("auto", device)))
    table: dict[str, dict[str, dict[str, float]]] = {way.label: {} for way in compared}
    for scene in open_scenes(folder):
        for label, (sic, widths) in retrieve_scene(scene, compared, networks).items():
            pair = None if widths is None else (widths[0], widths[1])
            table[label][scene.name] = scene_scores(scene, sic, pair)
    for scores in table.values():
        scores["all"] = pooled(scores)
    return table


def pooled(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """RMSE, MAE and bias over the cells of all scenes together."""
    cells = np.array([each["cells"] for each in scores.values()])
    total: dict[str, float] = {"cells": float(cells.sum())}
    for suffix in ("", "_5km", "_10km", "_25km"):
        for name, power in (("rmse", 2), ("mae", 1), ("bias", 1)):
            values = np.array([each[f"{name}{suffix}"] for each in scores.values()])
            mean = float((values**power * cells).sum() / cells.sum())
            total[f"{name}{suffix}"] = mean ** (1 / power) if power == 2 else mean
    return total


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


def main() -> None:
    """Print a table of scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of scenes with charts")
    parser.add_argument("--method", action="append", help="SR:SIC, repeatable")
    parser.add_argument("--notes", type=Path, default=Path("products/stages/hashes.json"))
    options = parser.parse_args()
    try:
        methods = options.method or DEFAULT_METHODS
        print(table_text(real_scene_scores(options.folder, methods, options.notes)))
    except SeaIceError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()

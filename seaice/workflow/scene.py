"""One scene in, its product out: the chain of a day, on the ground that the scene covers."""

import re
from datetime import date
from pathlib import Path

import xarray as xr

from seaice.config import Settings
from seaice.files import ensure_writable, sha256_of_all
from seaice.grid.blocks import SCALE
from seaice.grid.grid import Grid
from seaice.grid.masks import land_mask
from seaice.grid.regions import grid_around_points
from seaice.grid.registration import apply_displacement, estimate_displacement
from seaice.io.scene import read_scene_in_subprocess
from seaice.product.folder import ProductFile
from seaice.stack import frame_dates
from seaice.workflow.day import run_day
from seaice.workflow.plan import Plan, method
from seaice.workflow.stages import Progress

__all__ = ["ground_of", "run_scene"]


def run_scene(file: Path, settings: Settings, progress: Progress) -> tuple[Path, list[ProductFile]]:
    """The product of one scene: its folder and what it holds.

    Its low frequencies are put where coasts say they belong
    (`seaice.grid.registration`). The scene's one frame stands in for all five; every cell
    is flagged `substituted_frame` and `single_overpass`.

    Parameters
    ----------
    file : AMSR2 channels with latitude and longitude per cell, see `seaice.io.scene`
    settings : hemisphere, region and granules are the scene's own, whatever they say

    Raises
    ------
    SeaIceError
        If the file is no such scene, or nothing can be written.
    """
    ensure_writable(settings.run.out)
    scene = read_scene_in_subprocess(file)
    hemisphere, grid = ground_of(scene)
    moved = estimate_displacement(scene, grid, land_mask(grid.refine(SCALE)))
    day: date = scene["time"].values[0].astype("datetime64[D]").item()
    run = {"hemisphere": hemisphere, "date": day, "granules": file.parent, "region": "all"}
    settings = settings.model_copy(update={"run": settings.run.model_copy(update=run)})
    notes = settings.run.out / "stages" / "hashes.json"
    plan = Plan(
        settings=settings,
        day=day,
        region=re.sub(r"\W+", "-", file.stem),
        grid=grid,
        region_grid=grid,
        granules={other: (file,) if other == day else () for other in frame_dates(day)},
        hashes=sha256_of_all([file], notes),
        sr=method("sr", settings.sr, notes),
        sic=method("sic", settings.sic, notes),
        read=lambda _: apply_displacement(scene, moved, grid.crs),
    )
    return plan.folder, run_day(plan, progress)


def ground_of(scene: xr.Dataset) -> tuple[str, Grid]:
    """Hemisphere and the part of its 6.25 km grid that a scene covers.

    Raises
    ------
    NoInputError
        If it lies outside the grid of its hemisphere.
    """
    return grid_around_points(scene["latitude"].values, scene["longitude"].values)

"""The functions of `import seaice` that compose several stages."""

from collections.abc import Callable, Mapping
from datetime import date as Date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import xarray as xr
from torch import nn

from seaice.config import RunSettings, Settings
from seaice.errors import NoInputError, SettingsError
from seaice.grid.blocks import SCALE
from seaice.grid.grid import grid_of
from seaice.grid.masks import land_mask
from seaice.models.card import Card
from seaice.models.inference import no_progress
from seaice.models.inference import refine as refine_stack
from seaice.product.reader import open_product
from seaice.retrieval.classical.daily import FORMULAS
from seaice.stack import five_frames, neighbour_pd
from seaice.workflow import day as workflow
from seaice.workflow.catalogue import update_catalogue, update_series_and_page
from seaice.workflow.methods import concentrate_by, machine_of, method_named, network_of
from seaice.workflow.plan import plan
from seaice.workflow.stages import Progress, silent

__all__ = ["refine", "retrieve", "run_day"]

Device = Literal["auto", "cpu", "cuda"]
TileProgress = Callable[[int, int], None]
DailyMaps = Mapping[Date, xr.Dataset]


def refine(
    daily_maps: DailyMaps | xr.Dataset,
    day: Date | None = None,
    *,
    model: str | Path = "pmdrnet",
    device: Device = "auto",
    progress: TileProgress | None = None,
) -> xr.Dataset:
    """Super-resolve the 89 GHz brightness temperature of one day, four times finer.

    Parameters
    ----------
    daily_maps : maps by date, each (y, x) as `seaice.grid_day` returns it, at most five days
        around `day`; missing days are replaced by the nearest. One map: it is used for all days.
    day : the day to refine; left out: the only date there is
    model : name of a super-resolution model, or a weights file; `seaice models` lists the names
    device : "auto" is CUDA where PyTorch sees a CUDA device
    progress : called with the number of finished tiles and of all tiles

    Returns
    -------
    xr.Dataset
        `tb89h`, `tb89v`, `pd` (their difference), (4y, 4x), K; NaN where the day was not observed.

    Raises
    ------
    NoInputError
        If the day has no map.
    SettingsError
        If several days are given without `day`, or CUDA is requested and not available.
    UnknownNameError, WeightsError
        If there is no such model, or its weights are absent, damaged or for another task.
    """
    maps, target = _maps_and_day(daily_maps, day)
    network, card = _network("sr", model)
    machine = machine_of(RunSettings(device=device))
    steps = progress or no_progress
    return refine_stack(five_frames(maps, target), network, card, machine, "", steps)


def retrieve(
    refined: xr.Dataset,
    daily_maps: DailyMaps | xr.Dataset,
    day: Date | None = None,
    *,
    model: str | Path = "xception_aspp",
    device: Device = "auto",
    progress: TileProgress | None = None,
) -> xr.Dataset:
    """Sea-ice concentration of one day, with uncertainty and flags.

    Parameters
    ----------
    refined : (4y, 4x), as `seaice.refine` returns it
    daily_maps, day : the same as were refined
    model : name of a model or classical algorithm for concentration, or a weights file
    device, progress : as in `seaice.refine`

    Returns
    -------
    xr.Dataset
        `sic` (0-1), `sic_uncertainty` and its parts, `status_flag`, (4y, 4x); NaN on land and
        where nothing was observed. Gaps are not filled: `seaice.run_day` does that.

    Raises
    ------
    NoInputError, SettingsError, UnknownNameError, WeightsError
        As `seaice.refine`.
    """
    maps, target = _maps_and_day(daily_maps, day)
    coarse = maps[target].load().assign(neighbour_pd(maps, target))
    land = land_mask(grid_of(coarse).refine(SCALE))
    if str(model) in FORMULAS:
        return FORMULAS[str(model)](refined, coarse, land, None, None)
    network, machine = _network("sic", model), machine_of(RunSettings(device=device))
    steps = progress or no_progress
    return concentrate_by(str(model), network, refined, coarse, land, machine, steps)


def run_day(
    date: str | Date,
    granules: str | Path,
    out: str | Path = "products",
    *,
    sr: str | None = None,
    sic: str | None = None,
    settings: str | Path | None = None,
    progress: Progress | None = None,
    **run: Any,
) -> xr.Dataset:
    """Make the product of a day and open it: `make daily` from Python.

    Finished stages and a finished product are used again if their inputs have not changed.

    Parameters
    ----------
    date : the day, UTC, as "2020-03-03"
    granules : folder (or URL of a store) of AMSR2 L1B, L1R or AU_SI6 files
    out : folder for products and finished stages
    sr, sic : models or classical algorithms by name; `seaice models` lists them
    settings : TOML file; the other arguments take precedence
    progress : called with the name of a stage, the number of finished steps, and of all steps
    **run : further settings of [run]: hemisphere, region, mode, device, precision, fill

    Returns
    -------
    xr.Dataset
        As `seaice.open_product` returns it, (y, x).

    Raises
    ------
    SeaIceError
        If settings, granules, weights or the disk do not allow it; the message says what to do.
    """
    options: dict[str, dict[str, Any]] = {
        "run": {"date": date, "granules": str(granules), "out": str(out)} | run,
        "sr": {"name": sr},
        "sic": {"name": sic},
    }
    steps = progress or silent
    day = plan(Settings.read(Path(settings) if settings else None, options))
    update_series_and_page(day.folder, workflow.run_day(day, steps), steps)
    update_catalogue(day.folder.parent)
    return open_product(day.folder)


def _maps_and_day(
    daily_maps: DailyMaps | xr.Dataset, day: Date | None
) -> tuple[dict[Date, xr.Dataset], Date]:
    """Daily maps by date, and the date of the target."""
    if isinstance(daily_maps, xr.Dataset):
        target = day or Date.fromisoformat(str(daily_maps["time"].values)[:10])
        return {target: daily_maps}, target
    maps = dict(daily_maps)
    if day is None and len(maps) != 1:
        raise SettingsError(
            f"daily maps of {len(maps)} days and no day",
            "the day to process",
            "add day=datetime.date(...)",
        )
    target = day or next(iter(maps))
    if target not in maps:
        raise NoInputError(
            f"no daily map of {target}",
            f"one among the dates {', '.join(map(str, sorted(maps)))}",
            "grid the granules of that day, or choose another day",
        )
    return maps, target


def _network(role: Literal["sr", "sic"], model: str | Path) -> tuple[nn.Module, Card]:
    """A network and its card, by name or from a weights file."""
    with TemporaryDirectory() as folder:
        return network_of(method_named(role, str(model), Path(folder) / "hashes.json"), role)

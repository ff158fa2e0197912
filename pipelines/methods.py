"""The methods a plan names, run: networks with their weights, or formulas."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from pipelines.plan import Method, Plan
from seaice.config import RunSettings
from seaice.grid.land import land_mask
from seaice.network.card import Card
from seaice.network.device import choose_device
from seaice.network.run import Machine
from seaice.network.weights import load, without_weights
from seaice.sic.classical.asi import asi, asi_uncertainty, weather_filter
from seaice.sic.concentrate import concentrate, product
from seaice.sic.flags import Flag, everyday
from seaice.sr.inputs import blank_card
from seaice.sr.refine import refine

__all__ = ["by_asi", "concentrate_with", "machine_of", "refine_with"]

SCALE = 4  #: refined cells to a cell of the daily map
FILTERS = ("tb18v", "tb23v", "tb36v")  #: channels of the weather filters
Steps = Callable[[int, int], None]


def machine_of(run: RunSettings) -> Machine:
    """What networks run on; "auto" precision is float32, so that every device makes the same map.

    Raises
    ------
    SettingsError
        If CUDA is wished for and absent.
    """
    precision = "float32" if run.precision == "auto" else run.precision
    return Machine(device=choose_device(run.device), precision=precision)


def refine_with(plan: Plan, stack: xr.Dataset, progress: Steps) -> xr.Dataset:
    """Refine a stack with the plan's super-resolution."""
    network, card = _network(plan.sr, "sr")
    machine = machine_of(plan.settings.run)
    return refine(stack, network, card, machine, plan.sr.sha256 or "none", progress)


def concentrate_with(
    plan: Plan, refined: xr.Dataset, daily_map: xr.Dataset, progress: Steps
) -> xr.Dataset:
    """Concentration of a refined day with the plan's method."""
    land = land_mask(plan.grid.refine(SCALE))
    if plan.sic.name == "asi":
        made = by_asi(refined, daily_map, land)
        progress(1, 1)
    else:
        teller = _network(plan.sic, "sic")
        machine = machine_of(plan.settings.run)
        made = concentrate(refined, daily_map, land, teller, machine, progress)
    return made.assign_attrs(sic_name=plan.sic.name, sic_weights=plan.sic.sha256 or "none")


def by_asi(refined: xr.Dataset, daily_map: xr.Dataset, land: NDArray[np.bool_]) -> xr.Dataset:
    """Concentration of a refined day by ASI, its weather filters on the daily map's cells.

    Parameters
    ----------
    refined, daily_map : of one day
    land : (y, x) bool, on the refined grid

    Returns
    -------
    Dataset
        As `seaice.sic.concentrate.product`; filtered cells are 0 and flagged, cells whose filter
        had no channels are flagged.
    """
    pd = refined["pd"].values
    observed = np.isfinite(pd)
    low = [daily_map[name].values for name in FILTERS]
    water = _on_refined(weather_filter(*low)) & observed & ~land
    sic = np.where(water, 0.0, asi(pd)).astype(np.float32)
    doubt = asi_uncertainty(sic, _on_refined(daily_map["n_obs"].values))
    timed = _on_refined(~np.isnat(daily_map["obs_time"].values))
    reasons = everyday(land, observed, timed, refined.attrs)
    reasons[Flag.OPEN_WATER_FILTERED] = water
    missing = np.logical_or.reduce([np.isnan(channel) for channel in low])
    reasons[Flag.LOW_FREQUENCY_MISSING] = _on_refined(missing) & observed & ~land
    return product(refined, daily_map, (sic, doubt), reasons)


def _network(method: Method, role: Literal["sr", "sic"]) -> tuple[nn.Module, Card]:
    if method.weights is None:
        return without_weights(method.name), blank_card(method.name, {})
    return load(method.weights, role)


def _on_refined(coarse: NDArray[Any]) -> NDArray[Any]:
    return coarse.repeat(SCALE, 0).repeat(SCALE, 1)

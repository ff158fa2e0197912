"""The methods a plan names, run: networks with their weights, or formulas."""

import json
from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from seaice.config import RunSettings
from seaice.grid.blocks import SCALE, repeat_to_fine_grid
from seaice.grid.masks import land_mask, near_sea
from seaice.models.card import Card
from seaice.models.inference import (
    Machine,
    choose_device,
    choose_precision,
    execution_record,
    refine,
)
from seaice.models.inputs import new_sr_card
from seaice.models.memory import release_memory
from seaice.models.weights import create_weightless_model, load_model
from seaice.retrieval.classical.corrections import blend
from seaice.retrieval.classical.daily import FORMULAS, ClassicalOptions
from seaice.retrieval.concentrate import concentrate
from seaice.workflow.plan import BLEND, HALO, Method, Plan

__all__ = ["concentrate_with", "machine_of", "network_of", "refine_with"]

Steps = Callable[[int, int], None]


def machine_of(run: RunSettings, dropkey_draws: int = 0) -> Machine:
    """Device and precision of a run, and how many draws of DropKey are averaged.

    Raises
    ------
    SettingsError
        If CUDA is wished for and absent.
    """
    device = choose_device(run.device)
    precision = choose_precision(run.precision, device)
    return Machine(device=device, precision=precision, dropkey_draws=dropkey_draws)


def refine_with(plan: Plan, stack: xr.Dataset, progress: Steps) -> xr.Dataset:
    """Refine a stack with the plan's super-resolution."""
    network, card = network_of(plan.sr, "sr")
    machine = machine_of(plan.settings.run, plan.settings.sr.dropkey_draws)
    where = near_sea(plan.grid) & _within(plan, HALO + plan.sic.margin)
    fine = refine(stack, network, card, machine, plan.sr.sha256 or "none", progress, where)
    return fine.assign_attrs(sr_execution=json.dumps(execution_record(machine)))


def concentrate_with(
    plan: Plan, refined: xr.Dataset, daily_map: xr.Dataset, progress: Steps
) -> xr.Dataset:
    """Concentration of a refined day with the plan's method."""
    land = land_mask(plan.grid.refine(SCALE))
    choices = ClassicalOptions(
        **plan.settings.sic.model_dump(exclude={"name", "weights", "dropkey_draws"})
    )
    if plan.sic.name in FORMULAS:
        result = FORMULAS[plan.sic.name](refined, daily_map, land, choices, None)
        progress(1, 1)
    else:
        model = network_of(plan.sic, "sic")
        machine = machine_of(plan.settings.run, plan.settings.sic.dropkey_draws)
        where = repeat_to_fine_grid(_within(plan, HALO))
        result = concentrate(refined, daily_map, land, model, machine, progress, where)
        result.attrs["sic_execution"] = json.dumps(execution_record(machine))
        if plan.sic.name == BLEND:
            result = blend(result, FORMULAS["asi"](refined, daily_map, land, choices, None))
    release_memory()
    return result.assign_attrs(sic_name=plan.sic.name, sic_weights=plan.sic.sha256 or "none")


def _within(plan: Plan, more: int) -> NDArray[np.bool_]:
    """Cells of the daily map in the region or at most `more` cells from it."""
    where = np.zeros(plan.grid.shape, bool)
    where[plan.within(more)] = True
    return where


def network_of(method: Method, role: Literal["sr", "sic"]) -> tuple[nn.Module, Card]:
    """A method's network, ready to run, and its card."""
    if method.weights is None:
        return create_weightless_model(method.name), new_sr_card(method.name, {})
    return load_model(method.weights, role)

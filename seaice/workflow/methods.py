"""The methods a plan names, run: networks with their weights, or formulas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from seaice.config import NetworkSettings, RunSettings
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
from seaice.models.weights import create_weightless_model, load_model, read_card
from seaice.retrieval.classical.corrections import blend
from seaice.retrieval.classical.daily import FORMULAS, ClassicalOptions
from seaice.retrieval.concentrate import concentrate
from seaice.workflow.plan import BLEND, HALO, Method, Plan, method

__all__ = [
    "concentrate_by",
    "concentrate_with",
    "machine_of",
    "method_named",
    "network_of",
    "refine_with",
]

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
        result = concentrate_by(
            plan.sic.name, model, refined, daily_map, land, machine, progress, choices, where
        )
        result.attrs["sic_execution"] = json.dumps(execution_record(machine))
    release_memory()
    return result.assign_attrs(sic_name=plan.sic.name, sic_weights=plan.sic.sha256 or "none")


def concentrate_by(
    name: str,
    model: tuple[nn.Module, Card],
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: NDArray[np.bool_],
    machine: Machine,
    progress: Steps,
    choices: ClassicalOptions | None = None,
    where: NDArray[np.bool_] | None = None,
) -> xr.Dataset:
    """Concentration by a network, or by the blend of a network and ASI if `name` says so.

    Parameters
    ----------
    name : of the method
    choices : options of ASI in the blend; the default ones where left out
    others : as `seaice.retrieval.concentrate.concentrate`
    """
    result = concentrate(refined, daily_map, land, model, machine, progress, where)
    if name == BLEND:
        result = blend(result, FORMULAS["asi"](refined, daily_map, land, choices, None))
    return result


def _within(plan: Plan, more: int) -> NDArray[np.bool_]:
    """Cells of the daily map in the region or at most `more` cells from it."""
    where = np.zeros(plan.grid.shape, bool)
    where[plan.within(more)] = True
    return where


def method_named(stage: Literal["sr", "sic"], name_or_path: str, notes: Path) -> Method:
    """The method of a name, or of a weights file, whose card names its architecture.

    Parameters
    ----------
    stage : "sr" or "sic"
    name_or_path : a path ends with .safetensors
    notes : JSON file where hashes of weights are remembered

    Raises
    ------
    SettingsError, UnknownNameError, WeightsError
        As `seaice.workflow.plan.method`.
    """
    weights = Path(name_or_path) if name_or_path.endswith(".safetensors") else None
    name = name_or_path if weights is None else read_card(weights).architecture
    return method(stage, NetworkSettings(name=name, weights=weights), notes)


def network_of(method: Method, role: Literal["sr", "sic"]) -> tuple[nn.Module, Card]:
    """A method's network, ready to run, and its card."""
    if method.weights is None:
        return create_weightless_model(method.name), new_sr_card(method.name, {})
    return load_model(method.weights, role)

"""One network of the catalogue, any, trained as the user words it: `seaice train sr|sic --model`.

What is not said is as in the compact recipe, so that networks that differ in nothing but their
name learn from the same samples, in the same order, for as long.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from seaice.config import Settled
from seaice.errors import SettingsError
from seaice.models.registry import Role, find_model, shipped_weights
from seaice.product.provenance import commit
from seaice.train.trainer import Schedule
from seaice.workflow.training.recipe import Progress, follow, recipes, reported
from seaice.workflow.training.settings import Pace, SICTraining, SRTraining, compact
from seaice.workflow.training.train import train_sic, train_sr

__all__ = ["SingleModelSettings", "learn", "training_of"]

COST: dict[Role, tuple[str, ...]] = {"sr": (), "sic": ("cost_weight",)}
SEE = "`seaice train --help`"


class SingleModelSettings(Settled):
    """What may be said of a lesson."""

    model: str = Field(description="a network that `seaice models` lists")
    size: Literal["compact", "published"] = Field(
        default="compact", description="for two CPU cores, or as published"
    )
    hyper: dict[str, Any] = Field(
        default={}, description="sizes and parts of the network that differ from that"
    )
    steps: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, gt=0, description="highest learning rate")
    crop: int | None = Field(default=None, ge=8, description="coarse cells; a window overrules it")
    seed: int = 0
    start: Path | None = Field(default=None, description="weights of the network to go on from")
    encoder: Pace = Field(
        default="trained", description="trained, slow (a tenth of the head's rate) or frozen"
    )
    cost_weight: float = Field(
        default=0.0, ge=0, description="of GMACs in the loss, for pooling = dynopool"
    )
    sr_weights: Path | None = Field(
        default=None, description="whose refined maps concentration learns from; or bicubic"
    )


def training_of(role: Role, told: SingleModelSettings) -> SRTraining | SICTraining:
    """The training that was meant.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    SettingsError
        If the network is for another role, learns nothing, or a setting is for the other role.
    """
    entry = find_model(told.model)
    if entry.role != role or not entry.has_weights:
        raise SettingsError(
            f"{told.model}, a network for {entry.role!r} "
            f"with{'' if entry.has_weights else 'out'} weights",
            f"one for {role!r} that learns weights",
            "see `seaice models`",
        )
    hyper = {**(compact(told.model) if told.size == "compact" else {}), **told.hyper}
    recipe = recipes()["compact"]
    base = recipe.sr[0] if role == "sr" else replace(recipe.sic[-1], sr_weights=_refiner(told))
    if told.cost_weight and "pooling" not in hyper:
        raise SettingsError(
            f"cost_weight for {told.model}, which cannot choose what it costs",
            "a network that pools where it learns to",
            "write --model repvgg --hyper pooling=dynopool --hyper window=384",
        )
    changed = {
        key: value
        for key in ("crop", "start", *COST[role])
        if (value := getattr(told, key)) is not None
    }
    return replace(
        base,
        name=told.model,
        hyper=_of_role(role, hyper),
        schedule=_schedule(base.schedule, told),
        encoder=told.encoder,
        commit=commit() or "",
        **changed,
    )


def _of_role(role: Role, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes without those that follow from the channels."""
    return {key: value for key, value in hyper.items() if role == "sr" or key != "in_channels"}


def _schedule(base: Schedule, told: SingleModelSettings) -> Schedule:
    named = {"steps": told.steps, "batch": told.batch, "rate": told.rate, "seed": told.seed}
    given: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    schedule = replace(base, **given)
    return replace(schedule, warm_up=min(schedule.warm_up, max(schedule.steps // 5, 1)))


def _refiner(told: SingleModelSettings) -> Path | None:
    if told.sr_weights == Path("bicubic"):
        return None  # interpolated maps, which cost nothing and favour no network
    return told.sr_weights or shipped_weights("sr", "pmdrnet")


def learn(
    role: Role, told: SingleModelSettings, folder: Path, device: torch.device, progress: Progress
) -> Path:
    """Train the network that was meant.

    Parameters
    ----------
    folder : with the samples, which are simulated where they are not; weights and checkpoints go
        to `folder/weights`

    Returns
    -------
    Path of the weights

    Raises
    ------
    SettingsError, WeightsError, NoInputError
        As `training_of`, `seaice.workflow.training.train.train_sr` and `train_sic`.
    """
    training = training_of(role, told)
    follow(recipes()["compact"], "samples", folder, device, progress)
    report = partial(reported, progress, told.model, training.schedule.steps)
    if isinstance(training, SRTraining):
        return train_sr(folder, folder / "weights", training, device, report)
    return train_sic(folder, folder / "weights", training, device, report)

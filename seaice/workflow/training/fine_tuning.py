"""Trains one model by options: from random weights, or from trained weights on real scenes.

`seaice train sr|sic --model NAME` uses `train_model`; `seaice train sic --start default --data
train.zarr` fine-tunes on the samples of `seaice samples`
(`seaice.workflow.training.scene_samples`), or on any set in the same layout.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from seaice.config import FrozenModel, Settings
from seaice.errors import NoInputError, SettingsError
from seaice.models.card import Card
from seaice.models.inference import choose_precision
from seaice.models.registry import Role, find_model, shipped_weights
from seaice.models.weights import load_model, load_trainable_model, save_model, weights_hash
from seaice.product.provenance import commit
from seaice.retrieval.task import SICTask
from seaice.train import distributed
from seaice.train.samples import INTERPOLATION, SampleSet, add_refined
from seaice.train.trainer import Batch, Schedule, train
from seaice.workflow.training.recipe import Progress, recipes, reported, run_recipe
from seaice.workflow.training.train import (
    ENCODER_RATES,
    EncoderMode,
    SICTraining,
    SRTraining,
    compact,
    train_sic,
    train_sr,
)

__all__ = [
    "FineTuning",
    "SingleModelSettings",
    "checked_settings",
    "data_hash",
    "default_weights",
    "fine_tune",
    "train_and_valid",
    "train_model",
    "training_of",
]

VALID_EVERY = 5  #: every n-th scene validates if there is no validation set
CONTENT = ("tb89", "tb89_half", "low", "truth_tb", "truth_sic", "land", "weight")
Report = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """Settings of one fine-tuning run."""

    start: Path  #: weights to start from
    data: Path  #: training samples
    valid: Path | None = None  #: validation samples; None: every fifth scene of `data`
    steps: int = 300
    batch: int = 4  #: samples a step
    rate: float = 1e-4  #: highest learning rate, a tenth of that of training on simulated worlds
    crop: int = 64  #: coarse cells of a sample, at most
    seed: int = 0
    encoder: EncoderMode = "trained"  #: trained, slow (a tenth of the head's rate) or frozen
    sr_weights: Path | None = None  #: super-resolution of the inputs; None: interpolated frames


def default_weights() -> Path:
    """The shipped weights of the default concentration network."""
    return shipped_weights("sic", Settings().sic.name)


def fine_tune(settings: FineTuning, out: Path, device: torch.device, report: Report) -> Path:
    """Train a network further on samples of real scenes.

    Architecture, channels, normalization and batch-norm statistics stay those of the start weights.

    Every cell weighs as the chart's uncertainty says, classes of concentration are not balanced.
    Channel offsets are drawn as in the training of the start weights. The intervals are calibrated
    on the validation samples. The card records the hashes of the start weights and of the data,
    and the validation scores before (`start_rmse`, `start_mae`) and after.

    Parameters
    ----------
    settings : what to train, from which weights, on which samples
    out : folder for `ARCHITECTURE.safetensors` and, below it, checkpoint and log; the same
        settings on the same data go on from the checkpoint
    device : that trains
    report : called with the steps done and the loss; before, with minus the number of samples
        that super-resolution has not refined yet

    Returns
    -------
    Path of the weights

    Raises
    ------
    NoInputError
        If a set is absent or incomplete, or holds one scene and there is no validation set.
    SettingsError
        If the loss is no longer finite.
    WeightsError
        If weights are absent, damaged, exported, or for another role.
    """
    network, start_card = load_trainable_model(settings.start, "sic")
    train_set, valid_set = train_and_valid(settings.data, settings.valid)
    refiner = _refined(settings, device, report)
    if refiner != INTERPOLATION:  # opened again, now with the refined maps
        train_set, valid_set = train_and_valid(settings.data, settings.valid)
    card = replace(start_card, calibration=(), calibration_95=(), scores={}, seed=settings.seed)
    task = SICTask(
        train=train_set,
        valid=valid_set,
        card=card,
        refiner=refiner,
        crop=settings.crop,
        weights=(1.0,) * 10,
        absolute_weight=0.1,
        offset=float(start_card.training.get("offset_kelvin", 0.0)),
        valid_samples=len(valid_set),
    )
    network.to(device)
    before = task.evaluate(network.eval())
    schedule = _schedule(settings, card.architecture, device)
    facts = _facts(settings, start_card)
    key = hashlib.sha256(
        repr((facts, schedule.result_settings(), settings.crop)).encode()
    ).hexdigest()
    folder = out / f"{card.architecture}_{key[:12]}"
    run = replace(task.task(network), loss=partial(_loss, task))
    trained, steps = train(run, schedule, folder, device, report)
    path = out / f"{card.architecture}.safetensors"
    distributed.run_on_main_process_first(
        partial(_keep, path, trained, task, card, facts | {"steps": steps}, before)
    )
    return path


def _loss(task: SICTask, network: nn.Module, batch: Batch) -> torch.Tensor:
    """The loss with the start weights' batch-norm statistics, which a few scenes would distort."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return task.loss(network, batch)


def _keep(
    path: Path,
    network: nn.Module,
    task: SICTask,
    card: Card,
    facts: dict[str, Any],
    before: dict[str, float],
) -> None:
    """Write the weights with what is known of them."""
    scores = task.evaluate(network)
    scores |= {f"start_{name}": before[name] for name in ("rmse", "mae", "bias")}
    one, two = task.calibration(network)
    device = next(network.parameters()).device.type
    filled = replace(
        card,
        training=facts | {"device": device},
        commit=commit() or "",
        scores={name: round(value, 6) for name, value in scores.items()},
        calibration=one,
        calibration_95=two,
    )
    save_model(path, network, filled)


def _facts(settings: FineTuning, start: Card) -> dict[str, Any]:
    """What the card tells of the training."""
    notes = SampleSet.open(settings.data).notes
    facts = {
        "started_from": start.architecture,
        "start_sha256": weights_hash(settings.start),
        "data_sha256": data_hash(settings.data),
        "valid_sha256": data_hash(settings.valid) if settings.valid is not None else "",
        "physics": notes.get("physics", "unknown"),
        "scenes": len(notes.get("scenes", ())),
        "batch": settings.batch,
        "rate": settings.rate,
        "refined_by": weights_hash(settings.sr_weights)[:12] if settings.sr_weights else "0",
        "interpolated_by": "" if settings.sr_weights else INTERPOLATION,
    }
    if "offset_kelvin" in start.training:
        facts["offset_kelvin"] = start.training["offset_kelvin"]
    return facts


def _schedule(settings: FineTuning, name: str, device: torch.device) -> Schedule:
    lr_multipliers = {}
    if settings.encoder != "trained":
        lr_multipliers = {find_model(name).encoder: ENCODER_RATES[settings.encoder]}
    return Schedule(
        steps=settings.steps,
        batch=settings.batch,
        rate=settings.rate,
        warm_up=min(30, max(settings.steps // 5, 1)),
        average=0.99,
        lr_multipliers=lr_multipliers,
        seed=settings.seed,
        precision=choose_precision("auto", device),
        validate_every=max(settings.steps // 5, 1),
        checkpoint_every=50,
    )


def _refined(settings: FineTuning, device: torch.device, report: Report) -> str:
    """Refine the samples with super-resolution weights if there are any; the name of both."""
    if settings.sr_weights is None:
        return INTERPOLATION
    network, card = load_model(settings.sr_weights, "sr")
    network.to(device)
    known = weights_hash(settings.sr_weights)
    for path in (settings.data, settings.valid):
        for done, of in add_refined(path, (network, card), known, device) if path else ():
            report(done - of, 0.0)
    return card.architecture


def train_and_valid(data: Path, valid: Path | None) -> tuple[SampleSet, SampleSet]:
    """Samples to train on and samples to validate on; no scene is in both.

    Parameters
    ----------
    data : training samples
    valid : validation samples; None: every fifth scene of `data` validates, and trains nothing

    Raises
    ------
    NoInputError
        If a set is absent or incomplete, or `data` holds one scene and `valid` is None.
    """
    samples = SampleSet.open(data)
    if valid is not None:
        return samples, SampleSet.open(valid)
    scenes = _scenes(data, len(samples))
    numbers = np.unique(scenes)
    chosen = (
        numbers[VALID_EVERY - 1 :: VALID_EVERY] if numbers.size >= VALID_EVERY else numbers[-1:]
    )
    if numbers.size < 2:
        raise NoInputError(
            f"{data} with samples of one scene and no validation set",
            "at least two scenes, or a second set",
            "add --valid FILE: seaice samples --split valid --scenes OTHER -o valid.zarr",
        )
    validates = np.isin(scenes, chosen)
    return _subset(samples, np.flatnonzero(~validates)), _subset(samples, np.flatnonzero(validates))


def _scenes(path: Path, count: int) -> NDArray[np.integer]:
    """The number of each sample's scene; in sets that do not tell, every sample is one."""
    array = zarr.open_group(path, mode="r").get("scene")
    if not isinstance(array, zarr.Array):
        return np.arange(count)
    return np.asarray(array[:count])


class _Rows:
    """Some samples of an array, read as the array is."""

    def __init__(self, array: zarr.Array[Any], index: NDArray[np.integer]) -> None:
        self.array, self.index = array, index
        self.shape = (len(index), *array.shape[1:])

    def __getitem__(self, sample: int) -> NDArray[Any]:
        return np.asarray(self.array[int(self.index[sample])])


def _subset(samples: SampleSet, index: NDArray[np.integer]) -> SampleSet:
    rows: dict[str, Any] = {name: _Rows(array, index) for name, array in samples.arrays.items()}
    return SampleSet(arrays=rows, size=len(index), notes=samples.notes)


def data_hash(path: Path) -> str:
    """SHA-256 of a set's content: inputs, concentration, land and weights, sample by sample.

    Refined maps, which training adds to a set, do not change it.

    Raises
    ------
    NoInputError
        If there is no set at `path`.
    """
    samples = SampleSet.open(path)
    digest = hashlib.sha256()
    for name in CONTENT:
        if name in samples.arrays:
            array = samples.arrays[name]
            digest.update(f"{name} {array.dtype} {array.shape[1:]} {len(samples)}".encode())
            for sample in range(len(samples)):
                digest.update(np.ascontiguousarray(array[sample]).tobytes())
    return digest.hexdigest()


def checked_settings(options: dict[str, Any]) -> FineTuning:
    """Settings from the options of `seaice train sic --data`.

    Raises
    ------
    SettingsError
        If no start weights are named, or an option belongs to training from nothing.
    """
    strange = [
        name for name in ("model", "size", "hyper", "cost_weight", "config") if options.get(name)
    ]
    if strange:
        raise SettingsError(
            f"--{strange[0].replace('_', '-')} together with --data",
            "fine-tuning, which keeps the architecture of the start weights",
            f"leave --{strange[0].replace('_', '-')} out",
        )
    if not options.get("start"):
        raise SettingsError(
            "--data without --start",
            "weights to fine-tune",
            "add --start default, or --start FILE",
        )
    names = ("data", "valid", "steps", "batch", "rate", "crop", "seed", "encoder", "sr_weights")
    known = {name: options[name] for name in names if options.get(name) is not None}
    if known.get("encoder", "trained") not in ("trained", *ENCODER_RATES):
        raise SettingsError(
            f"--encoder {known['encoder']}", "trained, slow or frozen", "choose one of them"
        )
    if known.get("sr_weights") == Path("bicubic"):
        del known["sr_weights"]
    start = default_weights() if options["start"] == Path("default") else options["start"]
    return FineTuning(start=start, **known)


COST: dict[Role, tuple[str, ...]] = {"sr": (), "sic": ("cost_weight",)}
SEE = "`seaice train --help`"


class SingleModelSettings(FrozenModel):
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
    encoder: EncoderMode = Field(
        default="trained", description="trained, slow (a tenth of the head's rate) or frozen"
    )
    cost_weight: float = Field(
        default=0.0, ge=0, description="of GMACs in the loss, for pooling = dynopool"
    )
    sr_weights: Path | None = Field(
        default=None, description="whose refined maps concentration learns from; or bicubic"
    )


def training_of(role: Role, options: SingleModelSettings) -> SRTraining | SICTraining:
    """The training that was meant.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    SettingsError
        If the network is for another role, learns nothing, or a setting is for the other role.
    """
    entry = find_model(options.model)
    if entry.role != role or not entry.has_weights:
        raise SettingsError(
            f"{options.model}, a network for {entry.role!r} "
            f"with{'' if entry.has_weights else 'out'} weights",
            f"one for {role!r} that learns weights",
            "see `seaice models`",
        )
    hyper = {**(compact(options.model) if options.size == "compact" else {}), **options.hyper}
    recipe = recipes()["compact"]
    base = recipe.sr[0] if role == "sr" else replace(recipe.sic[-1], sr_weights=_refiner(options))
    if options.cost_weight and "pooling" not in hyper:
        raise SettingsError(
            f"cost_weight for {options.model}, which cannot choose what it costs",
            "a network that pools where it learns to",
            "write --model repvgg --hyper pooling=dynopool --hyper window=384",
        )
    changed = {
        key: value
        for key in ("crop", "start", *COST[role])
        if (value := getattr(options, key)) is not None
    }
    return replace(
        base,
        name=options.model,
        hyper=_of_role(role, hyper),
        schedule=_schedule_of_model(base.schedule, options),
        encoder=options.encoder,
        commit=commit() or "",
        **changed,
    )


def _of_role(role: Role, hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes without those that follow from the channels."""
    return {key: value for key, value in hyper.items() if role == "sr" or key != "in_channels"}


def _schedule_of_model(base: Schedule, options: SingleModelSettings) -> Schedule:
    names = ("steps", "batch", "rate", "seed")
    changed: dict[str, Any] = {
        name: value for name in names if (value := getattr(options, name)) is not None
    }
    schedule = replace(base, **changed)
    return replace(schedule, warm_up=min(schedule.warm_up, max(schedule.steps // 5, 1)))


def _refiner(options: SingleModelSettings) -> Path | None:
    if options.sr_weights == Path("bicubic"):
        return None  # interpolated maps, which cost nothing and favour no network
    return options.sr_weights or shipped_weights("sr", "pmdrnet")


def train_model(
    role: Role, options: SingleModelSettings, folder: Path, device: torch.device, progress: Progress
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
    training = training_of(role, options)
    run_recipe(recipes()["compact"], "samples", folder, device, progress)
    report = partial(reported, progress, options.model, training.schedule.steps)
    if isinstance(training, SRTraining):
        return train_sr(folder, folder / "weights", training, device, report)
    return train_sic(folder, folder / "weights", training, device, report)

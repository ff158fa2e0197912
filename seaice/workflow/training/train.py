"""Training settings, and training of super-resolution, concentration and both together.

A training that was interrupted continues from its last checkpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from seaice.errors import WeightsError
from seaice.models.card import Card
from seaice.models.inputs import SIC_CHANNELS
from seaice.models.inputs import new_sic_card as blank_sic_card
from seaice.models.inputs import new_sr_card as blank_sr_card
from seaice.models.registry import create_model, find_model
from seaice.models.weights import load_model, load_trainable_model, save_model, weights_hash
from seaice.retrieval.calibration import Factors
from seaice.retrieval.joint_task import JointTask, joint_model
from seaice.retrieval.task import SICTask, weights_from_counts
from seaice.train import distributed
from seaice.train.samples import INTERPOLATION, SampleSet, add_refined
from seaice.train.super_resolution import SRTask, fit_interpolation
from seaice.train.trainer import Schedule, Task, train

__all__ = [
    "ENCODER_RATES",
    "EncoderMode",
    "JointTraining",
    "Report",
    "SICTraining",
    "SRTraining",
    "compact",
    "sic_task",
    "train_joint",
    "train_sic",
    "train_sr",
]

PUBLISHED_SR = Schedule(steps=300_000, batch=16, rate=4e-4, warm_up=1000, loaders=4)
PUBLISHED_SIC = Schedule(steps=100_000, batch=8, rate=5e-4, warm_up=1000, loaders=4)

#: how the encoder learns beside the head: as it, at a tenth of its rate, or not at all
EncoderMode = Literal["trained", "slow", "frozen"]
ENCODER_RATES: Mapping[EncoderMode, float] = {"slow": 0.1, "frozen": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class SRTraining:
    """How a super-resolution network is trained; defaults are the published size."""

    name: str = "pmdrnet"
    start: Path | None = None  #: weights to go on from; what they lack stays fresh
    hyper: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = PUBLISHED_SR
    crop: int = 64  #: coarse cells
    difference_weight: float = 1.0  #: of the error of V - H
    encoder: EncoderMode = "trained"
    commit: str = ""  #: of the code, for the card


@dataclass(frozen=True, slots=True, kw_only=True)
class SICTraining:
    """How a concentration network is trained; defaults are the published size."""

    sr_weights: (
        Path | None
    )  #: of the network whose refined maps it learns from; None: interpolated ones
    start: Path | None = None  #: weights of the same network to go on from; None: fresh ones
    name: str = "xception_aspp"
    hyper: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = PUBLISHED_SIC
    crop: int = 128  #: coarse cells
    channels: tuple[str, ...] = SIC_CHANNELS
    #: what counts alike: every class of concentration, as published, or every cell. Classes pull
    #: doubtful cells of closed ice towards the rarer middle; a last lesson by cells undoes that.
    balance: Literal["classes", "cells"] = "classes"
    variance_weight: float = 0.05  #: of the likelihood that teaches the log-variance
    absolute_weight: float = 0.0  #: of the absolute error, beside the squared one
    cost_weight: float = 0.0  #: of GMACs on a sample, for networks that choose where they pool
    low_missing: float = 0.1  #: share of samples without low frequencies
    band_missing: float = 0.0  #: share of samples without one low-frequency band
    offset: float = 0.0  #: K, standard deviation of each channel's offset in each sample
    smooth_noise: float = 0.0  #: K, standard deviation of a smooth random field on each channel
    coast_weight: float = 0.0  #: added to the weight of sea within 25 km of land, 1 elsewhere
    encoder: EncoderMode = "trained"
    commit: str = ""  #: of the code, for the card


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTraining:
    """How both networks learn on together, from where each was left alone."""

    sr_weights: Path
    sic_weights: Path
    schedule: Schedule
    crop: int = 64  #: coarse cells
    brightness_weight: float = 0.1  #: of the error of super-resolution, beside concentration's
    balance: Literal["classes", "cells"] = "cells"  #: see `SICTraining`
    absolute_weight: float = 0.1  #: as the last lesson in concentration alone has it
    commit: str = ""  #: of the code, for the cards


def compact(name: str) -> dict[str, Any]:
    """The sizes of a network's small version, for two CPU cores.

    >>> compact("pmdrnet")["width"]
    24
    """
    return find_model(name).compact()


Report = Callable[[int, float], None]


def train_sr(
    data: Path, out: Path, settings: SRTraining, device: torch.device, report: Report
) -> Path:
    """Train super-resolution on `data`/train.zarr, scored on `data`/valid.zarr.

    Parameters
    ----------
    data : folder of the two sample sets, as `seaice.train.samples` describes them
    out : folder for the weights and, below it, the checkpoint and the logs
    report : called with the steps done and the loss

    Returns
    -------
    Path of the weights

    Raises
    ------
    NoInputError
        If a sample set is absent, incomplete or of another split.
    SettingsError
        If a checkpoint of other settings lies in `out`, or learning diverges.
    """
    lesson = SRTask(
        train=SampleSet.of(data, "train"),
        valid=SampleSet.of(data, "valid"),
        card=blank_sr_card(settings.name, settings.hyper),
        crop=settings.crop,
        difference_weight=settings.difference_weight,
    )
    torch.manual_seed(settings.schedule.seed)
    network = create_model(settings.name, settings.hyper)
    if settings.start is None:
        fit_interpolation(network, lesson.train, lesson.card)
    else:
        _go_on_from(settings.start, network)
    task = lesson.task(network)
    run = _Run(lesson.card, lesson.train.notes, _paced(settings), settings.commit)
    return run.through(task, out, device, report)


def _go_on_from(path: Path, network: nn.Module) -> None:
    """Give a network what weights of a smaller one of its kind hold."""
    known = load_model(path, "sr")[0].state_dict()
    strange = network.load_state_dict(known, strict=False).unexpected_keys
    if strange:
        raise WeightsError(
            f"{path} with {strange[0]} and {len(strange) - 1} more that the network lacks",
            "weights of the same network, or of one without some of its parts",
            "begin with weights of the lesson before",
        )


def _start_with(path: Path, network: nn.Module, channels: tuple[str, ...]) -> None:
    """Give a concentration network weights to go on from; channels they do not know say nothing.

    Raises
    ------
    WeightsError
        If the weights know other channels, or the same in another order.
    """
    start, card = load_trainable_model(path, "sic")
    if channels[: len(card.channels)] != card.channels:
        raise WeightsError(
            f"{path}, taught with {', '.join(card.channels)}",
            f"channels with which {', '.join(channels)} begins",
            "begin with weights of the same channels, or from nothing",
        )
    known, own = start.state_dict(), network.state_dict()
    for name, value in known.items():
        if value.ndim > 1 and (new := own[name].shape[1] - value.shape[1]):
            nothing = value.new_zeros(value.shape[0], new, *value.shape[2:])
            known[name] = torch.cat([value, nothing], dim=1)
    network.load_state_dict(known)


def train_sic(
    data: Path, out: Path, settings: SICTraining, device: torch.device, report: Report
) -> Path:
    """Train concentration on what the super-resolution network makes of `data`.

    Parameters and errors are those of `train_sr`; besides:

    Raises
    ------
    WeightsError
        If the super-resolution weights are absent, damaged or of another role.
    """
    lesson, known = sic_task(data, settings, device, report)
    torch.manual_seed(settings.schedule.seed)
    fresh = create_model(settings.name, lesson.card.config)
    if settings.start is not None:
        _start_with(settings.start, fresh, lesson.card.channels)
    task = lesson.task(fresh)
    notes = {**lesson.train.notes, "refined_by": known[:12]}
    run = _Run(lesson.card, notes, _paced(settings), settings.commit)
    return run.through(task, out, device, report, lesson.calibration)


def sic_task(
    data: Path, settings: SICTraining, device: torch.device, report: Report
) -> tuple[SICTask, str]:
    """The lesson on what the super-resolution network makes of `data`, which is refined first.

    Parameters and errors are those of `train_sic`.

    Returns
    -------
    The lesson, and what the refining weights are known by
    """
    for split in ("train", "valid"):
        SampleSet.of(data, split)  # refused before hours of refining
    name, known = INTERPOLATION, "0"
    if settings.sr_weights is not None:
        refiner, known = load_model(settings.sr_weights, "sr"), weights_hash(settings.sr_weights)
        refiner[0].to(device)
        name = refiner[1].architecture
        distributed.run_on_main_process_first(
            partial(_refine, data, (refiner, known), device, report)
        )
    samples = SampleSet.of(data, "train")
    task = SICTask(
        train=samples,
        valid=SampleSet.of(data, "valid"),
        card=blank_sic_card(settings.name, settings.hyper, settings.channels),
        refiner=name,
        crop=settings.crop,
        weights=_class_weights(samples, settings.balance),
        variance_weight=settings.variance_weight,
        absolute_weight=settings.absolute_weight,
        cost_weight=settings.cost_weight,
        low_missing=settings.low_missing,
        band_missing=settings.band_missing,
        offset=settings.offset,
        smooth_noise=settings.smooth_noise,
        coast_weight=settings.coast_weight,
    )
    return task, known


def _paced(settings: SRTraining | SICTraining) -> Schedule:
    """The schedule, in which the encoder may learn more slowly than the rest."""
    if settings.encoder == "trained":
        return settings.schedule
    part = find_model(settings.name).encoder
    return replace(settings.schedule, lr_multipliers={part: ENCODER_RATES[settings.encoder]})


def train_joint(
    data: Path, out: Path, settings: JointTraining, device: torch.device, report: Report
) -> tuple[Path, Path]:
    """Train both networks on together; `out`/joint holds the result and the checkpoint.

    Parameters and errors are those of `train_sr`; besides:

    Returns
    -------
    Paths of the super-resolution's weights and the concentration's, which belong together

    Raises
    ------
    WeightsError
        If weights to begin with are absent, damaged or of another role.
    """
    sr, sic = (
        load_model(settings.sr_weights, "sr"),
        load_trainable_model(settings.sic_weights, "sic"),
    )
    lesson = _joint_lesson(data, settings, sr[1], sic[1])
    torch.manual_seed(settings.schedule.seed)
    folder, task = out / "joint", lesson.task(joint_model(sr[0], sic[0]))
    network, steps = train(task, settings.schedule, folder, device, report)
    paths = tuple(folder / f"{card.architecture}.safetensors" for _, card in (sr, sic))

    def keep() -> None:
        cells = lesson.labelled_cells(network)
        one, two = cells.factors()
        notes = {**lesson.sic.train.notes, "lesson": "both networks at once"}
        parts = {
            "sr": (sr[1], lesson.sr.evaluate(network.get_submodule("sr"))),
            "sic": (replace(sic[1], calibration=one, calibration_95=two), cells.scores()),
        }
        for path, (part, (card, scores)) in zip(paths, parts.items(), strict=True):
            run = _Run(card, notes, settings.schedule, settings.commit)
            save_model(path, network.get_submodule(part), run.filled_card(scores, steps, device))

    distributed.run_on_main_process_first(keep)
    return paths[0], paths[1]


def _joint_lesson(data: Path, settings: JointTraining, sr: Card, sic: Card) -> JointTask:
    samples, valid = SampleSet.of(data, "train"), SampleSet.of(data, "valid")
    return JointTask(
        sr=SRTask(train=samples, valid=valid, card=sr),
        sic=SICTask(
            train=samples,
            valid=valid,
            card=sic,
            refiner=sr.architecture,
            crop=settings.crop,
            weights=_class_weights(samples, settings.balance),
            absolute_weight=settings.absolute_weight,
        ),
        brightness_weight=settings.brightness_weight,
    )


def _class_weights(samples: SampleSet, balance: Literal["classes", "cells"]) -> tuple[float, ...]:
    return weights_from_counts(samples, 64) if balance == "classes" else (1.0,) * 10


def _refine(
    data: Path, refiner: tuple[tuple[nn.Module, Card], str], device: torch.device, report: Report
) -> None:
    for name in ("valid.zarr", "train.zarr"):
        for done, of in add_refined(data / name, *refiner, device):
            report(done - of, 0.0)


@dataclass(frozen=True, slots=True)
class _Run:
    """One network on its way to a file."""

    card: Card
    notes: Mapping[str, Any]  #: of the training set
    schedule: Schedule
    commit: str

    def through(
        self,
        task: Task,
        out: Path,
        device: torch.device,
        report: Report,
        calibration: Callable[[nn.Module], tuple[Factors, Factors]] = lambda _: ((), ()),
    ) -> Path:
        """Train, score, calibrate, save; the path of the weights."""
        name = self.card.architecture
        network, steps = train(task, self.schedule, out / name, device, report)
        path = out / f"{name}.safetensors"

        def keep() -> None:
            card = self.filled_card(task.evaluate(network), steps, device)
            one, two = calibration(network)
            save_model(path, network, replace(card, calibration=one, calibration_95=two))

        distributed.run_on_main_process_first(keep)
        return path

    def filled_card(self, scores: Mapping[str, float], steps: int, device: torch.device) -> Card:
        """What is known of the network when it has learnt."""
        training = dict(self.notes) | {"steps": steps, "device": device.type}
        return replace(
            self.card,
            training=training | {"batch": self.schedule.batch, "rate": self.schedule.rate},
            seed=self.schedule.seed,
            commit=self.commit,
            scores={key: round(value, 6) for key, value in scores.items()},
        )

"""How networks are trained: settings of one training, without what they are trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seaice.models.inputs import SIC_CHANNELS
from seaice.models.registry import find_model
from seaice.train.trainer import Schedule

__all__ = ["PACES", "JointTraining", "Pace", "SICTraining", "SRTraining", "compact"]

PUBLISHED_SR = Schedule(steps=300_000, batch=16, rate=4e-4, warm_up=1000, loaders=4)
PUBLISHED_SIC = Schedule(steps=100_000, batch=8, rate=5e-4, warm_up=1000, loaders=4)

#: how the encoder learns beside the head: as it, at a tenth of its rate, or not at all
Pace = Literal["trained", "slow", "frozen"]
PACES: Mapping[Pace, float] = {"slow": 0.1, "frozen": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class SRTraining:
    """How a super-resolution network is trained; defaults are the published size."""

    name: str = "pmdrnet"
    start: Path | None = None  #: weights to go on from; what they lack stays fresh
    hyper: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = PUBLISHED_SR
    crop: int = 64  #: coarse cells
    difference_weight: float = 1.0  #: of the error of V - H
    encoder: Pace = "trained"
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
    encoder: Pace = "trained"
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

"""Concentration as a task: samples, loss and scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.instrument import LOW_CHANNELS
from seaice.network.card import Card
from seaice.network.train import Batch, Task
from seaice.sic.calibration import Factors, calibration
from seaice.sic.inputs import assemble
from seaice.sic.loss import CLASSES, class_weights, concentration_loss
from seaice.sr.augment import Drift
from seaice.sr.refined_samples import frames_of
from seaice.sr.samples import SampleSet, Window, batched
from seaice.stack.frames import FRAMES, OTHER_DAYS

__all__ = ["SICLesson", "counted_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SICLesson:
    """What a concentration network is to learn, and from which refined maps."""

    train: SampleSet
    valid: SampleSet
    card: Card
    refiner: str  #: network that refined the samples
    crop: int = 96  #: coarse cells
    weights: Sequence[float]  #: of the ten classes
    variance_weight: float = 0.05  #: of the likelihood that teaches the log-variance
    low_missing: float = 0.1  #: share of samples without low frequencies
    drifting: float = 0.3  #: share of samples whose brightness drifts, which ice does not feel
    valid_samples: int = 24  #: looked at in each validation

    def task(self, network: nn.Module) -> Task:
        """This lesson for a network."""
        return Task(network=network, loss=self._loss, source=self._source, evaluate=self.evaluate)

    def _source(self, random: np.random.Generator, size: int) -> Batch:
        def sample() -> dict[str, NDArray[Any]]:
            parts = self._parts(self.train, self.train.draw(random, self.crop))
            if random.random() < self.low_missing:
                parts["low"][:] = np.nan
            if random.random() < self.drifting:
                drift = Drift.drawn(random)
                parts["refined"], parts["frames"] = map(
                    drift.on, (parts["refined"], parts["frames"])
                )
            return parts

        return batched(sample, size)

    def _loss(self, network: nn.Module, batch: Batch) -> Tensor:
        truth, known = _truth(batch)
        told = network(self._input(batch))
        return concentration_loss(told, truth, known, self.weights, self.variance_weight)

    def _parts(self, samples: SampleSet, window: Window) -> dict[str, NDArray[Any]]:
        return {
            "refined": samples.refined(window, self.refiner),
            "low": samples.low(window),
            "frames": samples.tb89(window)[frames_of(window.sample)],
            "truth": samples.truth_sic(window),
        }

    @torch.no_grad()
    def _input(self, batch: Batch) -> Tensor:
        """What the daily run would give the network here."""
        difference = (batch["frames"][:, :, 1] - batch["frames"][:, :, 0]).unbind(1)
        others = difference[: FRAMES // 2] + difference[FRAMES // 2 + 1 :]
        coarse = dict(zip(LOW_CHANNELS, batch["low"].unbind(1), strict=True))
        coarse |= dict(zip(OTHER_DAYS, others, strict=True))
        return assemble(batch["refined"], coarse, torch.isnan(batch["truth"]), self.card)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Scores over the first validation samples.

        Returns
        -------
        `rmse`, `mae`, `bias` over all known cells; `rmse_00` ... `rmse_90` by class of truth where
        it occurs; `within_1_sigma` where the network tells its variance
        """
        estimate, doubt, truth = self._judged(network)
        scores = _scores(estimate - truth, truth)
        if doubt.isfinite().all():
            within = (estimate - truth).abs() <= doubt
            scores["within_1_sigma"] = float(within.float().mean())
        return scores

    def calibration(self, network: nn.Module) -> Factors:
        """What makes the network's standard deviations hold on the validation samples.

        Returns
        -------
        As `seaice.sic.calibration.calibration`; empty where the network tells no variance.
        """
        estimate, doubt, truth = (part.numpy() for part in self._judged(network))
        return calibration(estimate, doubt, truth) if np.isfinite(doubt).all() else ()

    @torch.inference_mode()
    def _judged(self, network: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
        """Concentration, its standard deviation and the truth of every known validation cell."""
        device = next(network.parameters()).device
        found = []
        for sample in range(min(self.valid_samples, len(self.valid))):
            parts = self._parts(self.valid, self.valid.whole(sample))
            batch = {name: torch.from_numpy(v)[None].to(device) for name, v in parts.items()}
            truth, known = _truth(batch)
            told = network(self._input(batch)).float()
            doubt = told[:, 1:] if told.shape[1] > 1 else torch.full_like(truth, torch.nan)
            three = told[:, :1], torch.exp(doubt / 2), truth
            found.append(torch.stack([part[known] for part in three]).cpu())
        estimate, doubt, truth = torch.cat(found, dim=1)
        return estimate, doubt, truth


def counted_weights(samples: SampleSet, looked_at: int) -> tuple[float, ...]:
    """Class weights from how often each class of truth occurs, over evenly spaced samples."""
    counts = np.zeros(CLASSES, np.int64)
    for sample in np.unique(np.linspace(0, len(samples) - 1, looked_at).astype(int)):
        truth = samples.truth_sic(samples.whole(int(sample)))
        counts += np.histogram(truth[np.isfinite(truth)], CLASSES, (0.0, 1.0))[0]
    return class_weights(counts.tolist())


def _observed(batch: Batch) -> Tensor:
    """(batch, 1, y, x) bool: fine cells whose coarse cell the target day has."""
    return torch.isfinite(batch["refined"]).all(1, keepdim=True)


def _truth(batch: Batch) -> tuple[Tensor, Tensor]:
    """Concentration, 0 where it is not known, and where it is known; (batch, 1, y, x) both."""
    truth = batch["truth"][:, None]
    known = torch.isfinite(truth) & _observed(batch)
    return torch.where(known, truth, 0.0), known


def _scores(error: Tensor, truth: Tensor) -> dict[str, float]:
    scores = {
        "rmse": float(error.square().mean().sqrt()),
        "mae": float(error.abs().mean()),
        "bias": float(error.mean()),
    }
    index = (truth * CLASSES).long().clamp(0, CLASSES - 1)
    for number in range(CLASSES):
        if (here := error[index == number]).numel():
            scores[f"rmse_{number}0"] = float(here.square().mean().sqrt())
    return scores

"""Super-resolution as a training task: augmentation, loss, scores, and the fitted linear part.

Rotation and mirroring are done by `seaice.train.samples.Window`, missing days by
`sample_frame_dropout`; here are smooth offsets of brightness temperature by surface type, and
missing swaths. All random numbers come from the generator passed in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.grid.blocks import space_to_depth
from seaice.models.card import Card
from seaice.models.inputs import assemble_sr_input, nearest_upsample, new_sr_card, to_kelvin
from seaice.models.layers.upsampling import (
    LearnedLinearUpsampler,
    bicubic_upsample,
    neighbourhood_matrix,
)
from seaice.models.weights import create_weightless_model
from seaice.train import distributed
from seaice.train.samples import SampleSet, sample_frame_dropout, stack_batch
from seaice.train.trainer import Batch, Task

__all__ = [
    "BrightnessJitter",
    "SRTask",
    "fit_interpolation",
    "missing_swath",
    "reconstruction_loss",
    "with_missing_swaths",
]

OPEN_WATER = 47.0  # K, V - H at 89 GHz; Spreen et al. 2008, JGR 113, C02S03, section 3
CLOSED_ICE = 11.7  # K, likewise
MAX_COMMON_OFFSET = 1.75  # K, of H and V alike
MAX_DIFFERENTIAL_OFFSET = 0.25  # K, of H and V with opposite sign

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrightnessJitter:
    """Smooth offsets of brightness temperature, one for ice-like and one for water-like cells.

    They represent weekly changes of ice temperature and of humidity over water. H and V change
    together: their difference changes by at most 0.5 K where each changes by up to 2 K.
    """

    corners: NDArray[np.float64]  #: (ice and water, H and V, y, x) K, at the corners of the sample

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Self:
        """Random offsets."""
        level = random.normal(0, 0.6, (2, 1, 1, 1)) + random.normal(0, 0.3, (2, 1, 2, 2))
        differential = np.clip(
            random.normal(0, 0.1, (2, 1, 2, 2)), -MAX_DIFFERENTIAL_OFFSET, MAX_DIFFERENTIAL_OFFSET
        )
        common = np.clip(level, -MAX_COMMON_OFFSET, MAX_COMMON_OFFSET)
        return cls(corners=np.concatenate((common - differential, common + differential), axis=1))

    def on(self, tb: Floats) -> Floats:
        """Brightness temperature plus the offsets, bilinear between the corners.

        The offset of a coarse cell is the mean of those of its fine cells, so that a sample and its
        truth remain consistent.

        Parameters
        ----------
        tb : (..., 2, y, x), K, H then V at 89 GHz, of the same area at any resolution

        Returns
        -------
        (..., 2, y, x) float32, K; NaN where H or V is missing
        """
        down, right = (_edge_weights(length) for length in tb.shape[-2:])
        ice, water = np.einsum("spab,ay,bx->spyx", self.corners, down, right).astype(np.float32)
        difference = tb[..., 1:, :, :] - tb[..., :1, :, :]
        ice_fraction = np.clip((OPEN_WATER - difference) / (OPEN_WATER - CLOSED_ICE), 0, 1)
        drifted: Floats = tb + ice_fraction * ice + (1 - ice_fraction) * water
        return drifted


def _edge_weights(length: int) -> NDArray[np.float64]:
    """(2, length): interpolation weights of both ends at the cell centres."""
    place = (np.arange(length) + 0.5) / length
    return np.stack((1 - place, place))


def missing_swath(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A strip of random position and angle, a tenth to half of the map's side wide.

    Returns
    -------
    (y, x) bool, true in the strip
    """
    rows, columns = (np.arange(length) - (length - 1) / 2 for length in shape)
    side, angle = min(shape), random.uniform(0, math.pi)
    across = rows[:, None] * math.sin(angle) + columns * math.cos(angle)
    middle, width = random.uniform(-0.5, 0.5) * side, random.uniform(0.1, 0.5) * side
    strip: NDArray[Any] = np.abs(across - middle) < width / 2
    return strip


def with_missing_swaths(random: np.random.Generator, tb: Floats) -> Floats:
    """Frames of which one or more have a missing swath, each its own.

    Parameters
    ----------
    tb : (frame, 2, y, x), K

    Returns
    -------
    (frame, 2, y, x), K, NaN in the strips
    """
    seen = tb.copy()
    hit = random.choice(len(tb), int(random.integers(1, len(tb) + 1)), replace=False)
    for frame in hit:
        seen[frame][:, missing_swath(random, tb.shape[-2:])] = np.nan
    return seen


CHARBONNIER_EPSILON = 0.03  # normalized, 3 K; below it the Charbonnier error is quadratic


def reconstruction_loss(
    refined: Tensor, truth: Tensor, valid: Tensor, difference_weight: float = 1.0
) -> Tensor:
    """Charbonnier error of H and V, plus a weight times that of V - H, where the truth is known.

    The second term is the sea-ice term of Feng, Liu, Li 2023 (IEEE JSTARS, doi
    10.1109/JSTARS.2022.3232533): errors common to H and V cancel in the polarization difference,
    from which concentration is estimated. Its weight is not published; 1 is a default, to be chosen
    by validation.

    Parameters
    ----------
    refined, truth : (batch, 2, y, x), normalized H, V; finite, also where not valid
    valid : (batch, 1, y, x) bool
    difference_weight : of the error of V - H

    Returns
    -------
    scalar; 0 where nothing is valid. In data-parallel training each process divides by the mean
    number of valid cells over processes, so that every cell of the batch has the same weight
    """
    error = refined.float() - truth
    difference = error[:, 1:] - error[:, :1]
    sizes = _charbonnier(error).mean(1, keepdim=True) + difference_weight * _charbonnier(difference)
    return (sizes * valid).sum() / distributed.mean_over_processes(valid.sum()).clamp(min=1)


def _charbonnier(error: Tensor) -> Tensor:
    return torch.sqrt(error.square() + CHARBONNIER_EPSILON**2)


SCORED = ("tb89h", "tb89v", "pd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SRTask:
    """Super-resolution as a training task: data, augmentation, loss and scores."""

    train: SampleSet
    valid: SampleSet
    card: Card
    crop: int = 64  #: coarse cells
    difference_weight: float = 1.0  #: of the error of V - H
    p_brightness_jitter: float = 0.5  #: probability of `BrightnessJitter`, also of the truth
    p_missing_swath: float = 0.25  #: probability of missing swaths
    p_drop_3km: float = 0.1  #: probability of a sample without 3.125 km cells
    valid_samples: int = 16  #: samples of each validation

    def task(self, network: nn.Module) -> Task:
        """The task of training a network."""
        return Task(network=network, loss=self._loss, source=self._source, evaluate=self.evaluate)

    def _source(self, random: np.random.Generator, size: int) -> Batch:
        def sample() -> dict[str, NDArray[Any]]:
            frames = list(sample_frame_dropout(random))
            window = self.train.draw(random, self.crop)
            tb, tb_3km = self.train.tb89(window), self.train.tb89_3km(window)
            truth = self.train.truth_tb(window)
            if random.random() < self.p_drop_3km:
                tb_3km[:] = np.nan
            if random.random() < self.p_missing_swath:
                tb = with_missing_swaths(random, tb)
            if random.random() < self.p_brightness_jitter:
                drift = BrightnessJitter.drawn(random)
                tb, tb_3km, truth = drift.on(tb), drift.on(tb_3km), drift.on(truth)
            return {"tb": tb[frames], "quarters": space_to_depth(tb_3km[frames]), "truth": truth}

        return stack_batch(sample, size)

    def _loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.error(self.refined(network, batch), batch)

    def refined(self, network: nn.Module, batch: Batch) -> Tensor:
        """The prediction of a network for a batch, (batch, 2, 4 y, 4 x), normalized."""
        prediction: Tensor = network(assemble_sr_input(batch["tb"], batch["quarters"], self.card))
        return prediction

    def error(self, refined: Tensor, batch: Batch) -> Tensor:
        """The loss of a prediction."""
        pairs = [self.card.normalization[name] for name in self.card.outputs]
        offset, scale = torch.tensor(pairs, device=refined.device).T[:, :, None, None]
        known = _known(batch)
        truth = torch.where(known, (batch["truth"] - offset) / scale, 0.0)
        return reconstruction_loss(refined, truth, known, self.difference_weight)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """RMSE of H, V and V - H in K over the first validation samples, and that of bicubic.

        Returns
        -------
        `rmse_tb89h`, `rmse_tb89v`, `rmse_pd`, and the same with the prefix `bicubic_`
        """
        device = next(network.parameters()).device
        prediction = self._errors(lambda stack: network(stack.to(device)).cpu(), self.card)
        plain = self._errors(create_weightless_model("bicubic"), new_sr_card("bicubic", {}))
        return {f"rmse_{name}": prediction[name] for name in SCORED} | {
            f"bicubic_rmse_{name}": plain[name] for name in SCORED
        }

    @torch.inference_mode()
    def _errors(self, refine: Callable[[Tensor], Tensor], card: Card) -> dict[str, float]:
        total, cells = torch.zeros(len(SCORED), dtype=torch.float64), 0
        for sample in range(min(self.valid_samples, len(self.valid))):
            window = self.valid.whole(sample)
            parts = {
                "tb": self.valid.tb89(window),
                "quarters": space_to_depth(self.valid.tb89_3km(window)),
                "truth": self.valid.truth_tb(window),
            }
            batch = {name: torch.from_numpy(value)[None] for name, value in parts.items()}
            inputs = assemble_sr_input(batch["tb"], batch["quarters"], card)
            refined = to_kelvin(refine(inputs), card)
            error = refined - batch["truth"]
            three = torch.cat((error, error[:, 1:] - error[:, :1]), dim=1)
            known = _known(batch)
            total += torch.where(known, three, 0.0).double().square().sum((0, 2, 3))
            cells += int(known.sum())
        return dict(zip(SCORED, (total / max(cells, 1)).sqrt().tolist(), strict=True))


def _known(batch: Batch) -> Tensor:
    """(batch, 1, y, x): where truth is known and the target day was observed."""
    target = batch["tb"][:, batch["tb"].shape[1] // 2]
    observed = torch.isfinite(target).all(1, keepdim=True)
    truth = torch.isfinite(batch["truth"]).all(1, keepdim=True)
    return truth & nearest_upsample(observed, truth.shape[-1] // observed.shape[-1])


FIT_SAMPLES = 160  #: samples; the result hardly changes with more


@torch.inference_mode()
def fit_interpolation(network: nn.Module, samples: SampleSet, card: Card) -> None:
    """Fit the `LearnedLinearUpsampler` of a network, if it has one, to the bicubic residual.

    Parameters
    ----------
    network : changed in place
    samples : of the training split
    card : of the network
    """
    fitted = getattr(network, "interpolation", None)
    if not isinstance(fitted, LearnedLinearUpsampler):
        return
    size, outputs = fitted.kernel[0].numel() + 1, len(fitted.kernel)
    products = torch.zeros(size, size, dtype=torch.float64)
    targets = torch.zeros(size, outputs, dtype=torch.float64)
    for index in range(min(FIT_SAMPLES, len(samples))):
        around, residual = _regression_pairs(samples, index, card, fitted)
        products += (around.T @ around).double()
        targets += (around.T @ residual).double()
    fitted.fit(products, targets)


def _regression_pairs(
    samples: SampleSet, index: int, card: Card, fitted: LearnedLinearUpsampler
) -> tuple[torch.Tensor, torch.Tensor]:
    """Neighbourhoods of all cells with truth, and the residual of bicubic upsampling there."""
    window = samples.whole(index)
    tb = torch.from_numpy(samples.tb89(window))[None]
    quarters = torch.from_numpy(space_to_depth(samples.tb89_3km(window)))[None]
    truth = torch.from_numpy(samples.truth_tb(window))[None]
    frames = assemble_sr_input(tb, quarters, card)
    target = frames[:, frames.shape[1] // 2]
    pairs = torch.tensor([card.normalization[name] for name in card.outputs])
    offset, scale = pairs.T[:, :, None, None]
    residual = (truth - offset) / scale - bicubic_upsample(target, fitted.scale)
    seen = nearest_upsample(target[:, 2:3] > 0, fitted.scale)
    known = (torch.isfinite(truth).all(1, keepdim=True) & seen).float()
    complete = F.avg_pool2d(known, fitted.scale).flatten() == 1
    target_residual = F.pixel_unshuffle(residual, fitted.scale)[0].flatten(1).T
    return neighbourhood_matrix(target, fitted.side)[complete], target_residual[complete]

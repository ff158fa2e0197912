"""Training of concentration networks: loss, scores of labelled cells, and the task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter, zoom
from torch import Tensor, nn

from seaice.grid.blocks import SCALE, block_mean, repeat_to_fine_grid
from seaice.grid.masks import LAND_FRACTIONS, land_fractions
from seaice.instrument import LOW_CHANNELS
from seaice.models.card import Card
from seaice.models.inputs import assemble_sic_input
from seaice.retrieval.calibration import ONE_SIGMA, TWO_SIGMA, Factors, calibration
from seaice.stack import FRAMES, NEIGHBOUR_PD_CHANNELS
from seaice.train import distributed
from seaice.train.samples import (
    INTERPOLATION,
    SampleSet,
    Window,
    frames_of_sample,
    interpolated_map,
    stack_batch,
)
from seaice.train.super_resolution import BrightnessJitter, missing_swath
from seaice.train.trainer import Batch, Task

__all__ = [
    "PUBLISHED_WEIGHTS",
    "LabelledCells",
    "Prediction",
    "SICTask",
    "class_weights",
    "concentration_loss",
    "network_input",
    "weights_from_counts",
    "window_land_fractions",
]

CLASSES = 10
#: of the classes 0-10 % ... 90-100 %, Feng, Liu, Li 2023, doi 10.1109/JSTARS.2022.3232533
PUBLISHED_WEIGHTS = (
    0.8833,
    1.2355,
    1.1722,
    1.1304,
    1.0866,
    1.0493,
    1.00035,
    0.9509,
    0.8863,
    0.7868,
)


def class_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """W_i = sum_k log10 N_k / (10 log10 N_i): the rarer a class, the more each of its cells counts.

    Classes of fewer than ten cells count as ten, so that no logarithm is below 1.

    Parameters
    ----------
    counts : cells in each of the ten classes

    >>> [round(w, 3) for w in class_weights([10**6] + [10**4] * 8 + [10**8])]
    [0.767, 1.15, 1.15, 1.15, 1.15, 1.15, 1.15, 1.15, 1.15, 0.575]
    """
    logs = np.log10(np.maximum(counts, 10))
    return tuple(float(w) for w in logs.sum() / (len(logs) * logs))


def concentration_loss(
    output: Tensor,
    truth: Tensor,
    valid: Tensor,
    weights: Sequence[float],
    variance_weight: float,
    absolute_weight: float = 0.0,
    cell_weights: Tensor | None = None,
) -> Tensor:
    """Class-weighted error, squared and absolute, plus a likelihood that teaches the log-variance.

    Squares make of a doubtful cell the mean of what it may be, absolute errors the likelier of
    both. The last term is the Gaussian negative log-likelihood with the mean held fixed (Kendall
    and Gal 2017, arXiv:1703.04977, eq. 8), so that it cannot trade accuracy for uncertainty.

    Parameters
    ----------
    output : (batch, 1 or 2, y, x): concentration 0-1, log-variance
    truth : (batch, 1, y, x), 0-1; where not valid, anything finite
    valid : (batch, 1, y, x) bool
    weights : of the ten classes of truth
    variance_weight : of the likelihood
    absolute_weight : of the absolute error, beside the squared one
    cell_weights : (batch, 1, y, x) 0-1, of each cell; None: all 1

    Returns
    -------
    scalar; 0 where nothing is valid. Of several processes that learn as one, each divides by the
    mean number of valid cells, so that every cell of the batch weighs alike
    """
    error = output[:, :1] - truth
    squared = error.square()
    of_class = torch.tensor(weights, device=truth.device, dtype=truth.dtype)
    index = (truth * CLASSES).long().clamp(0, CLASSES - 1)
    sizes = of_class[index] * (squared + absolute_weight * error.abs())
    if output.shape[1] > 1:
        log_variance = output[:, 1:]
        uncertainty = 0.5 * (squared.detach() * torch.exp(-log_variance) + log_variance)
        sizes = sizes + variance_weight * uncertainty
    if cell_weights is not None:
        sizes = sizes * cell_weights
    return (sizes * valid).sum() / distributed.mean_over_processes(valid.sum()).clamp(min=1)


class Prediction(NamedTuple):
    """What a network output of a batch."""

    output: Tensor  #: (batch, 1 or 2, y, x): concentration, log-variance
    truth: Tensor  #: (batch, 1, y, x), 0-1; 0 where it is not known
    known: Tensor  #: (batch, 1, y, x) bool: there is a truth, and the target day was observed


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCells:
    """Every known cell of some predictions, (cell,) each, 0-1."""

    estimate: Tensor
    uncertainty: Tensor  #: standard deviation; NaN where the network tells none
    truth: Tensor

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> Self:
        """The known cells of all predictions, on the CPU."""
        result = []
        for output, truth, known in predictions:
            values = output.float()
            variance = values[:, 1:] if values.shape[1] > 1 else torch.full_like(truth, torch.nan)
            three = values[:, :1], torch.exp(variance / 2), truth
            result.append(torch.stack([part[known] for part in three]).cpu())
        estimate, uncertainty, truth = torch.cat(result, dim=1)
        return cls(estimate=estimate, uncertainty=uncertainty, truth=truth)

    def scores(self) -> dict[str, float]:
        """Errors of the estimate.

        Returns
        -------
        `rmse`, `mae`, `bias` over all cells; `rmse_00` ... `rmse_90` by class of truth where it
        occurs; `within_1_sigma` where the network tells its variance
        """
        error = self.estimate - self.truth
        scores = {
            "rmse": float(error.square().mean().sqrt()),
            "mae": float(error.abs().mean()),
            "bias": float(error.mean()),
        }
        index = (self.truth * CLASSES).long().clamp(0, CLASSES - 1)
        for number in range(CLASSES):
            if (here := error[index == number]).numel():
                scores[f"rmse_{number}0"] = float(here.square().mean().sqrt())
        if self.uncertainty.isfinite().all():
            scores["within_1_sigma"] = float((error.abs() <= self.uncertainty).float().mean())
        return scores

    def factors(self) -> tuple[Factors, Factors]:
        """What makes the uncertainties hold for 68 and 95 %; empty where the network tells none."""
        if not self.uncertainty.isfinite().all():
            return (), ()
        cells = self.estimate.numpy(), self.uncertainty.numpy(), self.truth.numpy()
        return calibration(*cells, ONE_SIGMA), calibration(*cells, TWO_SIGMA)


TARGET = FRAMES // 2
COAST = 33  #: refined cells, side of the square around a cell in which land makes it coastal


@dataclass(frozen=True, slots=True, kw_only=True)
class SICTask:
    """What a concentration network is to learn, and from which refined maps."""

    train: SampleSet
    valid: SampleSet
    card: Card
    refiner: str  #: network that refined the samples
    crop: int = 96  #: coarse cells
    weights: Sequence[float]  #: of the ten classes
    variance_weight: float = 0.05  #: of the likelihood that teaches the log-variance
    absolute_weight: float = 0.0  #: of the absolute error, beside the squared one
    cost_weight: float = 0.0  #: of a network's GMACs on its samples, where it can choose them
    low_missing: float = 0.1  #: share of samples without low frequencies
    band_missing: float = 0.0  #: share of samples without one low-frequency band
    offset: float = 0.0  #: K, standard deviation of each channel's offset in each sample
    smooth_noise: float = 0.0  #: K, standard deviation of a smooth random field on each channel
    coast_weight: float = 0.0  #: added to the weight of sea within 25 km of land, 1 elsewhere
    gappy: float = 0.15  #: share of samples whose target day lacks a swath
    drifting: float = 0.3  #: share of samples whose brightness drifts, which ice does not feel
    valid_samples: int = 24  #: looked at in each validation

    def task(self, network: nn.Module) -> Task:
        """The task for a network."""
        return Task(network=network, loss=self.loss, source=self.source, evaluate=self.evaluate)

    def source(self, random: np.random.Generator, size: int) -> Batch:
        """Samples of the training set, drawn and changed at random."""

        def sample() -> dict[str, NDArray[Any]]:
            window = self.train.draw(random, self._side)
            parts = self._parts(self.train, window)
            if self.coast_weight:
                near = uniform_filter(parts["land"].astype(np.float32), COAST) > 0
                parts["weight"] = parts["weight"] * (1 + np.float32(self.coast_weight) * near)
            if random.random() < self.low_missing:
                parts["low"][:] = np.nan
            if random.random() < self.band_missing:
                band = 2 * int(random.integers(len(LOW_CHANNELS) // 2))
                parts["low"][band : band + 2] = np.nan
            if self.offset:
                _add_offsets(parts, self.offset, random)
            if self.smooth_noise:
                _add_smooth_noise(parts, self.smooth_noise, random)
            if random.random() < self.gappy:
                _lose_a_swath(parts, frames_of_sample(window.sample), random)
            if random.random() < self.drifting:
                drift = BrightnessJitter.drawn(random)
                parts["refined"], parts["frames"] = map(
                    drift.on, (parts["refined"], parts["frames"])
                )
            return parts

        return stack_batch(sample, size)

    @property
    def _side(self) -> int:
        """Coarse cells of a training sample: the network's own window, where it has one."""
        return self.card.window // SCALE if self.card.window else self.crop

    def _validation_window(self, sample: int) -> Window:
        """What validation sees of a sample: all of it, or its middle as large as the window."""
        return self.valid.middle(sample, self._side if self.card.window else max(self.valid.shape))

    def _parts(self, samples: SampleSet, window: Window) -> dict[str, NDArray[Any]]:
        return {
            "refined": self._refined(samples, window),
            "low": samples.low(window),
            "frames": samples.tb89(window)[frames_of_sample(window.sample)],
            "land_shares": window_land_fractions(samples, window),
            "truth": samples.truth_sic(window),
            "land": samples.land(window),
            "weight": samples.weight(window),
        }

    def _refined(self, samples: SampleSet, window: Window) -> NDArray[np.float32]:
        if self.refiner == INTERPOLATION:
            return interpolated_map(samples, window)
        return samples.refined(window, self.refiner)

    def validation_batch(self, sample: int) -> Batch:
        """A validation sample, as a batch of one."""
        return stack_batch(lambda: self._parts(self.valid, self._validation_window(sample)), 1)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """How wrong a network is on a batch; see `predict`."""
        prediction = self.predict(network, batch)
        terms = self.variance_weight, self.absolute_weight
        weight = batch["weight"][:, None] if "weight" in batch else None
        error = concentration_loss(*prediction, self.weights, *terms, cell_weights=weight)
        if not self.cost_weight:
            return error
        cost: Tensor = network.cost(batch["truth"][0].numel())  # type: ignore[operator]
        return error + self.cost_weight * cost

    def predict(self, network: nn.Module, batch: Batch) -> Prediction:
        """What a network tells of a batch, from what the daily run would give it.

        Parameters
        ----------
        batch : `refined` (batch, 2, 4 y, 4 x), `low` (batch, 12, y, x), `frames`
            (batch, 5, 2, y, x), K, `land_shares` (batch, 4, y, x), and `truth` (batch, 4 y, 4 x),
            0-1; NaN where absent
        """
        truth = batch["truth"][:, None]
        observed = torch.isfinite(batch["refined"]).all(1, keepdim=True)
        known = torch.isfinite(truth) & observed
        output = network(network_input(batch, self.card))
        return Prediction(output, torch.where(known, truth, 0.0), known)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Scores over the first validation samples, as `LabelledCells.scores`."""
        return self._labelled_cells(network).scores()

    def calibration(self, network: nn.Module) -> tuple[Factors, Factors]:
        """What makes the network's uncertainties hold on the validation samples.

        Returns
        -------
        As `LabelledCells.factors`
        """
        return self._labelled_cells(network).factors()

    @torch.inference_mode()
    def _labelled_cells(self, network: nn.Module) -> LabelledCells:
        device = next(network.parameters()).device

        def predict(sample: int) -> Prediction:
            batch = {
                name: value.to(device) for name, value in self.validation_batch(sample).items()
            }
            return self.predict(network, batch)

        return LabelledCells.of(map(predict, range(min(self.valid_samples, len(self.valid)))))


def network_input(batch: Batch, card: Card) -> Tensor:
    """What the daily run would give a network here.

    Parameters
    ----------
    batch : as `SICTask.predict` takes it; without `land`, land is where `truth` is NaN

    Returns
    -------
    (batch, channel, 4 y, 4 x) float32, normalized
    """
    difference = (batch["frames"][:, :, 1] - batch["frames"][:, :, 0]).unbind(1)
    others = difference[:TARGET] + difference[TARGET + 1 :]
    coarse = dict(zip(LOW_CHANNELS, batch["low"].unbind(1), strict=True))
    coarse |= dict(zip(NEIGHBOUR_PD_CHANNELS, others, strict=True))
    coarse |= dict(zip(LAND_FRACTIONS, batch["land_shares"].unbind(1), strict=True))
    land = batch["land"] if "land" in batch else torch.isnan(batch["truth"])
    return assemble_sic_input(batch["refined"], coarse, land, card)


def window_land_fractions(samples: SampleSet, window: Window) -> NDArray[np.float32]:
    """Share of land in broad footprints, (4, y, x); those that reach beyond the window see it."""
    land = samples.land(samples.whole(window.sample))
    return window.of(np.stack([*land_fractions(land).values()]), 1)


def weights_from_counts(samples: SampleSet, samples_counted: int) -> tuple[float, ...]:
    """Class weights from how often each class of truth occurs, over evenly spaced samples."""
    counts = np.zeros(CLASSES, np.int64)
    for sample in np.unique(np.linspace(0, len(samples) - 1, samples_counted).astype(int)):
        truth = samples.truth_sic(samples.whole(int(sample)))
        counts += np.histogram(truth[np.isfinite(truth)], CLASSES, (0.0, 1.0))[0]
    return class_weights(counts.tolist())


def _add_offsets(parts: dict[str, NDArray[Any]], size: float, random: np.random.Generator) -> None:
    """Add a constant to each channel, the same to all frames of 89 GHz: no calibration is exact."""
    low = random.normal(0, size, (len(LOW_CHANNELS), 1, 1)).astype(np.float32)
    high = random.normal(0, size, (2, 1, 1)).astype(np.float32)
    parts["low"] = parts["low"] + low
    parts["refined"] = parts["refined"] + high
    parts["frames"] = parts["frames"] + high


def _add_smooth_noise(
    parts: dict[str, NDArray[Any]], size: float, random: np.random.Generator
) -> None:
    """Add a smooth random field to each channel, the same to all frames of 89 GHz.

    Its structures are a third to a twelfth of the crop wide. Without it a network relies on
    contrasts of a kelvin between neighbouring cells, which simulated worlds do not have right.
    """
    knots = int(random.integers(3, 13))
    rows, columns = parts["low"].shape[-2:]

    def field(count: int, factor: int) -> NDArray[np.float32]:
        coarse = random.normal(0, size, (count, knots, knots)).astype(np.float32)
        shape = (count, rows * factor, columns * factor)
        scale = np.divide(shape, coarse.shape)
        return np.asarray(zoom(coarse, scale, order=1, mode="nearest", grid_mode=True), np.float32)

    parts["low"] = parts["low"] + field(len(LOW_CHANNELS), 1)
    high = field(2, SCALE)
    parts["refined"] = parts["refined"] + high
    parts["frames"] = parts["frames"] + block_mean(high)


def _lose_a_swath(
    parts: dict[str, NDArray[Any]], sources: Sequence[int], random: np.random.Generator
) -> None:
    """Take a strip from the target day, wherever it stands."""
    strip = missing_swath(random, parts["low"].shape[-2:])
    parts["refined"][:, repeat_to_fine_grid(strip)] = np.nan
    parts["low"][:, strip] = np.nan
    for place, source in enumerate(sources):
        if source == TARGET:
            parts["frames"][place][:, strip] = np.nan

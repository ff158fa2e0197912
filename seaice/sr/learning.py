"""Super-resolution as a task: samples, loss and scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.grid.gridding.quarters import quartered
from seaice.network.card import Card
from seaice.network.train import Batch, Task
from seaice.network.weights import without_weights
from seaice.sr.augment import Drift, with_missing_swaths
from seaice.sr.inputs import assemble, blank_card, in_kelvin, on_fine_cells
from seaice.sr.loss import reconstruction
from seaice.sr.samples import SampleSet, batched, standing_in

__all__ = ["SRLesson"]

NAMES = ("tb89h", "tb89v", "pd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SRLesson:
    """What a super-resolution network is to learn, and from what."""

    train: SampleSet
    valid: SampleSet
    card: Card
    crop: int = 64  #: coarse cells
    difference_weight: float = 1.0  #: of the error of V - H
    drifting: float = 0.5  #: share of samples whose brightness drifts, truth and all
    gappy: float = 0.25  #: share of samples that lack swaths
    unquartered: float = 0.1  #: share of samples without quarters, as maps of others are
    valid_samples: int = 16  #: looked at in each validation

    def task(self, network: nn.Module) -> Task:
        """This lesson for a network."""
        return Task(network=network, loss=self._loss, source=self._source, evaluate=self.evaluate)

    def _source(self, random: np.random.Generator, size: int) -> Batch:
        def sample() -> dict[str, NDArray[Any]]:
            frames = list(standing_in(random))
            window = self.train.draw(random, self.crop)
            tb, halves = self.train.tb89(window), self.train.halves(window)
            truth = self.train.truth_tb(window)
            if random.random() < self.unquartered:
                halves[:] = np.nan
            if random.random() < self.gappy:
                tb = with_missing_swaths(random, tb)
            if random.random() < self.drifting:
                drift = Drift.drawn(random)
                tb, halves, truth = drift.on(tb), drift.on(halves), drift.on(truth)
            return {"tb": tb[frames], "quarters": quartered(halves[frames]), "truth": truth}

        return batched(sample, size)

    def _loss(self, network: nn.Module, batch: Batch) -> Tensor:
        return self.error(self.refined(network, batch), batch)

    def refined(self, network: nn.Module, batch: Batch) -> Tensor:
        """What a network tells of a batch, (batch, 2, 4 y, 4 x), normalized."""
        told: Tensor = network(assemble(batch["tb"], batch["quarters"], self.card))
        return told

    def error(self, refined: Tensor, batch: Batch) -> Tensor:
        """How wrong that is."""
        pairs = [self.card.normalization[name] for name in self.card.outputs]
        offset, scale = torch.tensor(pairs, device=refined.device).T[:, :, None, None]
        known = _known(batch)
        truth = torch.where(known, (batch["truth"] - offset) / scale, 0.0)
        return reconstruction(refined, truth, known, self.difference_weight)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """RMSE of H, V and V - H in K over the first validation samples, and that of bicubic.

        Returns
        -------
        `rmse_tb89h`, `rmse_tb89v`, `rmse_pd`, and the same with `bicubic_` before them
        """
        device = next(network.parameters()).device
        told = self._errors(lambda stack: network(stack.to(device)).cpu(), self.card)
        plain = self._errors(without_weights("bicubic"), blank_card("bicubic", {}))
        return {f"rmse_{name}": told[name] for name in NAMES} | {
            f"bicubic_rmse_{name}": plain[name] for name in NAMES
        }

    @torch.inference_mode()
    def _errors(self, refine: Callable[[Tensor], Tensor], card: Card) -> dict[str, float]:
        total, cells = torch.zeros(len(NAMES), dtype=torch.float64), 0
        for sample in range(min(self.valid_samples, len(self.valid))):
            window = self.valid.whole(sample)
            parts = {
                "tb": self.valid.tb89(window),
                "quarters": quartered(self.valid.halves(window)),
                "truth": self.valid.truth_tb(window),
            }
            batch = {name: torch.from_numpy(value)[None] for name, value in parts.items()}
            given = assemble(batch["tb"], batch["quarters"], card)
            refined = in_kelvin(refine(given), card)
            error = refined - batch["truth"]
            three = torch.cat((error, error[:, 1:] - error[:, :1]), dim=1)
            known = _known(batch)
            total += torch.where(known, three, 0.0).double().square().sum((0, 2, 3))
            cells += int(known.sum())
        return dict(zip(NAMES, (total / max(cells, 1)).sqrt().tolist(), strict=True))


def _known(batch: Batch) -> Tensor:
    """(batch, 1, y, x): where truth is known and the target day was observed."""
    target = batch["tb"][:, batch["tb"].shape[1] // 2]
    observed = torch.isfinite(target).all(1, keepdim=True)
    truth = torch.isfinite(batch["truth"]).all(1, keepdim=True)
    return truth & on_fine_cells(observed, truth.shape[-1] // observed.shape[-1])

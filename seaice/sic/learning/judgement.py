"""What a concentration network told beside the truth, cell by cell, and what follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from seaice.sic.calibration import ONE_SIGMA, TWO_SIGMA, Factors, calibration
from seaice.sic.learning.loss import CLASSES

__all__ = ["Answer", "Judgement"]


class Answer(NamedTuple):
    """What a network told of a batch."""

    told: Tensor  #: (batch, 1 or 2, y, x): concentration, log-variance
    truth: Tensor  #: (batch, 1, y, x), 0-1; 0 where it is not known
    known: Tensor  #: (batch, 1, y, x) bool: there is a truth, and the target day was observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Every known cell of some answers, (cell,) each, 0-1."""

    estimate: Tensor
    doubt: Tensor  #: standard deviation; NaN where the network tells none
    truth: Tensor

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """The known cells of all answers, on the CPU."""
        found = []
        for told, truth, known in answers:
            values = told.float()
            variance = values[:, 1:] if values.shape[1] > 1 else torch.full_like(truth, torch.nan)
            three = values[:, :1], torch.exp(variance / 2), truth
            found.append(torch.stack([part[known] for part in three]).cpu())
        estimate, doubt, truth = torch.cat(found, dim=1)
        return cls(estimate=estimate, doubt=doubt, truth=truth)

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
        if self.doubt.isfinite().all():
            scores["within_1_sigma"] = float((error.abs() <= self.doubt).float().mean())
        return scores

    def factors(self) -> tuple[Factors, Factors]:
        """What makes the doubts hold for 68 and 95 %; empty where the network tells none."""
        if not self.doubt.isfinite().all():
            return (), ()
        cells = self.estimate.numpy(), self.doubt.numpy(), self.truth.numpy()
        return calibration(*cells, ONE_SIGMA), calibration(*cells, TWO_SIGMA)

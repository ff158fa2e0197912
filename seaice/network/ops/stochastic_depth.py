"""Stochastic depth: whole branches left out of some samples, in training."""

import torch
from torch import Tensor, nn

__all__ = ["StochasticDepth"]


class StochasticDepth(nn.Module):
    """Leaves a residual branch out of a share of the samples, and strengthens it in the others.

    Huang et al. 2016, ECCV, arXiv:1603.09382; "drop path" in the repositories of transformers.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """(batch, ...) -> the same; its expectation is the branch."""
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), device=branch.device) >= self.rate
        factor = kept.to(branch.dtype) / (1 - self.rate)
        return branch * factor.reshape(-1, *(1,) * (branch.ndim - 1))

    def extra_repr(self) -> str:
        """The rate, for listings."""
        return f"{self.rate}"

"""Layers that drop parts of a network in training: DropKey, stochastic depth and reflash dropout.

DropKey (Li et al. 2023, CVPR, arXiv:2208.02646) drops keys before the softmax of an attention: the
logit of a dropped key becomes a large negative number and the softmax distributes its weight among
the other keys. Nothing is rescaled, and attention weights are not dropped as well. Every (sample,
head, query) draws its own keys, in training only. The mean output over draws differs from the
output without DropKey. There are two ways to align them: average over draws
(`monte_carlo_mean`), or train a few more steps at rate 0.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, sqrt
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from seaice.errors import WeightsError

__all__ = [
    "DropKey",
    "DropShape",
    "ReflashDropout",
    "StochasticDepth",
    "additive_mask",
    "linear_decay",
    "monte_carlo_mean",
]

#: what is dropped: keys one by one, a square of them, or bands of rows and columns that cross
DropShape = Literal["keys", "block", "cross"]

#: added to a dropped key's logit: no weight is left beside a key that is kept, every 16-bit format
#: holds it, and where all keys are dropped the others' order survives instead of becoming NaN
MASKED_LOGIT = -1e4


class DropKey(nn.Module):
    """Draws which keys an attention must do without.

    Parameters
    ----------
    rate : share of keys dropped, expected, in [0, 1)
    shape : "keys", independent draws; "block", a rectangle with the grid's proportions; "cross",
        bands of rows and columns through one place. The last two lie anywhere with the same
        probability, on a grid whose opposite edges touch: every key is dropped as often.

    Raises
    ------
    WeightsError
        If the rate or the shape is none of these.
    """

    def __init__(self, rate: float, shape: DropShape = "keys") -> None:
        super().__init__()
        if not 0 <= rate < 1 or shape not in get_args(DropShape):
            raise WeightsError(
                f"DropKey of rate {rate!r} and shape {shape!r}",
                f"a rate from 0 to under 1, and one of {', '.join(get_args(DropShape))}",
                "correct the network's sizes",
            )
        self.rate, self.shape = rate, shape

    def mask(
        self, size: tuple[int, int, int, int], like: Tensor, grid: tuple[int, int] | None
    ) -> Tensor | None:
        """What is to be added to an attention's logits, now; None in eval and at rate 0.

        Parameters
        ----------
        size : batch, heads, queries, keys
        like : whose dtype and device the mask has
        grid : (rows, columns) that the keys lie on, row by row; not needed for shape "keys"

        Returns
        -------
        `size`, 0 where a key stays

        Raises
        ------
        ValueError
            If a shape needs a grid and has none, or one of another size.
        """
        if not self.training or self.rate == 0:
            return None
        if self.shape == "keys":
            return additive_mask(torch.rand(size, device=like.device) < self.rate, like)
        if grid is None or grid[0] * grid[1] != size[3]:
            raise ValueError(f"{size[3]} keys do not lie on a grid of {grid}.")
        return additive_mask(self._figures(size, grid, like.device), like)

    def _figures(
        self, size: tuple[int, int, int, int], grid: tuple[int, int], device: torch.device
    ) -> Tensor:
        """One block or cross for every query, bool."""
        sides, covered = self._sides(grid)
        rows, columns = (
            _contiguous_band(size[:3], length, side, device)
            for length, side in zip(grid, sides, strict=True)
        )
        rows, columns = rows[..., :, None], columns[..., None, :]
        figure = rows & columns if self.shape == "block" else rows | columns
        drawn = torch.rand((*size[:3], 1), device=device) < self.rate / covered
        return figure.flatten(-2) & drawn

    def _sides(self, grid: tuple[int, int]) -> tuple[tuple[int, int], float]:
        """Rows and columns of the least figure that covers `rate` of the grid; its share of it."""
        share = sqrt(self.rate) if self.shape == "block" else 1 - sqrt(1 - self.rate)
        rows, columns = (ceil(share * length) for length in grid)
        down, across = rows / grid[0], columns / grid[1]
        both = down * across
        return (rows, columns), both if self.shape == "block" else down + across - both

    def extra_repr(self) -> str:
        """Rate and shape, for listings."""
        return f"{self.rate}, {self.shape!r}"


def _contiguous_band(
    drawn: tuple[int, ...], length: int, side: int, device: torch.device
) -> Tensor:
    """(*drawn, length) bool: `side` neighbours on a ring, begun anywhere."""
    start = torch.randint(length, (*drawn, 1), device=device)
    return (torch.arange(length, device=device) - start) % length < side


def additive_mask(dropped: Tensor, like: Tensor) -> Tensor:
    """Additive mask of keys that are dropped, in the dtype of `like`.

    >>> additive_mask(torch.tensor([True, False]), torch.zeros(())).tolist()
    [-10000.0, 0.0]
    """
    return torch.where(dropped, MASKED_LOGIT, 0.0).to(like)


def linear_decay(highest: float, depth: int) -> tuple[float, ...]:
    """Rates of layers from the first to the last, falling linearly to 0.

    Its authors say that the rate falls with depth, not where it ends; ends at 0 here, as the rates
    of stochastic depth begin there.

    >>> linear_decay(0.5, 3)
    (0.5, 0.25, 0.0)
    """
    return tuple(highest * (1 - layer / max(depth - 1, 1)) for layer in range(depth))


@torch.no_grad()
def monte_carlo_mean(network: nn.Module, image: Tensor, draws: int, seed: int) -> Tensor:
    """The mean of what a network tells over draws of its DropKey, all else in eval.

    Parameters
    ----------
    network : in any mode, which it keeps
    image : its input
    draws : how many; the noise of the mean falls with their root
    seed : of the draws; the generators of the caller are not touched

    Returns
    -------
    As the network's output
    """
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices), _only_dropkey_in_training(network):
        torch.manual_seed(seed)
        total: Tensor = sum((network(image) for _ in range(draws)), torch.zeros(()).to(image))
    return total / draws


@contextmanager
def _only_dropkey_in_training(network: nn.Module) -> Iterator[None]:
    """Only DropKey is in training."""
    before = {module: module.training for module in network.modules()}
    network.eval()
    for module in before:
        if isinstance(module, DropKey):
            module.train()
    try:
        yield
    finally:
        for module, mode in before.items():
            module.training = mode


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


class ReflashDropout(nn.Dropout2d):
    """Whole channels dropped in training, the others strengthened; no parameters.

    Raises
    ------
    WeightsError
        If the rate is not in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise WeightsError(
                f"reflash dropout at a rate of {rate!r}",
                "a rate from 0 to under 1; its authors recommend 0.5 to 0.7",
                "correct the network's sizes",
            )
        super().__init__(rate)

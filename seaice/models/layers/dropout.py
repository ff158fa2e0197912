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

#: what is dropped: single keys, a square of keys, or a crossing band of rows and columns
DropShape = Literal["keys", "block", "cross"]

#: added to a dropped key's logit: its weight is 0 if any key is not dropped; finite, so that the
#: softmax is not NaN where all keys are dropped; representable in every 16-bit format
MASKED_LOGIT = -1e4


class DropKey(nn.Module):
    """Random masks of keys for an attention layer (DropKey).

    Parameters
    ----------
    rate : expected fraction of dropped keys, in [0, 1)
    shape : "keys", independent draws; "block", a rectangle with the grid's proportions; "cross",
        bands of rows and columns through one cell. Positions of the last two are uniform on a
        periodic grid, so that every key is dropped with the same probability.

    Raises
    ------
    WeightsError
        If the rate or the shape is invalid.
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
        """A new random mask to add to attention logits; None in eval mode and at rate 0.

        Parameters
        ----------
        size : batch, heads, queries, keys
        like : tensor whose dtype and device the mask gets
        grid : (rows, columns) of the keys, in row-major order; not needed for shape "keys"

        Returns
        -------
        `size`, 0 where a key is not dropped

        Raises
        ------
        ValueError
            If the shape needs a grid, and `grid` is None or has another number of cells.
        """
        if not self.training or self.rate == 0:
            return None
        if self.shape == "keys":
            return additive_mask(torch.rand(size, device=like.device) < self.rate, like)
        if grid is None or grid[0] * grid[1] != size[3]:
            raise ValueError(f"{size[3]} keys are not the cells of a grid of {grid}.")
        return additive_mask(self._shapes(size, grid, like.device), like)

    def _shapes(
        self, size: tuple[int, int, int, int], grid: tuple[int, int], device: torch.device
    ) -> Tensor:
        """One block or cross for every query, bool."""
        sides, covered = self._sides(grid)
        rows, columns = (
            _contiguous_band(size[:3], length, side, device)
            for length, side in zip(grid, sides, strict=True)
        )
        rows, columns = rows[..., :, None], columns[..., None, :]
        shape = rows & columns if self.shape == "block" else rows | columns
        drawn = torch.rand((*size[:3], 1), device=device) < self.rate / covered
        return shape.flatten(-2) & drawn

    def _sides(self, grid: tuple[int, int]) -> tuple[tuple[int, int], float]:
        """Rows and columns of the smallest shape covering `rate` of the grid; its fraction."""
        side_fraction = sqrt(self.rate) if self.shape == "block" else 1 - sqrt(1 - self.rate)
        rows, columns = (ceil(side_fraction * length) for length in grid)
        down, across = rows / grid[0], columns / grid[1]
        both = down * across
        return (rows, columns), both if self.shape == "block" else down + across - both

    def extra_repr(self) -> str:
        """Rate and shape, for `repr`."""
        return f"{self.rate}, {self.shape!r}"


def _contiguous_band(
    drawn: tuple[int, ...], length: int, side: int, device: torch.device
) -> Tensor:
    """(*drawn, length) bool: `side` adjacent cells of a periodic axis, at a random start."""
    start = torch.randint(length, (*drawn, 1), device=device)
    return (torch.arange(length, device=device) - start) % length < side


def additive_mask(dropped: Tensor, like: Tensor) -> Tensor:
    """Additive mask of dropped keys, in the dtype of `like`.

    >>> additive_mask(torch.tensor([True, False]), torch.zeros(())).tolist()
    [-10000.0, 0.0]
    """
    return torch.where(dropped, MASKED_LOGIT, 0.0).to(like)


def linear_decay(highest: float, depth: int) -> tuple[float, ...]:
    """Rates of layers from the first to the last, decreasing linearly to 0.

    The DropKey paper states that the rate decreases with depth, not its last value; 0 here, the
    first value of stochastic depth.

    >>> linear_decay(0.5, 3)
    (0.5, 0.25, 0.0)
    """
    return tuple(highest * (1 - layer / max(depth - 1, 1)) for layer in range(depth))


@torch.no_grad()
def monte_carlo_mean(network: nn.Module, image: Tensor, draws: int, seed: int) -> Tensor:
    """The mean output of a network over draws of its DropKey layers, other layers in eval mode.

    Parameters
    ----------
    network : in any mode; it is restored
    image : the input
    draws : number of draws; the noise of the mean decreases with its square root
    seed : of the draws; the random state of the caller is not changed

    Returns
    -------
    Tensor
        Like the network's output
    """
    devices = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices), _only_dropkey_in_training(network):
        torch.manual_seed(seed)
        total: Tensor = sum((network(image) for _ in range(draws)), torch.zeros(()).to(image))
    return total / draws


@contextmanager
def _only_dropkey_in_training(network: nn.Module) -> Iterator[None]:
    """Set DropKey layers to training mode and all others to eval mode."""
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
    """Drops a residual branch for a fraction of the samples, and rescales it in the others.

    Huang et al. 2016, ECCV, arXiv:1603.09382; "drop path" in the repositories of transformers.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """(batch, ...) -> the same; its expectation is the branch."""
        if not self.training or self.rate == 0:
            return branch
        selected = torch.rand(len(branch), device=branch.device) >= self.rate
        factor = selected.to(branch.dtype) / (1 - self.rate)
        return branch * factor.reshape(-1, *(1,) * (branch.ndim - 1))

    def extra_repr(self) -> str:
        """The rate, for `repr`."""
        return f"{self.rate}"


class ReflashDropout(nn.Dropout2d):
    """Dropout of whole channels right before the last convolution of super-resolution.

    Kong et al. 2022, CVPR, arXiv:2112.12089. At any other position dropout degrades
    super-resolution; here, at rates of 0.5 to 0.7, it improves generalization to degradations that
    are not in the training data.

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

"""How far a refined map is from the truth: in H, in V, and in their difference."""

import torch
from torch import Tensor

from seaice.network import ranks

__all__ = ["reconstruction"]

EPSILON = 0.03  # normalized, 3 K; below it the Charbonnier error is quadratic


def reconstruction(
    refined: Tensor, truth: Tensor, valid: Tensor, difference_weight: float = 1.0
) -> Tensor:
    """Charbonnier error of H and V, plus a weight times that of V - H, where the truth is known.

    The second term is the sea-ice term of Feng, Liu, Li 2023 (IEEE JSTARS, doi
    10.1109/JSTARS.2022.3232533): errors that H and V share cancel in the polarization difference
    that concentration is read from. Its weight is not published; 1 is a start, to be chosen by
    validation.

    Parameters
    ----------
    refined, truth : (batch, 2, y, x), normalized H, V; finite, also where not valid
    valid : (batch, 1, y, x) bool
    difference_weight : of the error of V - H

    Returns
    -------
    scalar; 0 where nothing is valid. Of several processes that learn as one, each divides by the
    mean number of valid cells, so that every cell of the batch weighs alike
    """
    error = refined.float() - truth
    difference = error[:, 1:] - error[:, :1]
    sizes = _charbonnier(error).mean(1, keepdim=True) + difference_weight * _charbonnier(difference)
    return (sizes * valid).sum() / ranks.mean(valid.sum()).clamp(min=1)


def _charbonnier(error: Tensor) -> Tensor:
    return torch.sqrt(error.square() + EPSILON**2)

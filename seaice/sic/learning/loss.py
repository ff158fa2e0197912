"""How far a concentration is from the truth, every class of concentration counting alike."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seaice.train import distributed

__all__ = ["PUBLISHED_WEIGHTS", "class_weights", "concentration_loss"]

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
    told: Tensor,
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
    and Gal 2017, arXiv:1703.04977, eq. 8), so that it cannot trade accuracy for doubt.

    Parameters
    ----------
    told : (batch, 1 or 2, y, x): concentration 0-1, log-variance
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
    error = told[:, :1] - truth
    squared = error.square()
    of_class = torch.tensor(weights, device=truth.device, dtype=truth.dtype)
    index = (truth * CLASSES).long().clamp(0, CLASSES - 1)
    sizes = of_class[index] * (squared + absolute_weight * error.abs())
    if told.shape[1] > 1:
        log_variance = told[:, 1:]
        doubt = 0.5 * (squared.detach() * torch.exp(-log_variance) + log_variance)
        sizes = sizes + variance_weight * doubt
    if cell_weights is not None:
        sizes = sizes * cell_weights
    return (sizes * valid).sum() / distributed.mean_over_processes(valid.sum()).clamp(min=1)

"""How wrong a method is where it says so: half-widths made to hold what they promise.

On worlds that nobody has seen, the share of errors within a half-width is counted, box by box of
what the method tells and how much it doubts: one half-width so that 68 % of all errors lie within,
as within one standard deviation of a normal distribution, and another for 95 %, as within two.
Errors of concentration are not normal: most cells are nearly exact, a few are far off. So no single
standard deviation can say both (compare Guo et al. 2017, arXiv:1706.04599, which finds one factor
for all, and split-conformal prediction, which takes quantiles of errors as here).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BEFORE",
    "ONE_SIGMA",
    "STEPS",
    "TWO_SIGMA",
    "Factors",
    "Steps",
    "boxes",
    "calibrated",
    "calibration",
    "quantiles",
]

Array = NDArray[np.floating]
Factors = tuple[tuple[float, ...], ...]
ONE_SIGMA, TWO_SIGMA = 0.68, 0.95  #: shares of errors that the two half-widths are to hold
FEWEST = 50  #: cells that decide half of a box; the boxes around it have the other half
LEAST, MOST = 1e-4, 1e3  #: half-widths and factors


class Steps(NamedTuple):
    """Where one box of a network's factors ends and the next begins."""

    estimates: Array
    doubts: Array
    smallest: float  #: no concentration is known better than this

    @property
    def shape(self) -> tuple[int, int]:
        """Boxes along both."""
        return len(self.estimates) + 1, len(self.doubts) + 1


_END = np.geomspace(0.0002, 0.05, 12)
STEPS = Steps(
    np.concatenate([_END, np.linspace(0.1, 0.9, 17), 1 - _END[::-1]]),
    np.geomspace(0.0003, 0.4, 25),
    1e-4,
)
#: of networks that were calibrated by version 0.1 before it had finer steps
BEFORE = Steps(np.linspace(0.05, 0.95, 10), np.sqrt([4e-5, 2.5e-4, 1.5e-3, 9e-3]), 0.002)


def quantiles(
    axes: Sequence[Array], bounds: Sequence[Array], values: Array, share: float
) -> NDArray[np.float64]:
    """The size that a share of values lies below, in each box.

    A box with few values leans on those that differ from it in the last axis only, these on those
    that differ in the last two, and so on.

    Parameters
    ----------
    axes : each (value,)
    bounds : of each axis, rising
    values : (value,)

    Returns
    -------
    One more than there are bounds along each axis.

    >>> ramp = np.arange(10_000)
    >>> quantiles([ramp], [np.array([5000])], ramp / 10_000, 0.5).round(2).tolist()
    [0.25, 0.75]
    """
    shape = tuple(len(edges) + 1 for edges in bounds)
    places = boxes(axes, bounds)
    result = np.full(shape, _logarithm(values, share))
    for depth in range(1, len(shape) + 1):
        number = np.ravel_multi_index(places[:depth], shape[:depth])
        order = np.argsort(number, kind="stable")
        known, starts = np.unique(number[order], return_index=True)
        for box, part in zip(known, np.split(values[order], starts[1:]), strict=True):
            here = np.unravel_index(box, shape[:depth])
            weight = part.size / (part.size + FEWEST)
            result[here] += weight * (_logarithm(part, share) - result[here])
    return np.asarray(np.exp(result))


def boxes(axes: Sequence[Array], bounds: Sequence[Array]) -> tuple[NDArray[np.intp], ...]:
    """The box along each axis of every value; what lies on a bound belongs to the box above."""
    pairs = zip(axes, bounds, strict=True)
    return tuple(np.searchsorted(edges, axis, side="right") for axis, edges in pairs)


def calibration(estimate: Array, doubt: Array, truth: Array, share: float = ONE_SIGMA) -> Factors:
    """Factors of the doubt, by concentration told and doubt, so that a share of errors lies within.

    Parameters
    ----------
    estimate, doubt, truth : (cell,), 0-1
    share : of cells whose error is to be smaller than factor times doubt

    Returns
    -------
    A factor for each box of `STEPS`.

    >>> rng = np.random.default_rng(0)
    >>> truth, told = np.zeros(9000), np.abs(rng.normal(0, 0.02, 9000))
    >>> table = np.array(calibration(told, np.full(9000, 0.01), truth))
    >>> bool(table.max() > 2)
    True
    """
    ratio = np.abs(estimate - truth) / np.maximum(doubt, STEPS.smallest)
    result = quantiles([estimate, doubt], [STEPS.estimates, STEPS.doubts], ratio, share)
    return tuple(tuple(float(f"{factor:.3g}") for factor in line) for line in result)


def calibrated(estimate: Array, doubt: Array, factors: Sequence[Sequence[float]]) -> Array:
    """Half-widths that hold; the doubts given where there are no factors.

    Parameters
    ----------
    estimate, doubt : same shape, 0-1; NaN stays NaN
    factors : from `calibration`, or empty
    """
    if not len(factors):
        return doubt
    table = np.asarray(factors)
    steps = BEFORE if table.shape == BEFORE.shape else STEPS
    factor = table[boxes([estimate, doubt], [steps.estimates, steps.doubts])]
    width = np.maximum(doubt, steps.smallest) * factor
    return np.where(np.isnan(estimate), np.nan, width).astype(np.float32)


def _logarithm(values: Array, share: float) -> float:
    return float(np.log(np.clip(np.quantile(values, share), LEAST, MOST)))

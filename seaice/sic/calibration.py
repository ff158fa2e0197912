"""How wrong a network is where it says so: half-widths made to hold what they promise.

A network learns how its errors are distributed only roughly. On worlds it has not seen, factors are
found for every concentration it tells and every doubt it has: one so that 68 % of all errors lie
within the half-width, as within one standard deviation of a normal distribution, and another for
95 %, as within two. Errors of concentration are not normal: most cells are nearly exact, a few are
far off. So no single standard deviation can say both (compare Guo et al. 2017, arXiv:1706.04599,
which finds one factor for all).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

__all__ = ["ONE_SIGMA", "TWO_SIGMA", "Factors", "calibrated", "calibration"]

Array = NDArray[np.floating]
ESTIMATES = np.linspace(0.0, 1.0, 11)
DOUBTS = np.log(np.array([0.004, 0.01, 0.025, 0.06, 0.15]))
ONE_SIGMA, TWO_SIGMA = 0.6827, 0.9545  #: shares within one and two standard deviations, if normal
LEAST, MOST = 0.001, 50.0  #: factors
FEWEST = 2000  #: cells that decide a factor alone; fewer lean on the factor of all
SMALLEST = 0.002  #: no concentration is known better than this

Factors = tuple[tuple[float, ...], ...]


def calibration(estimate: Array, doubt: Array, truth: Array, share: float = ONE_SIGMA) -> Factors:
    """Factors of the doubt, by concentration told and doubt, so that a share of errors lies within.

    Parameters
    ----------
    estimate, doubt, truth : (cell,), 0-1
    share : of cells whose error is to be smaller than factor times doubt

    Returns
    -------
    11 by 5: at `ESTIMATES`, and `DOUBTS` in logarithm

    >>> rng = np.random.default_rng(0)
    >>> truth, told = np.zeros(9000), np.abs(rng.normal(0, 0.02, 9000))
    >>> round(calibration(told, np.full(9000, 0.01), truth)[0][1], 1)
    2.0
    """
    ratio = np.abs(estimate - truth) / np.maximum(doubt, SMALLEST)
    common = _factor(ratio, share)
    row = np.rint(estimate * (len(ESTIMATES) - 1)).astype(int).clip(0, len(ESTIMATES) - 1)
    column = np.searchsorted((DOUBTS[1:] + DOUBTS[:-1]) / 2, _logarithm(doubt))
    found = np.full((len(ESTIMATES), len(DOUBTS)), common)
    for place in np.ndindex(found.shape):
        here = ratio[(row == place[0]) & (column == place[1])]
        if here.size:
            weight = here.size / (here.size + FEWEST)
            found[place] += weight * (_factor(here, share) - common)
    return tuple(tuple(round(float(np.exp(f)), 3) for f in line) for line in found)


def calibrated(estimate: Array, doubt: Array, factors: Sequence[Sequence[float]]) -> Array:
    """Half-widths that hold; the doubts given where there are no factors.

    Parameters
    ----------
    estimate, doubt : same shape, 0-1; NaN stays NaN
    factors : from `calibration`, or empty
    """
    if not len(factors):
        return doubt
    nodes = ESTIMATES, DOUBTS
    table = RegularGridInterpolator(nodes, np.log(np.asarray(factors)), bounds_error=False)  # NaN
    inside = _logarithm(doubt).clip(DOUBTS[0], DOUBTS[-1])
    factor = np.exp(table(np.stack([estimate.clip(0, 1), inside], axis=-1)))
    return np.asarray(np.maximum(doubt, SMALLEST) * factor, np.float32)


def _logarithm(doubt: Array) -> Array:
    return np.asarray(np.log(np.maximum(doubt, SMALLEST)))


def _factor(ratio: Array, share: float) -> float:
    """Logarithm of the factor that a share of errors over doubts lies below."""
    return float(np.log(np.clip(np.quantile(ratio, share), LEAST, MOST)))

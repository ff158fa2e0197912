"""How wrong a network is where it says so: its standard deviations made to hold.

A network learns how its errors are distributed only roughly. On worlds it has not seen, a factor is
found for every concentration it tells and every doubt it has, so that 68 % of all errors lie
within one and 95 % within two standard deviations (compare Guo et al. 2017, arXiv:1706.04599, which
finds one factor for all).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

__all__ = ["Factors", "calibrated", "calibration"]

Array = NDArray[np.floating]
ESTIMATES = np.linspace(0.0, 1.0, 11)
DOUBTS = np.log(np.array([0.004, 0.01, 0.025, 0.06, 0.15]))
FACTORS = np.geomspace(0.05, 20.0, 241)
SHARES = (0.6827, 0.9545), (0.03, 0.02)  #: within one and two standard deviations; how exactly
FEWEST = 2000  #: cells that decide a factor alone; fewer lean on the factor of all
SMALLEST = 0.002  #: no concentration is known better than this

Factors = tuple[tuple[float, ...], ...]


def calibration(estimate: Array, doubt: Array, truth: Array) -> Factors:
    """Factors of the standard deviation, by concentration told and doubt.

    Parameters
    ----------
    estimate, doubt, truth : (cell,), 0-1

    Returns
    -------
    11 by 5: at `ESTIMATES`, and `DOUBTS` in logarithm

    >>> rng = np.random.default_rng(0)
    >>> truth, told = np.zeros(9000), np.abs(rng.normal(0, 0.02, 9000))
    >>> round(calibration(told, np.full(9000, 0.01), truth)[0][1], 1)
    2.0
    """
    ratio = np.abs(estimate - truth) / np.maximum(doubt, SMALLEST)
    common = np.log(_factor(ratio))
    row = np.rint(estimate * (len(ESTIMATES) - 1)).astype(int).clip(0, len(ESTIMATES) - 1)
    column = np.searchsorted((DOUBTS[1:] + DOUBTS[:-1]) / 2, _logarithm(doubt))
    found = np.full((len(ESTIMATES), len(DOUBTS)), common)
    for place in np.ndindex(found.shape):
        here = ratio[(row == place[0]) & (column == place[1])]
        if here.size:
            weight = here.size / (here.size + FEWEST)
            found[place] += weight * (np.log(_factor(here)) - common)
    return tuple(tuple(round(float(np.exp(f)), 3) for f in line) for line in found)


def calibrated(estimate: Array, doubt: Array, factors: Sequence[Sequence[float]]) -> Array:
    """Standard deviations that hold; those given where there are no factors.

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


def _factor(ratio: Array) -> float:
    """The factor that brings both shares nearest, each by its own tolerance."""
    ordered = np.sort(ratio)
    missed = np.zeros(len(FACTORS))
    for times, (wanted, exactly) in enumerate(zip(*SHARES, strict=True), start=1):
        share = np.searchsorted(ordered, times * FACTORS) / ordered.size
        missed = np.maximum(missed, np.abs(share - wanted) / exactly)
    best = np.flatnonzero(missed == missed.min())
    return float(FACTORS[best[len(best) // 2]])

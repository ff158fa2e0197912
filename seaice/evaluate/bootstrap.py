"""How sure a score is: the same score of units drawn again and again, with replacement."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seaice.evaluate.sums import Sums

__all__ = ["DRAWS", "interval", "resampled"]

DRAWS = 1000
SHARE = 95.0  #: %, of draws within an interval
Array = NDArray[np.float64]


def resampled(sums: Mapping[str, Array], seed: int = 0, draws: int = DRAWS) -> Sums:
    """Sums of as many units as there are, drawn with replacement; (draw, ...) each.

    The units are drawn once for all sums, and alike for every method with the same units: methods
    are compared on the same draws.
    """
    units = len(next(iter(sums.values())))
    random = np.random.default_rng([seed, units])
    times = random.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)
    return {name: np.tensordot(times, values, axes=1) for name, values in sums.items()}


def interval(scores: Array) -> tuple[Array, Array]:
    """Bounds of the middle 95 % of the draws, along the first axis; NaN where all draws are.

    >>> interval(np.arange(1001.0))
    (array(25.), array(975.))
    """
    told = np.where(np.isfinite(scores), scores, np.nan)
    empty = ~np.isfinite(told).any(0)
    low, high = np.nanpercentile(
        np.where(empty, 0.0, told), [50 - SHARE / 2, 50 + SHARE / 2], axis=0
    )
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)

"""Fitted and judged halves of the real samples, and how much two halves of reality differ.

The simulator's tables are derived from one half of the Round Robin samples
(`seaice.simulate.derive.fitted_half`); the reality check compares with the other half. Halves
consist of whole periods of five days, so that a granule, and the weather of one day, is never
in both.

How much a simulated figure may differ from the real one follows from reality alone: the periods
(or scenes, or charts) are split at random into two halves many times, and the root mean square of
the difference between the halves is the `spread`. A simulated figure agrees if it is within
`TIMES` spreads of the real one.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "TIMES", "half_spread", "period"]

Mask = NDArray[np.bool_]
Scalars = Mapping[str, float]
DRAWS = 40  #: random splits; the spread is then known to about a tenth
TIMES = 2.0  #: spreads between two real halves that a simulated figure may be off


def period(time: NDArray[np.datetime64], days: int = 5) -> NDArray[np.int64]:
    """Number of the period of some days that holds each time, counted from 1970.

    >>> period(np.array(["2017-07-01", "2017-07-02"], "datetime64[D]"), days=1)
    array([17348, 17349])
    """
    return np.asarray(time.astype("datetime64[D]").astype(np.int64) // days)


def half_spread(
    blocks: NDArray[np.generic], figures: Callable[[Mask], Scalars], seed: int = 0
) -> dict[str, float]:
    """Root mean square difference of figures between two random halves of the blocks.

    For the mean of n independent samples of standard deviation s it is 2 s / sqrt(n): twice the
    standard error of the mean of all.

    Parameters
    ----------
    blocks : (sample,) label of the period, scene or region of each sample; a block is in one half
    figures : called with a mask (sample,); returns named figures, NaN where it has too few samples
    seed : of the splits

    Returns
    -------
    dict of float
        In the unit of each figure; NaN where no split gave the figure in both halves.
    """
    rng = np.random.default_rng(seed)
    labels = np.unique(blocks)
    squares: dict[str, list[float]] = {}
    for _ in range(DRAWS):
        chosen = rng.permutation(labels)[: len(labels) // 2]
        first = np.isin(blocks, chosen)
        one, other = figures(first), figures(~first)
        for name in one.keys() & other.keys():
            squares.setdefault(name, []).append((one[name] - other[name]) ** 2)
    return {name: _root_mean(values) for name, values in squares.items()}


def _root_mean(squares: list[float]) -> float:
    known = [value for value in squares if np.isfinite(value)]
    return float(np.sqrt(np.mean(known))) if known else float("nan")

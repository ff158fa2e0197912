"""Samples of a known surface in, the numbers that describe them out: the same for real and simulated."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seaice.instrument import CHANNELS
from seaice.sic.classical.asi import asi, weather_filter

__all__ = ["CLOUD", "LEVELS", "VAPOUR", "Figures", "Points", "by_weather", "described", "retrieved"]

Array = NDArray[np.floating]
Figures = dict[str, object]
LEVELS = (1, 5, 25, 50, 75, 95, 99)  #: percentiles that are compared
VAPOUR = (0.0, 5.0, 10.0, 15.0, 20.0, np.inf)  #: kg m-2, classes of column water vapour
CLOUD = (0.0, 0.01, 0.05, 0.1, 0.2, np.inf)  #: kg m-2, classes of column cloud liquid
FEWEST = 30  #: samples a class needs to be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Samples of one surface, all channels with one footprint."""

    tb: Array  #: (channel, sample) K, in the order of `CHANNELS`
    vapour: Array  #: (sample,) kg m-2
    liquid: Array  #: (sample,) kg m-2
    month: NDArray[np.integer]  #: (sample,) 1-12
    weight: Array  #: (sample,) how much each counts

    def channel(self, name: str) -> Array:
        """TB of one channel, (sample,) K."""
        values: Array = self.tb[CHANNELS.index(name)]
        return values

    @property
    def pd(self) -> Array:
        """V - H at 89 GHz, (sample,) K."""
        return self.channel("tb89v") - self.channel("tb89h")

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Points":
        return Points(
            tb=self.tb[:, chosen],
            vapour=self.vapour[chosen],
            liquid=self.liquid[chosen],
            month=self.month[chosen],
            weight=self.weight[chosen],
        )


def described(points: Points) -> Figures:
    """Percentiles of every channel, of V - H and of the gradient ratios; filters and ASI.

    Returns
    -------
    dict
        `samples`; `percentiles`: for each channel (K), `pd` (K), `gr_cloud` and `gr_vapour` the
        values at `LEVELS`; `correlation` of V and H at 89 GHz; `filtered` share; `asi`.
    """
    v18, v23, v36 = (points.channel(name) for name in ("tb18v", "tb23v", "tb36v"))
    series = {name: points.channel(name) for name in CHANNELS} | {
        "pd": points.pd,
        "gr_cloud": (v36 - v18) / (v36 + v18),
        "gr_vapour": (v23 - v18) / (v23 + v18),
    }
    covariance = np.cov(points.tb[-2:], aweights=points.weight)
    return {
        "samples": int(points.weight.size),
        "percentiles": {name: _percentiles(x, points.weight) for name, x in series.items()},
        "correlation": _rounded(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])),
        "filtered": _rounded(np.average(weather_filter(v18, v23, v36), weights=points.weight)),
    }


def by_weather(points: Points) -> Figures:
    """Count, mean and spread of V - H in each class of water vapour and of cloud liquid."""
    return {
        "vapour": _classes(points, points.vapour, VAPOUR),
        "cloud": _classes(points, points.liquid, CLOUD),
    }


def retrieved(points: Points, truth: float) -> Figures:
    """What ASI makes of samples whose concentration is known, in percent.

    Parameters
    ----------
    points : of one surface
    truth : its concentration, 0 or 1

    Returns
    -------
    dict
        `plain` and `filtered`, each with bias and spread (standard deviation).
    """
    sic = asi(points.pd)
    water = weather_filter(*(points.channel(name) for name in ("tb18v", "tb23v", "tb36v")))
    kinds = {"plain": sic - truth, "filtered": np.where(water, 0, sic) - truth}
    return {name: _error(error, points.weight) for name, error in kinds.items()}


def _error(error: Array, weight: Array) -> Mapping[str, float]:
    bias = np.average(error, weights=weight)
    spread = np.sqrt(np.average((error - bias) ** 2, weights=weight))
    return {"bias": _rounded(100 * bias), "spread": _rounded(100 * spread)}


def _classes(points: Points, value: Array, edges: tuple[float, ...]) -> list[Figures | None]:
    rows: list[Figures | None] = []
    for low, high in zip(edges, edges[1:], strict=False):
        chosen = points[np.asarray((value >= low) & (value < high))]
        if chosen.weight.size < FEWEST:
            rows.append(None)
            continue
        mean = np.average(chosen.pd, weights=chosen.weight)
        variance = np.average((chosen.pd - mean) ** 2, weights=chosen.weight)
        rows.append(
            {
                "samples": int(chosen.weight.size),
                "mean": _rounded(mean),
                "spread": _rounded(np.sqrt(variance)),
            }
        )
    return rows


def _percentiles(values: Array, weight: Array) -> list[float]:
    found = np.percentile(values, LEVELS, weights=weight, method="inverted_cdf")
    return [_rounded(x) for x in found]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

"""Samples of a known surface and the figures that describe them, real or simulated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seaice.instrument import CHANNELS
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import weather_filter

__all__ = [
    "CLOUD",
    "LEVELS",
    "VAPOUR",
    "Figures",
    "Points",
    "described",
    "joined",
    "retrieved",
    "rounded",
]

Array = NDArray[np.floating]
Figures = dict[str, object]
LEVELS = (1, 5, 25, 50, 75, 95, 99)  #: percentiles that are compared
VAPOUR = (0.0, 5.0, 10.0, 15.0, 20.0, np.inf)  #: kg m-2, classes of column water vapour
CLOUD = (0.0, 0.01, 0.05, 0.1, 0.2, np.inf)  #: kg m-2, classes of column cloud liquid
FEWEST = 30  #: least number of samples of a class
SHOWN = 200  #: samples of a surface in the scatter plot


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

    def weighted(self, weight: Array) -> "Points":
        """The same samples with other weights."""
        return replace(self, weight=weight)

    def ratio(self, name: str) -> Array:
        """Gradient ratio of a channel over 18.7 GHz V, (sample,)."""
        other, low = self.channel(name), self.channel("tb18v")
        return (other - low) / (other + low)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Points":
        return Points(
            tb=self.tb[:, chosen],
            vapour=self.vapour[chosen],
            liquid=self.liquid[chosen],
            month=self.month[chosen],
            weight=self.weight[chosen],
        )


def described(points: Points, truth: float) -> Figures:
    """The numbers by which samples of one surface are compared.

    Parameters
    ----------
    points : of one surface
    truth : its concentration, 0 or 1

    Returns
    -------
    dict
        `samples`; `percentiles`: the values at `LEVELS` of each channel and of `pd` (K),
        `gr_cloud`, `gr_vapour`, `vapour` and `liquid` (kg m-2); `correlation` of V and H at
        89 GHz; `filtered`: share that the weather filters call open water; `asi`, from
        `retrieved`; `vapour` and `cloud`: for each class of weather `samples`, `mean` and
        `spread` of V - H (K) and `asi`, None where too few; `ratios`, from `thinned`.
    """
    series = {name: points.channel(name) for name in CHANNELS} | {"pd": points.pd}
    series |= {"gr_cloud": points.ratio("tb36v"), "gr_vapour": points.ratio("tb23v")}
    series |= {"vapour": points.vapour, "liquid": points.liquid}
    covariance = np.cov(points.tb[-2:], aweights=points.weight)
    return {
        "samples": int(points.weight.size),
        "percentiles": {name: _percentiles(x, points.weight) for name, x in series.items()},
        "correlation": rounded(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])),
        "filtered": rounded(np.average(_filtered(points), weights=points.weight)),
        "asi": retrieved(points, truth),
        "vapour": _classes(points, points.vapour, VAPOUR, truth),
        "cloud": _classes(points, points.liquid, CLOUD, truth),
        "ratios": thinned(points),
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
        `plain` and `filtered`, each (bias, spread): mean and standard deviation of the error.
    """
    sic = np.asarray(asi(points.pd))
    kinds = {"plain": sic, "filtered": np.where(_filtered(points), 0.0, sic)}
    moments = {name: _moments(100 * (c - truth), points.weight) for name, c in kinds.items()}
    return {name: list(both) for name, both in moments.items()}


def thinned(points: Points) -> list[list[float]]:
    """Pairs (vapour ratio, cloud ratio) of a few samples, enough for a scatter plot."""
    every = max(points.weight.size // SHOWN, 1)
    pairs = np.stack([points.ratio("tb23v"), points.ratio("tb36v")], axis=1)[::every]
    return [[round(float(a), 4), round(float(b), 4)] for a, b in pairs]


def rounded(value: float | np.floating) -> float:
    """Four digits, which is all that is compared."""
    return float(f"{value:.4g}")


def _filtered(points: Points) -> NDArray[np.bool_]:
    water = weather_filter(*(points.channel(name) for name in ("tb18v", "tb23v", "tb36v")))
    return np.asarray(water, bool)


def _moments(values: Array, weight: Array) -> tuple[float, float]:
    mean = np.average(values, weights=weight)
    return rounded(mean), rounded(np.sqrt(np.average((values - mean) ** 2, weights=weight)))


def _classes(
    points: Points, value: Array, edges: tuple[float, ...], truth: float
) -> list[Figures | None]:
    rows: list[Figures | None] = []
    for low, high in pairwise(edges):
        chosen = points[np.asarray((value >= low) & (value < high))]
        if chosen.weight.size < FEWEST or chosen.weight.sum() == 0:
            rows.append(None)
            continue
        mean, spread = _moments(chosen.pd, chosen.weight)
        row = {"samples": int(chosen.weight.size), "mean": mean, "spread": spread}
        rows.append(row | {"asi": retrieved(chosen, truth)})
    return rows


def _percentiles(values: Array, weight: Array) -> list[float]:
    found = np.percentile(values, LEVELS, weights=weight, method="inverted_cdf")
    return [rounded(x) for x in found]


def joined(parts: Sequence[Points]) -> Points:
    """Samples of several worlds as one."""
    return Points(
        tb=np.concatenate([p.tb for p in parts], axis=1),
        vapour=np.concatenate([p.vapour for p in parts]),
        liquid=np.concatenate([p.liquid for p in parts]),
        month=np.concatenate([p.month for p in parts]),
        weight=np.concatenate([p.weight for p in parts]),
    )

"""Samples of a known surface, real or simulated, and the figures that describe them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.comparison import figure_key
from seaice.instrument import CHANNELS
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import weather_filter

__all__ = [
    "CLOUD",
    "ICE",
    "LEVELS",
    "VAPOUR",
    "VAPOUR_CLASSES",
    "Figures",
    "Points",
    "Season",
    "asi_errors",
    "class_weights",
    "concatenate_samples",
    "describe_samples",
    "ice_scalars",
    "round_figure",
    "water_scalars",
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


def describe_samples(points: Points, truth: float) -> Figures:
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
        `asi_errors`; `vapour` and `cloud`: for each class of weather `samples`, `mean` and
        `spread` of V - H (K) and `asi`, None where too few; `ratios`, from `thin_ratios`.
    """
    series = {name: points.channel(name) for name in CHANNELS} | {"pd": points.pd}
    series |= {"gr_cloud": points.ratio("tb36v"), "gr_vapour": points.ratio("tb23v")}
    series |= {"vapour": points.vapour, "liquid": points.liquid}
    covariance = np.cov(points.tb[-2:], aweights=points.weight)
    return {
        "samples": int(points.weight.size),
        "percentiles": {name: _percentiles(x, points.weight) for name, x in series.items()},
        "correlation": round_figure(
            covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        ),
        "filtered": round_figure(np.average(_filtered(points), weights=points.weight)),
        "asi": asi_errors(points, truth),
        "vapour": _classes(points, points.vapour, VAPOUR, truth),
        "cloud": _classes(points, points.liquid, CLOUD, truth),
        "ratios": thin_ratios(points),
    }


def asi_errors(points: Points, truth: float) -> Figures:
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


def thin_ratios(points: Points) -> list[list[float]]:
    """Pairs (vapour ratio, cloud ratio) of a few samples, enough for a scatter plot."""
    every = max(points.weight.size // SHOWN, 1)
    pairs = np.stack([points.ratio("tb23v"), points.ratio("tb36v")], axis=1)[::every]
    return [[round(float(a), 4), round(float(b), 4)] for a, b in pairs]


def round_figure(value: float | np.floating) -> float:
    """Four digits, which is all that is compared."""
    return float(f"{value:.4g}")


def _filtered(points: Points) -> NDArray[np.bool_]:
    water = weather_filter(*(points.channel(name) for name in ("tb18v", "tb23v", "tb36v")))
    return np.asarray(water, bool)


def _moments(values: Array, weight: Array) -> tuple[float, float]:
    mean = np.average(values, weights=weight)
    return round_figure(mean), round_figure(
        np.sqrt(np.average((values - mean) ** 2, weights=weight))
    )


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
        rows.append(row | {"asi": asi_errors(chosen, truth)})
    return rows


def _percentiles(values: Array, weight: Array) -> list[float]:
    result = np.percentile(values, LEVELS, weights=weight, method="inverted_cdf")
    return [round_figure(x) for x in result]


def concatenate_samples(parts: Sequence[Points]) -> Points:
    """Samples of several worlds as one."""
    return Points(
        tb=np.concatenate([p.tb for p in parts], axis=1),
        vapour=np.concatenate([p.vapour for p in parts]),
        liquid=np.concatenate([p.liquid for p in parts]),
        month=np.concatenate([p.month for p in parts]),
        weight=np.concatenate([p.weight for p in parts]),
    )


Scalars = dict[str, float]
ICE_LEVELS = (5, 25, 50, 75, 95)  #: over closed ice, of which there are fewer samples
MEDIAN_CHANNELS = ("tb10h", "tb10v", "tb18h", "tb18v", "tb36h", "tb36v", "tb89h", "tb89v")
VAPOUR_CLASSES = np.arange(0.0, 34.0, 2.0)  #: kg m-2, by which simulated samples are weighted
GHZ = {"tb10": "10.7 GHz", "tb18": "18.7 GHz", "tb36": "36.5 GHz", "tb89": "89 GHz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Months of one hemisphere whose closed ice is compared."""

    place: str
    hemisphere: str  #: `north` or `south`
    months: tuple[int, ...]


#: Northern samples are of 2017 and only of these months; southern ones of all months.
ICE = (
    Season(place="north, winter", hemisphere="north", months=(1, 2, 3, 10, 12)),
    Season(place="north, May", hemisphere="north", months=(5,)),
    Season(place="north, July", hemisphere="north", months=(7,)),
    Season(place="north, August", hemisphere="north", months=(8,)),
    Season(place="south, winter", hemisphere="south", months=(5, 6, 7, 8, 9, 10)),
    Season(place="south, summer", hemisphere="south", months=(11, 12, 1, 2)),
)


def class_weights(values: NDArray[np.generic], fractions: Array, edges: Array) -> Array:
    """Weights that give values the target fraction in each class; 0 beyond the classes.

    Parameters
    ----------
    values : (sample,)
    shares : (class,) target fraction of all weight in each class
    edges : (class + 1,) bounds
    """
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    present = np.bincount(index, minlength=len(edges) - 1) / max(values.size, 1)
    factor = np.where(present > 0, np.asarray(fractions) / np.maximum(present, 1e-9), 0)
    weight: Array = factor[index]
    return weight


def _surface_scalars(points: Points, levels: tuple[int, ...], group: str, place: str) -> Scalars:
    weight = points.weight
    result = {
        figure_key(group, place, f"V - H at 89 GHz, {level} %", "K"): value
        for level, value in zip(
            levels, _weighted_percentiles(points.pd, weight, levels), strict=True
        )
    }
    for name in MEDIAN_CHANNELS:
        label = f"{GHZ[name[:-1]]} {name[-1].upper()}, median"
        result[figure_key(group, place, label, "K")] = _weighted_percentiles(
            points.channel(name), weight, (50,)
        )[0]
    covariance = np.cov(points.tb[-2:], aweights=weight)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    result[figure_key(group, place, "correlation of V and H at 89 GHz", "1")] = float(correlation)
    return result


def _filter_scalars(points: Points, group: str, place: str) -> Scalars:
    channels = (points.channel(name) for name in ("tb18v", "tb23v", "tb36v"))
    fraction = np.average(np.asarray(weather_filter(*channels), bool), weights=points.weight)
    name = f"{group} called water by the weather filters"
    return {figure_key("filters", place, name, "1"): float(fraction)}


def ice_scalars(points: Points, season: Season) -> Scalars:
    """Figures of closed ice of one season; empty for fewer than 30 samples of any weight."""
    if (points.weight > 0).sum() < FEWEST:
        return {}
    result = _surface_scalars(points, ICE_LEVELS, "closed ice", season.place)
    return result | _filter_scalars(points, "closed ice", season.place)


def water_scalars(points: Points) -> Scalars:
    """Figures of open water, and V - H by class of water vapour and of cloud liquid."""
    if (points.weight > 0).sum() < FEWEST:
        return {}
    result = _surface_scalars(points, LEVELS, "open water", "both hemispheres")
    result |= _filter_scalars(points, "open water", "both hemispheres")
    classes: Mapping[str, tuple[Array, tuple[float, ...]]] = {
        "vapour": (points.vapour, VAPOUR),
        "cloud liquid": (points.liquid, CLOUD),
    }
    for kind, (values, edges) in classes.items():
        for low, high in pairwise(edges):
            chosen = (values >= low) & (values < high) & (points.weight > 0)
            if chosen.sum() >= FEWEST:
                span = f"above {low:g}" if high == np.inf else f"{low:g} to {high:g}"
                name = f"mean V - H at 89 GHz, {kind} {span} kg m-2"
                mean = np.average(points.pd[chosen], weights=points.weight[chosen])
                result[figure_key("weather", "open water", name, "K")] = float(mean)
    return result


def _weighted_percentiles(values: Array, weight: Array, levels: tuple[int, ...]) -> list[float]:
    return [float(x) for x in np.percentile(values, levels, weights=weight, method="inverted_cdf")]

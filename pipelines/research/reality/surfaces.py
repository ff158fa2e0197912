"""Scalar figures of samples over known open water and closed ice, by season and hemisphere."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.lines import key
from pipelines.research.reality.points import CLOUD, VAPOUR, Points
from seaice.retrieval.classical.corrections import weather_filter

__all__ = ["ICE", "VAPOUR_CLASSES", "Season", "class_weights", "ice_scalars", "water_scalars"]

Array = NDArray[np.floating]
Scalars = dict[str, float]
LEVELS = (1, 5, 25, 50, 75, 95, 99)  #: percentiles of V - H over open water
ICE_LEVELS = (5, 25, 50, 75, 95)  #: over closed ice, of which there are fewer samples
CHANNELS = ("tb10h", "tb10v", "tb18h", "tb18v", "tb36h", "tb36v", "tb89h", "tb89v")
VAPOUR_CLASSES = np.arange(0.0, 34.0, 2.0)  #: kg m-2, by which simulated samples are weighted
FEWEST = 30  #: samples that a figure needs
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


def class_weights(values: NDArray[np.generic], shares: Array, edges: Array) -> Array:
    """Weights that give values the target fraction in each class; 0 beyond the classes.

    Parameters
    ----------
    values : (sample,)
    shares : (class,) target fraction of all weight in each class
    edges : (class + 1,) bounds
    """
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    present = np.bincount(index, minlength=len(edges) - 1) / max(values.size, 1)
    factor = np.where(present > 0, np.asarray(shares) / np.maximum(present, 1e-9), 0)
    weight: Array = factor[index]
    return weight


def _common(points: Points, levels: tuple[int, ...], group: str, place: str) -> Scalars:
    weight = points.weight
    found = {
        key(group, place, f"V - H at 89 GHz, {level} %", "K"): value
        for level, value in zip(levels, _percentiles(points.pd, weight, levels), strict=True)
    }
    for name in CHANNELS:
        label = f"{GHZ[name[:-1]]} {name[-1].upper()}, median"
        found[key(group, place, label, "K")] = _percentiles(points.channel(name), weight, (50,))[0]
    covariance = np.cov(points.tb[-2:], aweights=weight)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    found[key(group, place, "correlation of V and H at 89 GHz", "1")] = float(correlation)
    return found


def _filtered(points: Points, group: str, place: str) -> Scalars:
    channels = (points.channel(name) for name in ("tb18v", "tb23v", "tb36v"))
    share = np.average(np.asarray(weather_filter(*channels), bool), weights=points.weight)
    name = f"{group} called water by the weather filters"
    return {key("filters", place, name, "1"): float(share)}


def ice_scalars(points: Points, season: Season) -> Scalars:
    """Figures of closed ice of one season; empty for fewer than 30 samples of any weight."""
    if (points.weight > 0).sum() < FEWEST:
        return {}
    found = _common(points, ICE_LEVELS, "closed ice", season.place)
    return found | _filtered(points, "closed ice", season.place)


def water_scalars(points: Points) -> Scalars:
    """Figures of open water, and V - H by class of water vapour and of cloud liquid."""
    if (points.weight > 0).sum() < FEWEST:
        return {}
    found = _common(points, LEVELS, "open water", "both hemispheres")
    found |= _filtered(points, "open water", "both hemispheres")
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
                found[key("weather", "open water", name, "K")] = float(mean)
    return found


def _percentiles(values: Array, weight: Array, levels: tuple[int, ...]) -> list[float]:
    return [float(x) for x in np.percentile(values, levels, weights=weight, method="inverted_cdf")]

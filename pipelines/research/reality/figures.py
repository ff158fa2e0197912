"""Tables of figures of samples and of maps, real or simulated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.research.reality.points import Figures, Points, described
from pipelines.research.reality.spectra import noise, pack_or_edge, spectrum, windows

__all__ = ["SEASONS", "Maps", "map_figures", "point_figures", "weight_like_real"]

Array = NDArray[np.floating]
#: Months of the real closed-ice samples of the north, all of 2017. It has none of the others.
SEASONS: Mapping[str, tuple[int, ...]] = {
    "ice winter": (1, 2, 3, 10, 12),
    "ice spring": (5,),
    "ice summer": (7, 8),
}
MONTHS = np.arange(1.0, 14.0)  #: borders of the classes by which simulated ice is weighted
VAPOURS = np.arange(0.0, 34.0, 2.0)  #: kg m-2, likewise of simulated open water


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """Maps whose spectra are compared; NaN where land or ice is in the way."""

    sea: list[Array] = field(default_factory=list)  #: V, H (2, y, x) K of open water at 89 GHz
    sea_cell: float = 6.25  #: km
    sic: list[Array] = field(default_factory=list)  #: concentration on 6.25 km cells, 0-1
    asi: list[Array] = field(default_factory=list)  #: what ASI makes of simulated concentration


def point_figures(surfaces: Mapping[str, Points]) -> Figures:
    """Figures of each surface, and of northern ice by season.

    Parameters
    ----------
    surfaces : keys begin with `water` or `ice`; `ice north` is also split by season
    """
    every = dict(surfaces)
    for season, months in SEASONS.items():
        every[season] = surfaces["ice north"][np.isin(surfaces["ice north"].month, months)]
    found: Figures = {
        name: described(points, float(name.startswith("ice")))
        for name, points in every.items()
        if points.weight.size > 1 and points.weight.sum() > 0
    }
    found["months"] = _shares(surfaces["ice north"].month, MONTHS)
    found["vapours"] = _shares(surfaces["water"].vapour, VAPOURS)
    return found


def weight_like_real(surfaces: Mapping[str, Points], real: Mapping[str, Any]) -> dict[str, Points]:
    """Simulated samples weighted so that they stand for the months and the vapour of the real.

    Parameters
    ----------
    surfaces : `water` and `ice north`
    real : figures of the real samples
    """
    ice, water = surfaces["ice north"], surfaces["water"]
    months = _ratio(ice.month, MONTHS, real["months"])
    vapours = _ratio(water.vapour, VAPOURS, real["vapours"])
    return {"ice north": ice.weighted(months), "water": water.weighted(vapours)}


def map_figures(maps: Maps) -> Figures:
    """Spectra of open-water V - H and of concentration in the pack and at its edge; roughness."""
    found: Figures = {}
    if maps.sea:
        v_minus_h = [tb[0] - tb[1] for tb in maps.sea]
        found["sea"] = spectrum(_pieces(v_minus_h, stride=4), maps.sea_cell)
        names = {"V": [tb[0] for tb in maps.sea], "H": [tb[1] for tb in maps.sea], "P": v_minus_h}
        found["noise"] = {name: noise(_pieces(tb, stride=4)) for name, tb in names.items()}
    for name, sics in (("sic", maps.sic), ("asi", maps.asi)):
        pieces = list(_pieces(sics, stride=16))
        for kind in ("pack", "edge"):
            table = spectrum([x for x in pieces if pack_or_edge(x) == kind], 6.25)
            found |= {f"{name} {kind}": table} if table else {}
    return found


def _pieces(fields: Iterable[Array], stride: int) -> Iterable[Array]:
    return (piece for one in fields for piece in windows(one, stride))


def _shares(values: NDArray[np.generic], edges: Array) -> list[float]:
    counts = np.bincount(_class(values, edges), minlength=len(edges) - 1)
    return [round(float(n) / max(values.size, 1), 5) for n in counts]


def _ratio(values: NDArray[np.generic], edges: Array, target: list[float]) -> Array:
    """Weights that give values the target fraction in each class."""
    have = np.array(_shares(values, edges))
    factor = np.array(target) / np.maximum(have, 1e-9) * (have > 0)
    weight: Array = factor[_class(values, edges)]
    return weight


def _class(values: NDArray[np.generic], edges: Array) -> NDArray[np.intp]:
    found = np.searchsorted(edges, values, side="right") - 1
    return np.asarray(np.clip(found, 0, len(edges) - 2), np.intp)

"""How far a concentration map is from a reference, by class and at the edge.

Every function takes two maps (y, x) of 0-1 on the same cells and looks only where both are
finite: land and gaps are NaN in either. Results are NaN where there is nothing to compare.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt

__all__ = [
    "EDGE",
    "ClassScore",
    "area_error",
    "bias",
    "by_class",
    "coverage",
    "deviation",
    "edge_distance",
    "extent_error",
    "false_ice",
    "integrated_edge_error",
    "lost_ice",
    "mae",
    "rmse",
    "summary",
]

EDGE = 0.15  #: concentration of the ice edge
CLASSES = 10

Map = NDArray[np.floating]
Area = float | Map  #: km2 of a cell, one for all or one each


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """Errors where the reference lies in one class of concentration."""

    low: float
    high: float
    count: int
    rmse: float
    mae: float
    bias: float


def rmse(estimate: Map, reference: Map) -> float:
    """Root of the mean square error.

    >>> rmse(np.array([0.5, np.nan]), np.array([0.2, 0.2]))
    0.3
    """
    return float(np.sqrt(_mean(_errors(estimate, reference) ** 2)))


def mae(estimate: Map, reference: Map) -> float:
    """Mean absolute error."""
    return _mean(np.abs(_errors(estimate, reference)))


def bias(estimate: Map, reference: Map) -> float:
    """Mean error, estimate minus reference."""
    return _mean(_errors(estimate, reference))


def deviation(estimate: Map, reference: Map) -> float:
    """Standard deviation of the error: rmse^2 = bias^2 + deviation^2."""
    errors = _errors(estimate, reference)
    return float(np.std(errors)) if errors.size else float("nan")


def by_class(estimate: Map, reference: Map) -> tuple[ClassScore, ...]:
    """Errors in ten classes of the reference, 0-10 % to 90-100 %, upper bound with the last only.

    An overall number hides the middle classes, which hold few cells and most of the doubt.
    """
    found = np.clip((reference * CLASSES).astype(np.float64), 0, CLASSES - 1)
    scores = []
    for index in range(CLASSES):
        inside = np.floor(found) == index
        here, there = estimate[inside], reference[inside]
        scores.append(
            ClassScore(
                low=index / CLASSES,
                high=(index + 1) / CLASSES,
                count=_errors(here, there).size,
                rmse=rmse(here, there),
                mae=mae(here, there),
                bias=bias(here, there),
            )
        )
    return tuple(scores)


def false_ice(estimate: Map, reference: Map) -> float:
    """Share of cells without any ice in the reference that the estimate puts above 15 %."""
    return _mean(estimate[_both(estimate, reference) & (reference == 0)] > EDGE)


def lost_ice(estimate: Map, reference: Map) -> float:
    """Share of cells above 15 % in the reference that the estimate puts below."""
    return _mean(estimate[_both(estimate, reference) & (reference > EDGE)] < EDGE)


def edge_distance(estimate: Map, reference: Map, cell: float) -> float:
    """Mean distance between the two ice edges, km: from each to the other, then averaged.

    The edge is made of ice cells (15 % or more) beside water by a side; land and gaps are neither.

    Parameters
    ----------
    cell : km, side of a cell
    """
    both = _both(estimate, reference)
    edges = [_edge(sic, both) for sic in (estimate, reference)]
    if not all(edge.any() for edge in edges):
        return float("nan")
    away = [distance_transform_edt(~edge, sampling=cell) for edge in edges]
    return float((away[0][edges[1]].mean() + away[1][edges[0]].mean()) / 2)


def extent_error(estimate: Map, reference: Map, cell_area: Area) -> float:
    """Extent (area of cells with 15 % or more) of the estimate minus the reference's, km2."""
    return _sum(1.0 * (estimate >= EDGE) - (reference >= EDGE), estimate, reference, cell_area)


def area_error(estimate: Map, reference: Map, cell_area: Area) -> float:
    """Ice area of the estimate minus the reference's, km2."""
    return _sum(estimate - reference, estimate, reference, cell_area)


def integrated_edge_error(estimate: Map, reference: Map, cell_area: Area) -> float:
    """Area where one has ice (15 % or more) and the other has not, km2.

    Goessling et al. 2016, "Predictability of the Arctic sea ice edge", Geophys. Res. Lett. 43,
    equation 1: over- and underestimated extent do not cancel.
    """
    return _sum(1.0 * ((estimate >= EDGE) != (reference >= EDGE)), estimate, reference, cell_area)


def coverage(estimate: Map, reference: Map, sigma: Map, width: float) -> float:
    """Share of cells whose reference lies within `width` sigma of the estimate.

    Parameters
    ----------
    sigma : (y, x) one standard deviation; cells without are left out
    width : 1 for 68 %, 2 for 95 % if errors were normal
    """
    known = _both(estimate, reference) & np.isfinite(sigma)
    return _mean(np.abs(estimate - reference)[known] <= width * sigma[known])


def summary(estimate: Map, reference: Map, cell: float) -> dict[str, float]:
    """The figures of a table's line: shares of 1, distances in km.

    Parameters
    ----------
    cell : km, side of a cell

    >>> one = np.eye(4)
    >>> summary(one, one, 1.0)["edge_distance"]
    0.0
    """
    return {
        "count": float(_both(estimate, reference).sum()),
        "rmse": rmse(estimate, reference),
        "mae": mae(estimate, reference),
        "bias": bias(estimate, reference),
        "std": deviation(estimate, reference),
        "false_ice": false_ice(estimate, reference),
        "lost_ice": lost_ice(estimate, reference),
        "edge_distance": edge_distance(estimate, reference, cell),
        "extent_error": extent_error(estimate, reference, cell**2),
    }


def _both(estimate: Map, reference: Map) -> NDArray[np.bool_]:
    return np.isfinite(estimate) & np.isfinite(reference)


def _errors(estimate: Map, reference: Map) -> NDArray[np.float64]:
    """Estimate minus reference where both are known, in float64."""
    both = _both(estimate, reference)
    return estimate[both].astype(np.float64) - reference[both]


def _mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if values.size else float("nan")


def _sum(values: Map, estimate: Map, reference: Map, cell_area: Area) -> float:
    return float(np.sum(values * cell_area, where=_both(estimate, reference)))


def _edge(sic: Map, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ice cells beside water."""
    ice = known & (sic >= EDGE)
    beside: NDArray[np.bool_] = binary_dilation(known & ~ice)
    return ice & beside

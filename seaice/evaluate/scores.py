"""Sums in, scores out; one for each draw of the bootstrap, if sums of draws are given.

Every function takes sums without the units, `seaice.evaluate.sums.total` of them or draws
(draw, ...), and gives arrays with the same leading axes: NaN where there is nothing to compare.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seaice.evaluate.edge import PER_CELL
from seaice.evaluate.spectra import half_power
from seaice.evaluate.sums import CLASSES

__all__ = [
    "CLASS_LABELS",
    "METRICS",
    "Metric",
    "class_scores",
    "counted",
    "doubt_scores",
    "overall",
]

Array = NDArray[np.float64]
Given = Mapping[str, Array]
CLASS_LABELS = tuple(f"{10 * k}-{10 * k + 10} %" for k in range(CLASSES))
RANGE = 200.0  #: K, of PSNR: what networks are taught, 100 to 300 K


class Metric(NamedTuple):
    """How a score is shown."""

    label: str
    unit: str
    factor: float  #: from what is computed to the unit
    says: str


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "rmse": Metric("RMSE", "%", 100, "root of the mean square error"),
        "mae": Metric("MAE", "%", 100, "mean size of the error"),
        "bias": Metric("bias", "%", 100, "mean error, estimate minus reference"),
        "std": Metric("STD", "%", 100, "standard deviation of the error"),
        "false_ice": Metric(
            "false ice", "%", 100, "share of cells with no ice in the reference above 15 %"
        ),
        "lost_ice": Metric(
            "lost ice", "%", 100, "share of cells above 15 % in the reference that are below"
        ),
        "edge_mean": Metric(
            "edge, mean", "km", 1, "mean distance from each edge cell to the other map's edge"
        ),
        "edge_median": Metric("edge, median", "km", 1, "median of the same distances"),
        "edge_error": Metric(
            "edge error", "1000 km2", 1e-3, "area where only one of the maps has ice (15 %)"
        ),
        "extent_error": Metric(
            "extent error", "1000 km2", 1e-3, "area of 15 % and more, estimate minus reference"
        ),
        "extent_share": Metric(
            "extent error", "%", 100, "the same as a share of the reference's extent"
        ),
        "area_error": Metric(
            "area error", "1000 km2", 1e-3, "area of ice, estimate minus reference"
        ),
        "within_1": Metric("within 68 %", "%", 100, "share within what is told; 68 % is right"),
        "within_2": Metric("within 95 %", "%", 100, "share within what is told; 95 % is right"),
        "every_1": Metric("all within 68 %", "%", 100, "the same of all cells, decided ones too"),
        "every_2": Metric("all within 95 %", "%", 100, "the same of all cells, decided ones too"),
        "psnr_h": Metric("PSNR H", "dB", 1, "20 log10(200 K / RMSE)"),
        "psnr_v": Metric("PSNR V", "dB", 1, "20 log10(200 K / RMSE)"),
        "ssim_h": Metric("SSIM H", "1", 1, "structural similarity, Gaussian window of 11 cells"),
        "ssim_v": Metric("SSIM V", "1", 1, "structural similarity, Gaussian window of 11 cells"),
        "rmse_h": Metric("RMSE H", "K", 1, "of brightness temperature"),
        "rmse_v": Metric("RMSE V", "K", 1, "of brightness temperature"),
        "rmse_p": Metric("RMSE P", "K", 1, "of the polarization difference V - H"),
        **{
            f"wave_{name}": Metric(
                f"half power {label}", "km", 1, "wavelength where squared coherence falls below 1/2"
            )
            for name, label in (("h", "H"), ("v", "V"), ("p", "P"), ("sic", "SIC"))
        },
    }
)


def overall(sums: Given, cell: float) -> dict[str, Array]:
    """Every score that the sums allow, over all cells.

    Parameters
    ----------
    cell : km, side of a cell

    Returns
    -------
    dict of (...) arrays, names of `METRICS`
    """
    parts: tuple[tuple[str, Callable[[Given, float], dict[str, Array]]], ...] = (
        ("moments", lambda given, _: _errors(given["moments"].sum(-2))),
        ("area", _surfaces),
        ("edge", _edges),
        ("within_reference", lambda given, _: _within(given["within_reference"].sum(-2))),
        ("within_every", lambda given, _: _every(given["within_every"])),
        ("tb", _brightness),
        ("spectrum_sic", _waves),
        ("spectrum_p", _waves),
    )
    result: dict[str, Array] = {}
    for needed, scores in parts:
        if needed in sums:
            result |= scores(sums, cell)
    return result


def counted(sums: Given, metric: str) -> float:
    """How many cells a score over all of them rests on."""
    if metric in ("false_ice", "lost_ice"):
        return float(sums["open" if metric == "false_ice" else "ice"][0])
    if metric in ("edge_mean", "edge_median"):
        return float(sums["edge"][:, 0].sum())
    if metric.startswith("every"):
        return float(sums["within_every"][0])
    if metric.startswith("within"):
        return float(sums["within_reference"][:, 0].sum())
    if "tb" in sums and not metric.startswith("wave"):
        return float(sums["tb"][0])
    return float(sums["moments"][:, 0].sum()) if "moments" in sums else float("nan")


def class_scores(sums: Given) -> dict[str, dict[str, Array]]:
    """Scores by class of the reference and of the estimate, (..., class) each."""
    result = {"reference": _errors(sums["moments"])}
    for by in ("reference", "estimate"):
        if f"within_{by}" in sums:
            result[by] = result.get(by, {}) | _within(sums[f"within_{by}"])
    return result


def doubt_scores(sums: Given) -> tuple[Array, Array]:
    """Told sigma and found RMSE in each bin of told sigma, (..., bin) each; equal where honest."""
    count = sums["doubt"][..., 0]
    return np.sqrt(_share(sums["doubt"][..., 1], count)), np.sqrt(
        _share(sums["doubt"][..., 2], count)
    )


def _share(part: Array, whole: Array) -> Array:
    """Part of the whole; NaN of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _errors(moments: Array) -> dict[str, Array]:
    """Of (..., 4): cells, sum of errors, of their size, of their square."""
    count, error, size, square = np.moveaxis(moments, -1, 0)
    bias, mean_square = _share(error, count), _share(square, count)
    return {
        "rmse": np.sqrt(mean_square),
        "mae": _share(size, count),
        "bias": bias,
        "std": np.sqrt(np.maximum(mean_square - bias**2, 0)),
        "count": count,
    }


def _surfaces(sums: Given, cell: float) -> dict[str, Array]:
    over, under, extent, ours, theirs = np.moveaxis(sums["area"], -1, 0)
    return {
        "false_ice": _share(sums["open"][..., 1], sums["open"][..., 0]),
        "lost_ice": _share(sums["ice"][..., 1], sums["ice"][..., 0]),
        "edge_error": over + under,
        "extent_error": over - under,
        "extent_share": _share(over - under, extent),
        "area_error": ours - theirs,
    }


def _edges(sums: Given, cell: float) -> dict[str, Array]:
    """Mean of the two directions' means; median of all distances, to an eighth of a cell."""
    means = _share(sums["edge"][..., 1], sums["edge"][..., 0])
    steps = np.cumsum(sums["edge_steps"], axis=-1)
    middle = (steps >= steps[..., -1:] / 2).argmax(-1)
    median = np.where(steps[..., -1] > 0, middle * cell / PER_CELL, np.nan)
    return {"edge_mean": means.mean(-1), "edge_median": median}


def _within(shares: Array) -> dict[str, Array]:
    count, one, two = np.moveaxis(shares, -1, 0)
    return {"within_1": _share(one, count), "within_2": _share(two, count)}


def _every(shares: Array) -> dict[str, Array]:
    count, one, two = np.moveaxis(shares, -1, 0)
    return {"every_1": _share(one, count), "every_2": _share(two, count)}


def _brightness(sums: Given, cell: float) -> dict[str, Array]:
    count = sums["tb"][..., :1]
    rmse = np.sqrt(_share(sums["tb"][..., 1:], count))
    ssim = _share(sums["ssim"][..., 1], sums["ssim"][..., 0])
    result = {f"rmse_{name}": rmse[..., n] for n, name in enumerate("hvp")}
    with np.errstate(divide="ignore"):
        result |= {f"psnr_{name}": 20 * np.log10(RANGE / result[f"rmse_{name}"]) for name in "hv"}
    return result | {f"ssim_{name}": ssim[..., n] for n, name in enumerate("hv")}


def _waves(sums: Given, cell: float) -> dict[str, Array]:
    names = [name for name in sums if name.startswith("spectrum_")]
    return {f"wave_{name[9:]}": half_power(sums[name], cell) for name in names}

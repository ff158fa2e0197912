"""Refined brightness temperatures and their truth in, sums out from which scores follow."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, uniform_filter

from seaice.evaluate.spectra import spectrum_sums

__all__ = ["brightness_sums", "similarity"]

RANGE = 200.0  #: K, what 100 to 300 K span
SIGMA, REACH = 1.5, 5  #: cells, of the Gaussian window: 11 x 11

Map = NDArray[np.floating]
Array = NDArray[np.float64]


def brightness_sums(estimate: Map, truth: Map, side: int) -> dict[str, Array]:
    """Sums of one world, as one unit.

    Parameters
    ----------
    estimate, truth : (2, y, x) K, H and V, NaN where absent
    side : cells along a tile of the spectra

    Returns
    -------
    dict
        `tb` (1, 4): cells and square errors of H, V and P = V - H; `ssim` (1, 2, 2): cells and sum
        of H and V; `spectrum_h`, `spectrum_v`, `spectrum_p` (1, 4, annulus)
    """
    ours, theirs = (np.stack([*tb, tb[1] - tb[0]]).astype(np.float64) for tb in (estimate, truth))
    squares = np.where(np.isfinite(ours - theirs), (ours - theirs) ** 2, np.nan)
    known = np.isfinite(squares).all(0)
    likeness = [similarity(one, other) for one, other in zip(ours[:2], theirs[:2], strict=True)]
    spectra = {
        f"spectrum_{name}": spectrum_sums(ours[n], theirs[n], side).sum(0)[None]
        for n, name in enumerate("hvp")
    }
    return spectra | {
        "tb": np.array([[known.sum(), *(square[known].sum() for square in squares)]]),
        "ssim": np.array([[[np.isfinite(one).sum(), np.nansum(one)] for one in likeness]]),
    }


def similarity(estimate: Map, truth: Map) -> Array:
    """Structural similarity (SSIM) of every cell whose window is known throughout; else NaN.

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity",
    IEEE Trans. Image Process. 13, equation 13 with its constants and its Gaussian window, and a
    range of 200 K.
    """
    known = np.isfinite(estimate) & np.isfinite(truth)
    whole = uniform_filter(known.astype(np.float64), 2 * REACH + 1, mode="constant") > 1 - 1e-9
    one, other = (np.where(known, values - RANGE, 0.0) for values in (estimate, truth))
    mean, other_mean = _smoothed(one), _smoothed(other)
    variance = _smoothed(one**2) - mean**2 + _smoothed(other**2) - other_mean**2
    covariance = _smoothed(one * other) - mean * other_mean
    # The formula's means are of temperatures; only variances may be taken about another origin.
    mean, other_mean = mean + RANGE, other_mean + RANGE
    steady, lively = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    alike = (2 * mean * other_mean + steady) * (2 * covariance + lively)
    result = alike / ((mean**2 + other_mean**2 + steady) * (variance + lively))
    return np.where(whole, result, np.nan)


def _smoothed(values: Array) -> Array:
    """Means by a Gaussian window; where it leaves the map they mean nothing."""
    weights = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        values = correlate1d(values, weights, axis, mode="constant")
    return values

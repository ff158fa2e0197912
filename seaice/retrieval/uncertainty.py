"""Parts of a concentration's uncertainty: smearing by the footprint, and extrapolation.

Smearing: a footprint larger than a cell adds as much uncertainty as concentration changes nearby.

Extrapolation: a concentration is interpolated between open water and closed ice. Where H and V of
a band lie outside everything that real water, real ice and mixtures of both show, it is
extrapolated: the cell is flagged, and its uncertainty grows with the distance.

Mixtures of water and ice fill the convex hull of both in the plane of H and V. `SUPPORT` describes
that hull for each band by its extent in 24 directions, the 99.8 percentile of real samples (42 639
of the Round Robin Data Package, doi 10.6084/m9.figshare.6626549, of both hemispheres and all
seasons; the largest of four percentiles, of water and ice in the north and the south).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from seaice.grid.blocks import block_mean, repeat_to_fine_grid
from seaice.grid.masks import land_fractions

__all__ = [
    "BANDS",
    "GUARD",
    "KELVIN_PER_UNIT",
    "SMEARING_FACTOR",
    "SUPPORT",
    "excess",
    "excess_map",
    "smearing",
    "split_uncertainty",
    "widened",
]

Map = NDArray[np.float32]

#: Standard deviation over the range within 3 x 3 cells of 6.25 km. A straight ice edge blurred by a
#: Gaussian of s = 3 km (the 89 GHz footprint and the weights of gridding) is wrong by Q(|x| / s),
#: Q the tail of the normal distribution: sqrt(2 s * 0.1169 / 18.75 km) = 0.19 over the 3 cells.
SMEARING_FACTOR = 0.19


def smearing(sic: Map) -> Map:
    """One standard deviation of concentration for being seen through a footprint.

    The range among the 3 x 3 daily cells around each one, times `SMEARING_FACTOR`: OSI SAF's
    parametrization (Lavergne et al. 2019, The Cryosphere 13, section 3.6), for 89 GHz.

    Parameters
    ----------
    sic : (4y, 4x) 0-1, NaN where absent

    Returns
    -------
    (4y, 4x) float32, NaN where `sic` is

    >>> edge = np.repeat(np.float32([0, 0, 1, 1, 1]), 4)[None].repeat(4, 0)
    >>> smearing(edge)[0, ::4].round(2).tolist()
    [0.0, 0.1899999976158142, 0.1899999976158142, 0.0, 0.0]
    """
    means = block_mean(sic)
    absent = np.isnan(means)
    most = maximum_filter(np.where(absent, -np.inf, means), 3)
    least = minimum_filter(np.where(absent, np.inf, means), 3)
    across = np.where(absent, 0, most - least) * SMEARING_FACTOR
    return np.where(np.isnan(sic), np.nan, repeat_to_fine_grid(across)).astype(np.float32)


def split_uncertainty(sic: Map, total: Map) -> tuple[Map, Map]:
    """A total standard deviation as (algorithm, smearing), whose squares add up to its square.

    The smearing part is `smearing(sic)`, at most the total; the algorithm part is the rest.
    Networks need this split: their calibrated standard deviation is the total.

    Parameters
    ----------
    sic, total : (4y, 4x), 0-1; NaN where absent
    """
    within = np.minimum(smearing(sic), total)
    return np.sqrt(np.maximum(total**2 - within**2, 0)).astype(np.float32), within


Array = NDArray[np.floating]

BANDS = ("18", "23", "36", "89")  #: what the formulas and their weather filters use
GUARD = 3.0  #: K by which a cell may lie outside the hull: noise and season
KELVIN_PER_UNIT = 35.0  #: K of V - H at 89 GHz between open water (47) and closed ice (11.7)
LAND = 0.05  #: share of land in a band's footprint from which on the band says nothing here
SHARES = {"6": "land_6", "7": "land_6", "10": "land_10", "18": "land_18", "23": "land_18"}
DIRECTIONS = np.radians(np.arange(0, 360, 15))
#: K: the largest V cos(d) + H sin(d) of real samples, for each direction d of `DIRECTIONS`
# fmt: off
SUPPORT: Mapping[str, Sequence[float]] = {
    "6": (
        266.1, 322.5, 357.1, 367.5, 352.9, 314.2, 254.1, 176.7,
        87.3, -7.6, -96.5, -131.9, -157.5, -172.0, -174.6, -165.0,
        -144.1, -113.4, -74.9, -31.2, 15.2, 60.6, 125.3, 197.3,
    ),
    "7": (
        266.9, 323.7, 358.5, 369.0, 354.3, 315.6, 255.3, 177.7,
        87.8, -7.4, -96.4, -132.3, -158.2, -173.0, -175.7, -166.2,
        -145.3, -114.5, -75.8, -31.8, 14.8, 60.4, 125.2, 197.6,
    ),
    "10": (
        267.8, 324.4, 359.1, 369.4, 354.6, 315.6, 255.1, 177.4,
        87.6, -7.5, -98.1, -138.9, -166.3, -182.1, -185.2, -175.4,
        -153.7, -121.4, -80.8, -34.6, 14.4, 62.4, 122.5, 196.5,
    ),
    "18": (
        267.4, 323.8, 358.3, 368.4, 353.6, 314.6, 254.3, 176.9,
        87.4, -6.7, -90.8, -150.6, -182.4, -201.5, -206.5, -197.8,
        -175.3, -140.7, -96.3, -45.4, 8.6, 62.3, 118.4, 195.5,
    ),
    "23": (
        267.2, 324.0, 358.7, 369.3, 354.6, 316.0, 255.7, 178.0,
        88.5, -5.8, -83.7, -151.0, -192.7, -215.6, -223.9, -216.9,
        -195.1, -160.0, -113.7, -59.1, -1.7, 56.8, 114.1, 194.4,
    ),
    "36": (
        264.5, 320.4, 354.8, 365.4, 350.9, 312.5, 253.0, 176.3,
        87.7, -4.6, -73.0, -132.5, -183.9, -222.3, -244.1, -237.9,
        -215.3, -177.9, -128.4, -70.2, -7.2, 56.4, 117.0, 192.0,
    ),
    "89": (
        270.4, 328.3, 364.8, 376.2, 362.3, 323.7, 263.7, 185.2,
        94.2, -2.3, -68.8, -128.3, -179.0, -217.3, -240.9, -248.0,
        -238.3, -212.3, -170.1, -101.9, -28.0, 48.3, 122.4, 194.0,
    ),
}
# fmt: on


def excess(band: str, h: Array, v: Array) -> NDArray[np.float32]:
    """How far H and V of a band lie outside the hull and its guard band, K; 0 inside.

    It is the largest over all directions, so it is convex in (H, V), and grows along every way
    that leads straight out of the hull. Where H or V is NaN it is 0.

    >>> excess("89", np.array([200.0, 240.0]), np.array([247.0, 200.0])).round().tolist()
    [0.0, 28.0]
    """
    result = np.zeros(np.shape(v), np.float32)
    for direction, support in zip(DIRECTIONS, SUPPORT[band], strict=True):
        beyond = np.cos(direction) * v + np.sin(direction) * h - (support + GUARD)
        np.fmax(result, beyond, out=result, casting="same_kind")
    return result


def excess_map(
    tb: Mapping[str, Array], land: NDArray[np.bool_], bands: Sequence[str] = BANDS
) -> NDArray[np.float32]:
    """The largest excess of several bands on the cells of a daily map, K, (y, x).

    Parameters
    ----------
    tb : channels of the daily map, (y, x) K, NaN where absent; bands that lack one are passed over
    land : (4y, 4x) bool; a band says nothing where its footprint holds land
    bands : of those in `SUPPORT`
    """
    shares = land_fractions(land)
    result = np.zeros(next(iter(shares.values())).shape, np.float32)
    for band in bands:
        if f"tb{band}h" not in tb or f"tb{band}v" not in tb:
            continue
        h, v = tb[f"tb{band}h"], tb[f"tb{band}v"]
        here = np.isfinite(h) & np.isfinite(v) & (shares[SHARES.get(band, "land_36")] < LAND)
        result[here] = np.maximum(result[here], excess(band, h[here], v[here]))
    return result


def widened(uncertainty: Array, beyond: Array, factor: float = 1.0) -> NDArray[np.float32]:
    """An uncertainty (0-1) with the part that an excess adds: root of the sum of squares.

    Parameters
    ----------
    beyond : K, as `excess`
    factor : 1 for one standard deviation, 2 for a half-width that holds 95 % of errors
    """
    added = np.asarray(beyond, np.float32) * np.float32(factor / KELVIN_PER_UNIT)
    return np.asarray(np.hypot(np.asarray(uncertainty, np.float32), added), np.float32)

"""What footprints larger than a cell add to the doubt: as much as concentration changes nearby."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from seaice.grid.blocks import block_mean, repeat_to_fine_grid

__all__ = ["FACTOR", "smearing", "split"]

Map = NDArray[np.float32]

#: Standard deviation over the range within 3 x 3 cells of 6.25 km. A straight ice edge blurred by a
#: Gaussian of s = 3 km (the 89 GHz footprint and the weights of gridding) is wrong by Q(|x| / s),
#: Q the tail of the normal distribution: sqrt(2 s * 0.1169 / 18.75 km) = 0.19 over the 3 cells.
FACTOR = 0.19


def smearing(sic: Map) -> Map:
    """One standard deviation of concentration for being seen through a footprint.

    The range among the 3 x 3 daily cells around each one, times `FACTOR`: OSI SAF's
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
    across = np.where(absent, 0, most - least) * FACTOR
    return np.where(np.isnan(sic), np.nan, repeat_to_fine_grid(across)).astype(np.float32)


def split(sic: Map, total: Map) -> tuple[Map, Map]:
    """A total standard deviation as (algorithm, smearing), whose squares add up to its square.

    Smearing is what `smearing` tells, at most the total; the algorithm has the rest. So it is for
    networks, whose calibrated standard deviation is the total.

    Parameters
    ----------
    sic, total : (4y, 4x), 0-1; NaN where absent
    """
    within = np.minimum(smearing(sic), total)
    return np.sqrt(np.maximum(total**2 - within**2, 0)).astype(np.float32), within

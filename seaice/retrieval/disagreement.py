"""Where a network and the classical filters tell opposite things of the ice edge."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.blocks import repeat_to_fine_grid
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.corrections import weather_filter

__all__ = ["EDGE", "FILTERED_BY", "disagreement"]

EDGE = 0.15  #: concentration from which on there is ice
FILTERED_BY = ("tb18v", "tb23v", "tb36v")  #: channels of the weather filters


def disagreement(
    sic: NDArray[np.float32], pd: NDArray[np.float32], daily_map: xr.Dataset
) -> NDArray[np.bool_]:
    """Ice to the network where the filters see open water under weather, or the other way round.

    The other way round: the filters let the cell stand, ASI has ice there and the network none.
    Nobody disagrees where a channel of the filters is absent.

    Parameters
    ----------
    sic : (4y, 4x) 0-1, of a network
    pd : (4y, 4x) K, refined polarization difference
    daily_map : (y, x), of the same day; published filters of Spreen et al. 2008 are asked

    Returns
    -------
    (4y, 4x) bool
    """
    if any(name not in daily_map for name in FILTERED_BY):
        return np.zeros(sic.shape, bool)
    low = [daily_map[name].values for name in FILTERED_BY]
    known = repeat_to_fine_grid(np.logical_and.reduce([np.isfinite(channel) for channel in low]))
    water = repeat_to_fine_grid(weather_filter(*low))
    ice = sic > EDGE
    lost = ~water & ~ice & (asi(pd) > EDGE)
    return np.asarray(known & np.isfinite(sic) & ((water & ice) | lost))

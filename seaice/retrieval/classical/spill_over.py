"""Land that reaches into the footprints of coastal cells looks like ice: where it is taken back.

The scheme of NASA Team 2: Markus, Cavalieri 2009, "The AMSR-E NT2 sea ice concentration algorithm:
its basis and implementation", J. Remote Sensing Society of Japan 29(1), section 4; AMSR2 sea-ice
ATBD, NASA GSFC 2017, section 3.2.1.2.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter

__all__ = ["spilled"]

WINDOW = 7  #: cells of the window that is searched for ice
SQUARE = np.ones((3, 3), bool)


def spilled(sic: NDArray[np.floating], land: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Coastal cells whose ice is land seen from the sea.

    Cells touching land are at distance 1, cells touching those at 2, and so on, diagonals
    included. Ice at distance 1 or 2 is not believed where all cells at distance 3 within a window
    of 7 x 7 cells are known and free of ice, and there is at least one.

    Parameters
    ----------
    sic : (y, x) 0-1 on 6.25 km cells, NaN where absent
    land : (y, x) bool

    Returns
    -------
    (y, x) bool
    """
    touching = [land]
    for _ in range(3):
        touching.append(binary_dilation(touching[-1], SQUARE))
    coastal, ring = touching[2] & ~land, touching[3] & ~touching[2]
    icy = ring & ~(sic == 0)
    free = maximum_filter(ring, WINDOW) & ~maximum_filter(icy, WINDOW)
    found: NDArray[np.bool_] = coastal & free & (sic > 0)
    return found

"""How much land broad footprints hold: low frequencies mix land, water and ice in every strait."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from seaice.grid.definition import NORTH
from seaice.grid.gridding.splat import LOW_BEAM
from seaice.grid.refined import SCALE
from seaice.instrument import BANDS

__all__ = ["LAND_SHARES", "land_shares"]

#: one for every distinct footprint: 7.3 GHz sees what 6.9 does, and 23.8 what 18.7 does
LAND_SHARES = ("land_6", "land_10", "land_18", "land_36")
#: standard deviation of a Gaussian over its full width at half maximum
PER_WIDTH = 1 / math.sqrt(8 * math.log(2))


def land_shares(land: NDArray[np.bool_]) -> dict[str, NDArray[np.float32]]:
    """Share of land in what a gridded low-frequency cell stems from, one map a footprint.

    A cell of the daily map is blurred by the antenna's beam, here as wide in all directions as the
    mean of its two widths, and by the weight that joins samples in gridding.

    Parameters
    ----------
    land : (4y, 4x) bool, on the refined grid; beyond its edge goes on what stands there

    Returns
    -------
    dict of (y, x) float32
        0-1 on the coarse grid, as `LAND_SHARES`.

    >>> half = np.zeros((256, 256), bool)
    >>> half[:128] = True
    >>> [round(float(share[34, 0]), 2) for share in land_shares(half).values()]
    [0.22, 0.13, 0.03, 0.0]
    """
    rows, columns = land.shape
    cells = land.reshape(rows // SCALE, SCALE, columns // SCALE, SCALE).mean((1, 3))
    return {name: _blurred(cells, name.removeprefix("land_")) for name in LAND_SHARES}


def _blurred(cells: NDArray[np.floating], band: str) -> NDArray[np.float32]:
    beam = 1000 * math.sqrt(BANDS[band].along * BANDS[band].across) * PER_WIDTH
    joined = LOW_BEAM.sigma / math.sqrt(2)
    width = math.hypot(beam, joined) / NORTH.cell
    return np.asarray(gaussian_filter(cells.astype(np.float32), width, mode="nearest"))

"""Scenes whose low frequencies stand at the positions of 89 GHz, put where land says they belong.

L1B stores positions of 89 GHz only; those of the other bands lie 5.2 to 5.6 km along the scan from
them (`seaice.ingest.coregistration`). Files that were resampled without this hold a scene whose
low frequencies are displaced. The scan's direction is not in them, but coasts are.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from seaice.grid.definition import Grid
from seaice.grid.masks.footprint_land import land_shares
from seaice.grid.projection import project
from seaice.instrument import LOW_BANDS

__all__ = ["DISPLACED", "Displacement", "displacement", "registered"]

Array = NDArray[np.floating]

DISPLACED = 5200.0  #: m between a low-frequency sample and the 89A position it is stored at
DIRECTIONS = np.arange(0.0, 360.0, 7.5)  #: degrees that are tried
BAND, CHANNELS = "18", ("tb18h", "tb18v", "tb23h", "tb23v")  #: whose footprint coasts are seen with
NEAR = 0.02  #: share of land in 6.9 GHz's footprint from which on a cell tells of coasts
FEWEST = 400  #: such cells that are enough to tell
BETTER = 0.03  #: share of the unexplained variance that a displacement must take away


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """How far low frequencies stand from where they belong, on the plane of the grid."""

    x: float  #: m to add
    y: float  #: m to add
    why: Literal["coasts", "as stored: coasts fit best so", "as stored: too little coast"]


def displacement(swath: xr.Dataset, grid: Grid, land: NDArray[np.bool_]) -> Displacement:
    """What coasts say of the place of a scene's low frequencies.

    Over mixed footprints brightness rises with the share of land. The displacement, of known
    length and unknown direction, is the one for which land explains most of 18.7 and 23.8 GHz.

    Parameters
    ----------
    swath : a scene, low frequencies at the positions of 89 GHz
    grid : 6.25 km, that it lies on
    land : (4y, 4x) bool on the refined grid
    """
    x, y = project(swath["latitude_low"].values[0], swath["longitude_low"].values[0], grid.crs)
    shares = land_shares(land)
    near = _sampled(shares["land_6"], x, y, grid) > NEAR
    looks = [swath[name].values for name in CHANNELS]
    seen = near & np.logical_and.reduce([np.isfinite(tb) for tb in looks])
    if seen.sum() < FEWEST:
        return Displacement(x=0.0, y=0.0, why="as stored: too little coast")
    tb = [look[seen] for look in looks]

    def unexplained(dx: float, dy: float) -> float:
        share = _sampled(shares[f"land_{BAND}"], x[seen] + dx, y[seen] + dy, grid)
        return float(np.mean([_residual(share, values) for values in tb]))

    turns = np.radians(DIRECTIONS)
    tried = [(DISPLACED * np.cos(turn), DISPLACED * np.sin(turn)) for turn in turns]
    missed = [unexplained(*step) for step in tried]
    best = int(np.argmin(missed))
    if missed[best] > (1 - BETTER) * unexplained(0.0, 0.0):
        return Displacement(x=0.0, y=0.0, why="as stored: coasts fit best so")
    return Displacement(x=float(tried[best][0]), y=float(tried[best][1]), why="coasts")


def registered(swath: xr.Dataset, moved: Displacement, crs: str) -> xr.Dataset:
    """The scene with its low frequencies where they belong; attrs tell how far they were moved."""
    x, y = project(swath["latitude_low"].values[0], swath["longitude_low"].values[0], crs)
    to_sphere = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_sphere.transform(x + moved.x, y + moved.y)
    shape = (len(LOW_BANDS), *x.shape)
    places = {"latitude_low": latitude, "longitude_low": longitude}
    told = f"low frequencies moved by {moved.x / 1e3:.1f}, {moved.y / 1e3:.1f} km ({moved.why})"
    return swath.assign(
        {
            name: swath[name].copy(data=np.broadcast_to(place.astype(np.float32), shape))
            for name, place in places.items()
        }
    ).assign_attrs(registration=told)


def _sampled(share: Array, x: Array, y: Array, grid: Grid) -> Array:
    rows, columns = (grid.top - y) / grid.cell - 0.5, (x - grid.left) / grid.cell - 0.5
    place = np.nan_to_num(np.stack([rows, columns]), nan=-9.0)
    return np.asarray(map_coordinates(share, place, order=1, mode="constant"))


def _residual(share: Array, tb: Array) -> float:
    """Variance that a straight line of the share leaves, as a share of the whole."""
    return float(1 - np.corrcoef(share, tb)[0, 1] ** 2)

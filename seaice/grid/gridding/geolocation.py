"""Does a swath lie where its positions say: its own land flag against the land mask.

Every 89 GHz sample carries the share of land in its footprint. Along coasts that share follows the
land mask, unless the positions are wrong. The score is the correlation of both over samples within
about 30 km of a coast; it is compared with the scores of the same samples moved by 6 to 111 km. On
simulated granules of three regions the score is 0.94 or more where the positions are right, 0.95 or
less where they are wrong by 0.1 degree, and 0.76 or less where they are wrong by 1 degree.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from seaice.errors import GranuleError
from seaice.grid.dataset import Hemisphere
from seaice.grid.definition import HEMISPHERES
from seaice.grid.masks.land import land_mask
from seaice.grid.projection import project

__all__ = ["Geolocation", "check_geolocation", "geolocation"]

Array = NDArray[np.float64]

LOOKED_AT = 60_000  #: samples of horn A that are projected
FEWEST = 300  #: coastal samples that a score needs; with fewer the swath is not checked
MOST = 4_000  #: coastal samples that are used
BLUR = 0.5  #: cells of 6.25 km: standard deviation that makes the mask as blurred as a footprint
COAST = (
    4.0,
    0.02,
)  #: cells: a mask blurred so much, that far from 0 and 1, is within 30 km of a coast
DISTANCES = (6.0, 12.0, 25.0, 50.0, 111.0)  #: km by which samples are moved
NOTICED = 12.0  #: km; a smaller error is below two footprints and not acted upon
DIRECTIONS = np.arange(0.0, 360.0, 45.0)  #: degrees from north over east
GOOD = 0.9  #: score from which on positions are right whatever a move might add
BETTER = 0.08  #: score that a move must add before the positions count as wrong
WRONG = 0.3  #: score below which positions are wrong, even where no move of `DISTANCES` helps


@dataclass(frozen=True, slots=True, kw_only=True)
class Geolocation:
    """How a swath's land flag agrees with the land mask."""

    samples: int  #: coastal samples that were compared
    score: float | None  #: correlation; None: not checked
    best: float | None = None  #: the largest correlation of a moved swath
    move: tuple[float, float] = (0.0, 0.0)  #: km to the north and to the east that give it
    why: str = ""  #: why it was not checked

    @property
    def summary(self) -> str:
        """One clause for a report."""
        if self.score is None:
            return f"not checked: {self.why}"
        return f"agreement with the land mask {self.score:.2f} ({self.samples} coastal samples)"


def check_geolocation(swath: xr.Dataset, hemisphere: Hemisphere) -> Geolocation:
    """Compare a swath's land flag with the land mask.

    Parameters
    ----------
    swath : as `seaice.ingest.read.read_swath` returns it
    hemisphere : whose mask is used; samples of the other one are passed over

    Returns
    -------
    Geolocation
        `score` is None where the swath sees too little coast or has no land flag.

    Raises
    ------
    GranuleError
        If the positions are wrong. In the south a score below `WRONG` alone does not count, as the
        sources of land flags differ on what is an ice shelf.
    """
    found = geolocation(swath, hemisphere)
    if found.score is None or found.score >= GOOD:
        return found
    best, far = found.best or 0.0, float(np.hypot(*found.move))
    moved = best >= found.score + BETTER and far >= NOTICED
    if moved or (found.score < WRONG and hemisphere == "north"):
        hint = (
            f"; moved by {far:.0f} km to {_compass(*found.move)} it would agree to {best:.2f}"
            if moved
            else ""
        )
        raise GranuleError(
            f"{swath.attrs.get('granule', 'a swath')}: its land flag agrees with the land mask to "
            f"{found.score:.2f} over {found.samples} coastal samples{hint}",
            f"{GOOD} or more, and no better agreement elsewhere; the positions are wrong",
            "fetch the granule again, or leave it out",
        )
    return found


def geolocation(swath: xr.Dataset, hemisphere: Hemisphere) -> Geolocation:
    """The score of a swath as it is, and the best of those of the moved swath."""
    latitude, longitude, land = (
        swath[name].values[0] for name in ("latitude", "longitude", "land_fraction")
    )
    step = max(1, int(np.sqrt(latitude.size / LOOKED_AT)))
    latitude, longitude, land = (each[::step, ::step] for each in (latitude, longitude, land))
    if not np.isfinite(land).any():
        return Geolocation(samples=0, score=None, why="no land flag")
    grid = HEMISPHERES[hemisphere]
    x, y = project(latitude, longitude, grid.crs)
    share, coast = _masks(hemisphere)
    rows, columns = (grid.top - y) / grid.cell - 0.5, (x - grid.left) / grid.cell - 0.5
    margin = DISTANCES[-1] * 1000 / grid.cell
    inside = (rows > margin) & (rows < grid.shape[0] - margin) & (columns > margin)
    inside &= (columns < grid.shape[1] - margin) & np.isfinite(land)
    near = np.zeros(inside.shape, bool)
    near[inside] = coast[rows[inside].round().astype(int), columns[inside].round().astype(int)]
    count = int(near.sum())
    if count < FEWEST:
        return Geolocation(samples=count, score=None, why=f"{count} coastal samples")
    every = max(1, count // MOST)
    row, column, flag = (each[near][::every] for each in (rows, columns, land))
    if flag.std() == 0:
        return Geolocation(samples=count, score=None, why="the land flag is constant")
    middle = grid.top / grid.cell - 0.5, -grid.left / grid.cell - 0.5
    pole = 1.0 if hemisphere == "north" else -1.0
    to_north = _unit(pole * (middle[0] - row), pole * (middle[1] - column))

    def score(north: float, east: float) -> float:
        """Correlation where all samples are moved by so many km; rows run down."""
        down = 1000 / grid.cell * (north * to_north[0] + east * to_north[1])
        across = 1000 / grid.cell * (north * to_north[1] - east * to_north[0])
        seen = map_coordinates(share, [row + down, column + across], order=1)
        return float(np.corrcoef(seen, flag)[0, 1]) if seen.std() > 0 else 0.0

    here = score(0.0, 0.0)
    if here >= GOOD:
        return Geolocation(samples=count, score=here)
    turns = [(np.cos(turn), np.sin(turn)) for turn in np.radians(DIRECTIONS)]
    moves = [(far * north, far * east) for far in DISTANCES for north, east in turns]
    best, move = max((score(*move), move) for move in moves)
    return Geolocation(samples=count, score=here, best=best, move=(float(move[0]), float(move[1])))


@lru_cache(maxsize=2)
def _masks(hemisphere: Hemisphere) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Share of land as a footprint sees it, and the cells near a coast, (y, x)."""
    land = land_mask(HEMISPHERES[hemisphere]).astype(np.float32)
    wide = gaussian_filter(land, COAST[0])
    return gaussian_filter(land, BLUR), (wide > COAST[1]) & (wide < 1 - COAST[1])


def _unit(down: Array, across: Array) -> tuple[Array, Array]:
    length = np.maximum(np.hypot(down, across), 1e-9)
    return down / length, across / length


def _compass(north: float, east: float) -> str:
    """The direction of a move.

    >>> _compass(111.0, 0.0), _compass(-8.5, 8.5)
    ('the north', 'the south-east')
    """
    parts = [
        word
        for amount, words in ((north, ("north", "south")), (east, ("east", "west")))
        for word in (words[amount < 0],)
        if abs(amount) > 0.01
    ]
    return f"the {'-'.join(parts)}"

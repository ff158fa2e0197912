"""Positions of swaths and scenes checked against the land mask.

Every 89 GHz sample carries the land fraction of its footprint. Along coasts it follows the land
mask, unless the positions are wrong. `check_geolocation` correlates both over samples within about
30 km of a coast and compares the score with those of the same samples moved by 6 to 111 km. On
simulated granules of three regions the score is 0.94 or more where the positions are right, 0.95 or
less where they are wrong by 0.1 degree, and 0.76 or less where they are wrong by 1 degree.

L1B stores positions of 89 GHz only; those of the other bands are 5.2 to 5.6 km along the scan from
them (`seaice.io.coregistration`). Files that were resampled without co-registration contain scenes
whose low frequencies are displaced. `estimate_displacement` finds the direction from coasts.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import gaussian_filter, map_coordinates

from seaice.errors import GranuleError
from seaice.grid.grid import HEMISPHERES, Grid, Hemisphere
from seaice.grid.masks import land_fractions, land_mask
from seaice.grid.projection import project
from seaice.instrument import LOW_BANDS

__all__ = [
    "DISPLACEMENT",
    "Displacement",
    "GeolocationCheck",
    "apply_displacement",
    "check_geolocation",
    "estimate_displacement",
    "score_geolocation",
]

Array = NDArray[np.floating]

DISPLACEMENT = 5200.0  #: m between a low-frequency sample and the 89A position stored for it
SEARCH_DIRECTIONS = np.arange(0.0, 360.0, 7.5)  #: degrees
#: band whose footprint is used, and the channels that are fitted to its land fraction
COAST_BAND, COAST_CHANNELS = "18", ("tb18h", "tb18v", "tb23h", "tb23v")
MIN_LAND_FRACTION = 0.02  #: of 6.9 GHz's footprint, from which on a cell is coastal
MIN_COASTAL_CELLS = 400  #: coastal cells needed for an estimate
MIN_IMPROVEMENT = 0.03  #: fraction of the unexplained variance that a displacement must remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """Displacement of the low frequencies of a scene, in the projection of its grid."""

    x: float  #: m to add
    y: float  #: m to add
    reason: Literal["coasts", "as stored: coasts fit best so", "as stored: too little coast"]


def estimate_displacement(swath: xr.Dataset, grid: Grid, land: NDArray[np.bool_]) -> Displacement:
    """Estimate the displacement of a scene's low frequencies from coasts.

    In mixed footprints the brightness temperature rises with the land fraction. The displacement,
    of known length and unknown direction, is the one for which the land fraction explains most of
    the variance of 18.7 and 23.8 GHz.

    Parameters
    ----------
    swath : a scene, low frequencies at the positions of 89 GHz
    grid : 6.25 km grid of the scene
    land : (4y, 4x) bool on the refined grid
    """
    x, y = project(swath["latitude_low"].values[0], swath["longitude_low"].values[0], grid.crs)
    fractions = land_fractions(land)
    near = _interpolate(fractions["land_6"], x, y, grid) > MIN_LAND_FRACTION
    channels = [swath[name].values for name in COAST_CHANNELS]
    seen = near & np.logical_and.reduce([np.isfinite(tb) for tb in channels])
    if seen.sum() < MIN_COASTAL_CELLS:
        return Displacement(x=0.0, y=0.0, reason="as stored: too little coast")
    tb = [channel[seen] for channel in channels]

    def unexplained(dx: float, dy: float) -> float:
        fraction = _interpolate(fractions[f"land_{COAST_BAND}"], x[seen] + dx, y[seen] + dy, grid)
        return float(np.mean([_unexplained_fraction(fraction, values) for values in tb]))

    turns = np.radians(SEARCH_DIRECTIONS)
    moves = [(DISPLACEMENT * np.cos(turn), DISPLACEMENT * np.sin(turn)) for turn in turns]
    residuals = [unexplained(*step) for step in moves]
    best = int(np.argmin(residuals))
    if residuals[best] > (1 - MIN_IMPROVEMENT) * unexplained(0.0, 0.0):
        return Displacement(x=0.0, y=0.0, reason="as stored: coasts fit best so")
    return Displacement(x=float(moves[best][0]), y=float(moves[best][1]), reason="coasts")


def apply_displacement(swath: xr.Dataset, moved: Displacement, crs: str) -> xr.Dataset:
    """The scene with its low frequencies moved; `registration` in attrs states by how much."""
    x, y = project(swath["latitude_low"].values[0], swath["longitude_low"].values[0], crs)
    to_sphere = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_sphere.transform(x + moved.x, y + moved.y)
    shape = (len(LOW_BANDS), *x.shape)
    positions = {"latitude_low": latitude, "longitude_low": longitude}
    note = f"low frequencies moved by {moved.x / 1e3:.1f}, {moved.y / 1e3:.1f} km ({moved.reason})"
    return swath.assign(
        {
            name: swath[name].copy(data=np.broadcast_to(position.astype(np.float32), shape))
            for name, position in positions.items()
        }
    ).assign_attrs(registration=note)


def _interpolate(fraction: Array, x: Array, y: Array, grid: Grid) -> Array:
    rows, columns = (grid.top - y) / grid.cell - 0.5, (x - grid.left) / grid.cell - 0.5
    position = np.nan_to_num(np.stack([rows, columns]), nan=-9.0)
    return np.asarray(map_coordinates(fraction, position, order=1, mode="constant"))


def _unexplained_fraction(fraction: Array, tb: Array) -> float:
    """Fraction of the variance of `tb` that a linear fit to the land fraction does not explain."""
    return float(1 - np.corrcoef(fraction, tb)[0, 1] ** 2)


MAX_SAMPLES = 60_000  #: samples of horn A that are projected
MIN_COASTAL_SAMPLES = 300  #: with fewer coastal samples the swath is not checked
MAX_COASTAL_SAMPLES = 4_000  #: coastal samples that are used
#: cells of 6.25 km, standard deviation of the Gaussian that blurs the mask like a footprint
FOOTPRINT_SIGMA = 0.5
#: cells, blurring of the mask, and distance from 0 and 1 that is within about 30 km of a coast
COAST = (4.0, 0.02)
DISTANCES = (6.0, 12.0, 25.0, 50.0, 111.0)  #: km by which samples are moved
MIN_MOVE = 12.0  #: km; smaller errors, below two footprints, are accepted
MOVE_DIRECTIONS = np.arange(0.0, 360.0, 45.0)  #: degrees from north over east
GOOD_SCORE = 0.9  #: from this score on the positions are accepted without trying moves
MIN_SCORE_GAIN = 0.08  #: gain of score by a move from which on the positions are wrong
BAD_SCORE = 0.3  #: below this score the positions are wrong even if no move improves it


@dataclass(frozen=True, slots=True, kw_only=True)
class GeolocationCheck:
    """Agreement of a swath's land flag with the land mask."""

    samples: int  #: coastal samples that were compared
    score: float | None  #: correlation; None: not checked
    best: float | None = None  #: the largest correlation of a moved swath
    move: tuple[float, float] = (0.0, 0.0)  #: km to the north and to the east of the best move
    reason: str = ""  #: why it was not checked

    @property
    def summary(self) -> str:
        """One clause for a report."""
        if self.score is None:
            return f"not checked: {self.reason}"
        return f"agreement with the land mask {self.score:.2f} ({self.samples} coastal samples)"


def check_geolocation(swath: xr.Dataset, hemisphere: Hemisphere) -> GeolocationCheck:
    """Compare a swath's land flag with the land mask.

    Parameters
    ----------
    swath : as `seaice.io.readers.read_swath` returns it
    hemisphere : of the mask; samples of the other hemisphere are ignored

    Returns
    -------
    Geolocation
        `score` is None if the swath covers too little coast or has no land flag.

    Raises
    ------
    GranuleError
        If the positions are wrong. In the south a score below `BAD_SCORE` alone is accepted, as
        the sources of land flags differ about ice shelves.
    """
    check = score_geolocation(swath, hemisphere)
    if check.score is None or check.score >= GOOD_SCORE:
        return check
    best, far = check.best or 0.0, float(np.hypot(*check.move))
    moved = best >= check.score + MIN_SCORE_GAIN and far >= MIN_MOVE
    if moved or (check.score < BAD_SCORE and hemisphere == "north"):
        hint = (
            f"; moved by {far:.0f} km to {_compass(*check.move)} it would agree to {best:.2f}"
            if moved
            else ""
        )
        raise GranuleError(
            f"{swath.attrs.get('granule', 'a swath')}: its land flag agrees with the land mask to "
            f"{check.score:.2f} over {check.samples} coastal samples{hint}",
            f"{GOOD_SCORE} or more, and no better agreement elsewhere; the positions are wrong",
            "fetch the granule again, or leave it out",
        )
    return check


def score_geolocation(swath: xr.Dataset, hemisphere: Hemisphere) -> GeolocationCheck:
    """The score of a swath, and the best score of the moved swath."""
    latitude, longitude, land = (
        swath[name].values[0] for name in ("latitude", "longitude", "land_fraction")
    )
    step = max(1, int(np.sqrt(latitude.size / MAX_SAMPLES)))
    latitude, longitude, land = (each[::step, ::step] for each in (latitude, longitude, land))
    if not np.isfinite(land).any():
        return GeolocationCheck(samples=0, score=None, reason="no land flag")
    grid = HEMISPHERES[hemisphere]
    x, y = project(latitude, longitude, grid.crs)
    fraction, coast = _masks(hemisphere)
    rows, columns = (grid.top - y) / grid.cell - 0.5, (x - grid.left) / grid.cell - 0.5
    margin = DISTANCES[-1] * 1000 / grid.cell
    inside = (rows > margin) & (rows < grid.shape[0] - margin) & (columns > margin)
    inside &= (columns < grid.shape[1] - margin) & np.isfinite(land)
    near = np.zeros(inside.shape, bool)
    near[inside] = coast[rows[inside].round().astype(int), columns[inside].round().astype(int)]
    count = int(near.sum())
    if count < MIN_COASTAL_SAMPLES:
        return GeolocationCheck(samples=count, score=None, reason=f"{count} coastal samples")
    every = max(1, count // MAX_COASTAL_SAMPLES)
    row, column, flag = (each[near][::every] for each in (rows, columns, land))
    if flag.std() == 0:
        return GeolocationCheck(samples=count, score=None, reason="the land flag is constant")
    middle = grid.top / grid.cell - 0.5, -grid.left / grid.cell - 0.5
    pole = 1.0 if hemisphere == "north" else -1.0
    to_north = _unit(pole * (middle[0] - row), pole * (middle[1] - column))

    def score(north: float, east: float) -> float:
        """Correlation where all samples are moved by so many km; rows run down."""
        down = 1000 / grid.cell * (north * to_north[0] + east * to_north[1])
        across = 1000 / grid.cell * (north * to_north[1] - east * to_north[0])
        seen = map_coordinates(fraction, [row + down, column + across], order=1)
        return float(np.corrcoef(seen, flag)[0, 1]) if seen.std() > 0 else 0.0

    here = score(0.0, 0.0)
    if here >= GOOD_SCORE:
        return GeolocationCheck(samples=count, score=here)
    turns = [(np.cos(turn), np.sin(turn)) for turn in np.radians(MOVE_DIRECTIONS)]
    moves = [(far * north, far * east) for far in DISTANCES for north, east in turns]
    best, move = max((score(*move), move) for move in moves)
    return GeolocationCheck(
        samples=count, score=here, best=best, move=(float(move[0]), float(move[1]))
    )


@lru_cache(maxsize=2)
def _masks(hemisphere: Hemisphere) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Land fraction of an 89 GHz footprint, and the cells near a coast, (y, x)."""
    land = land_mask(HEMISPHERES[hemisphere]).astype(np.float32)
    wide = gaussian_filter(land, COAST[0])
    return gaussian_filter(land, FOOTPRINT_SIGMA), (wide > COAST[1]) & (wide < 1 - COAST[1])


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

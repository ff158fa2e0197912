"""Raw sensor counts to brightness temperature.

A message such as 65535 is told from a measurement while it is still an integer; scaled first, it
would pass as 655.35 K. `decoded` does all in one pass over the counts; a table with an entry per
possible count, `brightness_temperature` and `count_quality`, is its plain twin.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seaice.compiled import compiled
from seaice.ingest.quality import Quality
from seaice.vocabulary import TB_RANGE

__all__ = [
    "MESSAGES",
    "brightness_temperature",
    "count_quality",
    "decoded",
    "land_fraction",
]

#: counts that are messages, not measurements (the meaning of 65534 is not confirmed)
MESSAGES = (65534, 65535)


def decoded(
    counts: NDArray[np.uint16],
    scale: float,
    kelvin: NDArray[np.float32],
    quality: NDArray[np.uint8],
) -> None:
    """Fill in kelvin and add `Quality` bits, reading the counts once.

    Parameters
    ----------
    counts : (scan, pixel) uint16
    scale : K per count
    kelvin : (scan, pixel) float32, overwritten with `brightness_temperature`
    quality : (scan, pixel) uint8, to which the bits of `count_quality` are added
    """
    good = np.flatnonzero(_quality_table(scale) == 0)
    _decode(np.ascontiguousarray(counts), scale, (int(good[0]), int(good[-1])), kelvin, quality)


@compiled
def _decode(
    counts: NDArray[np.uint16],
    scale: float,
    between: tuple[int, int],
    kelvin: NDArray[np.float32],
    quality: NDArray[np.uint8],
) -> None:
    least, most = between
    for scan in range(counts.shape[0]):
        for pixel in range(counts.shape[1]):
            count = counts[scan, pixel]
            good = (count >= least) & (count <= most)
            kelvin[scan, pixel] = count * scale if good else np.nan
            why = np.uint8(1 if count >= 65534 else 2)  # as MESSAGES and Quality have it
            quality[scan, pixel] |= np.uint8(0) if good else why


def brightness_temperature(counts: NDArray[np.uint16], scale: float) -> NDArray[np.float32]:
    """Counts to kelvin; messages and anything outside 50-350 K become NaN.

    Parameters
    ----------
    counts : (scan, pixel) uint16
    scale : K per count

    Returns
    -------
    (scan, pixel) float32, K

    >>> brightness_temperature(np.array([[20000, 65535, 65534, 4999]], np.uint16), scale=0.01)
    array([[200.,  nan,  nan,  nan]], dtype=float32)
    """
    return _kelvin_table(scale)[counts]


def count_quality(counts: NDArray[np.uint16], scale: float) -> NDArray[np.uint8]:
    """`Quality` bits that counts alone decide.

    >>> count_quality(np.array([20000, 65535, 4999], np.uint16), scale=0.01)
    array([0, 1, 2], dtype=uint8)
    """
    return _quality_table(scale)[counts]


def land_fraction(percent: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Percent of land in the footprint to a fraction; 255 (fill) becomes NaN.

    >>> land_fraction(np.array([0, 50, 100, 255], np.uint8))
    array([0. , 0.5, 1. , nan], dtype=float32)
    """
    table = (np.arange(256) / 100).astype(np.float32)
    table[101:] = np.nan
    return table[percent]


@lru_cache(maxsize=4)
def _kelvin_table(scale: float) -> NDArray[np.float32]:
    kelvin = (np.arange(65536) * scale).astype(np.float32)
    kelvin[_quality_table(scale) > 0] = np.nan
    return kelvin


@lru_cache(maxsize=4)
def _quality_table(scale: float) -> NDArray[np.uint8]:
    kelvin = np.round(np.arange(65536) * scale, 6)
    outside = (kelvin < TB_RANGE[0]) | (kelvin > TB_RANGE[1])
    quality = np.where(outside, Quality.OUT_OF_RANGE, 0).astype(np.uint8)
    quality[list(MESSAGES)] = Quality.MISSING_COUNT
    return quality

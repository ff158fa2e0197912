"""Raw values of AMSR2 files in physical units: counts, land flags, quality bits, scan times.

A fill count such as 65535 is recognized while it is still an integer; scaled first, it would pass
as 655.35 K. `decode_counts` makes one pass over the counts; `brightness_temperature` and
`count_quality`, which look up a table with one entry per count, are its plain equivalents.

JAXA counts scan times in TAI seconds since 1993-01-01 00:00 UTC, so only the leap seconds inserted
after that date are subtracted: 10 from 2017 on, not the 37 between TAI and UTC.
"""

from enum import IntFlag
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seaice.cf import TB_RANGE
from seaice.compiled import compiled

__all__ = [
    "FILL_COUNTS",
    "QUALITY_ATTRS",
    "Quality",
    "brightness_temperature",
    "count_quality",
    "decode_counts",
    "land_fraction",
    "tai93_to_utc",
    "utc_to_tai93",
]

#: counts that stand for missing measurements (the meaning of 65534 is not confirmed)
FILL_COUNTS = (65534, 65535)


def decode_counts(
    counts: NDArray[np.uint16],
    scale: float,
    kelvin: NDArray[np.float32],
    quality: NDArray[np.uint8],
) -> None:
    """Decode counts to kelvin and add `Quality` bits, in one pass.

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
    valid_range: tuple[int, int],
    kelvin: NDArray[np.float32],
    quality: NDArray[np.uint8],
) -> None:
    least, most = valid_range
    for scan in range(counts.shape[0]):
        for pixel in range(counts.shape[1]):
            count = counts[scan, pixel]
            good = (count >= least) & (count <= most)
            kelvin[scan, pixel] = count * scale if good else np.nan
            flag = np.uint8(1 if count >= 65534 else 2)  # FILL_COUNTS; bits of Quality
            quality[scan, pixel] |= np.uint8(0) if good else flag


def brightness_temperature(counts: NDArray[np.uint16], scale: float) -> NDArray[np.float32]:
    """Counts to kelvin; fill counts and values outside 50-350 K become NaN.

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
    """`Quality` bits that follow from the counts.

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
    quality[list(FILL_COUNTS)] = Quality.MISSING_COUNT
    return quality


class Quality(IntFlag):
    """Bits of `quality_flag`: why a sample is missing or suspect."""

    MISSING_COUNT = 1
    OUT_OF_RANGE = 2
    POSITION_MISSING = 4
    FLAGGED = 8


QUALITY_ATTRS = {
    "long_name": "why a sample is missing or suspect",
    "flag_masks": [bit.value for bit in Quality],
    "flag_meanings": " ".join(str(bit.name).lower() for bit in Quality),
}


LATEST = 4e9  #: s, in 2119; later values are invalid
EPOCH = np.datetime64("1993-01-01", "ns")

#: UTC days that begin just after a leap second (IERS Bulletin C 5 to 52)
LEAP_DAYS = np.array(
    [
        "1993-07-01", "1994-07-01", "1996-01-01", "1997-07-01", "1999-01-01",
        "2006-01-01", "2009-01-01", "2012-07-01", "2015-07-01", "2017-01-01",
    ],
    dtype="datetime64[ns]",
)  # fmt: skip


def tai93_to_utc(seconds: ArrayLike) -> NDArray[np.datetime64]:
    """TAI seconds since 1993 to UTC; NaN, negative (fill) and too large values become NaT.

    A time within a leap second is mapped to the first second of the next day.

    Parameters
    ----------
    seconds : any shape, s

    Returns
    -------
    datetime64[ns] of the same shape, UTC

    >>> tai93_to_utc([646825328.0, -9999.0]).astype("datetime64[s]")
    array(['2013-07-01T09:42:00', 'NaT'], dtype='datetime64[s]')
    """
    atomic = np.asarray(seconds, np.float64)
    known = (atomic >= 0) & (atomic < LATEST)
    starts = _seconds_without_leaps(LEAP_DAYS) + np.arange(1, LEAP_DAYS.size + 1)
    leaps = np.searchsorted(starts, atomic, side="right")
    nanoseconds = np.round(np.where(known, atomic - leaps, 0) * 1e9).astype(np.int64)
    return np.where(known, EPOCH + nanoseconds.astype("timedelta64[ns]"), np.datetime64("NaT"))


def utc_to_tai93(time: ArrayLike) -> NDArray[np.float64]:
    """UTC to TAI seconds since 1993; NaT becomes NaN.

    Parameters
    ----------
    time : datetime64 of any shape, UTC

    Returns
    -------
    float64 of the same shape, s

    >>> float(utc_to_tai93(np.datetime64("2017-01-01"))) - float(
    ...     utc_to_tai93(np.datetime64("2016-12-31"))
    ... )
    86401.0
    """
    utc = np.asarray(time, "datetime64[ns]")
    leaps = np.searchsorted(LEAP_DAYS, utc, side="right")
    return np.where(np.isnat(utc), np.nan, _seconds_without_leaps(utc) + leaps)


def _seconds_without_leaps(time: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Seconds since 1993 as if all days had 86400."""
    return np.asarray((time - EPOCH) / np.timedelta64(1, "s"), np.float64)

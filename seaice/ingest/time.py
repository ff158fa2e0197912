"""Atomic seconds since 1993 to UTC, and back.

JAXA counts scan times in TAI seconds since 1993-01-01 00:00 UTC, so the leap seconds inserted
*since then* must come off: 10 from 2017 on, not the 37 between TAI and UTC.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["tai93_to_utc", "utc_to_tai93"]

LATEST = 4e9  #: s, in 2119; what is later is no time
EPOCH = np.datetime64("1993-01-01", "ns")

#: UTC days that began with one leap second more since the last (IERS Bulletin C 5 to 52)
LEAPS = np.array(
    [
        "1993-07-01", "1994-07-01", "1996-01-01", "1997-07-01", "1999-01-01",
        "2006-01-01", "2009-01-01", "2012-07-01", "2015-07-01", "2017-01-01",
    ],
    dtype="datetime64[ns]",
)  # fmt: skip


def tai93_to_utc(seconds: ArrayLike) -> NDArray[np.datetime64]:
    """TAI seconds since 1993 to UTC; NaN, negative (fill) and absurd ones become NaT.

    A time within a leap second is given the first second of the next day.

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
    starts = _plain_seconds(LEAPS) + np.arange(1, LEAPS.size + 1)
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
    leaps = np.searchsorted(LEAPS, utc, side="right")
    return np.where(np.isnat(utc), np.nan, _plain_seconds(utc) + leaps)


def _plain_seconds(time: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Seconds since 1993 as if all days had 86400."""
    return np.asarray((time - EPOCH) / np.timedelta64(1, "s"), np.float64)

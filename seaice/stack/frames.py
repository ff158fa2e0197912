"""Daily maps in, the five frames around a day out."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta

import numpy as np
import xarray as xr

from seaice.errors import NoInputError
from seaice.instrument import HIGH_CHANNELS
from seaice.vocabulary import attrs

__all__ = [
    "FRAMES",
    "OTHER_DAYS",
    "five_frames",
    "other_days",
    "real_frames",
    "source_dates",
    "wanted_dates",
]

FRAMES = 5  #: of a stack: the day and two on either side
#: polarization difference of the other frames: ice stays where clouds pass
OTHER_DAYS = ("pd_2_before", "pd_1_before", "pd_1_after", "pd_2_after")


def wanted_dates(day: date) -> tuple[date, ...]:
    """The dates of the frames around a day, t-2 to t+2.

    >>> [d.day for d in wanted_dates(date(2020, 3, 1))]
    [28, 29, 1, 2, 3]
    """
    return tuple(day + timedelta(days=n) for n in range(-(FRAMES // 2), FRAMES // 2 + 1))


def source_dates(available: Collection[date], day: date) -> tuple[date, ...]:
    """Which day's map stands in each frame: its own, else the nearest in time.

    Of two equally near maps the one nearer to the day itself is taken: it resembles more what
    the networks refine.

    Raises
    ------
    NoInputError
        If the day itself has no map: nothing can stand in for what is to be mapped.

    >>> [d.day for d in source_dates({date(2020, 3, 2), date(2020, 3, 3)}, date(2020, 3, 3))]
    [2, 2, 3, 3, 3]
    """
    if day not in available:
        raise NoInputError(
            f"no usable observation on {day}",
            "at least one granule of that day that covers the region",
            "give a folder that holds the day's granules, or another date",
        )
    window = [other for other in wanted_dates(day) if other in available]
    return tuple(
        min(window, key=lambda other: (abs(other - wanted), abs(other - day)))
        for wanted in wanted_dates(day)
    )


def five_frames(maps: Mapping[date, xr.Dataset], day: date) -> xr.Dataset:
    """The stack around a day: 89 GHz maps of t-2 to t+2, with what stands where.

    Parameters
    ----------
    maps : daily maps by date, all on one grid; dates outside the window are left alone
    day : the day to be mapped

    Returns
    -------
    Dataset, dims frame (5), y, x
        `tb89h`, `tb89v` (float32, K, NaN where absent), `valid` (bool: both observed),
        `tb89h_quarter`, `tb89v_quarter` (frame, quarter, y, x);
        coordinates `frame_date` (wanted), `source_date` (standing there), `substituted`.
        attrs: those of the day's map, `date`, and `status`: "final" if every frame is its own
        day's, else "provisional".

    Raises
    ------
    NoInputError
        If the day itself has no map.
    """
    sources = source_dates(maps.keys(), day)
    wanted = wanted_dates(day)
    substituted = [source != own for source, own in zip(sources, wanted, strict=True)]
    channels = {
        name: (
            ("frame", "y", "x"),
            np.stack([maps[source][name].values for source in sources]),
            attrs(name),
        )
        for name in HIGH_CHANNELS
    }
    valid = np.logical_and.reduce([np.isfinite(values) for _, values, _ in channels.values()])
    quarters = {
        name: (
            ("frame", "quarter", "y", "x"),
            np.stack([maps[source][name].values for source in sources]),
            attrs(name),
        )
        for name in (f"{channel}_quarter" for channel in HIGH_CHANNELS)
    }
    return xr.Dataset(
        channels | quarters | {"valid": (("frame", "y", "x"), valid)},
        coords={
            "y": maps[day]["y"],
            "x": maps[day]["x"],
            "frame_date": ("frame", np.array(wanted, "datetime64[ns]")),
            "source_date": ("frame", np.array(sources, "datetime64[ns]")),
            "substituted": ("frame", np.array(substituted)),
        },
        attrs=maps[day].attrs
        | {"date": day.isoformat(), "status": "provisional" if any(substituted) else "final"},
    )


def other_days(maps: Mapping[date, xr.Dataset], day: date) -> xr.Dataset:
    """The polarization difference of the other four frames, as `OTHER_DAYS`, each (y, x) in K.

    Raises
    ------
    NoInputError
        If the day itself has no map.
    """
    sources = source_dates(maps.keys(), day)
    beside = [source for n, source in enumerate(sources) if n != FRAMES // 2]
    return xr.Dataset(
        {
            name: (("y", "x"), (maps[source]["tb89v"] - maps[source]["tb89h"]).values, attrs("pd"))
            for name, source in zip(OTHER_DAYS, beside, strict=True)
        }
    )


def real_frames(maps: Mapping[date, xr.Dataset], day: date) -> xr.DataArray:
    """Which of the five days each cell was really observed on; what stands in does not count.

    Returns
    -------
    DataArray, dims y, x
        uint8 bits 1, 2, 4, 8, 16: t-2 to t+2.
    """
    like = maps[day][HIGH_CHANNELS[0]]
    bits = np.zeros(like.shape, np.uint8)
    for frame, wanted in enumerate(wanted_dates(day)):
        if wanted in maps:
            seen = [np.isfinite(maps[wanted][name].values) for name in HIGH_CHANNELS]
            bits |= np.logical_and.reduce(seen) * np.uint8(1 << frame)
    return xr.DataArray(bits, dims=like.dims, attrs=attrs("real_frames"))

"""What numbers and names tell: percent or fraction, and a time."""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_fraction", "day_in_name", "time_of"]

DAY = re.compile(r"(?<!\d)(19|20)(\d{2})-?([01]\d)-?([0-3]\d)(?:[T_]?([0-2]\d)([0-5]\d))?")


def as_fraction(values: NDArray[np.floating], whole: bool) -> NDArray[np.float32]:
    """Percent or fraction to fraction; anything else, such as codes of land, to NaN.

    Parameters
    ----------
    whole : the file keeps whole numbers, which nobody would use for fractions

    >>> as_fraction(np.array([0, 50, 100, 120.0]), True).tolist()
    [0.0, 0.5, 1.0, nan]
    """
    with np.errstate(invalid="ignore"):
        percent = whole or bool((values > 1.001).any())
        fraction = np.asarray(values / (100 if percent else 1), np.float32)
        return np.where((fraction >= 0) & (fraction <= 1), fraction, np.float32("nan"))


def day_in_name(name: str) -> np.datetime64 | None:
    """The time that a file's name tells: to the minute, or noon of the day.

    >>> day_in_name("asi-AMSR2-n6250-20160417-v5.4.nc")
    np.datetime64('2016-04-17T12:00')
    >>> day_in_name("S1A_EW_20190823T0330.tif")
    np.datetime64('2019-08-23T03:30')
    """
    found = DAY.search(name)
    if found is None:
        return None
    century, year, month, day, hour, minute = found.groups()
    return time_of(f"{century}{year}-{month}-{day}T{hour or 12}:{minute or '00'}")


def time_of(text: str) -> np.datetime64 | None:
    """ISO 8601 read, or None."""
    try:
        return np.datetime64(text)
    except ValueError:
        return None

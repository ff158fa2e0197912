"""Dates as users write them: YYYY-MM-DD, in UTC, from the first AMSR-E data to a few days ahead."""

import re
from datetime import UTC, date, datetime, time, timedelta
from reprlib import repr as shortened

from seaice.errors import SettingsError

__all__ = ["AHEAD", "FIRST", "checked_date"]

FIRST = date(2002, 6, 1)  #: first day of AMSR-E data
AHEAD = timedelta(days=5)  #: after today; simulated days and clocks that are wrong by some days
ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def checked_date(given: object) -> date:
    """The day that was given: a date, or text as 2020-03-03.

    Raises
    ------
    SettingsError
        If it is anything else, no day of the calendar, or out of range.

    >>> checked_date("2018-04-28")
    datetime.date(2018, 4, 28)
    >>> checked_date("20180428")
    Traceback (most recent call last):
    seaice.errors.SettingsError: date '20180428'; expected a day as 2020-03-03 (YYYY-MM-DD) ...
    """
    last = datetime.now(UTC).date() + AHEAD
    day = _parsed(given)
    if day is None or not FIRST <= day <= last:
        raise SettingsError(
            f"date {given if isinstance(given, date) else shortened(given)}",
            f"a day as 2020-03-03 (YYYY-MM-DD) from {FIRST} to {last}",
            "write the date so",
        )
    return day


def _parsed(given: object) -> date | None:
    if isinstance(given, datetime):  # a date of pandas, too
        return given.date() if given.time() == time(0) else None
    if isinstance(given, date):
        return given
    if not isinstance(given, str) or not ISO.fullmatch(given):
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:  # 2019-02-29
        return None

"""The date a product bears: that of its inputs, so that a day made again later bears the same."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime

from seaice.errors import GranuleError, SettingsError
from seaice.io.granules import GranuleName

__all__ = ["made_at"]

ISO = "%Y-%m-%dT%H:%M:%SZ"


def made_at(date: str, granules: Iterable[str]) -> str:
    """The time a product of these inputs is as of, ISO 8601, UTC.

    SOURCE_DATE_EPOCH (seconds since 1970, as reproducible-builds.org defines it) where the
    environment sets it; else the start of the newest granule; where no name tells one, the end of
    the day.

    Raises
    ------
    SettingsError
        If SOURCE_DATE_EPOCH is no number of seconds.

    >>> made_at("2020-03-03", ["GW1AM2_202003050942_035A_L1SGBTBR_2220220.h5", "scene.nc"])
    '2020-03-05T09:42:00Z'
    >>> made_at("2020-03-03", [])
    '2020-03-03T23:59:59Z'
    """
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is not None:
        return _from_epoch(told)
    starts = [start for name in granules if (start := _start(name))]
    return max(starts).strftime(ISO) if starts else f"{date}T23:59:59Z"


def _from_epoch(told: str) -> str:
    try:
        return datetime.fromtimestamp(int(told), UTC).strftime(ISO)
    except (ValueError, OverflowError, OSError) as error:
        raise SettingsError(
            f"SOURCE_DATE_EPOCH={told!r} in the environment",
            "whole seconds since 1970-01-01, such as 1583280000",
            "correct it, or unset it: products are then dated by their newest granule",
        ) from error


def _start(name: str) -> datetime | None:
    """When a granule begins; None for gridded files and scenes, whose names tell days at most."""
    try:
        return GranuleName.parse(name).start
    except GranuleError:
        return None

"""Why a cell of a product has the value it has: one bit a reason."""

from collections.abc import Mapping
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flag", "coast", "everyday", "explained", "status"]

Mask = NDArray[np.bool_]


class Flag(IntFlag):
    """Bits of `status_flag` (uint16).

    >>> Flag(65)
    <Flag.LAND|SUBSTITUTED_FRAME: 65>
    """

    LAND = 1
    COAST = 2
    NO_INPUT = 4
    OPEN_WATER_FILTERED = 8
    LAND_SPILLOVER_CORRECTED = 16
    GAP_FILLED = 32
    SUBSTITUTED_FRAME = 64
    OUTSIDE_CLIMATOLOGY = 128
    LAKE = 256
    SINGLE_OVERPASS = 512
    LOW_FREQUENCY_MISSING = 1024
    POLE_HOLE = 2048
    WEATHER_DISAGREEMENT = 4096
    CLASSICAL_FALLBACK = 8192
    OUT_OF_RANGE = 16384


def status(reasons: Mapping[Flag, Mask]) -> NDArray[np.uint16]:
    """All reasons as bits.

    >>> status({Flag.LAND: np.array([True, False]), Flag.COAST: np.array([False, True])}).tolist()
    [1, 2]
    """
    masks = list(reasons.values())
    together = np.zeros(masks[0].shape, np.uint16)
    for flag, mask in reasons.items():
        together |= mask * np.uint16(flag)
    return together


def explained(flags: NDArray[np.integer]) -> Mask:
    """Where a flag says why a cell has no value: land, lake, or not observed.

    >>> explained(np.array([Flag.LAND, Flag.COAST | Flag.NO_INPUT, Flag.COAST])).tolist()
    [True, True, False]
    """
    return np.asarray((flags & (Flag.LAND | Flag.LAKE | Flag.NO_INPUT)) != 0)


def everyday(land: Mask, observed: Mask, timed: Mask, day: Mapping[str, Any]) -> dict[Flag, Mask]:
    """The reasons that any method has: land, coast, nothing observed, frames that stand in.

    Parameters
    ----------
    land, observed, timed : (y, x) on the refined grid; `timed`: the time of observation is known,
        which gridded daily means do not tell
    day : attributes of the refined map: `status` tells of substituted frames, `n_granules` of a
        day that a single granule saw
    """
    sea = ~land
    return {
        Flag.LAND: land,
        Flag.COAST: coast(land),
        Flag.NO_INPUT: sea & ~observed,
        Flag.SUBSTITUTED_FRAME: sea & (day.get("status") == "provisional"),
        Flag.SINGLE_OVERPASS: sea & observed & timed & (day.get("n_granules") == 1),
    }


def coast(land: Mask, reach: int = 4) -> Mask:
    """Sea whose footprint may hold land: within `reach` cells of it, diagonals included.

    Four cells of 1.5625 km are one sample of the 89 GHz grid.

    >>> coast(np.array([[True, False, False]]), 1).tolist()
    [[False, True, False]]
    """
    near = _widened(_widened(land, reach).T, reach).T
    return np.asarray(near & ~land)


def _widened(mask: Mask, reach: int) -> Mask:
    """Up to `reach` rows further both ways."""
    wide = mask.copy()
    for step in range(1, reach + 1):
        wide[step:] |= mask[:-step]
        wide[:-step] |= mask[step:]
    return wide

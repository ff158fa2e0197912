"""Why a cell of a product has the value it has: one bit a reason."""

from enum import IntFlag

__all__ = ["Flag"]


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

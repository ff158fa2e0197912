"""Why a sample is absent or doubtful."""

from enum import IntFlag

__all__ = ["QUALITY_ATTRS", "Quality"]


class Quality(IntFlag):
    """Bits of `quality_flag`: why a sample is absent or doubtful."""

    MISSING_COUNT = 1
    OUT_OF_RANGE = 2
    POSITION_MISSING = 4
    FLAGGED = 8


QUALITY_ATTRS = {
    "long_name": "why a sample is absent or doubtful",
    "flag_masks": [bit.value for bit in Quality],
    "flag_meanings": " ".join(str(bit.name).lower() for bit in Quality),
}

"""The channels of AMSR2 by name, in the order that arrays hold them."""

from collections.abc import Mapping

from seaice.sensors import AMSR2, Band

__all__ = [
    "BANDS",
    "CHANNELS",
    "HIGH_CHANNELS",
    "HORNS",
    "LOW_BANDS",
    "LOW_CHANNELS",
    "Band",
]

BANDS: Mapping[str, Band] = AMSR2.bands
LOW_BANDS: tuple[str, ...] = ("6", "7", "10", "18", "23", "36")
HORNS: tuple[str, ...] = AMSR2.horns

HIGH_CHANNELS: tuple[str, ...] = ("tb89h", "tb89v")
LOW_CHANNELS: tuple[str, ...] = tuple(f"tb{band}{pol}" for band in LOW_BANDS for pol in "hv")
CHANNELS: tuple[str, ...] = LOW_CHANNELS + HIGH_CHANNELS

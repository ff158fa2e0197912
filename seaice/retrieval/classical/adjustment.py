"""AMSR2 temperatures in, what AMSR-E would have seen out.

Meier, Ivanoff 2017, "Intercalibration of AMSR2 NASA Team 2 algorithm sea ice concentrations with
AMSR-E slow rotation data", IEEE JSTARS 10(9), doi 10.1109/JSTARS.2017.2719624, and Meier 2015.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import xarray as xr
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere

__all__ = ["AS_AMSRE", "as_amsre"]

Field = TypeVar("Field", NDArray[Any], xr.DataArray)

#: (slope, offset in K) of AMSR-E over AMSR2; a channel that is not here has no adjustment.
AS_AMSRE: Mapping[Hemisphere, Mapping[str, tuple[float, float]]] = {
    "north": {
        "tb18h": (1.001, -1.104),
        "tb18v": (1.031, -9.710),
        "tb23v": (0.999, -1.706),
        "tb36h": (0.996, -2.687),
        "tb36v": (0.997, -2.610),
        "tb89h": (0.977, 3.184),
        "tb89v": (0.989, 0.677),
    },
    "south": {
        "tb18h": (1.000, -1.320),
        "tb18v": (1.032, -10.013),
        "tb23v": (0.993, -0.987),
        "tb36h": (0.994, -2.415),
        "tb36v": (0.995, -2.400),
        "tb89h": (0.969, 4.935),
        "tb89v": (0.975, 4.239),
    },
}


def as_amsre(tb: Mapping[str, Field], hemisphere: Hemisphere) -> dict[str, Field]:
    """Brightness temperatures as AMSR-E would have them.

    Parameters
    ----------
    tb : by channel, any shape, K; channels without an adjustment stay as they are

    >>> import numpy as np
    >>> as_amsre({"tb89v": np.array([200.0])}, "north")["tb89v"].round(3).tolist()
    [198.477]
    """
    lines = AS_AMSRE[hemisphere]
    return {name: _on(values, *lines.get(name, (1.0, 0.0))) for name, values in tb.items()}


def _on(values: Field, slope: float, offset: float) -> Field:
    moved: Field = values * slope + offset
    return moved

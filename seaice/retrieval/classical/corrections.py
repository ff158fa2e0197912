"""Adjustment of AMSR2 to AMSR-E, weather filters, land spill-over, and the blend with a network.

Adjustment: Meier, Ivanoff 2017, "Intercalibration of AMSR2 NASA Team 2 algorithm sea ice
concentrations with AMSR-E slow rotation data", IEEE JSTARS 10(9), doi
10.1109/JSTARS.2017.2719624, and Meier 2015.

Land spill-over, the scheme of NASA Team 2: Markus, Cavalieri 2009, "The AMSR-E NT2 sea ice
concentration algorithm: its basis and implementation", J. Remote Sensing Society of Japan 29(1),
section 4; AMSR2 sea-ice ATBD, NASA GSFC 2017, section 3.2.1.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter

from seaice.grid.blocks import repeat_to_fine_grid
from seaice.grid.grid import Hemisphere
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.flags import Flag

__all__ = [
    "AS_AMSRE",
    "EDGE",
    "FILTERED_BY",
    "FILTERS",
    "SPREEN",
    "UNSURE",
    "Limits",
    "WeatherFilter",
    "as_amsre",
    "blend",
    "disagreement",
    "gradient_ratio",
    "limits_of",
    "spilled",
    "weather_filter",
]

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


WeatherFilter = Literal["spreen", "noaa", "nsidc", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Gradient ratios of vertical polarization at and above which a cell is open water."""

    cloud: float  #: (36.5 - 18.7) / (36.5 + 18.7), answers to cloud liquid
    vapour: float  #: (23.8 - 18.7) / (23.8 + 18.7), answers to water vapour


SPREEN = Limits(cloud=0.045, vapour=0.040)
NOAA = Limits(cloud=0.046, vapour=0.045)
NSIDC_NORTH = Limits(cloud=0.050, vapour=0.045)
NSIDC_SOUTH = Limits(cloud=0.057, vapour=0.045)

#: spreen: Spreen et al. 2008, JGR 113, C02S03, section 3.2. noaa: NOAA ATBD of the GCOM-W1/AMSR2
#: sea-ice product, 2015. nsidc: sea-ice climate data record, CDRP-ATBD-0107, as run on AMSR2.
FILTERS: Mapping[WeatherFilter, Mapping[Hemisphere, Limits]] = {
    "spreen": {"north": SPREEN, "south": SPREEN},
    "noaa": {"north": NOAA, "south": NOAA},
    "nsidc": {"north": NSIDC_NORTH, "south": NSIDC_SOUTH},
}


def limits_of(name: WeatherFilter, hemisphere: Hemisphere) -> Limits | None:
    """The limits of a published filter; None of "none".

    >>> limits_of("nsidc", "south").cloud
    0.057
    """
    return None if name == "none" else FILTERS[name][hemisphere]


def gradient_ratio(higher: Field, lower: Field) -> Field:
    """(higher - lower) / (higher + lower) of two temperatures."""
    ratio: Field = (higher - lower) / (higher + lower)
    return ratio


def weather_filter(tb18v: Field, tb23v: Field, tb36v: Field, *, limits: Limits = SPREEN) -> Field:
    """Which cells are open water by their gradient ratios.

    Thin or wet ice at an edge can pass for it.

    Parameters
    ----------
    tb18v, tb23v, tb36v : any shape, K
    limits : of both ratios

    Returns
    -------
    bool of the same kind and shape; False where a channel is absent, for it accuses nobody

    >>> import numpy as np
    >>> weather_filter(*np.array([[185.0, 250, np.nan], [200, 245, 200], [205, 240, 205]]))
    array([ True, False, False])
    """
    cloud = gradient_ratio(tb36v, tb18v) >= limits.cloud
    vapour = gradient_ratio(tb23v, tb18v) >= limits.vapour
    either: Field = cloud | vapour
    return either


WINDOW = 7  #: cells of the window that is searched for ice
SQUARE = np.ones((3, 3), bool)


def spilled(sic: NDArray[np.floating], land: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Coastal cells whose ice is land seen from the sea.

    Cells touching land are at distance 1, cells touching those at 2, and so on, diagonals
    included. Ice at distance 1 or 2 is not believed where all cells at distance 3 within a window
    of 7 x 7 cells are known and free of ice, and there is at least one.

    Parameters
    ----------
    sic : (y, x) 0-1 on 6.25 km cells, NaN where absent
    land : (y, x) bool

    Returns
    -------
    (y, x) bool
    """
    touching = [land]
    for _ in range(3):
        touching.append(binary_dilation(touching[-1], SQUARE))
    coastal, ring = touching[2] & ~land, touching[3] & ~touching[2]
    icy = ring & ~(sic == 0)
    free = maximum_filter(ring, WINDOW) & ~maximum_filter(icy, WINDOW)
    result: NDArray[np.bool_] = coastal & free & (sic > 0)
    return result


UNSURE = 0.20  #: one standard deviation from which on a network's answer is compared
TAKEN = (
    "sic",
    "sic_raw",
    "sic_uncertainty",
    "sic_uncertainty_95",
    "sic_algorithm_uncertainty",
    "sic_smearing_uncertainty",
    "status_flag",
)


def blend(network: xr.Dataset, classical: xr.Dataset, unsure: float = UNSURE) -> xr.Dataset:
    """One product of two of the same day and grid.

    The formula's value, with its uncertainty and its reasons, is taken where the network lacked
    low frequencies, or where its total uncertainty is `unsure` or more and the formula's is
    smaller; never where the formula has none.

    Parameters
    ----------
    network, classical : as `seaice.retrieval.concentrate.product`

    Returns
    -------
    Dataset
        As `network`, with attrs["tie_points"] of `classical`; cells taken from it are flagged
        `CLASSICAL_FALLBACK`.
    """
    uncertainty, other = (result["sic_uncertainty"].values for result in (network, classical))
    blind = (network["status_flag"].values & Flag.LOW_FREQUENCY_MISSING) > 0
    doubtful = ~(uncertainty < unsure) & ~(other >= uncertainty)
    taken = (blind | doubtful) & np.isfinite(classical["sic"].values)
    result = network.copy()
    for name in TAKEN:
        values = np.where(taken, classical[name].values, network[name].values)
        result[name] = network[name].copy(data=values)
    fallen = result["status_flag"].values | (taken * np.uint16(Flag.CLASSICAL_FALLBACK))
    result["status_flag"] = result["status_flag"].copy(data=fallen)
    return result.assign_attrs(tie_points=classical.attrs["tie_points"])


EDGE = 0.15  #: concentration from which on there is ice
FILTERED_BY = ("tb18v", "tb23v", "tb36v")  #: channels of the weather filters


def disagreement(
    sic: NDArray[np.float32], pd: NDArray[np.float32], daily_map: xr.Dataset
) -> NDArray[np.bool_]:
    """Where a network and the weather filters contradict each other about the ice edge.

    Either the network has ice where the filters find open water, or the filters pass the cell, ASI
    has ice there and the network has none. Cells that lack a channel of the filters are False.

    Parameters
    ----------
    sic : (4y, 4x) 0-1, of a network
    pd : (4y, 4x) K, refined polarization difference
    daily_map : (y, x), of the same day; published filters of Spreen et al. 2008 are asked

    Returns
    -------
    (4y, 4x) bool
    """
    if any(name not in daily_map for name in FILTERED_BY):
        return np.zeros(sic.shape, bool)
    low = [daily_map[name].values for name in FILTERED_BY]
    known = repeat_to_fine_grid(np.logical_and.reduce([np.isfinite(channel) for channel in low]))
    water = repeat_to_fine_grid(weather_filter(*low))
    ice = sic > EDGE
    lost = ~water & ~ice & (asi(pd) > EDGE)
    return np.asarray(known & np.isfinite(sic) & ((water & ice) | lost))

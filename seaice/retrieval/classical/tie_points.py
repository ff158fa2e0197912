"""Tie points of the day: what open water and closed ice look like in today's data.

Open water and closed ice are found where every published evidence agrees, percentiles of them are
the tie points, and a tie point that has wandered too far or rests on too few cells is not believed.
The practice is NSIDC's (2 % percentile of open water, +- 10 K; CDRP-ATBD-0107) and OSI SAF's
(Lavergne et al. 2019, The Cryosphere 13, section 3.4).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seaice.grid.grid import Hemisphere
from seaice.retrieval.classical import algorithms
from seaice.retrieval.classical.corrections import FILTERS, gradient_ratio, weather_filter

__all__ = ["Source", "TiePoint", "TiePointSet", "choose", "tie_point"]

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Source = Literal["dynamic", "published"]

GUARD = 10.0  #: K by which a tie point of the day may differ from the published one
#: K, of V - H over closed ice, which varies by less; far below, ASI's cubic would rise with V - H
ICE_GUARD = 5.0
FEWEST = 1000  #: cells that a percentile needs

#: Gradient ratios below which open water is clear of weather. Cloud and vapour lower V - H at
#: 89 GHz by tens of kelvins: among such Round Robin samples its median is 48 K in the north and
#: 46 K in the south, as published; among all open water it is 40 K.
CLEAR_CLOUD, CLEAR_VAPOUR = 0.065, 0.040
CLOSED = {"bootstrap": 0.95, "nasa_team": 0.90}  #: concentrations from which on ice is closed

MEDIAN = 50.0
COLDEST = 2.0  #: percentile of open water, Bootstrap's tie point: calm and clear
#: percentile of V - H over closed ice that gives the published 11.7 K on Round Robin samples
CLOSED_ICE = 60.0
LOWER = 2.0  #: K by which the line of 18.7 and 36.5 GHz V lies below the mean of the ice over it


@dataclass(frozen=True, slots=True, kw_only=True)
class TiePoint:
    """One number that a formula rests on, and why it is this one."""

    value: float  #: K, what is used
    published: float  #: K
    measured: float | None  #: K, of the day; None where too few cells tell
    cells: int  #: that tell
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TiePointSet:
    """The tie points of one day, of all formulas."""

    asi: algorithms.TiePoints
    bootstrap: algorithms.Bootstrap
    nasa_team: algorithms.NasaTeam
    points: Mapping[str, TiePoint]  #: by name

    def told(self, algorithm: str) -> str:
        """The tie points of one algorithm as JSON."""
        mine = {
            name.removeprefix(f"{algorithm} "): asdict(point)
            for name, point in self.points.items()
            if name.startswith(f"{algorithm} ")
        }
        return json.dumps({"algorithm": algorithm, "unit": "K", "tie_points": mine})


def tie_point(
    values: Array,
    percentile: float | None,
    published: float,
    source: Source,
    guard: float = GUARD,
) -> TiePoint:
    """A tie point from the cells of a pure surface.

    Parameters
    ----------
    values : (cell,) K
    percentile : of them; None: their mean
    source : "published" only measures
    guard : K

    Returns
    -------
    TiePoint
        The published one where there are fewer than `FEWEST` cells, or what is measured differs
        from it by the guard or more.
    """
    cells = int(values.size)
    if cells < FEWEST:
        few = f"published: {cells} cells of the day, fewer than {FEWEST}"
        return TiePoint(value=published, published=published, measured=None, cells=cells, why=few)
    result = float(np.mean(values) if percentile is None else np.percentile(values, percentile))
    measured = round(result, 3)
    value, why = measured, "of the day"
    if source == "published":
        value, why = published, "published, as the settings say"
    elif abs(measured - published) >= guard:
        value, why = published, f"published: that of the day is {guard:g} K away or more"
    return TiePoint(value=value, published=published, measured=measured, cells=cells, why=why)


def choose(
    tb: Mapping[str, Array], sea: Mask, hemisphere: Hemisphere, source: Source
) -> TiePointSet:
    """The tie points of a day, measured in any case, used where `source` says so.

    Parameters
    ----------
    tb : channels tb18h, tb18v, tb23v, tb36h, tb36v, tb89h, tb89v, (y, x) K, NaN where absent
    sea : (y, x) bool, cells that may be open water or ice

    Returns
    -------
    Chosen
        `points` named "ALGORITHM SURFACE CHANNEL".
    """
    water, ice = _pure(tb, sea, hemisphere)
    clear = water & _clear(tb)
    flat = algorithms.BOOTSTRAP_TIE_POINTS[hemisphere]
    team = algorithms.NASA_TEAM_TIE_POINTS[hemisphere]
    pd = tb["tb89v"] - tb["tb89h"]
    points = {
        "asi water pd": tie_point(
            _seen(pd, clear), MEDIAN, algorithms.ASI_TIE_POINTS.water, source
        ),
        "asi ice pd": tie_point(
            _seen(pd, ice), CLOSED_ICE, algorithms.ASI_TIE_POINTS.ice, source, ICE_GUARD
        ),
    }
    coldest = {"tb36v": flat.polarization.water[0], "tb36h": flat.polarization.water[1]}
    for name, published in (coldest | {"tb18v": flat.frequency.water[1]}).items():
        result = tie_point(_seen(tb[name], water), COLDEST, published, source)
        points[f"bootstrap water {name}"] = result
    points |= _ice_lines(tb, ice, flat, source)
    for name in ("tb18h", "tb18v", "tb36v"):
        published = getattr(team.water, name)
        result = tie_point(_seen(tb[name], clear), MEDIAN, published, source)
        points[f"nasa_team water {name}"] = result
    return _chosen(points, flat, team)


def _ice_lines(
    tb: Mapping[str, Array], ice: Mask, flat: algorithms.Bootstrap, source: Source
) -> dict[str, TiePoint]:
    """Offsets of both ice lines: through the mean of the ice above the published ones.

    The published lines bound closed ice from below. That of 18.7 GHz rests on the ice it is used
    for, which lies below the day's line of 36.5 GHz V and H.
    """
    height = flat.polarization.height(tb["tb36v"], tb["tb36h"])
    over = _seen(height, ice & (height > 0))
    offset = flat.polarization.offset
    first = tie_point(offset + over, None, offset, source)
    old = ice & (height <= first.value - offset - algorithms.ICE_LINE_MARGIN)
    height = flat.frequency.height(tb["tb36v"], tb["tb18v"])
    over = _seen(height, old & (height > 0)) - LOWER
    offset = flat.frequency.offset
    second = tie_point(offset + over, None, offset, source)
    return {"bootstrap ice line tb36h": first, "bootstrap ice line tb18v": second}


def _chosen(
    points: Mapping[str, TiePoint], flat: algorithms.Bootstrap, team: algorithms.NasaTeam
) -> TiePointSet:
    value = {name: point.value for name, point in points.items()}
    v18, v36, h36 = (value[f"bootstrap water {name}"] for name in ("tb18v", "tb36v", "tb36h"))
    water = {name: value[f"nasa_team water {name}"] for name in ("tb18h", "tb18v", "tb36v")}
    lines = value["bootstrap ice line tb36h"], value["bootstrap ice line tb18v"]
    return TiePointSet(
        asi=algorithms.TiePoints(water=value["asi water pd"], ice=value["asi ice pd"]),
        bootstrap=algorithms.Bootstrap(
            polarization=replace(flat.polarization, water=(v36, h36), offset=lines[0]),
            frequency=replace(flat.frequency, water=(v36, v18), offset=lines[1]),
        ),
        nasa_team=replace(team, water=algorithms.Surface(**water)),
        points=points,
    )


def _pure(tb: Mapping[str, Array], sea: Mask, hemisphere: Hemisphere) -> tuple[Mask, Mask]:
    """Cells that are surely open water, and cells that are surely closed ice."""
    flat, team = (
        algorithms.BOOTSTRAP_TIE_POINTS[hemisphere],
        algorithms.NASA_TEAM_TIE_POINTS[hemisphere],
    )
    low = (tb["tb18v"], tb["tb23v"], tb["tb36v"])
    open_water = np.logical_and.reduce(
        [weather_filter(*low, limits=limits[hemisphere]) for limits in FILTERS.values()]
    )
    by_bootstrap = algorithms.bootstrap(tb["tb18v"], tb["tb36v"], tb["tb36h"], flat)
    by_team = algorithms.nasa_team(tb["tb18h"], tb["tb18v"], tb["tb36v"], team)
    closed = (by_bootstrap >= CLOSED["bootstrap"]) & (by_team >= CLOSED["nasa_team"])
    return sea & open_water & ~closed, sea & closed & ~open_water


def _clear(tb: Mapping[str, Array]) -> Mask:
    cloud = gradient_ratio(tb["tb36v"], tb["tb18v"]) < CLEAR_CLOUD
    vapour = gradient_ratio(tb["tb23v"], tb["tb18v"]) < CLEAR_VAPOUR
    return np.asarray(cloud & vapour)


def _seen(values: Array, where: Mask) -> Array:
    result = values[where]
    return result[np.isfinite(result)]

"""Refined brightness temperatures and a daily map in, concentration by a formula out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.grid.blocks import block_mean, repeat_to_fine_grid, row_blocks
from seaice.grid.grid import Hemisphere, grid_of, hemisphere_of
from seaice.instrument import HIGH_CHANNELS
from seaice.retrieval.classical.algorithms import BOOTSTRAP_TIE_POINTS, asi, bootstrap, nasa_team
from seaice.retrieval.classical.corrections import (
    WeatherFilter,
    as_amsre,
    limits_of,
    spilled,
    weather_filter,
)
from seaice.retrieval.classical.tie_points import Source, TiePointSet, choose
from seaice.retrieval.classical.uncertainty import (
    SPREADS,
    IntervalTables,
    UncertaintyPredictors,
    algorithm_uncertainty,
    asi_uncertainty,
    beside,
    shipped,
    widths,
)
from seaice.retrieval.concentrate import RetrievalResult, product
from seaice.retrieval.flags import Flag, everyday
from seaice.retrieval.uncertainty import smearing

__all__ = ["FORMULAS", "ClassicalOptions", "Day", "by_asi", "by_bootstrap", "by_nasa_team"]

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]
LOW = ("tb18h", "tb18v", "tb23v", "tb36h", "tb36v")  #: channels of formulas and filters
FILTERS = ("tb18v", "tb23v", "tb36v")  #: channels of the weather filters


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicalOptions:
    """What may be chosen of a formula."""

    tie_points: Source = "published"
    weather_filter: WeatherFilter = "spreen"
    bootstrap_cut: float = 0.0  #: Bootstrap concentration up to which a cell is open water
    calibration: Literal["amsr2", "amsre"] = "amsr2"  #: of ASI and the filters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """A day as formulas see it: refined maps, and all channels on 6.25 km cells."""

    refined: xr.Dataset
    daily_map: xr.Dataset
    land: Mask  #: (4y, 4x)
    tb: Mapping[str, Map]  #: channels `LOW` and of 89 GHz, (y, x) K, NaN where absent

    @classmethod
    def of(cls, refined: xr.Dataset, daily_map: xr.Dataset, land: Mask) -> "Day":
        """A day, as the stages before give it.

        Parameters
        ----------
        daily_map : channels that it lacks are NaN
        land : (4y, 4x) bool
        """
        high = {name: block_mean(refined[name].values) for name in HIGH_CHANNELS}
        nothing = np.full_like(high["tb89h"], np.nan)
        low = {name: daily_map[name].values if name in daily_map else nothing for name in LOW}
        return cls(refined=refined, daily_map=daily_map, land=land, tb=low | high)

    @property
    def hemisphere(self) -> Hemisphere:
        """Which one the maps lie in."""
        return hemisphere_of(grid_of(self.refined))

    @property
    def coarse_land(self) -> Mask:
        """6.25 km cells of which half or more is land, (y, x)."""
        return np.asarray(block_mean(self.land.astype(np.float32)) >= 0.5)

    def tie_points(self, choices: ClassicalOptions) -> TiePointSet:
        """The tie points of this day."""
        return choose(self.tb, ~self.coarse_land, self.hemisphere, choices.tie_points)

    def beside(self, choices: ClassicalOptions) -> UncertaintyPredictors:
        """What tells how far formulas may be wrong: how they differ, and how far away land is."""
        points = self.tie_points(choices)
        coarse = _bootstrap(self, points), _nasa_team(self, points)
        return beside(_asi(self, points, choices), coarse, self.coarse_land)

    def open_water(self, choices: ClassicalOptions) -> Mask:
        """Cells (y, x) that the weather filter calls open water; none where it lacks a channel."""
        limits = limits_of(choices.weather_filter, self.hemisphere)
        if limits is None:
            return np.zeros(self.tb["tb18v"].shape, bool)
        tb = calibrated(self.tb, self.hemisphere, choices)
        ratios = weather_filter(*(tb[name] for name in FILTERS), limits=limits)
        flat = BOOTSTRAP_TIE_POINTS[self.hemisphere]
        fraction = bootstrap(self.tb["tb18v"], self.tb["tb36v"], self.tb["tb36h"], flat)
        return np.asarray(ratios | (fraction <= choices.bootstrap_cut))

    @property
    def unfiltered(self) -> Mask:
        """Cells (y, x) that lack a channel of the weather filters."""
        absent: Mask = np.logical_or.reduce([np.isnan(self.tb[name]) for name in FILTERS])
        return absent


def calibrated(
    tb: Mapping[str, Map], hemisphere: Hemisphere, choices: ClassicalOptions
) -> Mapping[str, Map]:
    """Temperatures as observed, or as AMSR-E would have them."""
    return tb if choices.calibration == "amsr2" else as_amsre(tb, hemisphere)


def by_asi(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: Mask,
    choices: ClassicalOptions | None = None,
    held: IntervalTables | None = None,
) -> xr.Dataset:
    """Concentration of a refined day by ASI, its weather filters on the daily map's cells.

    Parameters
    ----------
    refined, daily_map : of one day
    land : (y, x) bool, on the refined grid
    choices : tie points, filter, calibration; those of `ClassicalOptions` where left out
    held : half-widths that hold; those shipped where left out

    Returns
    -------
    Dataset
        As `seaice.retrieval.concentrate.product`; filtered cells are 0 and flagged, cells whose
        filter had no channels are flagged. attrs["tie_points"]: JSON of
        `seaice.retrieval.classical.tie_points.TiePointSet.told`.
    """
    choices = choices or ClassicalOptions()
    day = Day.of(refined, daily_map, land)
    points = day.tie_points(choices)
    raw = _asi(day, points, choices)
    n_obs = repeat_to_fine_grid(daily_map["n_obs"].values)

    def doubt(sic: Map, rows: slice) -> Map:
        return asi_uncertainty(sic, n_obs[rows], points.asi)

    result = _finished(day, raw, doubt, choices, (held or shipped("asi"), day.beside(choices)))
    return result.assign_attrs(tie_points=points.told("asi"))


def by_bootstrap(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: Mask,
    choices: ClassicalOptions | None = None,
    held: IntervalTables | None = None,
) -> xr.Dataset:
    """Concentration by Bootstrap of the daily map's 18.7 and 36.5 GHz; else as `by_asi`."""
    return _by_low("bootstrap", refined, daily_map, land, choices, held)


def by_nasa_team(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: Mask,
    choices: ClassicalOptions | None = None,
    held: IntervalTables | None = None,
) -> xr.Dataset:
    """Concentration by NASA Team of the daily map's 18.7 and 36.5 GHz; else as `by_asi`."""
    return _by_low("nasa_team", refined, daily_map, land, choices, held)


Formula = Callable[
    [xr.Dataset, xr.Dataset, Mask, ClassicalOptions | None, IntervalTables | None], xr.Dataset
]
FORMULAS: Mapping[str, Formula] = {
    "asi": by_asi,
    "bootstrap": by_bootstrap,
    "nasa_team": by_nasa_team,
}


def _by_low(
    name: Literal["bootstrap", "nasa_team"],
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: Mask,
    choices: ClassicalOptions | None,
    held: IntervalTables | None,
) -> xr.Dataset:
    """The product of a formula of low frequencies, which tells 6.25 km cells."""
    choices = choices or ClassicalOptions()
    day = Day.of(refined, daily_map, land)
    points = day.tie_points(choices)
    fraction = {"bootstrap": _bootstrap, "nasa_team": _nasa_team}[name](day, points)

    def doubt(sic: Map, rows: slice) -> Map:
        return algorithm_uncertainty(sic, SPREADS[name])

    widths = (held or shipped(name), day.beside(choices))
    result = _finished(day, repeat_to_fine_grid(fraction), doubt, choices, widths)
    return result.assign_attrs(tie_points=points.told(name))


def _asi(day: Day, points: TiePointSet, choices: ClassicalOptions) -> Map:
    """ASI before any filter, (4y, 4x)."""
    tb = {name: day.refined[name].values for name in HIGH_CHANNELS}
    tb = dict(calibrated(tb, day.hemisphere, choices))
    return asi(tb["tb89v"] - tb["tb89h"], points.asi)


def _bootstrap(day: Day, points: TiePointSet) -> Map:
    """Bootstrap before any filter, (y, x)."""
    return bootstrap(day.tb["tb18v"], day.tb["tb36v"], day.tb["tb36h"], points.bootstrap)


def _nasa_team(day: Day, points: TiePointSet) -> Map:
    """NASA Team before any filter, (y, x)."""
    return nasa_team(day.tb["tb18h"], day.tb["tb18v"], day.tb["tb36v"], points.nasa_team)


def _finished(
    day: Day,
    raw: Map,
    doubt: Callable[[Map, slice], Map],
    choices: ClassicalOptions,
    doubted: tuple[IntervalTables, UncertaintyPredictors],
) -> xr.Dataset:
    """The product of what a formula told: filtered, corrected at coasts, with its reasons."""
    observed = np.isfinite(raw)
    sea = observed & ~day.land
    raw = np.where(day.land, np.nan, raw).astype(np.float32)
    water = repeat_to_fine_grid(day.open_water(choices)) & sea
    sic = np.where(water, np.float32(0), raw)
    over = repeat_to_fine_grid(spilled(block_mean(sic), day.coarse_land)) & sea & (sic > 0)
    sic = np.where(over, np.float32(0), sic)
    timed = repeat_to_fine_grid(~np.isnat(day.daily_map["obs_time"].values))
    reasons = everyday(day.land, observed, timed, day.refined.attrs)
    reasons[Flag.OPEN_WATER_FILTERED] = water & (raw > 0)
    reasons[Flag.LAND_SPILLOVER_CORRECTED] = over
    reasons[Flag.LOW_FREQUENCY_MISSING] = repeat_to_fine_grid(day.unfiltered) & sea
    algorithm, smeared, within_95 = _doubts(sic, doubt, *doubted)
    retrieval = RetrievalResult(
        sic=sic, raw=raw, algorithm=algorithm, smearing=smeared, within_95=within_95
    )
    return product(day.refined, day.daily_map, retrieval, reasons)


def _doubts(
    sic: Map, doubt: Callable[[Map, slice], Map], held: IntervalTables, near: UncertaintyPredictors
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """As `widths`; `doubt` tells the algorithm's part of some rows."""
    smeared = smearing(sic)
    algorithm, smearing_part, within_95 = (np.empty_like(smeared) for _ in range(3))
    for rows in row_blocks(len(sic)):
        here = UncertaintyPredictors(spread=near.spread[rows], land=near.land[rows])
        parts = doubt(sic[rows], rows), smeared[rows]
        result = widths(sic[rows], parts, held, here)
        algorithm[rows], smearing_part[rows], within_95[rows] = result
    return algorithm, smearing_part, within_95

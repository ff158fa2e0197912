"""Refined brightness temperatures in, concentration with its doubt and its reasons out."""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.grid.refined import SCALE, on_refined
from seaice.instrument import LOW_CHANNELS
from seaice.network.card import Card
from seaice.network.run import Machine, Progress, run_tiled
from seaice.sic.calibration import calibrated
from seaice.sic.flags import Flag, everyday, status
from seaice.sic.inputs import assemble, coarse_wanted
from seaice.vocabulary import attrs

__all__ = ["concentrate", "product"]

Map = NDArray[np.float32]


def concentrate(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: NDArray[np.bool_],
    teller: tuple[nn.Module, Card],
    machine: Machine,
    progress: Progress,
) -> xr.Dataset:
    """Concentration of a day by a network.

    Low-frequency channels that the network was taught with and the day lacks are absent to it (0
    after normalization), and flagged.

    Parameters
    ----------
    refined : as `seaice.sr.refine.refine` makes it
    daily_map : of the same day, on the grid that was refined, and with it
        `seaice.stack.frames.other_days`, where known
    land : (y, x) bool, on the refined grid
    teller : network and card, as `seaice.network.weights.load` gives them
    progress : called with the tiles done and their number

    Returns
    -------
    Dataset
        As `product`.

    Raises
    ------
    WeightsError
        If the network wants channels that this package does not know.
    """
    network, card = teller
    tb = np.stack([refined[name].values for name in ("tb89h", "tb89v")])
    coarse = {name: daily_map[name].values for name in coarse_wanted(card) if name in daily_map}
    observed = np.isfinite(tb).all(axis=0)

    def cut(rows: slice, columns: slice) -> Tensor:
        here = torch.from_numpy(tb[:, rows, columns])
        there = _coarse_cut(coarse, rows, columns)
        return assemble(here, there, _tensor(land[rows, columns]), card)

    network.to(machine.device)
    told = run_tiled(network, card, cut, observed & ~land, machine, progress)
    doubt = np.full_like(told[0], np.nan)
    if len(told) > 1:
        doubt = calibrated(told[0], np.exp(told[1] / 2), card.calibration)
    low = tuple(name for name in card.channels if name in LOW_CHANNELS)
    missing = _missing(coarse, low, (land.shape[0] // SCALE, land.shape[1] // SCALE))
    timed = on_refined(~np.isnat(daily_map["obs_time"].values))
    reasons = everyday(land, observed, timed, refined.attrs)
    reasons[Flag.LOW_FREQUENCY_MISSING] = ~land & observed & on_refined(missing)
    return product(refined, daily_map, (told[0], doubt), reasons)


def product(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    told: tuple[Map, Map],
    reasons: Mapping[Flag, NDArray[np.bool_]],
) -> xr.Dataset:
    """The product of any method.

    Parameters
    ----------
    told : concentration and its standard deviation, (y, x), 0-1
    reasons : `Flag.LAND` and `Flag.NO_INPUT` say where concentration is NaN

    Returns
    -------
    Dataset, dims y, x of the refined grid
        `sic`, `sic_uncertainty`, `status_flag`, `tb89h`, `tb89v`, `pd`, `n_obs`, `obs_time`
        attrs: those of the refined map.
    """
    nothing = reasons[Flag.LAND] | reasons[Flag.NO_INPUT]
    sic, doubt = (np.where(nothing, np.float32("nan"), values.clip(0, 1)) for values in told)
    maps = {
        "sic": sic,
        "sic_uncertainty": doubt,
        "status_flag": status(reasons),
        **{name: refined[name].values for name in ("tb89h", "tb89v", "pd")},
        **{name: on_refined(daily_map[name].values) for name in ("n_obs", "obs_time")},
    }
    return xr.Dataset(
        {name: (("y", "x"), values, attrs(name)) for name, values in maps.items()},
        coords={"y": refined["y"], "x": refined["x"]},
        attrs=dict(refined.attrs),
    )


def _coarse_cut(coarse: Mapping[str, Map], rows: slice, columns: slice) -> dict[str, Tensor]:
    """The daily map under a tile of the refined one."""
    here = tuple(slice(span.start // SCALE, span.stop // SCALE) for span in (rows, columns))
    return {name: torch.from_numpy(values[here]) for name, values in coarse.items()}


def _tensor(mask: NDArray[np.bool_]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask))


def _missing(
    maps: Mapping[str, Map], wanted: tuple[str, ...], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Where the day lacks a channel that is wanted; everywhere if it lacks it altogether."""
    missing = np.zeros(shape, bool)
    for name in wanted:
        missing |= ~np.isfinite(maps[name]) if name in maps else True
    return missing

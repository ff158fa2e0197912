"""Refined brightness temperatures in, concentration with its doubt and its reasons out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from seaice.cf import attrs
from seaice.grid.blocks import SCALE, block_mean, repeat_to_fine_grid
from seaice.grid.masks import LAND_FRACTIONS, land_fractions
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_CHANNELS
from seaice.models.card import Card
from seaice.models.export import backend_of
from seaice.models.inference import Machine, TileProgress, run_tiled
from seaice.models.inputs import assemble_sic_input, coarse_channels
from seaice.retrieval.calibration import calibrated
from seaice.retrieval.classical.corrections import disagreement
from seaice.retrieval.flags import Flag, everyday, status
from seaice.retrieval.uncertainty import BANDS, excess_map, split_uncertainty, widened
from seaice.stack import FRAMES

__all__ = ["RetrievalResult", "concentrate", "product"]

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalResult:
    """What a method tells of a day: maps (y, x) on the refined grid, 0-1.

    Each is an array of its own: `product` takes them over.
    """

    sic: Map  #: final
    raw: Map  #: before any filter, correction or filling
    algorithm: Map  #: one standard deviation of the algorithm and its sensor
    smearing: Map  #: one standard deviation for footprints larger than a cell
    within_95: Map | None = None  #: half-width that holds 95 % of errors; None: twice the total

    @property
    def total(self) -> Map:
        """Both together, one standard deviation."""
        return np.hypot(self.algorithm, self.smearing)

    @property
    def wider(self) -> Map:
        """Half-width that holds 95 % of errors."""
        return 2 * self.total if self.within_95 is None else self.within_95


def concentrate(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: NDArray[np.bool_],
    teller: tuple[nn.Module, Card],
    machine: Machine,
    progress: TileProgress,
    where: NDArray[np.bool_] | None = None,
) -> xr.Dataset:
    """Concentration of a day by a network.

    Low-frequency channels that the network was taught with and the day lacks are absent to it (0
    after normalization), and flagged. No filter changes what it tells; where the classical ones
    would have it otherwise, that is flagged. Its calibrated standard deviation is the total, of
    which `seaice.retrieval.uncertainty.split_uncertainty` tells the part of the footprint.

    Parameters
    ----------
    refined : as `seaice.models.inference.refine` makes it
    daily_map : of the same day, on the grid that was refined, and with it
        `seaice.stack.neighbour_pd`, where known
    land : (y, x) bool, on the refined grid
    teller : network and card, as `seaice.models.weights.load_model` gives them
    progress : called with the tiles done and their number
    where : (y, x) bool, on the refined grid; cells elsewhere are NaN; left out: everywhere

    Returns
    -------
    Dataset
        As `product`; attrs: also `sic_precision`, `sic_form` (as `Card.form`) and `sic_backend`
        ("int8" or "float", as `seaice.models.export.Backend`).

    Raises
    ------
    WeightsError
        If the network wants channels that this package does not know.
    """
    network, card = teller
    tb = [refined[name].values for name in ("tb89h", "tb89v")]
    card_channels = coarse_channels(card)
    known = {str(name): field.values for name, field in daily_map.items()}
    if set(LAND_FRACTIONS) & set(card_channels):  # it costs what other networks need not pay
        known |= land_fractions(land)
    coarse = {name: known[name] for name in card_channels if name in known}
    observed = np.isfinite(tb[0]) & np.isfinite(tb[1])

    def cut(rows: slice, columns: slice) -> Tensor:
        here = torch.stack([torch.from_numpy(each[rows, columns]) for each in tb])
        there = _coarse_cut(coarse, rows, columns)
        return assemble_sic_input(here, there, _tensor(land[rows, columns]), card)

    network.to(machine.device)
    needed = observed & ~land if where is None else observed & ~land & where
    output = run_tiled(network, card, cut, needed, machine, progress)
    total, wider = _half_widths(output, needed, card)
    sic = np.where(needed, output[0].clip(0, 1), np.float32("nan"))
    del output  # maps of a hemisphere are 140 MB each
    algorithm, smearing = split_uncertainty(sic, total)
    del total
    low = tuple(name for name in card.channels if name in LOW_CHANNELS)
    missing = _missing(coarse, low, (land.shape[0] // SCALE, land.shape[1] // SCALE))
    timed = repeat_to_fine_grid(~np.isnat(daily_map["obs_time"].values))
    reasons = everyday(land, observed, timed, refined.attrs)
    reasons[Flag.LOW_FREQUENCY_MISSING] = ~land & observed & repeat_to_fine_grid(missing)
    reasons[Flag.WEATHER_DISAGREEMENT] = disagreement(sic, tb[1] - tb[0], daily_map)
    result = RetrievalResult(
        sic=sic, raw=sic.copy(), algorithm=algorithm, smearing=smearing, within_95=wider
    )
    computed = refined.assign_attrs(
        sic_precision=machine.precision,
        sic_form=card.form,
        sic_backend=backend_of(network, machine.device),
    )
    bands = sorted({name[2:-1] for name in card.channels if name in CHANNELS})
    return product(computed, daily_map, result, reasons, bands)


def product(
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    retrieval: RetrievalResult,
    reasons: Mapping[Flag, NDArray[np.bool_]],
    bands: Sequence[str] = BANDS,
) -> xr.Dataset:
    """The product of any method.

    Cells whose brightness temperatures lie outside everything that water, ice and their mixtures
    show are flagged `OUT_OF_RANGE`; their uncertainty is widened by
    `seaice.retrieval.uncertainty`.

    Parameters
    ----------
    daily_map : with `real_frames` where the other days are known
    retrieval : of the method; its maps become the product's and are changed in place, because
        those of a hemisphere are 140 MB each
    reasons : `Flag.LAND` and `Flag.NO_INPUT` say where concentration is NaN
    bands : that the method uses

    Returns
    -------
    Dataset, dims y, x of the refined grid
        `sic`, `sic_raw`, `sic_uncertainty` (total), `sic_uncertainty_95`,
        `sic_algorithm_uncertainty`, `sic_smearing_uncertainty`, `status_flag`, `tb89h`, `tb89v`,
        `pd`, `n_obs`, `obs_time`, `real_frames`
        attrs: those of the refined map.
    """
    nothing = reasons[Flag.LAND] | reasons[Flag.NO_INPUT]
    tb = {str(name): field.values for name, field in daily_map.items() if name in CHANNELS}
    absent = [name for name in HIGH_CHANNELS if name not in tb]
    tb |= {name: block_mean(refined[name].values) for name in absent}
    beyond = repeat_to_fine_grid(excess_map(tb, reasons[Flag.LAND], bands))
    reasons = {**reasons, Flag.OUT_OF_RANGE: (beyond > 0) & ~nothing}
    algorithm = widened(retrieval.algorithm, beyond)
    shares = {
        "sic": retrieval.sic,
        "sic_raw": retrieval.raw,
        "sic_uncertainty": np.hypot(algorithm, retrieval.smearing),
        "sic_uncertainty_95": widened(retrieval.wider, beyond, factor=2.0),
        "sic_algorithm_uncertainty": algorithm,
        "sic_smearing_uncertainty": retrieval.smearing,
    }
    observed = np.isfinite(refined["pd"].values)
    maps = {
        **{
            name: _within(np.asarray(values, np.float32), nothing)
            for name, values in shares.items()
        },
        "status_flag": status(reasons),
        **{name: refined[name].values for name in ("tb89h", "tb89v", "pd")},
        **{name: repeat_to_fine_grid(daily_map[name].values) for name in ("n_obs", "obs_time")},
        "real_frames": _real_frames(daily_map, observed),
    }
    return xr.Dataset(
        {name: (("y", "x"), values, attrs(name)) for name, values in maps.items()},
        coords={"y": refined["y"], "x": refined["x"]},
        attrs=dict(refined.attrs),
    )


def _within(values: Map, nothing: NDArray[np.bool_]) -> Map:
    """Changed in place: between 0 and 1, NaN where there is nothing."""
    values.clip(0, 1, out=values)
    values[nothing] = np.nan
    return values


def _real_frames(daily_map: xr.Dataset, observed: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """As the daily map tells; the day itself where it does not."""
    if "real_frames" in daily_map:
        return np.asarray(repeat_to_fine_grid(daily_map["real_frames"].values), np.uint8)
    return observed * np.uint8(1 << FRAMES // 2)


def _half_widths(output: Map, wanted: NDArray[np.bool_], card: Card) -> tuple[Map, Map]:
    """Calibrated half-widths for 68 and 95 % of errors, (y, x) each; NaN where there are none."""
    one, other = (np.full_like(output[0], np.nan) for _ in range(2))
    if len(output) < 2:
        return one, other
    fraction, uncertainty = output[0][wanted], np.exp(output[1][wanted] / 2)
    one[wanted] = calibrated(fraction, uncertainty, card.calibration).clip(0, 1)
    if card.calibration_95:
        other[wanted] = calibrated(fraction, uncertainty, card.calibration_95).clip(0, 1)
    else:
        other[wanted] = (2 * one[wanted]).clip(0, 1)
    return one, other


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

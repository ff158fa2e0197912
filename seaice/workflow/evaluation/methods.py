"""Methods by name or by files of weights, run on truth-known worlds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from seaice.config import Settings
from seaice.errors import SettingsError
from seaice.grid.blocks import space_to_depth
from seaice.grid.grid import NORTH, coordinates
from seaice.instrument import HIGH_CHANNELS, LOW_CHANNELS
from seaice.models.card import Card
from seaice.models.inference import Machine, no_progress, refine
from seaice.retrieval.classical.algorithms import asi
from seaice.retrieval.classical.daily import FORMULAS as CLASSICAL
from seaice.stack import NEIGHBOUR_PD_CHANNELS
from seaice.train.samples import SampleSet
from seaice.workflow.methods import concentrate_by, method_named, network_of
from seaice.workflow.plan import Method

__all__ = [
    "MethodOutputs",
    "MethodPair",
    "Networks",
    "World",
    "retrieve_sic",
    "retrieve_world",
    "standard",
    "ways",
    "world_of",
]

UNFILTERED = "asi-unfiltered"  #: ASI without its weather filters, a formula of the evaluation only
OBSERVATIONS = 10  #: samples in a cell, which sets do not keep; ASI's sensor noise asks for it
Map = NDArray[np.float32]
Role = Literal["sr", "sic"]
FORMULAS: Mapping[Role, tuple[str, ...]] = {
    "sr": ("bicubic", "bicubic_3km"),
    "sic": (*CLASSICAL, UNFILTERED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPair:
    """One way from daily maps to concentration."""

    label: str
    sr: Method
    sic: Method


class World(NamedTuple):
    """A truth-known day as the stages of a run meet it, and its truth."""

    stack: xr.Dataset
    daily_map: xr.Dataset
    tb: Map  #: (2, 4 y, 4 x) K, NaN on land
    sic: Map  #: (4 y, 4 x), NaN on land


class MethodOutputs(NamedTuple):
    """What the methods tell of one world."""

    tb: Mapping[str, Map]  #: by super-resolution, (2, 4 y, 4 x)
    #: by label, concentration and half-widths that hold 68 and 95 % of errors, (2, y, x)
    sic: Mapping[str, tuple[Map, Map | None]]


def standard() -> list[str]:
    """The methods that are always compared: ASI in three ways, and the default pair."""
    settings = Settings()
    names = [f"bicubic:{UNFILTERED}", "bicubic:asi", "pmdrnet:asi"]
    return list(dict.fromkeys([*names, f"{settings.sr.name}:{settings.sic.name}"]))


def ways(texts: Sequence[str], notes: Path) -> list[MethodPair]:
    """Methods from what a user wrote: `SR:SIC`, each a name or a safetensors file.

    Parameters
    ----------
    notes : JSON file where hashes of weights are remembered

    Raises
    ------
    SettingsError
        If a text is no such pair.
    WeightsError, UnknownNameError
        If weights are absent, damaged or for another role, or nothing has that name.
    """
    result: list[MethodPair] = []
    for text in texts:
        parts = text.split(":")
        if len(parts) != 2 or not all(parts):
            raise SettingsError(
                f"the method {text!r}",
                "super-resolution and concentration, as pmdrnet:xception_aspp",
                "write --method SR:SIC, each a name of `seaice models` or a safetensors file",
            )
        sr, sic = parts
        label = f"{_label(sr)} + {_label(sic)}"
        if label in [way.label for way in result]:
            raise SettingsError(
                f"the method {label} twice",
                "methods that a table can tell apart, by names or by folder and name of files",
                "leave one of them out, or move its weights to a folder of another name",
            )
        result.append(
            MethodPair(label=label, sr=_method("sr", sr, notes), sic=_method("sic", sic, notes))
        )
    return result


def _label(name_or_path: str) -> str:
    """A name as it is, of a file its folder and stem.

    >>> _label("bicubic"), _label("training/five/pmdrnet.safetensors")
    ('bicubic', 'five/pmdrnet')
    """
    path = Path(name_or_path)
    return f"{path.parent.name}/{path.stem}" if path.suffix == ".safetensors" else name_or_path


def _method(role: Role, name_or_path: str, notes: Path) -> Method:
    if name_or_path in FORMULAS[role]:
        return Method(name=name_or_path, weights=None, sha256=None)
    if any(name_or_path in formulas for formulas in FORMULAS.values()):
        raise SettingsError(
            f"{name_or_path} as the {'first' if role == 'sr' else 'second'} part of a method",
            "super-resolution first, concentration second",
            f"write one of {', '.join(FORMULAS[role])} there, or a network",
        )
    return method_named(role, name_or_path, notes)


def world_of(samples: SampleSet, index: int, place: tuple[int, int]) -> World:
    """A sample as datasets: all five frames, as they were seen.

    Parameters
    ----------
    place : upper-left (row, column) of the sample on the northern 6.25 km grid
    """
    window = samples.whole(index)
    frames, low = samples.tb89(window), samples.low(window)
    rows, columns = (slice(first, first + window.side) for first in place)
    grid = NORTH.crop(rows, columns)
    attrs = {"crs": grid.crs, "status": "final"}
    quarters = space_to_depth(samples.tb89_3km(window))
    stack: dict[str, tuple[tuple[str, ...], Map]] = {}
    for channel, name in enumerate(HIGH_CHANNELS):
        stack[name] = ("frame", "y", "x"), frames[:, channel]
        stack[f"{name}_quarter"] = ("frame", "quarter", "y", "x"), quarters[:, channel]
    maps = {name: (("y", "x"), low[channel]) for channel, name in enumerate(LOW_CHANNELS)}
    neighbours = np.delete(frames, len(frames) // 2, axis=0)
    for name, (h, v) in zip(NEIGHBOUR_PD_CHANNELS, neighbours, strict=True):
        maps[name] = ("y", "x"), v - h
    known = np.isfinite(frames[len(frames) // 2]).all(0)
    maps["n_obs"] = ("y", "x"), np.where(known, OBSERVATIONS, 0).astype(np.uint16)
    maps["obs_time"] = ("y", "x"), np.full(known.shape, np.datetime64("NaT", "ns"))
    sic, tb = samples.truth_sic(window), samples.truth_tb(window)
    return World(
        stack=xr.Dataset(stack, coordinates(grid), attrs),
        daily_map=xr.Dataset(maps, coordinates(grid), attrs),
        tb=np.where(np.isfinite(sic), tb, np.float32("nan")),
        sic=sic,
    )


def retrieve_world(
    world: World, compared: Sequence[MethodPair], networks: "Networks"
) -> MethodOutputs:
    """What every method tells of a world, by the functions that a run uses."""
    land = np.isnan(world.sic)
    refined: dict[Method, xr.Dataset] = {}
    tb, sic = {}, {}
    for way in compared:
        if way.sr not in refined:
            sr_name = way.label.split(" + ")[0]
            network, card = networks.of(way.sr, "sr")
            one = refine(world.stack, network, card, networks.machine, "", no_progress)
            refined[way.sr] = one
            tb[sr_name] = np.stack([one[name].values for name in HIGH_CHANNELS])
        sic[way.label] = retrieve_sic(way.sic, refined[way.sr], world.daily_map, land, networks)
    return MethodOutputs(tb, sic)


def retrieve_sic(
    how: Method,
    refined: xr.Dataset,
    daily_map: xr.Dataset,
    land: NDArray[np.bool_],
    networks: "Networks",
) -> tuple[Map, Map | None]:
    """Concentration and, where the method tells it, half-widths that hold 68 and 95 % of errors."""
    if how.name == UNFILTERED:
        return np.where(land, np.float32("nan"), asi(refined["pd"].values)), None
    if how.name in CLASSICAL:
        result = CLASSICAL[how.name](refined, daily_map, land, None, None)
    else:
        model = networks.of(how, "sic")
        result = concentrate_by(
            how.name, model, refined, daily_map, land, networks.machine, no_progress
        )
    uncertainty = np.stack(
        [result[name].values for name in ("sic_uncertainty", "sic_uncertainty_95")]
    )
    return result["sic"].values, uncertainty if np.isfinite(uncertainty).any() else None


class Networks:
    """Networks in memory, each loaded once."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._loaded: dict[Method, tuple[nn.Module, Card]] = {}

    def of(self, how: Method, role: Role) -> tuple[nn.Module, Card]:
        """A method's network and card."""
        if how not in self._loaded:
            self._loaded[how] = network_of(how, role)
        return self._loaded[how]

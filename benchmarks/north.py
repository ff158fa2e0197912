"""The whole northern map by both networks, really run, and beside it the naive way to run them.

By one thread: on a machine that others use, several wait for each other as busily as they work.

The day is made: waves of ice of all sizes, drifting from frame to frame, land where land is. What
it shows is no matter; how many cells are sea and land is. Naively: eager, float32, channels first,
deformable sampling in plain PyTorch, every tile, land included.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import zoom
from torch import Tensor, nn

from benchmarks.measure import Row, Taken, peak
from benchmarks.shipped import sampled_plainly, shipped
from seaice.grid.blocks import QUARTERS, SCALE, block_mean
from seaice.grid.grid import NORTH, Grid, coordinates
from seaice.grid.masks import land_mask, near_sea
from seaice.instrument import CHANNELS, HIGH_CHANNELS
from seaice.models.card import Card
from seaice.models.inference import Machine, choose_precision, no_progress, refine
from seaice.retrieval.concentrate import concentrate
from seaice.stack import FRAMES, NEIGHBOUR_PD_CHANNELS, stitch

CPU = torch.device("cpu")
DRIFT = 1  #: cells from frame to frame
WATER, ICE, LAND = (180.0, 240.0), (215.0, 225.0), (245.0, 250.0)  #: K, H and V


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What both networks need of a day."""

    stack: xr.Dataset
    daily_map: xr.Dataset
    land: np.ndarray
    where: np.ndarray


def made_day(grid: Grid) -> Day:
    """Five frames of a crop of the north, and the map of the middle one."""
    random = np.random.default_rng(0)
    land = land_mask(grid.refine(SCALE))
    fraction = block_mean(land)
    ice = np.clip(0.5 + 3 * _waves(random, grid.shape), 0, 1)
    frames = [np.roll(ice, DRIFT * (frame - FRAMES // 2), axis=1) for frame in range(FRAMES)]
    seen = [_brightness(each, fraction, random) for each in frames]
    tb = {name: np.stack([each[k] for each in seen]) for k, name in enumerate(HIGH_CHANNELS)}
    dims = ("frame", "y", "x")
    quarters = {
        f"{name}_quarter": (
            ("frame", "quarter", "y", "x"),
            np.stack([values] * len(QUARTERS), 1)
            + random.normal(0, 0.5, (FRAMES, len(QUARTERS), *grid.shape)).astype(np.float32),
        )
        for name, values in tb.items()
    }
    told = {"crs": grid.crs, "hemisphere": "north", "date": "2020-03-03", "status": "final"}
    at = coordinates(grid)
    stack = xr.Dataset({name: (dims, values) for name, values in tb.items()} | quarters, at, told)
    low = {name: seen[FRAMES // 2][name.endswith("v")] - 5 for name in CHANNELS}
    maps = low | {name: values[FRAMES // 2] for name, values in tb.items()}
    others = (0, 1, 3, 4)
    maps |= {n: seen[k][1] - seen[k][0] for n, k in zip(NEIGHBOUR_PD_CHANNELS, others, strict=True)}
    maps["n_obs"] = np.full(grid.shape, 5, np.uint16)
    maps["obs_time"] = np.full(grid.shape, np.datetime64("2020-03-03T11:00", "ns"))
    daily = xr.Dataset({name: (("y", "x"), values) for name, values in maps.items()}, at, told)
    return Day(stack=stack, daily_map=daily, land=land, where=near_sea(grid))


def _waves(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Zero on the mean, of sizes from the map's to a hundredth of it."""
    total = np.zeros(shape)
    for octave in range(2, 8):
        coarse = random.normal(0, 2.0**-octave, (2**octave + 1, 2**octave + 1))
        fine = zoom(coarse, [side / 2**octave for side in shape], order=1)
        total += fine[: shape[0], : shape[1]]
    return total


def _brightness(
    ice: np.ndarray, share: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """H and V, K, with noise."""
    sea = (water + ice * (frozen - water) for water, frozen in zip(WATER, ICE, strict=True))
    mixed = (over * (1 - share) + dry * share for over, dry in zip(sea, LAND, strict=True))
    h, v = ((each + random.normal(0, 0.7, ice.shape)).astype(np.float32) for each in mixed)
    return h, v


def ours(day: Day, machine: Machine) -> np.ndarray:
    """Concentration as the product's own code makes it, weights read and all."""
    refined = refine(day.stack, *shipped("sr"), machine, "", no_progress, day.where)
    result = concentrate(refined, day.daily_map, day.land, shipped("sic"), machine, no_progress)
    return np.asarray(result["sic"].values)


def naive(day: Day) -> np.ndarray:
    """Concentration of every cell, as a first version would make it."""
    machine = Machine(device=CPU)
    with sampled_plainly():
        refined = _with_every_tile(refine)(day.stack, *shipped("sr"), machine, "", no_progress)
        result = _with_every_tile(concentrate)(
            refined, day.daily_map, day.land, shipped("sic"), machine, no_progress
        )
    return np.asarray(result["sic"].values)


def _with_every_tile(stage: Callable[..., xr.Dataset]) -> Callable[..., xr.Dataset]:
    """A stage whose network runs over all tiles, as they come."""
    import sys

    module = sys.modules[stage.__module__]

    def run(*given: object) -> xr.Dataset:
        before = module.run_tiled
        module.run_tiled = _every_tile
        try:
            return stage(*given)
        finally:
            module.run_tiled = before

    return run


@torch.inference_mode()
def _every_tile(
    network: nn.Module,
    card: Card,
    cut: Callable[[slice, slice], Tensor],
    wanted: np.ndarray,
    machine: Machine,
    progress: object,
) -> np.ndarray:
    rows, columns = wanted.shape
    out = np.full((len(card.outputs), rows * card.scale, columns * card.scale), np.nan, np.float32)
    for tile in machine.tiling(card).over((rows, columns)):
        told = network(cut(tile.rows.cells, tile.columns.cells)[None])
        stitch(out, tile, told[0].numpy(), card.scale)
    return out


def rows(runs: int) -> Iterator[Row]:
    """Each precision once, then naively once: it takes minutes. `runs` is not used."""
    torch.set_num_threads(1)
    small = made_day(NORTH.crop(slice(600, 700), slice(500, 600)))
    ways = {
        how: lambda day, how=how: ours(day, Machine(device=CPU, precision=how))
        for how in ("bfloat16", "float32")
    }
    for way in ways.values():
        way(small)  # compiles
    day = made_day(NORTH)
    taken, maps = {}, {}
    for how, way in (ways | {"naive": naive}).items():  # the most memory is that of those so far
        wall, cpu = time.perf_counter(), time.process_time()
        maps[how] = way(day)
        taken[how] = (
            Taken(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu, runs=1),
            peak(),
        )
        print(how, taken[how], flush=True)
    for how in ways:
        yield Row(
            subject="north",
            what=f"both networks over the whole northern map, {how}"
            + (" (the default here)" if choose_precision("auto", CPU) == how else ""),
            sizes="1792 x 1216 to 7168 x 4864",
            ours=taken[how][0],
            peer_is="naively: eager, float32, NCHW, every tile",
            peer=taken["naive"][0],
            peak=taken[how][1],
            note=_apart(maps[how], maps["naive"]),
        )


def _apart(mine: np.ndarray, other: np.ndarray) -> str:
    difference = np.abs(mine - other)[np.isfinite(mine) & np.isfinite(other)]
    return (
        f"to the naive map {100 * np.sqrt(np.square(difference).mean()):.4f} % RMS, "
        f"{(difference <= 0.01).mean():.3%} of cells within 1 %, "
        f"largest {100 * difference.max():.2f} %; "
        f"{int((np.isfinite(mine) != np.isfinite(other)).sum())} cells known to one alone"
    )

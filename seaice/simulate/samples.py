"""Truth-known training samples: worlds seen by the real sampling, gridded by the real gridder.

Each sample is a world of its own (place, day, seed), observed for five days (or by one pass that
stands in for all five frames), and stored as the daily maps a run would make of it, with the truth.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from seaice.grid.blocks import depth_to_space
from seaice.grid.grid import NORTH
from seaice.grid.gridding import Accumulator
from seaice.grid.masks import land_mask
from seaice.instrument import CHANNELS, HIGH_CHANNELS, LOW_BANDS, LOW_CHANNELS
from seaice.simulate.ice import FINE, coarse_concentration
from seaice.simulate.observe import Sighting, coverage, observe, sightings, slot
from seaice.simulate.settings import SEALED, TRAINING, UNSEEN, Physics, draw_physics
from seaice.simulate.world import Brightness, Truth, World, make_world

__all__ = [
    "SPLITS",
    "Split",
    "draw",
    "make_sample",
    "physics_of",
    "write_samples",
    "written_samples",
]

SIDE = 128  #: coarse cells of a sample
MARGIN = 16  #: coarse cells of world around it, so that broad footprints are whole
ABSENT = np.uint16(65535)
OPEN_SEA_SHARE = 0.1  #: share of draws without ice that are kept
MELTING = (6, 10)  #: first and last month whose samples may show coasts above all
COASTAL_SHARE = 0.15  #: of the cells of such a sample that are sea near land, at least
SINGLE_PASS_SHARE = 0.6  #: share of samples seen once only, as `seaice scene` meets them

#: Passes of a sample's other days and of its own: fewer than near the pole, as many as at 70 N.
MOST_PASSES = (2, 5)

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which days and places a set of samples may use: splits share neither."""

    name: str
    seed: int
    days: tuple[int, int]  #: first and last day of each month
    columns: tuple[tuple[int, int], ...]  #: spans of the northern grid along x, coarse cells
    physics: Physics | None = TRAINING  #: None: drawn for each sample
    coasts_every: int | None = None  #: every n-th sample shows coasts while ice melts


#: Days of each month are dealt to one split only, five or more days apart, because a stack reaches
#: two days to either side, those of February into March too. Training and test share no ground:
#: test lies between Fram Strait and Franz Josef Land (x 600 to 1500 km), training on either side.
#: Straits and coasts of summer are rare among places drawn evenly, and hardest: wet ice beside land
#: in the broad footprints of the low frequencies. So training has more of them.
SPLITS = {
    "train": Split(
        name="train", seed=11, days=(3, 16), columns=((16, 696), (872, 1200)), coasts_every=4
    ),
    "valid": Split(name="valid", seed=12, days=(21, 21), columns=((16, 696), (872, 1200))),
    "test": Split(name="test", seed=13, days=(26, 26), columns=((712, 856),), physics=UNSEEN),
    "sealed": Split(name="sealed", seed=15, days=(26, 26), columns=((712, 856),), physics=SEALED),
    "doubt": Split(
        name="doubt", seed=14, days=(21, 21), columns=((16, 696), (872, 1200)), physics=None
    ),
}


def _place(
    split: Split, day: date, show: Literal["anything", "coasts"], rng: np.random.Generator
) -> tuple[int, int]:
    """Upper-left coarse cell of a sample that has sea and, mostly, ice."""
    land = land_mask(NORTH)
    while True:
        low, high = split.columns[int(rng.integers(len(split.columns)))]
        row = int(rng.integers(250, NORTH.shape[0] - SIDE - 200))
        column = int(rng.integers(low, high - SIDE + 1))
        rows, columns = slice(row, row + SIDE), slice(column, column + SIDE)
        ice = coarse_concentration(NORTH.crop(rows, columns), day)
        icy = bool((ice > 0.15).mean() > 0.03) or rng.random() < OPEN_SEA_SHARE
        fits = show == "anything" or _coastal(land[rows, columns])
        if land[rows, columns].mean() < 0.7 and icy and fits:
            return row, column


def _coastal(land: NDArray[np.bool_]) -> bool:
    """Whether much of a place is sea within 25 km of land."""
    near = ndimage.binary_dilation(land, np.ones((3, 3), bool), iterations=4) & ~land
    return bool(near.mean() > COASTAL_SHARE)


def _counts(tb: Array) -> NDArray[np.uint16]:
    """Kelvin to hundredths, absent to 65535, as the instrument's own files have it."""
    scaled = np.where(np.isnan(tb), 655.35, np.clip(tb, 0, 655.0)) * 100
    return np.asarray(np.round(scaled), np.uint16)


def _frames(
    world: World, first: date, days: int, keep: Literal["all", "one"], rng: np.random.Generator
) -> tuple[list[xr.Dataset], dict[float, Array]]:
    """Daily maps of some days, and when and where the world's central day was seen."""
    maps: list[xr.Dataset] = []
    counts: dict[float, Array] = {}
    cache: tuple[tuple[float, bool], Brightness] | None = None
    for day in (first + timedelta(days=n) for n in range(days)):
        start = np.datetime64(f"{day.isoformat()}T00:00", "ms")
        result = _covering(list(sightings(world.grid, start, start + np.timedelta64(1, "D"))))
        most = 1 if keep == "one" else MOST_PASSES[day == world.day]
        passes = [each.observed() for each in _some(result, most, rng)]
        bands = LOW_BANDS if day == world.day else ()
        channels = CHANNELS if bands else HIGH_CHANNELS
        gathered = Accumulator(world.grid, channels)
        for one in passes:
            at = slot(world.hours(one.middle))
            if cache is None or cache[0] != (at, bool(bands)):
                cache = (at, bool(bands)), world.brightness(at, low=bool(bands))
            gathered.add(observe(world, cache[1], one, rng, bands))
            if day == world.day:
                counts[at] = counts.get(at, 0) + coverage(world.grid, one.looks)
        maps.append(gathered.daily_map(day))
    return maps, counts


def _some(found: list[Sighting], most: int, rng: np.random.Generator) -> list[Sighting]:
    """At most so many of the passes, in order of time."""
    if len(found) <= most:
        return found
    return [found[n] for n in sorted(rng.choice(len(found), most, replace=False))]


def _covering(found: list[Sighting]) -> list[Sighting]:
    """The passes that see a good part of the world; if none does, the one that sees most."""
    enough = 0.7 * min(max((one.seen for one in found), default=0.0), 1.0)
    return [one for one in found if one.seen >= enough]


def make_sample(
    place: tuple[int, int], day: date, seed: int, physics: Physics = TRAINING
) -> dict[str, NDArray[np.generic]]:
    """One training sample.

    Parameters
    ----------
    place : upper-left (row, column) on the northern coarse grid
    day : target day
    seed : everything random follows from it
    physics : the rules its world follows

    Returns
    -------
    dict
        `tb89` (5, 2, 128, 128), `tb89_half` (5, 2, 256, 256), `low` (12, 128, 128) and `truth_tb`
        (2, 512, 512) hundredths of kelvin, `truth_sic` (512, 512) half percent with 255 on land.
    """
    rng = np.random.default_rng([seed, 1])
    row, column = place
    grid = NORTH.crop(
        slice(row - MARGIN, row + SIDE + MARGIN), slice(column - MARGIN, column + SIDE + MARGIN)
    )
    land = land_mask(grid.refine(FINE))
    world = make_world(grid, day, seed, land, physics)
    if rng.random() < SINGLE_PASS_SHARE:
        maps, counts = _frames(world, day, 1, "one", rng)
        maps = maps * 5
    else:
        maps, counts = _frames(world, day - timedelta(days=2), 5, "all", rng)
    return _cut(maps, world.truth(counts), land)


def _cut(
    maps: list[xr.Dataset], truth: Truth, land: NDArray[np.bool_]
) -> dict[str, NDArray[np.generic]]:
    coarse, fine = slice(MARGIN, MARGIN + SIDE), slice(FINE * MARGIN, FINE * (MARGIN + SIDE))
    frames = [np.stack([m[name].values for name in HIGH_CHANNELS]) for m in maps]
    quarters = [np.stack([m[f"{name}_quarter"].values for name in HIGH_CHANNELS]) for m in maps]
    low = np.stack([maps[len(maps) // 2][name].values for name in LOW_CHANNELS])
    percent = np.where(land, 255, np.round(truth.sic * 200)).astype(np.uint8)
    return {
        "tb89": _counts(np.stack(frames)[..., coarse, coarse]),
        "tb89_half": _counts(depth_to_space(np.stack(quarters)[..., coarse, coarse])),
        "low": _counts(low[..., coarse, coarse]),
        "truth_tb": _counts(truth.tb[..., fine, fine]),
        "truth_sic": percent[fine, fine],
    }


def draw(split: Split, index: int) -> tuple[tuple[int, int], date, int]:
    """Place, day and seed of the n-th sample of a split."""
    rng = np.random.default_rng([split.seed, index])
    first, last = split.days
    coasts = split.coasts_every is not None and index % split.coasts_every == 0
    months = MELTING if coasts else (1, 12)
    month, day_of_month = (
        int(rng.integers(months[0], months[1] + 1)),
        int(rng.integers(first, last + 1)),
    )
    day = date(2018, month, day_of_month)
    place = _place(split, day, "coasts" if coasts else "anything", rng)
    return place, day, int(rng.integers(2**31))


def physics_of(split: Split, index: int) -> Physics:
    """The rules that the n-th sample of a split follows."""
    return split.physics or draw_physics(np.random.default_rng([split.seed, index, 1]))


def _open(split: Split, count: int, store: Path) -> zarr.Group:
    """The group with room for `count` samples; what it holds already stays."""
    shapes = {
        "tb89": ((5, 2, SIDE, SIDE), "uint16"),
        "tb89_half": ((5, 2, 2 * SIDE, 2 * SIDE), "uint16"),
        "low": ((len(LOW_CHANNELS), SIDE, SIDE), "uint16"),
        "truth_tb": ((2, FINE * SIDE, FINE * SIDE), "uint16"),
        "truth_sic": ((FINE * SIDE, FINE * SIDE), "uint8"),
        "done": ((), "uint8"),
    }
    group = zarr.open_group(store, mode="a", zarr_format=3)
    for name, (shape, dtype) in shapes.items():
        if name not in group:
            group.create_array(name, shape=(count, *shape), chunks=(1, *shape), dtype=dtype)
        array = group[name]
        if isinstance(array, zarr.Array) and array.shape[0] < count:
            array.resize((count, *shape))
    group.attrs.update({"split": split.name, "seed": split.seed, "days": list(split.days)})
    group.attrs.update({"physics": asdict(split.physics) if split.physics else "drawn"})
    return group


def _write_one(split: Split, store: Path, index: int) -> int:
    """Make one sample and write it; runs in a process of its own."""
    group = zarr.open_group(store, mode="r+")
    for name, values in make_sample(*draw(split, index), physics_of(split, index)).items():
        group[name][index] = values  # type: ignore[index]
    group["done"][index] = 1  # type: ignore[index]
    return index


def written_samples(store: Path) -> int:
    """How many samples a store holds; 0 where there is none."""
    if not store.exists():
        return 0
    done = zarr.open_group(store, mode="r")["done"]
    return int(np.count_nonzero(np.asarray(done[:])))  # type: ignore[index]


def write_samples(split: Split, count: int, store: Path, workers: int = 2) -> Iterator[int]:
    """Make the samples of a split and write them to a Zarr group.

    A store that holds some of them already is continued. Which sample is which follows from the
    split and the index alone, so the number of workers changes nothing but the time.

    Parameters
    ----------
    split : of `SPLITS`
    count : samples the store shall hold
    store : folder of the group
    workers : processes

    Yields
    ------
    int
        How many of the samples are there, after each one.
    """
    done = np.asarray(_open(split, count, store)["done"][:])  # type: ignore[index]
    missing = [int(index) for index in np.flatnonzero(done[:count] == 0)]
    yield count - len(missing)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_write_one, split, store, index) for index in missing]
        for number, finished in enumerate(as_completed(waiting), start=1):
            finished.result()
            yield count - len(missing) + number

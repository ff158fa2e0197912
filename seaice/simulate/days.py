"""Dates in, a folder of genuine L1B granules and their truth out."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from seaice.cf import attrs
from seaice.files import atomic_file
from seaice.grid.grid import Grid, coordinates
from seaice.grid.masks import land_mask
from seaice.simulate.granule import OVERLAP_SCANS, write_granule
from seaice.simulate.ice import FINE
from seaice.simulate.lattice import enlarge
from seaice.simulate.observe import Pass, coverage, observe, passes_over, slot
from seaice.simulate.orbit import half_orbits
from seaice.simulate.world import Brightness, Truth, World, make_world

__all__ = ["simulate_days", "truth_path"]

THREADS = 2  #: passes observed at once; compiled code lets others run
HALF_PERCENT = {"dtype": "uint8", "scale_factor": np.float32(0.005), "_FillValue": np.uint8(255)}
#: Far finer than the instrument's noise of about 1 K; hundredths would double the files.
TENTHS = {"dtype": "uint16", "scale_factor": np.float32(0.1), "_FillValue": np.uint16(65535)}
TENTHS_OF_GRAMS = TENTHS | {"scale_factor": np.float32(1e-4)}
THIN = 0.15  #: share of water seen through ice from which on it counts as thin
LEAST = 0.0025  #: concentration that half percents still tell from none
Array = NDArray[np.float32]
Progress = Callable[[int, int], None]  #: done, of how many


def truth_path(folder: Path, day: date) -> Path:
    """Where the truth of a simulated day lies."""
    return folder / "truth" / f"truth_{day:%Y%m%d}.nc"


def _write_truth(world: World, day: date, watched: Mapping[float, Array], folder: Path) -> Path:
    """Ice, air and brightness of the sea, each place when it was observed, on the fine grid.

    Packed (half percent, tenths of a kelvin), because five days of float32 would take 200 MB.
    """
    noon = 24.0 * (day - world.day).days
    known = world.truth(watched or {noon: np.ones(world.grid.shape, np.float32)})
    fine = world.grid.refine(FINE)
    layers = {
        "sic": (known.sic, HALF_PERCENT),
        "tb89h": (known.tb[0], TENTHS),
        "tb89v": (known.tb[1], TENTHS),
        "ice_kind": (_kind(known), {"dtype": "uint8", "_FillValue": np.uint8(255)}),
        "vapour": (enlarge(known.vapour, FINE), TENTHS),
        "liquid": (enlarge(known.liquid, FINE), TENTHS_OF_GRAMS),
    }
    sea = world.land <= 0.5
    truth = xr.Dataset(
        {n: (("y", "x"), np.where(sea, v, np.nan), attrs(n)) for n, (v, _) in layers.items()},
        coords=coordinates(fine) | {"time": np.datetime64(f"{day.isoformat()}T12:00", "ns")},
        attrs={"title": "truth of a simulated day", "crs": fine.crs, "date": day.isoformat()},
    )
    small = {"zlib": True, "complevel": 4, "shuffle": True}
    encoding = {name: packing | small for name, (_, packing) in layers.items()}
    with atomic_file(truth_path(folder, day)) as partial:
        truth.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
    return truth_path(folder, day)


def _kind(known: Truth) -> Array:
    """0 open water, 1 cold ice, 2 thin ice, 3 melting ice; what is most of the ice, (y, x)."""
    melting, thin = known.kinds
    kind = np.where(melting > 0.5, 3, np.where(thin > THIN, 2, 1))
    return np.asarray(np.where(known.sic > LEAST, kind, 0), np.float32)


def _write_pass(
    world: World, seen: Brightness, seed: int, folder: Path, one: Pass
) -> tuple[Pass, Path]:
    """Observe one pass, with noise of its own, and write its granule."""
    rng = np.random.default_rng([seed, 2, one.half_orbit.number])
    return one, write_granule(observe(world, seen, one, rng), one, folder)


def simulate_days(
    first: date, last: date, grid: Grid, seed: int, folder: Path, progress: Progress
) -> list[Path]:
    """Write every granule that sees the grid on the days from first to last, and the days' truth.

    Parameters
    ----------
    first, last : UTC days, both included
    grid : coarse grid (6.25 km) of the region; samples outside it are absent in the files
    seed : the same seed gives the same data on the same machine
    folder : made if absent; truth goes to `folder/truth`: `sic` (0-1, kept as half percent),
        `tb89h`, `tb89v` (K, kept as tenths), `ice_kind` (0-3), `vapour`, `liquid` (kg m-2), NaN on
        land, on the grid four times finer
    progress : called with passes done and half orbits in all, of which some see nothing

    Returns
    -------
    list of Path
        The granules, in order of time.
    """
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    centre = first + (last - first) // 2
    world = make_world(grid, centre, seed, land_mask(grid.refine(FINE)))
    start = np.datetime64(f"{first.isoformat()}T00:00", "ms")
    stop = np.datetime64(f"{(last + timedelta(days=1)).isoformat()}T00:00", "ms")
    passes = passes_over(grid, start, stop, OVERLAP_SCANS)
    most = len(half_orbits(start, stop))
    written: list[Path] = []
    counts: dict[date, dict[float, Array]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for at, group in groupby(passes, lambda one: slot(world.hours(one.middle))):
            write = partial(_write_pass, world, world.brightness(at), seed, folder)
            for one, path in pool.map(write, group):
                written.append(path)
                day = counts.setdefault(one.middle.astype("datetime64[D]").item(), {})
                day[at] = day.get(at, 0) + coverage(grid, one.looks)
                progress(len(written), most)
    for number in range((last - first).days + 1):
        each = first + timedelta(days=number)
        _write_truth(world, each, counts.get(each, {}), folder)
    progress(most, most)
    return written

"""Our gridding beside pyresample's, on one made northern granule, both horns, H and V.

    python -m benchmarks.gridding

Each method runs in a process of its own, after a warm-up (numba compiles once and keeps it), and
reports the time of the gridding alone and how much memory it took on top of the swath. The
reference of the last two columns is the published method, kd-tree Gaussian with 30 neighbours.
"""

import resource
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyresample import AreaDefinition, SwathDefinition, kd_tree
from pyresample.ewa import fornav, ll2cr
from rich.console import Console
from rich.table import Table

from seaice.grid.definition import NORTH
from seaice.grid.resample import Accumulator
from seaice.grid.splat import HIGH_BEAM
from seaice.instrument import HIGH_CHANNELS
from tests.granules import make_swath

SCANS = 1000  #: of a half orbit's 2000, those that see the northern grid
Maps = dict[str, NDArray[np.float32]]
AREA = AreaDefinition("", "", "", NORTH.crs, *NORTH.shape[::-1], NORTH.bounds)


def ours(swath: xr.Dataset) -> Maps:
    """Splatting, sums for n_obs, time and spread included."""
    day = Accumulator(NORTH, HIGH_CHANNELS)
    day.add(swath)
    made = day.daily_map(date(2020, 3, 3))
    return {name: made[name].values for name in HIGH_CHANNELS}


def kd_tree_gauss(swath: xr.Dataset) -> Maps:
    """The published method; both channels share one search."""
    places = SwathDefinition(swath["longitude"].values.ravel(), swath["latitude"].values.ravel())
    both = np.stack([swath[name].values.ravel() for name in HIGH_CHANNELS], -1)
    found = kd_tree.resample_gauss(
        places,
        both,
        AREA,
        radius_of_influence=10_000,
        sigmas=[HIGH_BEAM.sigma] * 2,
        neighbours=30,
        fill_value=np.nan,
    )
    return {name: found[..., k].astype(np.float32) for k, name in enumerate(HIGH_CHANNELS)}


def elliptical(swath: xr.Dataset) -> Maps:
    """EWA of each horn, all rows one scan, then the mean of the horns."""
    horns = []
    for horn in range(swath.sizes["horn"]):
        part = swath.isel(horn=horn)
        places = SwathDefinition(part["longitude"].values, part["latitude"].values)
        _, columns, rows = ll2cr(places, AREA, fill=np.nan)
        images = [part[name].values for name in HIGH_CHANNELS]
        horns.append(fornav(columns, rows, AREA, images, rows_per_scan=len(images[0]))[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells neither horn reaches
        return {
            name: np.nanmean([horn[k] for horn in horns], axis=0)
            for k, name in enumerate(HIGH_CHANNELS)
        }


METHODS: dict[str, Callable[[xr.Dataset], Maps]] = {
    "seaice": ours,
    "pyresample EWA": elliptical,
    "pyresample kd-tree Gaussian": kd_tree_gauss,
}


def measure(method: str) -> tuple[float, float, Maps]:
    """Seconds, MB on top of the swath, and the maps of one method."""
    warnings.simplefilter("ignore", UserWarning)
    METHODS[method](make_swath(20, phase=1200.0))
    swath = make_swath(SCANS, phase=740.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    maps = METHODS[method](swath)
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, maps


def main() -> None:
    """Print the table."""
    found = {}
    for method in METHODS:  # a process each: peak memory never falls
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[method] = pool.submit(measure, method).result()
    fastest, reference = found["seaice"][0], found["pyresample kd-tree Gaussian"][2]
    table = Table(
        title=f"{SCANS} scans, 2 horns, H and V, onto {NORTH.shape[0]} x {NORTH.shape[1]}"
    )
    for head in ("method", "s", "of ours", "peak MB", "median |diff| K", "99 % |diff| K", "holes"):
        table.add_column(head, justify="left" if head == "method" else "right")
    for method, (seconds, memory, maps) in found.items():
        apart = np.abs(maps["tb89v"] - reference["tb89v"])
        known = np.isfinite(reference["tb89v"])
        table.add_row(
            method,
            f"{seconds:.2f}",
            f"{seconds / fastest:.1f}",
            f"{memory:.0f}",
            f"{np.nanmedian(apart):.3f}",
            f"{np.nanpercentile(apart, 99):.3f}",
            str(int((known & ~np.isfinite(maps["tb89v"])).sum())),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
